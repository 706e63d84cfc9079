//! Durable execution for Rust: annotated async functions that survive any crash.
//!
//! A workflow is an ordinary async function. What its steps return is recorded in a database, SQLite or Postgres; if the
//! process dies, the function is called again, by this program or another copy of it, and gets every recorded outcome
//! back until it stands where it was.
//!
//! # A complete program
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use dbos::{DBOS, Event, HttpError, Result, get_api, post_api, step, workflow};
//!
//! const STAGE: Event<String> = Event::new("stage");
//!
//! #[step(retries = 3)]
//! async fn send_mail(customer: &str, text: &str) -> Result<()> {
//!     println!("to {customer}: {text} (key {})", DBOS::step_key());
//!     Ok(())
//! }
//!
//! #[workflow]
//! async fn welcome(customer: String) -> Result<()> {
//!     send_mail(&customer, "Welcome!").await?;
//!     DBOS::set_event(STAGE, "welcomed").await?;
//!     DBOS::sleep(Duration::from_secs(7 * 24 * 3600)).await;
//!     send_mail(&customer, "How was your first week?").await
//! }
//!
//! #[post_api("/welcome/:customer")]
//! async fn start(customer: String) -> Result<String, HttpError> {
//!     let handle = DBOS::start_workflow(welcome(customer.clone())).workflow_id(customer).await?;
//!     Ok(handle.workflow_id().to_owned())
//! }
//!
//! #[get_api("/stage/:customer")]
//! async fn stage(customer: String) -> Result<Option<String>> {
//!     DBOS::get_event(customer, STAGE).timeout(Duration::from_secs(1)).await
//! }
//!
//! #[dbos::main]
//! async fn main() {}
//! ```
//!
//! Nothing is registered by hand. Kill the program at any moment and start it again: no customer is forgotten, none is
//! welcomed a second time once that step is recorded, and the week goes on from when it began.
//!
//! # The attributes
//!
//! | Attribute | On an `async fn`, it makes |
//! |---|---|
//! | [`#[workflow]`](macro@workflow) | a function that is brought to its end, whatever crashes. Calling it gives a [`WorkflowCall`]. |
//! | [`#[step]`](macro@step) | a call whose outcome is recorded: retries, timeouts, any effect on the outside world. Calling it gives a [`StepCall`]. |
//! | [`#[transaction]`](macro@transaction) | a step whose writes commit together with its record. Its first argument is the connection: [`Tx`], or one of sqlx. |
//! | [`#[dbos::queue]`](macro@queue), on a `static` of type [`Queue`] | a queue that workflows wait in, with its limits: `call.enqueue(&QUEUE)` |
//! | [`#[workflow(schedule = "0 */5 * * * *")]`](macro@workflow) | the same, started at each tick of a cron pattern with its [`Tick`] |
//! | [`#[post_api("/path/:argument")]`](macro@post_api), [`get_api`](macro@get_api), … | an HTTP route, on a function of any kind |
//! | [`#[dbos::main]`](macro@main) | the program: its settings, its command line, its server |
//!
//! An argument with `#[state]`, such as `#[state] http: &Http`, is what the program has provided with [`DBOS::provide`].
//!
//! In an `impl` block they work too; functions that say `Self` want [`#[workflows]`](macro@workflows) on the block.
//!
//! ```
//! use dbos::{Error, Result, Tx, transaction};
//!
//! #[transaction]
//! async fn reserve(tx: &mut Tx, product: i64) -> Result<()> {
//!     let changed = tx
//!         .query("UPDATE products SET stock = stock - 1 WHERE product = $1 AND stock > 0")
//!         .bind(product)
//!         .execute()
//!         .await?;
//!     if changed == 0 {
//!         return Err(Error::named("SoldOut", "nothing left on the shelf"));
//!     }
//!     Ok(())
//! }
//!
//! #[dbos::workflow]
//! async fn order(product: i64) -> Result<()> {
//!     reserve(product).await
//! }
//! ```
//!
//! The tables of such a program are made at start: `#[dbos::main(migrations = "migrations")]` embeds a folder of SQL.
//!
//! # In a workflow
//!
//! Await steps, transactions and other workflows like any function; `tokio::join!` and [`select!`] work. [`DBOS`] has the
//! rest: [`sleep`](DBOS::sleep), [`send`](DBOS::send) and [`recv`](DBOS::recv), [`set_event`](DBOS::set_event) and
//! [`get_event`](DBOS::get_event), [`now`](DBOS::now), [`uuid`](DBOS::uuid), [`random`](DBOS::random). Whatever stands
//! between them must be the same each time it runs: no clock, no randomness, no input or output. The compiler warns about
//! the calls it knows.
//!
//! Arguments and results are stored as JSON, so serde must be able to write and read them. A value that would not come
//! back equal is refused at once, with the reason.
//!
//! # Errors
//!
//! A workflow returns `Result<T, E>` with any `E: From<`[`dbos::Error`](Error)`>`. An error that serde knows comes back as
//! itself when the workflow is awaited or a step is replayed; `anyhow::Error` and the like come back as their messages.
//! [`Error`] itself is what `dbos::Result` uses; [`Error::new`] and [`Error::named`] make one of your own.
//!
//! Awaiting a workflow may also give [`Error::Cancelled`], [`Error::Panicked`] or [`Error::DeadLettered`], turned into
//! `E`. Trouble with the database is no error of a running workflow: the engine waits until it is over. From a route,
//! [`HttpError`] chooses the status.
//!
//! # What is promised
//!
//! - One workflow id is one execution. Starting it again attaches to it, whoever asks.
//! - A step's body runs at least once, and never again once its outcome is recorded. [`DBOS::step_key`] lets outside
//!   systems tell a repetition.
//! - A transaction's writes are committed exactly once.
//! - Sleeps, timeouts and deadlines are instants in the database. A crash does not extend them.
//! - A message is received once.
//! - One process at a time can record anything for a workflow.
//! - A workflow that was started ends, unless it is cancelled, times out, or is recovered more than
//!   `max_recovery_attempts` times. An edit of its code leaves its open runs to the code they were started under.
//!
//! # Running it
//!
//! [`#[dbos::main]`](macro@main) keeps its data in an SQLite file named after the program, or in the database that
//! `DBOS_DATABASE_URL` names, and answers on port 3000 of this computer. It is its own tool as well:
//! `workflow list`, `get`, `steps`, `cancel`, `resume`, `fork` and others look after its workflows, as
//! [`DBOS::list_workflows`] and its like do in code. `--help` lists the rest. To be the master of your own `main`, call
//! [`DBOS::launch`] with a [`Config`], then [`serve`], or merge [`http::router`] into an axum application.
//!
//! # Cargo features
//!
//! | Feature | Brings |
//! |---|---|
//! | `postgres`, `sqlite` | the databases; at least one of them is needed |
//! | `http` | routes and the server, [`#[dbos::main]`](macro@main), [`serve`]: the program around the workflows |
//!
//! All three are on by default. Without `http` this is an engine for a program of your own, which calls [`DBOS::launch`].
//!
//! # Tests
//!
//! In tests, `call.plain().await` runs a function alone. [`Engine::scope`] gives each test an engine of its own,
//! [`Engine::abandon`] ends one as a crash would, and [`Clock::skipping_waits`] makes a week pass at once.

