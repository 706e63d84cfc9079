//! The attribute macros of DBOS for Rust.
//!
//! Use them through the `dbos` library, which re-exports all of them and which the generated code
//! refers to as `::dbos`.
//!
//! An attribute is read in three steps, a module each: `args` (what stands in its parentheses), `function`
//! (what it stands on, checked) and `expand` (what becomes of it).

mod args;
mod errors;
mod expand;
mod function;
mod nondeterminism;
mod paths;
mod source_hash;

use proc_macro::TokenStream;

/// Makes an `async fn` a workflow: once started, it is brought to its end, whatever crashes.
///
/// Calling the function gives a `WorkflowCall`: await it, or start it with `DBOS::start_workflow`.
/// Its arguments are stored when it starts, and its result when it ends, so both must be
/// serialisable with serde; arguments are owned. The function returns a `Result<T, E>` with
/// `E: From<dbos::Error>`, through which it says that it was cancelled or panicked.
///
/// After a crash the body runs again from its start with the same arguments. What its steps,
/// transactions and child workflows returned is read from the database instead of being done again; so what
/// lies between them must be the same each time. Calls that are not, such as
/// `SystemTime::now()`, are warned about.
///
/// # Options
///
/// - `name = "…"`: the name in the database; by default the function's, as in `checkout` or
///   `Shop::checkout`. Runs that are under way find their code by it.
/// - `max_recovery_attempts = n`: after this many recoveries the run is set aside; 100 by default.
/// - `timeout = "1h"`: cancels a run that takes longer, measured from its start and across crashes;
///   `ms`, `s`, `m`, `h` and `d` are understood. None by default.
/// - `retries = n`: further attempts after it returned an error, each a run of its own from the start, with nothing recorded
///   of the one before; 0 by default, and without end if it is `"unlimited"`. Attempts are counted, and pauses end, as if
///   there had been no crash. `interval`, `backoff`, `max_interval` and `retry_if` as for a step.
/// - `schedule = "0 */5 * * * *"`: starts it at each tick of this cron pattern, of five fields or of six with seconds
///   first, once in all processes of the application. It takes its tick and nothing else: `tick: dbos::Tick`.
/// - `timezone = "Europe/Berlin"`: by whose clocks the schedule goes; UTC by default.
/// - `late = "skip"`, `"last"` or `"all"`: which ticks run that nobody was there for, as `dbos::Late` says; none by
///   default.
/// - `allow_nondeterminism`: no warnings for this function, neither by the compiler nor, about waits for what is not
///   recorded, while it runs.
///
/// In an `impl` block, put [`macro@workflows`] on the block if the function says `Self`.
///
/// `#[state]` on an argument, as in `#[state] http: &Http`, is for what the program provides with `DBOS::provide`. Callers do
/// not see it, and nothing of it is stored. Steps, transactions and routes take it too.
///
/// # Example
///
/// ```ignore
/// #[workflow]
/// async fn payment(order: Order) -> dbos::Result<Receipt> {
///     reserve(order.item, order.quantity).await?;
///     let receipt = charge(&order).await?;
///     DBOS::sleep(Duration::from_secs(3600)).await;
///     ship(order).await?;
///     Ok(receipt)
/// }
///
/// let handle = DBOS::start_workflow(payment(order)).workflow_id("order-42").await?;
/// ```
#[proc_macro_attribute]
pub fn workflow(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::or_keep(item.into(), |item| expand::workflow(args.into(), item)).into()
}

/// On an `impl` block: lets the workflows and routes in it say `Self`.
///
/// Not needed otherwise: `#[workflow]` and the routes work in plain `impl` blocks too. The type must be
/// concrete.
///
/// # Example
///
/// ```ignore
/// #[workflows]
/// impl Shop {
///     const FEE: i64 = 3;
///
///     #[workflow]
///     async fn checkout(amount: i64) -> dbos::Result<i64> {
///         Self::charge(amount + Self::FEE).await
///     }
///
///     #[step]
///     async fn charge(amount: i64) -> dbos::Result<i64> {
///         Ok(amount)
///     }
/// }
/// ```
#[proc_macro_attribute]
pub fn workflows(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::or_keep(item.into(), |item| expand::workflows(args.into(), item)).into()
}

