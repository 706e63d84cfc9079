//! Every mistake the macros find, and what they say to it. Mistakes that only the compiler sees (a type
//! that serde does not know, an error type that cannot hold ours) are tested where they compile.

use proc_macro2::TokenStream;

use super::{authenticator, from_row, main, queue, route, step, transaction, workflow, workflows};

type Expand = fn(TokenStream, TokenStream) -> syn::Result<TokenStream>;

/// The messages of an expansion, in the order the compiler shows them.
fn messages(expand: Expand, args: &str, item: &str) -> Vec<String> {
    let tokens = |text: &str| text.parse::<TokenStream>().expect("test sources are tokens");
    let error = expand(tokens(args), tokens(item)).expect_err("the item is refused");
    error.into_iter().map(|error| error.to_string()).collect()
}

/// Asserts what is said about an item with one mistake.
#[track_caller]
fn refused(expand: Expand, args: &str, item: &str, message: &str) {
    assert_eq!(messages(expand, args, item), [message], "#[…({args})] {item}");
}

fn post(args: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    route("post_api", args, item)
}

fn row(_: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    from_row(item)
}

#[test]
fn attributes_go_on_async_functions() {
    refused(workflow, "", "struct Shop;", "`#[workflow]` goes on an `async fn`");
    refused(step, "", "fn f() {}", "`#[step]` needs an `async fn`; write `async` before `fn`");
    refused(transaction, "", "fn f(tx: &mut Tx) {}", "`#[transaction]` needs an `async fn`; write `async` before `fn`");
    refused(post, r#""/x""#, "fn f() {}", "`#[post_api]` needs an `async fn`; write `async` before `fn`");
    refused(
        step,
        "",
        "async unsafe fn f() {}",
        "`#[step]` cannot be on an `unsafe fn`; put the unsafe part in a function of its own",
    );
    refused(step, "", "async extern \"C\" fn f() {}", "`#[step]` cannot be on an `extern fn`; remove `extern`");
    refused(step, "", "const async fn f() {}", "`#[step]` cannot be on a `const fn`; remove `const`");
    refused(
        step,
        "",
        "async fn f();",
        "this function needs a body; a method that a trait only declares cannot be annotated",
    );
}

#[test]
fn a_function_is_of_one_kind() {
    refused(
        workflow,
        "",
        "#[dbos::step] async fn f() -> Result<()> { Ok(()) }",
        "a function is one of workflow, step and transaction; remove `#[workflow]` or `#[step]`",
    );
}

#[test]
fn a_workflow_owns_named_types() {
    for (argument, message) in [
        (
            "s: &str",
            "a workflow cannot borrow its arguments: after a restart only its stored arguments are left; take `String` by value",
        ),
        (
            "s: &[u8]",
            "a workflow cannot borrow its arguments: after a restart only its stored arguments are left; take `Vec<u8>` by value",
        ),
        (
            "s: &mut Cart",
            "a workflow cannot borrow its arguments: after a restart only its stored arguments are left; take `Cart` by value",
        ),
        (
            "s: impl Display",
            "a workflow needs to know the type of each argument: after a restart only its stored arguments are left; write the type instead of `impl`",
        ),
        (
            "&self",
            "a workflow cannot take `self`: after a restart only its stored arguments are left; take what it needs as arguments, and for `Self::…` put `#[workflows]` on the `impl` block",
        ),
    ] {
        refused(workflow, "", &format!("async fn f({argument}) -> Result<()> {{ Ok(()) }}"), message);
    }
    refused(
        workflow,
        "",
        "async fn f<T>(t: T) -> Result<()> { Ok(()) }",
        "a workflow cannot be generic: after a restart it is found again by its name alone; write one workflow per type",
    );
    let many: Vec<_> = (0..13).map(|number| format!("a{number}: u8")).collect();
    refused(
        workflow,
        "",
        &format!("async fn f({}) -> Result<()> {{ Ok(()) }}", many.join(", ")),
        "a workflow takes up to 12 arguments; put them into a struct",
    );
}

#[test]
fn what_is_recorded_has_a_named_type_of_its_own() {
    let borrowed = "what is returned is read back from its checkpoint, so it must own its data; return `String`, `Vec<T>` or the like";
    refused(step, "", "async fn f() -> Result<&'static str> { Ok(\"\") }", borrowed);
    refused(transaction, "", "async fn f(tx: &mut Tx) -> &u8 { &1 }", borrowed);
    refused(
        step,
        "",
        "async fn f() -> impl Display { 1 }",
        "what is returned is read back from its checkpoint, so its type needs a name; write the type instead of `impl`",
    );
    refused(
        workflow,
        "",
        "async fn f() {}",
        "a workflow returns a `Result`, which is how it says that it was cancelled; write `-> dbos::Result<()>`",
    );
}

#[test]
fn a_self_that_cannot_be_seen_asks_for_the_attribute_on_the_block() {
    let own = "`#[workflow]` cannot see what `Self` is; put `#[workflows]` on the `impl` block, or name the type";
    refused(workflow, "", "async fn f() -> Result<()> { Self::x().await }", own);
    refused(workflow, "", "async fn f(s: Self) -> Result<()> { Ok(()) }", own);
    refused(workflow, "", "async fn f() -> Result<Self> { x() }", own);
    refused(workflow, "", "async fn f() -> Result<()> { println!(\"{}\", Self::X); Ok(()) }", own);
    refused(
        post,
        r#""/x""#,
        "async fn f() { Self::x().await }",
        "`#[post_api]` cannot see what `Self` is; put `#[workflows]` on the `impl` block, or name the type",
    );
}

#[test]
fn nested_items_have_a_self_of_their_own() {
    let item =
        "async fn f() -> Result<()> { struct A(Box<Self>); impl A { fn b(self) -> Self { self } } self::g().await }";

    assert!(workflow(TokenStream::new(), item.parse().expect("tokens")).is_ok());
}

#[test]
fn options_are_checked() {
    let item = "async fn f() -> Result<()> { Ok(()) }";
    for (expand, args, message) in [
        (
            workflow as Expand,
            "nam = \"x\"",
            "there is no option `nam`; there are `name = \"…\"`, `max_recovery_attempts = 100`, `timeout = \"1h\"`, \
             `retries = 3`, `interval = \"1s\"`, `backoff = 2.0`, `max_interval = \"1h\"`, `retry_if = is_temporary`, \
             `schedule = \"0 */5 * * * *\"`, `timezone = \"Europe/Berlin\"`, `late = \"skip\"`, `allow_nondeterminism`",
        ),
        (workflow, "name = \"a\", name = \"b\"", "`name` is given twice; remove one"),
        (workflow, "name = 5", "`name` is a text in quotes"),
        (workflow, "name", "`name` needs a value: `name = …`"),
        (workflow, "name = \" \"", "a name needs at least one letter"),
        (workflow, "name = \"DBOS.sleep\"", "names that begin with `DBOS.` belong to built-in steps; choose another"),
        (workflow, "max_recovery_attempts = 0", "`max_recovery_attempts` is a whole number from 1 to 4294967295"),
        (workflow, "max_recovery_attempts = \"3\"", "`max_recovery_attempts` is a whole number from 1 to 4294967295"),
        (
            workflow,
            "allow_nondeterminism = true",
            "`allow_nondeterminism` takes no value; write `allow_nondeterminism`, or leave it out",
        ),
        (
            workflow,
            "timeout = 5",
            "which unit? write a duration as a number and a unit: `\"500ms\"`, `\"2s\"`, `\"1m\"`, `\"1h 30m\"`, `\"7d\"`",
        ),
        (
            step,
            "timeout = \"5 parsecs\"",
            "write a duration as a number and a unit: `\"500ms\"`, `\"2s\"`, `\"1m\"`, `\"1h 30m\"`, `\"7d\"`",
        ),
        (step, "timeout = \"0s\"", "`timeout` must be longer than nothing"),
        (step, "retries = -1", "`retries` is a whole number from 0 to 4294967295, or `\"unlimited\"`"),
        (step, "retries = \"often\"", "`retries` is a whole number from 0 to 4294967295, or `\"unlimited\"`"),
        (step, "retries = 3, backoff = 0.5", "`backoff` is a number from 1.0 up, for example `2.0`"),
        (step, "interval = \"1s\"", "`interval` says how to retry, but nothing is retried; add `retries = 3`"),
        (workflow, "retry_if = f", "`retry_if` says how to retry, but nothing is retried; add `retries = 3`"),
        (step, "retry_if = f", "`retry_if` says how to retry, but nothing is retried; add `retries = 3`"),
        (workflows, "x", "`#[workflows]` takes no options; put them on the functions"),
    ] {
        let item = if args == "x" { "impl Shop { #[workflow] async fn f() -> Result<()> { Ok(()) } }" } else { item };
        refused(expand, args, item, message);
    }
    refused(
        transaction,
        "isolation = \"snapshot\"",
        "async fn f(tx: &mut Tx) -> Result<()> { Ok(()) }",
        "`isolation` is `\"serializable\"`, `\"repeatable read\"` or `\"read committed\"`",
    );
}

#[test]
fn a_transaction_takes_its_connection_first() {
    let usage = "a transaction's first argument is its connection: `tx: &mut Tx`, `tx: &mut sqlx::PgConnection` or `tx: &mut sqlx::SqliteConnection`";
    refused(transaction, "", "async fn f() -> Result<()> { Ok(()) }", usage);
    refused(transaction, "", "async fn f(n: i64) -> Result<()> { Ok(()) }", usage);
    refused(transaction, "", "async fn f(tx: &Tx) -> Result<()> { Ok(()) }", usage);
    refused(transaction, "", "async fn f(&self) -> Result<()> { Ok(()) }", usage);
}

#[test]
fn a_body_that_runs_again_cannot_use_up_self() {
    refused(
        step,
        "retries = 1",
        "async fn f(self) {}",
        "a step with retries may run more than once, so it cannot use up `self`; take `&self`",
    );
    refused(
        transaction,
        "",
        "async fn f(self, tx: &mut Tx) {}",
        "a transaction may run more than once, so it cannot use up `self`; take `&self`",
    );
}

#[test]
fn paths_are_checked() {
    let item = "async fn f(id: u8) {}";
    for (path, message) in [
        ("", "`#[post_api]` takes one path in quotes: `#[post_api(\"/orders/:id\")]`"),
        ("5", "`#[post_api]` takes one path in quotes: `#[post_api(\"/orders/:id\")]`"),
        ("\"/a\", 1", "`#[post_api]` takes one path in quotes: `#[post_api(\"/orders/:id\")]`"),
        ("\"orders\"", "a path begins with `/`; write `\"/orders\"`"),
        ("\"/a b\"", "a path cannot hold ' '"),
        ("\"/a//b\"", "a path cannot hold `//`"),
        ("\"/:id?/b\"", "only the last part of a path can be optional; `:id?` is not the last"),
        ("\"/:id/:id\"", "`id` stands twice in the path"),
        (
            "\"/a-:id\"",
            "`a-:id` is neither fixed text nor one argument; an argument takes a whole part of the path: `:name`, `:name?` or `{name}`",
        ),
        ("\"/:\"", "`:` names no argument; write `:name`, with the name of one of the function's arguments"),
        (
            "\"/:key\"",
            "the path has `key`, but no argument has that name; add `key: String`, or write the text without `:`",
        ),
        ("\"/:id?\"", "`:id?` may be missing from the path; take an `Option<u8>`"),
    ] {
        refused(post, path, item, message);
    }
}

#[test]
fn a_route_needs_what_a_request_can_hold() {
    refused(
        post,
        r#""/x""#,
        "async fn f(name: &str) {}",
        "a route cannot borrow its arguments: its arguments come out of the request; take `String` by value",
    );
    refused(
        post,
        r#""/x""#,
        "async fn f<T>(t: T) {}",
        "a route cannot be generic: its types say what a request must hold; write one route per type",
    );
    refused(
        step,
        "",
        "#[::dbos::get_api(\"/x\")] async fn f(&self) {}",
        "a step with a route cannot take `self`: its arguments come out of the request; take what it needs as arguments, and for `Self::…` put `#[workflows]` on the `impl` block",
    );
}

#[test]
fn an_argument_of_a_route_comes_from_one_place() {
    for (item, message) in [
        ("async fn f(#[query] #[header] a: u8) {}", "`a` comes from one place; remove one of its attributes"),
        ("async fn f(#[query] id: u8) {}", "`id` comes from the path; remove this, or rename one of the two"),
        ("async fn f(#[query(\"b\")] a: u8) {}", "write `#[query]` alone"),
        ("async fn f(#[header(b)] a: u8) {}", "a header has a name: `#[header(\"x-api-key\")]`"),
        ("async fn f(#[header(\"a b\")] a: u8) {}", "a header has a name: `#[header(\"x-api-key\")]`"),
        ("async fn f(#[default = 1] a: u8) {}", "a default stands in parentheses: `#[default(20)]`"),
        ("async fn f(#[default(1)] #[default(2)] a: u8) {}", "`a` has one default; remove the other"),
        (
            "async fn f(#[default(1)] a: Option<u8>) {}",
            "with a default there is always a value; take it without `Option`, or remove `#[default]`",
        ),
        ("async fn f(#[default(1)] id: u8) {}", "the path always has `id`, so its default is never used; write `:id?`"),
    ] {
        let path = if item.contains("id:") { r#""/x/:id""# } else { r#""/x""# };
        refused(post, path, item, message);
    }
}

#[test]
fn options_of_a_route_stand_behind_its_path() {
    for (args, message) in [
        (r#""/x", required_roles = []"#, "`required_roles` is a list of texts: `required_roles = [\"…\"]`"),
        (r#""/x", required_roles = "admin""#, "`required_roles` is a list of texts: `required_roles = [\"…\"]`"),
        (r#""/x", authenticated = true"#, "`authenticated` takes no value; write `authenticated`, or leave it out"),
        (r#""/x", compress = "gzip""#, "write `compress`, or `compress = false`"),
        (r#""/x", layer"#, "`layer` needs a value: `layer = …`"),
        (r#""/x", max_body_bytes = 0"#, "`max_body_bytes` is a whole number from 1 to 4294967295"),
        (
            r#""/x", role = "admin""#,
            "there is no option `role`; there are `required_roles = [\"admin\"]`, `authenticated`, `timeout = \"5s\"`, `max_body_bytes = 1048576`, `max_concurrent = 10`, `allowed_origins = [\"https://shop.example\"]`, `compress`, `layer = TraceLayer::new_for_http()`",
        ),
        (r#""/x" "/y""#, "`#[post_api]` takes one path in quotes: `#[post_api(\"/orders/:id\")]`"),
    ] {
        refused(post, args, "async fn f() {}", message);
    }
}

#[test]
fn an_authenticator_looks_at_the_request_itself() {
    for (args, item, message) in [
        ("", "fn f() -> Who {}", "`#[authenticator]` needs an `async fn`; write `async` before `fn`"),
        (
            "",
            "async fn f(token: String) -> Who {}",
            "an authenticator takes no arguments; it looks at the request with `http::bearer_token()` or `http::header(\"…\")`",
        ),
        ("", "async fn f() {}", "an authenticator says who asks; write `-> Result<Option<Identity>, HttpError>`"),
        ("roles", "async fn f() -> Who {}", "`#[authenticator]` takes no options"),
    ] {
        refused(authenticator, args, item, message);
    }
}

#[test]
fn a_body_is_taken_once() {
    refused(
        post,
        r#""/x""#,
        "async fn f(#[body] a: A, #[raw] b: Bytes) {}",
        "`a` takes the whole body already; a body is one argument",
    );
    refused(
        post,
        r#""/x""#,
        "async fn f(#[raw] a: Bytes, #[query] c: u8, b: u8) {}",
        "`a` takes the whole body, so this cannot come from there; write `#[query]` or `#[header]` before it",
    );
    refused(
        post,
        r#""/x""#,
        "async fn f(#[raw] #[default] a: Bytes) {}",
        "the bytes of a body are always there, if only none of them; remove the default",
    );
    refused(
        |args, item| route("get_api", args, item),
        r#""/x""#,
        "async fn f(#[body] a: A) {}",
        "a GET request has no body; use `#[post_api]`, or take it from the query",
    );
    refused(
        post,
        r#""/x""#,
        "async fn f(#[extract(whole)] a: Host) {}",
        "an extractor is `#[extract]`, or `#[extract(body)]`",
    );
    refused(
        post,
        r#""/x""#,
        "async fn f(#[extract(body)] a: Json<A>, #[body] b: B) {}",
        "`a` takes the whole body already; a body is one argument",
    );
    refused(
        post,
        r#""/x""#,
        "async fn f(#[extract] #[default] a: Host) {}",
        "an extractor says itself what it is without a value; remove the default",
    );
    refused(
        step,
        "",
        r#"#[::dbos::get_api("/x")] async fn f(#[extract] a: Host) {}"#,
        "a step may run again without its request; extract in a plain handler that calls the step",
    );
    refused(
        step,
        "",
        "async fn f(#[query] a: u8) {}",
        "this says where a route finds an argument, and the function has no route; remove it, or add `#[post_api(\"/…\")]`",
    );
}

#[test]
fn an_impl_block_needs_a_concrete_type_and_a_workflow() {
    refused(
        workflows,
        "",
        "async fn f() {}",
        "`#[workflows]` goes on an `impl` block; on a function write `#[workflow]`",
    );
    refused(
        workflows,
        "",
        "impl<T> Shop<T> { #[workflow] async fn f() -> Result<()> { Ok(()) } }",
        "`#[workflows]` needs a concrete type, because a workflow is found again by its name alone; write one `impl` block per type",
    );
    refused(
        workflows,
        "",
        "impl Shop { fn f() {} }",
        "nothing in this block is a workflow or a route; mark a function `#[workflow]`, or remove `#[workflows]`",
    );
}

#[test]
fn main_is_main() {
    refused(main, "", "fn main() {}", "`#[dbos::main]` needs an `async fn`; write `async fn main()`");
    refused(main, "", "async fn run() {}", "`#[dbos::main]` makes the program's entry point; name it `main`");
    refused(main, "", "async fn main(a: u8) {}", "`main` takes no arguments; the command line is read for you");
    refused(
        main,
        "prot = 1",
        "async fn main() {}",
        "there is no option `prot`; there are `name = \"…\"`, `migrations = \"migrations\"`, `port = 3000`, `admin_port = 3001`, `supervise`",
    );
    refused(main, "port = 70000", "async fn main() {}", "`port` is a port, from 0 to 65535");
    refused(main, "admin_port = \"x\"", "async fn main() {}", "`admin_port` is a port, from 0 to 65535");
}

#[test]
fn a_row_is_a_struct_with_named_fields() {
    refused(
        row,
        "",
        "struct Row(u8);",
        "`FromRow` reads fields by name; write `struct … { field: Type }`, or fetch a tuple",
    );
    refused(row, "", "enum Row { A }", "`FromRow` can be derived for structs only");
    refused(
        row,
        "",
        "struct Row { #[from_row(name = \"x\")] a: u8 }",
        "there is no option `name`; there are `rename = \"…\"`",
    );
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let found = messages(workflow, "nam = \"x\", timeout = 5", "fn f(a: &str, b: &u8) {}");

    assert_eq!(found.len(), 6, "{found:#?}");
}

#[test]
fn a_queue_is_a_static() {
    let queue_of = "static ORDERS: Queue = Queue::new(\"orders\");";
    refused(queue, "", "fn f() {}", "`#[queue]` goes on a static: `static ORDERS: Queue = Queue::new(\"orders\");`");
    refused(queue, "", &queue_of.replace("static", "static mut"), "a queue does not change; remove `mut`");
    refused(queue, "concurrency = 2", queue_of, "there is no option `concurrency`; this attribute takes none");
}

#[test]
fn schedules_make_sense() {
    let refused = |args, item, message| refused(workflow, args, item, message);
    let tick = "async fn f(tick: Tick) -> Result<()> { Ok(()) }";
    refused(r#"schedule = "0 0 30 2 *""#, tick, "this never comes");
    refused(
        r#"schedule = "* * * *""#,
        tick,
        "this is no cron pattern (Invalid pattern: Pattern must have 5 or 6 fields when years are disallowed); write five \
         fields, minute, hour, day, month, weekday, or six with seconds first",
    );
    refused(
        r#"schedule = "@daily", timezone = "Europe/Bonn""#,
        tick,
        "there is no such time zone; write one as `\"Europe/Berlin\"`",
    );
    refused(r#"schedule = "@daily", late = "never""#, tick, "`late` is `\"skip\"`, `\"last\"` or `\"all\"`");
    refused(r#"late = "all""#, tick, "`late` is about a schedule; add `schedule = \"0 */5 * * * *\"`");
    refused(
        r#"schedule = "@daily""#,
        "async fn f() -> Result<()> { Ok(()) }",
        "a scheduled workflow takes its tick and nothing else; write `(tick: dbos::Tick)`",
    );
}

#[test]
fn state_is_lent() {
    for expand in [workflow as Expand, step] {
        refused(
            expand,
            "",
            "async fn f(#[state] http: Http) -> Result<()> { Ok(()) }",
            "what the program provides is lent to this function; take it by `&`",
        );
        refused(
            expand,
            "",
            "async fn f(#[state] http: &mut Http) -> Result<()> { Ok(()) }",
            "what the program provides is shared by all who ask for it; take it by `&`, and put what changes into a `Mutex` or the like",
        );
        refused(
            expand,
            "",
            "async fn f(#[state(http)] http: &Http) -> Result<()> { Ok(()) }",
            "write `#[state]` alone",
        );
    }
}