#[cfg(feature = "http")]
mod app;
#[cfg(feature = "http")]
pub mod http;
mod dbos;
mod client;
pub mod replay;
mod management;
mod engine;
mod service;
mod saga;
mod select;
mod message;
mod event;
mod stream;
mod follow;
mod workflow;
mod step;
mod checkpoint;
mod context;
mod rehearsal;
mod executor;
mod round;
mod catalog;
mod registry;
mod store;
mod codec;
mod again;
mod history;
#[cfg_attr(not(feature = "http"), allow(dead_code, reason = "without HTTP nobody asks"))]
mod caller;
mod waits;
mod config;
mod queue;
mod schedule;
mod telemetry;
mod clock;
mod wakeup;
mod failpoint;
mod state;
mod status;
mod platform;
mod retry;
mod random;
mod id;
mod error;

/// For `fuzz/` alone.
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;

#[cfg(feature = "http")]
pub use app::serve;
pub use client::Client;
pub use clock::{Clock, Held};
pub use codec::Recorded;
pub use config::{Config, Migrations, Pooler, Retention};
pub use dbos::DBOS;
pub use engine::Engine;
pub use error::{Error, Result};
pub use event::{Event, GetEvent};
#[cfg(feature = "failpoints")]
pub use failpoint::{Failpoints, Side};
#[cfg(feature = "http")]
pub use http::HttpError;
pub use id::{IdReuse, IntoWorkflowId};
pub use management::{
    CancelWorkflow, CancelWorkflows, ChangeQueue, DeleteWorkflow, DeleteWorkflows, ForkWorkflow, ForkWorkflows,
    ReportedOutcome, ResumeWorkflow, ResumeWorkflows, RewindWorkflow, RewindWorkflows, Schedule, ScheduleFilter,
    StartFrom, UpdateSchedule, WorkflowReport,
};
pub use message::{Send, SendBulk, Topic};
pub use queue::{Deduplication, Limits, Queue, QueueName, RateLimit};
pub use saga::Saga;
pub use schedule::{Late, Tick};
pub use status::Status;
pub use step::StepCall;
pub use store::aggregates::{Group, Grouping};
pub use store::backend::Dialect;
pub use store::connection::Isolation;
pub use store::filter::WorkflowFilter;
pub use store::queue_rows::QueueStatus;
pub use store::renaming::RenamedApplication;
pub use store::schedules::ScheduleStatus;
pub use store::steps::StepStatus;
pub use store::tx::{FromTx, Parameter, PortableRow, Query, Scalar, Tx};
pub use store::versions::ApplicationVersion;
pub use store::workflow_row::WorkflowStatus;
pub use stream::{ReadStream, StreamKey};
pub use tracing;
pub use workflow::{AtOnce, ContinueAsNew, Debounce, EnqueueAll, InQueue, Start, WorkflowCall, WorkflowHandle};

