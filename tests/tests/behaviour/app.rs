//! An application in this process: launched, crashed, launched again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use dbos::{Config, DBOS, Engine};
use dbos_testkit::Database;
use tokio::sync::Notify;

/// The settings of most tests: nothing is found by polling, so a wake-up that is lost is a test that fails.
pub(crate) fn config(database: &Database) -> Config {
    let mut config = Config::new("behaviour").database_url(database.url());
    config.poll_interval = Duration::from_mins(10);
    config
}

/// A crash after the fact: all of `workflow` but the steps for which `keep` holds is as if it had never been
/// recorded. The engine must be crashed, and launched afterwards.
pub(crate) async fn rewind(database: &Database, workflow: &str, keep: &str) {
    let forget = [
        format!("DELETE FROM dbos.operation_outputs WHERE workflow_uuid = '{workflow}' AND NOT ({keep})"),
        format!("DELETE FROM dbos.workflow_output WHERE workflow_uuid = '{workflow}'"),
        format!(
            "UPDATE dbos.workflow_status SET status = 'PENDING', completed_at = NULL, owner_xid = 'rewound'
              WHERE workflow_uuid = '{workflow}'"
        ),
    ];
    for statement in forget {
        database.execute(&statement).await;
    }
}

/// The recorded steps of a workflow: id and name, in order.
pub(crate) async fn steps(database: &Database, workflow: &str) -> Vec<(u32, String)> {
    let query = format!(
        "SELECT function_id, function_name FROM dbos.operation_outputs
          WHERE workflow_uuid = '{workflow}' ORDER BY function_id"
    );
    let rows = database.query(&query).await;
    rows.into_iter().map(|row| (row[0].as_deref().unwrap().parse().unwrap(), row[1].clone().unwrap())).collect()
}

/// One engine on a test's own database.
pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) engine: Engine,
}

impl App {
    pub(crate) async fn launch(database: &Database) -> Self {
        Self::launch_with(config(database)).await
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

    /// Starts again after a crash.
    pub(crate) async fn relaunch(&mut self) {
        self.engine = Engine::launch(self.config.clone()).await.expect("the engine launches again");
    }

    /// Ends as a crash would, and starts again.
    pub(crate) async fn crash_and_relaunch(&mut self) {
        self.crash().await;
        self.relaunch().await;
    }

    /// The result of a workflow that was started before.
    pub(crate) async fn result<R: Send + 'static>(&self, workflow: &str) -> R {
        let handle =
            self.run(async { DBOS::retrieve_workflow::<R>(workflow) }).await.expect("some workflow returns it");
        handle.result().await
    }
}

/// What bodies tell the test, and what the test tells bodies; names are the test's own.
#[derive(Default)]
struct Board {
    runs: Mutex<HashMap<String, u32>>,
    gates: Mutex<HashMap<String, Arc<Gate>>>,
}

#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    reached: Mutex<bool>,
    changed: Notify,
}

fn board() -> &'static Board {
    static BOARD: OnceLock<Board> = OnceLock::new();
    BOARD.get_or_init(Board::default)
}

/// Counts one run of `name`; gives the number of it.
pub(crate) fn ran(name: &str) -> u32 {
    let mut runs = board().runs.lock().unwrap();
    let count = runs.entry(name.to_owned()).or_default();
    *count += 1;
    *count
}

/// How often `name` ran.
pub(crate) fn runs_of(name: &str) -> u32 {
    board().runs.lock().unwrap().get(name).copied().unwrap_or_default()
}

fn gate(name: &str) -> Arc<Gate> {
    Arc::clone(board().gates.lock().unwrap().entry(name.to_owned()).or_default())
}

/// Waits in a body until the test opens the gate.
pub(crate) async fn pass(name: &str) {
    let gate = gate(name);
    *gate.reached.lock().unwrap() = true;
    gate.changed.notify_waiters();
    wait(&gate, |gate| *gate.open.lock().unwrap()).await;
}

/// Waits in the test until a body stands at the gate.
pub(crate) async fn reached(name: &str) {
    wait(&gate(name), |gate| *gate.reached.lock().unwrap()).await;
}

/// Lets everybody through, now and later.
pub(crate) fn open(name: &str) {
    let gate = gate(name);
    *gate.open.lock().unwrap() = true;
    gate.changed.notify_waiters();
}

async fn wait(gate: &Gate, is: impl Fn(&Gate) -> bool) {
    loop {
        let changed = gate.changed.notified();
        if is(gate) {
            return;
        }
        changed.await;
    }
}

/// A name that no other test uses.
pub(crate) fn unique(name: &str) -> String {
    format!("{name}-{}", uuid::Uuid::new_v4().simple())
}