/// Makes an `async fn` a step: its outcome is recorded, and a replay reads it instead of running the body.
///
/// Calling the function takes the next step id and gives a `StepCall`, which runs when it is awaited. The body
/// runs at least once; if the process crashes between the body and its record, it
/// runs again, so pass `DBOS::step_key()` to outside systems that can tell a repetition. Once recorded, it
/// never runs again, and an error is an outcome like any other.
///
/// A step may borrow its arguments, take `&self` and be generic. It may return any type that serde can
/// write and read, in particular `Result<T, E>` with an error that serde knows, or an opaque one such
/// as `anyhow::Error`, which comes back as its messages. Outside a workflow it is an ordinary function.
///
/// # Options
///
/// - `retries = n`: further attempts after an error; 0 by default, and without end if it is `"unlimited"`. Owned arguments are cloned for each attempt.
/// - `interval = "1s"`: the pause before the first retry; 1 second by default.
/// - `backoff = 2.0`: what each further pause is multiplied by; 2 by default.
/// - `max_interval = "1h"`: the longest pause, unless `interval` is longer; 1 hour by default.
/// - `retry_if = path`: a function from `&E` to `bool`; errors for which it is false are not retried.
/// - `timeout = "30s"`: ends an attempt that takes longer with `dbos::Error::StepTimedOut`; none by default.
/// - `name = "…"`: the name in the database; by default the function's.
///
/// Durations are text with a unit (`ms`, `s`, `m`, `h`, `d`) or expressions of type `Duration`.
///
/// # Example
///
/// ```ignore
/// #[step(retries = 3, interval = "500ms", retry_if = is_temporary)]
/// async fn charge(card: &Card, cents: i64) -> Result<Receipt, PaymentError> {
///     bank::charge(card, cents, DBOS::step_key()).await
/// }
/// ```
#[proc_macro_attribute]
pub fn step(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::or_keep(item.into(), |item| expand::step(args.into(), item)).into()
}

/// Makes an `async fn` a transaction: its writes and its record are committed together, exactly once.
///
/// The first argument is the connection: `tx: &mut dbos::Tx` for code that runs on Postgres and
/// SQLite alike, `&mut sqlx::PgConnection` or `&mut sqlx::SqliteConnection` for one of them.
/// Callers do not pass it. An error rolls the writes back and is recorded; a replay reads the record. An
/// attempt that the database turned away (a serialisation failure, a deadlock, a busy file)
/// is repeated with fresh arguments, so owned ones are cloned.
///
/// # Options
///
/// - `isolation = "serializable"`, `"repeatable read"` or `"read committed"`: on Postgres; serializable by default.
/// - `read_only`: the body writes nothing.
/// - `name = "…"`: the name in the database; by default the function's.
///
/// # Example
///
/// ```ignore
/// #[transaction]
/// async fn reserve(tx: &mut Tx, item: i64, quantity: i64) -> dbos::Result<()> {
///     let updated = tx
///         .query("UPDATE products SET stock = stock - $2 WHERE id = $1 AND stock >= $2")
///         .bind(item)
///         .bind(quantity)
///         .execute()
///         .await?;
///     if updated == 0 {
///         return Err(dbos::Error::named("SoldOut", "no stock left"));
///     }
///     Ok(())
/// }
///
/// reserve(7, 2).await?;
/// ```
#[proc_macro_attribute]
pub fn transaction(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::or_keep(item.into(), |item| expand::transaction(args.into(), item)).into()
}

/// Makes a `static` of type `Queue` one of the program's queues.
///
/// Its limits are methods of `Queue`; this attribute takes no options. `call.enqueue(&ORDERS)` puts a workflow into it,
/// and every process of the application takes workflows out of it, as far as its limits allow. Each launch writes the
/// limits into the database, where all processes read them; the name belongs to one application. Two queues of one name
/// are refused at launch.
///
/// # Example
///
/// ```ignore
/// #[queue]
/// static ORDERS: Queue = Queue::new("orders").concurrency(10).rate_limit(50, Duration::from_secs(60));
///
/// let handle = dispatch(order).enqueue(&ORDERS).priority(2).await?;
/// ```
#[proc_macro_attribute]
pub fn queue(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::or_keep(item.into(), |item| expand::queue(args.into(), item)).into()
}

/// Documents and defines one route attribute.
macro_rules! route {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[proc_macro_attribute]
        pub fn $name(args: TokenStream, item: TokenStream) -> TokenStream {
            expand::or_keep(item.into(), |item| expand::route(stringify!($name), args.into(), item)).into()
        }
    };
}

route! {
    /// Serves a function at `GET path`.
    ///
    /// Arguments named in the path (`:id`, `:id?` or `{id}`) come from there, the others from the query
    /// string. An `Option` may be missing. Everything else is as for [`macro@post_api`].
    ///
    /// # Example
    ///
    /// ```ignore
    /// #[get_api("/orders/:id")]
    /// async fn order(id: i64, verbose: Option<bool>) -> Result<Order, HttpError> {
    ///     find_order(id, verbose.unwrap_or(false)).await
    /// }
    /// ```
    get_api
}