pub use dbos_macros::*;

/// Puts a layer of tower around every route of the module it is written in, and of the modules in that one; at the root of
/// a crate, around all of its routes.
///
/// What is written first is outermost, and an outer module's layers are around those of its inner ones. A single route
/// has `layer = …` in its attribute, which is nearest to it.
///
/// ```
/// mod shelf {
///     use axum::middleware::map_response;
///     use axum::response::Response;
///     use dbos::{get_api, layer};
///
///     layer!(map_response(tell_caches));
///
///     async fn tell_caches(mut answer: Response) -> Response {
///         answer.headers_mut().insert("cache-control", "max-age=60".parse().expect("a header"));
///         answer
///     }
///
///     #[get_api("/shelf")]
///     async fn shelf() -> String {
///         "nuts".to_owned()
///     }
/// }
/// ```
///
/// The expression is evaluated once for each route when the router is made. It may be anything that
/// [`axum::routing::MethodRouter::layer`] takes.
#[cfg(feature = "http")]
#[macro_export]
macro_rules! layer {
    ($layer:expr) => {
        const _: () = {
            $crate::__private::inventory::submit! {
                $crate::__private::ModuleLayer {
                    module: ::core::module_path!(),
                    file: ::core::file!(),
                    line: ::core::line!(),
                    layer: |methods| methods.layer($layer),
                }
            }
        };
    };
}

/// What annotated functions are asked for. Generated code calls it too, but the compiler names it to the user when a type
/// does not fit, so it goes by names that a user can make sense of.
#[doc(hidden)]
pub mod requirements {
    pub use crate::again::{Repeatable, again as repeatable};
    #[cfg(feature = "http")]
    pub use crate::app::{EndsProgram, main_outcome};
    pub use crate::codec::{
        CarriesErrors, Fallible, Recordable, RecordableError, WorkflowArgument, from_error as failure, workflow_failure,
    };
    #[cfg(feature = "http")]
    pub use crate::http::{
        arguments::{Arguments, BodyExtractor, RawBody, RouteArgument, RouteExtractor},
        respond::{RouteError, RouteValue},
    };
    pub use crate::schedule::{IsTick, takes_tick};
    pub use crate::state::StateValue;
    pub use crate::step::connection;
}

/// What generated code names. Not for people: it changes without notice.
#[doc(hidden)]
pub mod __private {
    pub use {inventory, sqlx, tokio};

    #[cfg(feature = "http")]
    pub use crate::app::{Application, run};
    pub use crate::codec::{Outcome, Probe, WorkflowCodec, nameless as tiers};
    pub use crate::config::Migrations;
    pub use crate::context::state;
    #[cfg(feature = "http")]
    pub use crate::http::{
        access::{Access, Authenticator, identified},
        keyed::KeyedRoute,
        layers::ModuleLayer,
        limits::RouteOptions,
        openapi::{Described, Operation, answer_tiers, schema_tiers},
        respond::{Respond, nameless as respond_tiers},
        route::{Route, RouteRequest},
    };
    pub use crate::registry::{
        DeclaredQueue, DeclaredSchedule, Function, Registered, StepFunction, WorkflowDefinition, WorkflowOptions,
        function_name,
    };
    pub use crate::retry::RetryPolicy;
    pub use crate::select::Race;
    pub use crate::state::StateNeed;
    pub use crate::step::{Attempts, Step, StepOptions, TransactionOptions};
    pub use crate::store::connection::Isolation;
}
