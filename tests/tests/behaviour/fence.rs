//! The fence: once another executor owns a workflow, nothing the old owner does is recorded.

use dbos::{DBOS, Result, Tx, step, transaction, workflow};
use dbos_testkit::board::{open, pass, ran, reached, runs_of, unique};
use dbos_testkit::{App, Database, behaviours};

use crate::app::config;

behaviours! { fence:
    a_fenced_transaction_leaves_no_rows,
    a_fenced_step_is_not_recorded,
    a_fenced_run_records_no_outcome,
    a_cancelled_workflow_keeps_its_status,
}

async fn with_ledger(database: &Database) {
    database.execute("CREATE TABLE ledger (entry TEXT NOT NULL)").await;
}

/// What a takeover does to the row, without the run that would follow.
async fn steal(database: &Database) {
    database.execute("UPDATE dbos.workflow_status SET owner_xid = 'thief'").await;
}

#[transaction]
async fn enter(tx: &mut Tx, entry: &str) -> Result<()> {
    tx.query("INSERT INTO ledger (entry) VALUES ($1)").bind(entry.to_owned()).execute().await?;
    Ok(())
}

#[step]
async fn wait_at(gate: &str) {
    pass(gate).await;
}

#[workflow]
async fn waits_then_enters(gate: String) -> Result<()> {
    wait_at(&gate).await;
    ran(&gate);
    enter(&gate).await
}

#[workflow(allow_nondeterminism)]
async fn enters_after_the_theft(gate: String) -> Result<()> {
    // Not a step, so that the transaction is the first thing to be written.
    pass(&gate).await;
    enter(&gate).await
}

#[workflow]
async fn only_waits(gate: String) -> Result<()> {
    wait_at(&gate).await;
    Ok(())
}

async fn a_fenced_transaction_leaves_no_rows(database: Database) {
    let app = App::launch(config(&database)).await;
    with_ledger(&database).await;
    let gate = unique("fenced");
    app.run(async { DBOS::start_workflow(enters_after_the_theft(gate.clone())).workflow_id("f").await.unwrap() }).await;
    reached(&gate).await;

    steal(&database).await;
    open(&gate);
    app.engine.idle().await;

    assert_eq!(database.count("SELECT count(*) FROM ledger").await, 0);
    assert_eq!(database.count("SELECT count(*) FROM dbos.operation_outputs").await, 0);
}

async fn a_fenced_step_is_not_recorded(database: Database) {
    let app = App::launch(config(&database)).await;
    with_ledger(&database).await;
    let gate = unique("fenced");
    app.run(async { DBOS::start_workflow(waits_then_enters(gate.clone())).workflow_id("f").await.unwrap() }).await;
    reached(&gate).await;

    steal(&database).await;
    open(&gate);
    app.engine.idle().await;

    assert_eq!(runs_of(&gate), 0);
    assert_eq!(database.count("SELECT count(*) FROM dbos.operation_outputs").await, 0);
    assert_eq!(database.count("SELECT count(*) FROM ledger").await, 0);
}

#[workflow(allow_nondeterminism)]
async fn ends_after_the_theft(gate: String) -> Result<()> {
    // Not a step, so that the outcome is the first thing to be written.
    pass(&gate).await;
    Ok(())
}

async fn a_fenced_run_records_no_outcome(database: Database) {
    let app = App::launch(config(&database)).await;
    let gate = unique("fenced");
    app.run(async { DBOS::start_workflow(ends_after_the_theft(gate.clone())).workflow_id("f").await.unwrap() }).await;
    reached(&gate).await;

    steal(&database).await;
    open(&gate);
    app.engine.idle().await;

    let row = database.query("SELECT status, owner_xid FROM dbos.workflow_status").await;
    assert_eq!(row, [[Some("PENDING".to_owned()), Some("thief".to_owned())]]);
    assert_eq!(database.count("SELECT count(*) FROM dbos.workflow_output").await, 0);
}

async fn a_cancelled_workflow_keeps_its_status(database: Database) {
    let app = App::launch(config(&database)).await;
    let gate = unique("cancelled");
    app.run(async { DBOS::start_workflow(only_waits(gate.clone())).workflow_id("c").await.unwrap() }).await;
    reached(&gate).await;

    app.run(async { DBOS::cancel_workflow("c").await.unwrap() }).await;
    open(&gate);
    app.engine.idle().await;

    assert_eq!(database.value("SELECT status FROM dbos.workflow_status").await.as_deref(), Some("CANCELLED"));
    assert_eq!(database.count("SELECT count(*) FROM dbos.operation_outputs").await, 0);
}
