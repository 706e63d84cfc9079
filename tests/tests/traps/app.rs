//! How the tests launch their applications, and the shop that its workflows keep: each order is a row, so that
//! a transaction that ran twice shows.

use std::time::Duration;

use dbos::{Config, Result, Tx, step, transaction, workflow};
use dbos_testkit::Database;
use dbos_testkit::board::{pass, ran};

/// A configuration that gives up on a statement soon.
pub(crate) fn config(url: &str) -> Config {
    let mut config = Config::new("traps").database_url(url);
    config.statement_deadline = Duration::from_millis(500);
    config
}

/// Whether a statement belongs to what runs beside the workflows, at any time: the lease, the looks for others' work,
/// into queues and for schedules, the news.
pub(crate) fn is_by_services(statement: &str) -> bool {
    let beginnings = [
        "SELECT pg_notify",
        "WITH clock AS",
        "SELECT run.value",
        "SELECT 1 AS found",
        "SELECT workflow_uuid, owner_xid",
        "SELECT schedule_id, schedule_name",
        "SELECT queue.name",
    ];
    beginnings.iter().any(|beginning| statement.starts_with(beginning))
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

/// The same, once the gate is open.
#[workflow]
pub(crate) async fn shopping_at_gate(gate: String, name: String) -> Result<String> {
    pass(&gate).await;
    shopping(name).plain().await
}