route! {
    /// Serves a function at `POST path`.
    ///
    /// Arguments named in the path (`:key`, `:key?` or `{key}`) come from there, the others from the fields of the
    /// body, a JSON object or a form. An `Option` may be missing. A `String` answers as text, `()` and `None` with 204,
    /// any other value as JSON, an `Err` as `{status, message, request_id}`.
    ///
    /// An argument may say where else it comes from: `#[query]`, `#[header("x-api-key")]`, `#[body]` for the whole body
    /// as one value, `#[raw]` for its bytes; and with `#[default(20)]` what it is when it is missing.
    ///
    /// Combines with `#[workflow]`, `#[step]` and `#[transaction]` in either order, and with further routes. A
    /// workflow runs under the request's idempotency key, so a repeated request gets the first one's answer.
    ///
    /// # Example
    ///
    /// ```ignore
    /// #[post_api("/checkout/:key")]
    /// async fn checkout(key: String) -> Result<String, HttpError> {
    ///     let handle = DBOS::start_workflow(payment()).workflow_id(&key).await?;
    ///     Ok(handle.workflow_id().to_owned())
    /// }
    /// ```
    post_api
}

route! {
    /// Serves a function at `PUT path`; everything else is as for [`macro@post_api`].
    put_api
}

route! {
    /// Serves a function at `PATCH path`; everything else is as for [`macro@post_api`].
    patch_api
}

route! {
    /// Serves a function at `DELETE path`. Arguments that are not in the path come from the query
    /// string; everything else is as for [`macro@post_api`].
    delete_api
}

/// Makes an `async fn` without arguments the one that says who sends a request, before any route is asked.
///
/// It returns `Result<Option<Identity>, E>` with an `E` that becomes an `HttpError`: the user with its roles, `None` for
/// somebody unknown, or an error to answer with. It looks at the request with `http::bearer_token()` or
/// `http::header("…")`. A program has one at most.
///
/// Routes with `authenticated` or `required_roles = ["…"]` answer 401 to somebody unknown and 403 to whom the roles are
/// missing. User and roles are recorded with every workflow that the request starts, and with its children.
///
/// # Example
///
/// ```ignore
/// #[dbos::authenticator]
/// async fn bearer() -> Result<Option<Identity>, HttpError> {
///     let Some(token) = http::bearer_token() else { return Ok(None) };
///     let user = find_user(&token).await.ok_or(HttpError::new(401, "this token is not known"))?;
///     Ok(Some(Identity::new(user.name, user.roles)))
/// }
///
/// #[dbos::post_api("/refunds", required_roles = ["clerk"])]
/// #[dbos::workflow]
/// async fn refund(order: i64) -> dbos::Result<()> {
///     pay_back(order, DBOS::authenticated_user()).await
/// }
/// ```
#[proc_macro_attribute]
pub fn authenticator(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::or_keep(item.into(), |item| expand::authenticator(args.into(), item)).into()
}

/// Makes an `async fn main` the whole server binary.
///
/// The program reads its configuration from flags, the environment and `dbos.toml`, and has the commands
/// `start` (the default: migrate, recover, serve every route), `migrate`, `routes`, `functions` and `config`. The
/// body runs after the engine is up and before the first request is served; it may return a `Result`,
/// whose error ends the program. Workflows that an earlier process left go on once the body has ended, so that they find
/// what it has set up; or when it waits for one of them.
///
/// # Options
///
/// - `name = "…"`: the application's name; by default the binary's.
/// - `migrations = "folder"`: SQL of the application's own tables, relative to its `Cargo.toml`, as
///   `postgres/0001_create_orders.sql` and `sqlite/0001_create_orders.sql`. It is embedded and
///   applied at start. After adding a file, touch the source file, as the compiler does not watch folders.
/// - `port = 3000`, `admin_port = 3001`: where it answers unless a flag, the environment or the file says otherwise; by
///   default on 3000, and without an admin server.
/// - `supervise`: the program runs itself as a child and restarts it after a crash.
///
/// # Example
///
/// ```ignore
/// #[dbos::main(migrations = "migrations")]
/// async fn main() {}
/// ```
#[proc_macro_attribute]
pub fn main(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::or_keep(item.into(), |item| expand::main(args.into(), item)).into()
}

/// Reads a struct from a database row, its fields by their names, on Postgres and SQLite alike.
///
/// `#[from_row(rename = "column")]` on a field reads it from a column of another name.
///
/// # Example
///
/// ```ignore
/// #[derive(FromRow)]
/// struct Product {
///     id: i64,
///     #[from_row(rename = "product_name")]
///     name: Option<String>,
/// }
///
/// let products = tx.query("SELECT id, product_name FROM products").fetch_all::<Product>().await?;
/// ```
#[proc_macro_derive(FromRow, attributes(from_row))]
pub fn from_row(item: TokenStream) -> TokenStream {
    expand::from_row(item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}
