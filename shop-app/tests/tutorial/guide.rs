//! The two programs of the tutorial, each with a database and a port of its own.

use std::time::Duration;

use dbos_testkit::http::{Request, Response};
use dbos_testkit::{Database, Process, Program, free_port};
use serde_json::Value;

/// What either program prints once it answers.
pub(crate) const READY: &str = "DBOS Server is running at";

/// Both programs' secret in these tests.
pub(crate) const SECRET: &str = "a secret of the tests";

/// How many pens there are at first.
pub(crate) const STOCK: i64 = 100_000;

/// How a program is run, and run again after it was killed: same database, same address.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    binary: &'static str,
    port: u16,
    environment: Vec<(&'static str, String)>,
}

impl Site {
    fn new(binary: &'static str, database_url: &str) -> Self {
        Self { binary, port: free_port(), environment: Vec::new() }.env("DBOS_DATABASE_URL", database_url)
    }

    pub(crate) fn env(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    /// The address of one of its pages.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.port)
    }

    /// Starts it.
    pub(crate) fn start(&self) -> Process {
        let program = Program::new(self.binary)
            .env("PORT", self.port.to_string())
            .env("DBOS_ADMIN_PORT", "0")
            .env_remove("RUST_LOG");
        self.environment.iter().fold(program, |program, (name, value)| program.env(name, value)).start()
    }

    /// Starts it and waits until it answers.
    pub(crate) async fn open(&self) -> Process {
        let process = self.start();
        process.wait_for_line(READY).await;
        process
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        Request::new("GET", self.url(path)).send().await.expect("an answer")
    }

    pub(crate) async fn post(&self, path: &str) -> Response {
        Request::new("POST", self.url(path)).send().await.expect("an answer")
    }

    pub(crate) async fn post_json(&self, path: &str, body: &Value) -> Response {
        Request::new("POST", self.url(path)).json(body).send().await.expect("an answer")
    }
}

/// The shop and the payment service that it trusts.
#[derive(Debug)]
pub(crate) struct Guide {
    pub(crate) shop: Site,
    pub(crate) service: Site,
    /// The shop's books.
    pub(crate) orders: Database,
    /// The service's.
    pub(crate) sessions: Database,
}

impl Guide {
    /// The shop on this database, the service on another of the same kind.
    pub(crate) async fn on(orders: Database) -> Self {
        let sessions = Database::fresh(orders.backend()).await;
        Self::with(orders, sessions)
    }

    pub(crate) fn with(orders: Database, sessions: Database) -> Self {
        let service = Site::new(env!("CARGO_BIN_EXE_payment-service"), sessions.url())
            .env("PAYMENT_SERVICE_WEBHOOK_SECRETS", SECRET);
        let shop = Site::new(env!("CARGO_BIN_EXE_shop-guide"), orders.url()).env("SHOP_GUIDE_WEBHOOK_SECRETS", SECRET);
        let service_url = service.url("");
        let shop_url = shop.url("");
        Self {
            shop: shop.env("SHOP_GUIDE_PAYMENT_HOST", &service_url).env("SHOP_GUIDE_SHOP_HOST", shop_url),
            service: service.env("PAYMENT_SERVICE_HOST", service_url),
            orders,
            sessions,
        }
    }

    /// With other waits than a minute each, in milliseconds: the shop's for news, and the service's for the customer.
    pub(crate) fn waiting(self, news_ms: u64, customer_ms: u64) -> Self {
        Self {
            shop: self.shop.env("SHOP_GUIDE_PAYMENT_TIMEOUT_MS", news_ms.to_string()),
            service: self.service.env("PAYMENT_SERVICE_SESSION_TIMEOUT_MS", customer_ms.to_string()),
            ..self
        }
    }

    /// Starts both, and waits until they answer: the shop and the service.
    pub(crate) async fn open(&self) -> (Process, Process) {
        let (shop, service) = (self.shop.start(), self.service.start());
        shop.wait_for_line(READY).await;
        service.wait_for_line(READY).await;
        (shop, service)
    }

    /// Checks out under this key, or without one, and reads the answer.
    pub(crate) async fn checkout(&self, path: &str) -> Bill {
        let answer = self.shop.post(path).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        Bill::read(&answer.body)
    }

    /// Waits until every workflow of both programs has ended.
    pub(crate) async fn until_all_is_over(&self) {
        for database in [&self.orders, &self.sessions] {
            database.until_count("SELECT count(*) FROM dbos.workflow_status WHERE status = 'PENDING'", 0).await;
        }
    }

    /// How many pens are reserved or sold, orders fulfilled, and customers charged.
    pub(crate) async fn books(&self) -> (i64, i64, i64) {
        let inventory = self.orders.count("SELECT inventory FROM products WHERE product_id = 1").await;
        let fulfilled = self.orders.count("SELECT count(*) FROM fulfilled_orders").await;
        (STOCK - inventory, fulfilled, self.sessions.count("SELECT count(*) FROM charges").await)
    }
}

/// Sends a request until somebody answers who can: a cut connection says nothing, so the same is asked again.
pub(crate) async fn insist(request: &Request) -> Response {
    loop {
        match request.clone().send().await {
            Ok(answer) if answer.status < 500 => return answer,
            Ok(_) | Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// What a checkout answers: two commands, of which a customer runs one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Bill {
    pub(crate) submit: Command,
    pub(crate) cancel: Command,
}

impl Bill {
    /// Reads the answer, in which nothing else may stand.
    pub(crate) fn read(answer: &str) -> Self {
        let lines: Vec<_> = answer.split('\n').collect();
        let ["Submit payment:", submit, "Cancel payment:", cancel, ""] = lines[..] else {
            panic!("this is no bill: {answer:?}")
        };
        Self { submit: Command::read(submit), cancel: Command::read(cancel) }
    }

    pub(crate) fn session(&self) -> String {
        let body: Value = serde_json::from_str(&self.submit.body).expect("JSON");
        body["session_id"].as_str().expect("a session").to_owned()
    }

    /// The workflow's id.
    pub(crate) fn checkout(&self) -> &str {
        &self.submit.key
    }
}

/// `curl -X POST URL -H "Content-type: application/json" -H "dbos-idempotency-key: KEY" -d 'BODY'`
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Command {
    pub(crate) url: String,
    pub(crate) key: String,
    pub(crate) body: String,
}

impl Command {
    fn read(line: &str) -> Self {
        let parts = || {
            let rest = line.strip_prefix("curl -X POST ")?;
            let (url, rest) = rest.split_once(" -H \"Content-type: application/json\" -H \"dbos-idempotency-key: ")?;
            let (key, rest) = rest.split_once("\" -d '")?;
            Some(Self { url: url.to_owned(), key: key.to_owned(), body: rest.strip_suffix('\'')?.to_owned() })
        };
        parts().unwrap_or_else(|| panic!("this is not the command of the tutorial: {line:?}"))
    }

    /// The request that curl would send.
    pub(crate) fn request(&self) -> Request {
        Request::new("POST", &self.url)
            .header("Content-type", "application/json")
            .header("dbos-idempotency-key", &self.key)
            .body(self.body.as_str())
    }

    pub(crate) async fn run(&self) -> Response {
        self.request().send().await.expect("an answer")
    }
}
