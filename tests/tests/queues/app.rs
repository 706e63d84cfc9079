//! The queues of the tests, what waits in them, and how it is put there.

use std::time::Duration;

use dbos::{Clock, Config, DBOS, Queue, Result, step, workflow};
use dbos_testkit::board::{pass, ran};
use dbos_testkit::{App, Backend, Database, Pooler, parking};

#[dbos::queue]
pub(crate) static PLAIN: Queue = Queue::new("plain");

#[dbos::queue]
pub(crate) static ONE: Queue = Queue::new("one").concurrency(1);

#[dbos::queue]
pub(crate) static TWO: Queue = Queue::new("two").concurrency(2);

#[dbos::queue]
pub(crate) static ONE_EACH: Queue = Queue::new("one-each").worker_concurrency(1);

#[dbos::queue]
pub(crate) static TWO_A_MINUTE: Queue = Queue::new("two-a-minute").rate_limit(2, MINUTE);

/// Three at once, one of each customer.
#[dbos::queue]
pub(crate) static CUSTOMERS: Queue = Queue::new("customers").concurrency(3).partition_concurrency(1);

#[dbos::queue]
pub(crate) static ONE_EACH_OF_A_CUSTOMER: Queue =
    Queue::new("one-each-of-a-customer").partition_concurrency(5).partition_worker_concurrency(1);

#[dbos::queue]
pub(crate) static ONE_A_MINUTE_OF_A_CUSTOMER: Queue =
    Queue::new("one-a-minute-of-a-customer").rate_limit(3, MINUTE).partition_rate_limit(1, MINUTE);

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const ALMOST_A_MINUTE: Duration = Duration::from_millis(59_999);
pub(crate) const ENDED: &str = "SELECT count(*) FROM dbos.workflow_status WHERE status = 'SUCCESS'";
pub(crate) const RUNNING: &str = "SELECT count(*) FROM dbos.workflow_status WHERE status = 'PENDING'";

#[step]
pub(crate) async fn queues_wait(gate: &str) {
    pass(gate).await;
}

/// Counts itself, waits at the gate, and gives its id.
#[workflow]
pub(crate) async fn queued(gate: String) -> Result<String> {
    ran(&gate);
    queues_wait(&gate).await;
    Ok(DBOS::workflow_id())
}

/// Of several engines on one SQLite file, none hears what the others say.
pub(crate) fn config_of_several(database: &Database) -> Config {
    let mut config = config(database);
    if database.backend() == Backend::Sqlite {
        config.poll_interval = Duration::from_millis(20);
    }
    config
}

pub(crate) fn config_with(database: &Database, clock: &Clock) -> Config {
    let mut config = config(database);
    config.clock = Some(clock.clone());
    config
}

/// Puts `count` workflows that wait at `gate` into `queue`, under ids that begin with the gate.
pub(crate) async fn enqueue(app: &App, queue: &'static Queue, gate: &str, count: usize) {
    app.run(async {
        for number in 0..count {
            queued(gate.to_owned()).enqueue(queue).workflow_id(format!("{gate}-{number}")).await.unwrap();
        }
    })
    .await;
}

/// The ids of what waits in `queue`, or runs.
pub(crate) async fn ids(database: &Database, queue: &str, status: &str) -> Vec<String> {
    let query = format!(
        "SELECT workflow_uuid FROM dbos.workflow_status WHERE queue_name = '{queue}' AND status = '{status}' ORDER BY 1"
    );
    database.query(&query).await.into_iter().map(|row| row[0].clone().unwrap()).collect()
}

pub(crate) async fn row(database: &Database, columns: &str, workflow: &str) -> Vec<Option<String>> {
    let query = format!("SELECT {columns} FROM dbos.workflow_status WHERE workflow_uuid = '{workflow}'");
    database.query(&query).await.remove(0)
}

/// A column that has this text.
#[allow(clippy::unnecessary_wraps)] // columns may be empty
pub(crate) fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// Nothing is found by polling, so a wake-up that is lost is a test that fails. Through a pooler everything is.
pub(crate) fn config(database: &Database) -> Config {
    let mut config = Config::new("queues").database_url(database.url());
    config.poll_interval = Duration::from_mins(10);
    if let (Backend::Postgres, Some(pooler)) = (database.backend(), Pooler::shared()) {
        config = config.database_url(pooler.url(database.url()));
        (config.pooler, config.poll_interval) = (dbos::Pooler::Transaction, Duration::from_millis(20));
    }
    parking(config)
}
