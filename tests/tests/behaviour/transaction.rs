//! Transactions: rows and checkpoint in one commit.

use std::time::Duration;

use dbos::{DBOS, Error, Result, Tx, transaction, workflow};
use dbos_testkit::board::{open, pass, ran, reached, runs_of, unique};
use dbos_testkit::{App, Database, behaviours};

use crate::app::config;

behaviours! { transaction:
    rows_and_checkpoint_commit_together,
    an_error_rolls_the_rows_back_and_is_recorded,
    a_transaction_outside_a_workflow_just_commits,
    a_transaction_that_reads_first_holds_others_off on sqlite,
}

async fn with_stock(database: &Database) {
    database.execute("CREATE TABLE stock (item TEXT PRIMARY KEY, units BIGINT NOT NULL)").await;
    database.execute("INSERT INTO stock VALUES ('tea', 10)").await;
}

#[transaction]
async fn take(tx: &mut Tx, units: i64) -> Result<i64> {
    let left: i64 = tx
        .query("UPDATE stock SET units = units - $1 WHERE item = 'tea' RETURNING units")
        .bind(units)
        .fetch_scalar()
        .await?;
    if left < 0 {
        return Err(Error::named("SoldOut", "not enough tea"));
    }
    Ok(left)
}

#[workflow]
async fn buy(name: String, units: i64) -> Result<i64> {
    ran(&name);
    take(units).await
}

async fn rows_and_checkpoint_commit_together(database: Database) {
    let app = App::launch(config(&database)).await;
    with_stock(&database).await;

    let left = app.run(async { buy(unique("buy"), 3).workflow_id("b").await.unwrap() }).await;

    assert_eq!(left, 7);
    assert_eq!(database.value("SELECT units FROM stock").await.as_deref(), Some("7"));
    assert_eq!(database.value("SELECT output FROM dbos.operation_outputs").await.as_deref(), Some("7"));
}

async fn an_error_rolls_the_rows_back_and_is_recorded(database: Database) {
    let app = App::launch(config(&database)).await;
    with_stock(&database).await;
    let name = unique("buy");

    let error = app.run(async { buy(name.clone(), 11).workflow_id("b").await.unwrap_err() }).await;

    assert!(matches!(&error, Error::Application { name, .. } if name == "SoldOut"), "{error:?}");
    assert_eq!(runs_of(&name), 1);
    assert_eq!(database.value("SELECT units FROM stock").await.as_deref(), Some("10"));
    assert_eq!(database.count("SELECT count(*) FROM dbos.operation_outputs WHERE error IS NOT NULL").await, 1);
}

async fn a_transaction_outside_a_workflow_just_commits(database: Database) {
    let app = App::launch(config(&database)).await;
    with_stock(&database).await;

    assert_eq!(app.run(async { take(1).await.unwrap() }).await, 9);

    assert_eq!(database.value("SELECT units FROM stock").await.as_deref(), Some("9"));
}

#[transaction]
async fn look_then_take(tx: &mut Tx, gate: &str) -> Result<i64> {
    ran(gate);
    let units: i64 = tx.query("SELECT units FROM stock WHERE item = 'tea'").fetch_scalar().await?;
    pass(gate).await;
    tx.query("UPDATE stock SET units = $1 WHERE item = 'tea'").bind(units - 1).execute().await?;
    Ok(units - 1)
}

#[workflow]
async fn looks_then_takes(gate: String) -> Result<i64> {
    look_then_take(&gate).await
}

async fn a_transaction_that_reads_first_holds_others_off(database: Database) {
    let app = App::launch(config(&database)).await;
    with_stock(&database).await;
    let gate = unique("looks");
    let handle = app.run(async { DBOS::start_workflow(looks_then_takes(gate.clone())).await.unwrap() }).await;
    reached(&gate).await;

    let mut other = Box::pin(database.execute("UPDATE stock SET units = units + 100"));
    // Somebody else's write either waits for the transaction, or slips in at once and makes it run again.
    tokio::time::timeout(Duration::from_millis(300), &mut other).await.ok();
    open(&gate);

    assert_eq!(handle.result().await.unwrap(), 9);
    other.await;
    assert_eq!(runs_of(&gate), 1);
    assert_eq!(database.value("SELECT units FROM stock").await.as_deref(), Some("109"));
}
