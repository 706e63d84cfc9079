//! Programs outside of this workspace: the quickstart, the shop, and one whose workflows all stand in a library.
//!
//! They are built once, in release mode with link-time optimisation, from their own sources and with the dependencies
//! they list. Then they are killed between two steps, started again, and have to end well.

use std::process::{Command, ExitCode};

use dbos_testkit::{Database, Process, Program, behaviours, free_port, http};

#[path = "outside/workspace.rs"]
mod workspace;
use workspace::program;

behaviours! { outside:
    the_quickstart_goes_on_after_a_kill within 1800,
    the_shop_goes_on_after_a_kill within 1800,
    workflows_in_a_library_that_is_merely_used_are_found on nothing within 1800,
}

fn main() -> ExitCode {
    dbos_testkit::main(&[CASES])
}

async fn the_quickstart_goes_on_after_a_kill(database: Database) {
    let quickstart = Server::of("quickstart", database);
    let order =
        || quickstart.post("/orders").json(&serde_json::json!({"item": "tea"})).header("dbos-idempotency-key", "tea-1");

    let process = quickstart.start().await;
    let unanswered = tokio::spawn(order().send());
    // Between the transaction and the step lies a sleep of five seconds.
    quickstart.until_recorded("record", 1).await;
    process.kill().await;
    assert!(unanswered.await.expect("it does not panic").is_err(), "the server died too late");
    let process = quickstart.start().await;
    let answer = order().send().await.expect("the server runs again");

    assert_eq!((answer.status, answer.body.as_str()), (200, "order 1: tea is on its way"));
    assert_eq!(quickstart.database.count("SELECT count(*) FROM orders").await, 1);
    assert_eq!(process.lines().iter().filter(|line| *line == "shipping tea for order 1").count(), 1);
}

async fn the_shop_goes_on_after_a_kill(database: Database) {
    let shop = Server::of("widget-store", database);

    let process = shop.start().await;
    let payment = shop.post("/checkout/widget-1").send().await.expect("the shop runs");
    assert_eq!((payment.status, payment.body.as_str()), (200, "widget-1"));
    process.kill().await;
    let process = shop.start().await;
    let paid = shop.post("/payment_webhook/widget-1/paid").send().await.expect("the shop runs again");
    assert_eq!((paid.status, paid.body.as_str()), (200, "1"));
    process.kill().await;
    let _process = shop.start().await;

    shop.database.until_count("SELECT count(*) FROM orders WHERE order_status = 1", 1).await;
    assert_eq!(shop.database.count("SELECT inventory FROM products").await, 11);
}

async fn workflows_in_a_library_that_is_merely_used_are_found() {
    let functions = Command::new(program("depot")).arg("functions").output().expect("the program was built");
    let listed = String::from_utf8_lossy(&functions.stdout);

    assert!(functions.status.success(), "{functions:?}");
    for function in ["workflow     restock", "transaction  store", "step         weigh"] {
        assert!(listed.lines().any(|line| line.starts_with(function)), "no {function} in:\n{listed}");
    }
}

/// A program with a database and a port, started as often as it takes.
struct Server {
    program: &'static str,
    database: Database,
    port: u16,
}

impl Server {
    fn of(program: &'static str, database: Database) -> Self {
        Self { program, database, port: free_port() }
    }

    async fn start(&self) -> Process {
        let process = Program::new(program(self.program))
            .directory(std::env::temp_dir())
            .arg("--no-supervise")
            .env("DBOS_DATABASE_URL", self.database.url())
            .env("PORT", self.port.to_string())
            .env("WIDGET_STORE_DISPATCH_INTERVAL_MS", "50")
            .start();
        process.wait_for_line("is running at").await;
        process
    }

    fn post(&self, path: &str) -> http::Request {
        http::Request::new("POST", format!("http://127.0.0.1:{}{path}", self.port))
    }

    /// Waits until this many outcomes of the function are in the database.
    async fn until_recorded(&self, function: &str, count: i64) {
        let sql = format!("SELECT count(*) FROM dbos.operation_outputs WHERE function_name = '{function}'");
        self.database.until_count(&sql, count).await;
    }
}
