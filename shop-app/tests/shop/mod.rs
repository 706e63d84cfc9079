//! The shop as a process of its own, and a customer who does not give up.

use std::path::PathBuf;
use std::time::Duration;

use dbos_testkit::http::{self, Response};
use dbos_testkit::{Database, Ledger, Process, Program, WallClock, free_port};

/// What the shop prints once its page can be opened.
pub(crate) const READY: &str = "DBOS Server is running at";

/// The binary under test: Cargo's, or the one `DBOS_SHOP_BINARY` names.
pub(crate) fn binary() -> PathBuf {
    std::env::var_os("DBOS_SHOP_BINARY").map_or_else(|| env!("CARGO_BIN_EXE_widget-store").into(), PathBuf::from)
}

/// How a shop is run, and run again after it was killed: same database, same address.
#[derive(Clone, Debug)]
pub(crate) struct Branch {
    database_url: String,
    port: u16,
    environment: Vec<(&'static str, String)>,
    supervised: bool,
    patient: bool,
}

impl Branch {
    /// A shop without a supervisor, which dispatches fast.
    pub(crate) fn at(database_url: &str) -> Self {
        let environment = vec![("WIDGET_STORE_DISPATCH_INTERVAL_MS", "20".to_owned())];
        Self {
            database_url: database_url.to_owned(),
            port: free_port(),
            environment,
            supervised: false,
            patient: false,
        }
    }

    pub(crate) fn supervised(self) -> Self {
        Self { supervised: true, ..self }
    }

    /// Its customers ask again when they are told that something is wrong with the shop.
    #[allow(dead_code, reason = "not every test has a storm")]
    pub(crate) fn patient(self) -> Self {
        Self { patient: true, ..self }
    }

    pub(crate) fn env(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    /// Its computer's clock.
    #[allow(dead_code, reason = "not every test sets it")]
    pub(crate) fn with_clock(self, clock: &WallClock) -> Self {
        clock.environment().into_iter().fold(self, |branch, (name, value)| branch.env(name, value))
    }

    /// The address of one of its pages.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Starts it.
    pub(crate) fn start(&self) -> Process {
        let mut program = Program::new(binary())
            .env("DBOS_DATABASE_URL", &self.database_url)
            .env("PORT", self.port.to_string())
            .env_remove("RUST_LOG");
        for (name, value) in &self.environment {
            program = program.env(name, value);
        }
        if self.supervised { program.start() } else { program.arg("--no-supervise").start() }
    }

    /// Starts it and waits until it answers.
    pub(crate) async fn open(&self) -> Process {
        let process = self.start();
        process.wait_for_line(READY).await;
        process
    }
}

/// Sets the number of widgets on the shelf.
pub(crate) async fn stock(database: &Database, widgets: i64) {
    database.execute(&format!("UPDATE products SET inventory = {widgets}")).await;
}

/// Somebody with one idempotency key who asks again, as a browser would, until there is an answer.
#[derive(Clone, Debug)]
pub(crate) struct Customer {
    branch: Branch,
    pub(crate) key: String,
    ledger: Option<Ledger>,
}

impl Customer {
    pub(crate) fn new(branch: &Branch, key: impl Into<String>, ledger: Option<&Ledger>) -> Self {
        Self { branch: branch.clone(), key: key.into(), ledger: ledger.cloned() }
    }

    pub(crate) async fn checkout(&self) -> Response {
        let response = self.insist("POST", &format!("/checkout/{}", self.key)).await;
        self.note("checkout", &response);
        response
    }

    pub(crate) async fn pay(&self, status: &str) -> Response {
        let response = self.insist("POST", &format!("/payment_webhook/{}/{status}", self.key)).await;
        self.note(status, &response);
        response
    }

    /// Looks at the order until it has this status.
    pub(crate) async fn until_order(&self, order: &str, status: i64) {
        loop {
            let response = self.insist("GET", &format!("/order/{order}")).await;
            if response.status == 200 && response.json::<serde_json::Value>()["order_status"] == status {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// A cut connection says nothing, so the same is asked again.
    pub(crate) async fn insist(&self, method: &str, path: &str) -> Response {
        loop {
            match http::Request::new(method, self.branch.url(path)).send().await {
                Ok(response) if response.status >= 500 && self.branch.patient => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Ok(response) if response.status >= 500 => {
                    panic!("{method} {path} was answered {} {}", response.status, response.body)
                }
                Ok(response) => return response,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    /// What was acknowledged must hold for ever.
    fn note(&self, request: &str, response: &Response) {
        let Some(ledger) = &self.ledger else { return };
        let answer = if response.status == 200 { response.body.as_str() } else { "-" };
        let line = format!("{} {request} {} {answer}", self.key, response.status);
        ledger.append(&line).expect("the ledger can be written");
    }
}
