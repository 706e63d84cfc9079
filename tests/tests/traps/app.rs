//! An application in this process, and the shop that its workflows keep: each order is a row, so that
//! a transaction that ran twice shows.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use dbos::{Config, Engine, Result, Tx, step, transaction, workflow};
use dbos_testkit::Database;
use tokio::sync::watch;

/// One engine on a test's own database.
pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) engine: Engine,
}

/// A configuration that gives up on a statement soon.
pub(crate) fn config(url: &str) -> Config {
    let mut config = Config::new("traps").database_url(url);
    config.statement_deadline = Duration::from_millis(500);
    config
}

impl App {
    pub(crate) async fn launch(url: &str) -> Self {
        Self::launch_with(config(url)).await
    }

    pub(crate) async fn launch_with(config: Config) -> Self {
        let engine = Engine::launch(config.clone()).await.expect("the engine launches");
        Self { config, engine }
    }

    /// Runs `future` with this application's engine as the current one.
    pub(crate) async fn run<F: Future>(&self, future: F) -> F::Output {
        self.engine.scope(future).await
    }

    /// Ends as a crash would.
    pub(crate) async fn crash(&self) {
        self.engine.abandon().await;
    }

    /// Ends as a crash would, and starts again.
    pub(crate) async fn crash_and_relaunch(&mut self) {
        self.crash().await;
        self.engine = Engine::launch(self.config.clone()).await.expect("the engine launches again");
    }
}

/// The table that transactions write.
pub(crate) async fn with_orders(database: &Database) {
    database.execute("CREATE TABLE orders (workflow TEXT NOT NULL, item TEXT NOT NULL)").await;
}

/// How often each workflow wrote each item, as `workflow item`; twice is once too often.
pub(crate) async fn doubled(database: &Database) -> Vec<Vec<Option<String>>> {
    database.query("SELECT workflow, item FROM orders GROUP BY workflow, item HAVING count(*) > 1").await
}

#[transaction]
pub(crate) async fn order(tx: &mut Tx, item: &str) -> Result<String> {
    let workflow = dbos::DBOS::workflow_id();
    tx.query("INSERT INTO orders (workflow, item) VALUES ($1, $2)")
        .bind(workflow)
        .bind(item.to_owned())
        .execute()
        .await?;
    Ok(format!("ordered {item}"))
}

#[step]
pub(crate) async fn count(name: &str) -> Result<u32> {
    Ok(ran(name))
}

/// A step, two transactions and another step.
#[workflow]
pub(crate) async fn shopping(name: String) -> Result<String> {
    count(&name).await?;
    order("tea").await?;
    let said = order("milk").await?;
    count(&name).await?;
    Ok(said)
}

type Counts = Mutex<HashMap<String, u32>>;
type Gates = Mutex<HashMap<String, Arc<Gate>>>;

struct Gate {
    open: watch::Sender<bool>,
    reached: watch::Sender<u32>,
}

impl Default for Gate {
    fn default() -> Self {
        Self { open: watch::Sender::new(false), reached: watch::Sender::new(0) }
    }
}

fn counts() -> &'static Counts {
    static COUNTS: OnceLock<Counts> = OnceLock::new();
    COUNTS.get_or_init(Counts::default)
}

fn gate(name: &str) -> Arc<Gate> {
    static GATES: OnceLock<Gates> = OnceLock::new();
    Arc::clone(GATES.get_or_init(Gates::default).lock().unwrap().entry(name.to_owned()).or_default())
}

/// Counts one run of `name`; gives the number of it.
pub(crate) fn ran(name: &str) -> u32 {
    let mut counts = counts().lock().unwrap();
    let count = counts.entry(name.to_owned()).or_default();
    *count += 1;
    *count
}

/// How often `name` ran.
pub(crate) fn runs_of(name: &str) -> u32 {
    counts().lock().unwrap().get(name).copied().unwrap_or_default()
}

/// Waits in a body until the test opens the gate.
pub(crate) async fn pass(name: &str) {
    let gate = gate(name);
    gate.reached.send_modify(|reached| *reached += 1);
    gate.open.subscribe().wait_for(|open| *open).await.expect("gates last for ever");
}

/// Waits in the test until a body stands at the gate.
pub(crate) async fn reached(name: &str) {
    reached_times(name, 1).await;
}

/// Waits in the test until bodies have come to the gate so many times.
pub(crate) async fn reached_times(name: &str, times: u32) {
    gate(name).reached.subscribe().wait_for(|reached| *reached >= times).await.expect("gates last for ever");
}

/// Lets everybody through, now and later.
pub(crate) fn open(name: &str) {
    gate(name).open.send_replace(true);
}

/// A name that no other test uses.
pub(crate) fn unique(name: &str) -> String {
    format!("{name}-{}", uuid::Uuid::new_v4().simple())
}
