//! Transactions: rows and checkpoint in one commit.

use dbos::{Error, Result, Tx, transaction, workflow};
use dbos_testkit::{Database, behaviours};

use crate::app::{App, ran, runs_of, unique};

behaviours! { transaction:
    rows_and_checkpoint_commit_together,
    an_error_rolls_the_rows_back_and_is_recorded,
    a_transaction_outside_a_workflow_just_commits,
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
    let app = App::launch(&database).await;
    with_stock(&database).await;

    let left = app.run(async { buy(unique("buy"), 3).workflow_id("b").await.unwrap() }).await;

    assert_eq!(left, 7);
    assert_eq!(database.value("SELECT units FROM stock").await.as_deref(), Some("7"));
    assert_eq!(database.value("SELECT output FROM dbos.operation_outputs").await.as_deref(), Some("7"));
}

async fn an_error_rolls_the_rows_back_and_is_recorded(database: Database) {
    let app = App::launch(&database).await;
    with_stock(&database).await;
    let name = unique("buy");

    let error = app.run(async { buy(name.clone(), 11).workflow_id("b").await.unwrap_err() }).await;

    assert!(matches!(&error, Error::Application { name, .. } if name == "SoldOut"), "{error:?}");
    assert_eq!(runs_of(&name), 1);
    assert_eq!(database.value("SELECT units FROM stock").await.as_deref(), Some("10"));
    assert_eq!(database.count("SELECT count(*) FROM dbos.operation_outputs WHERE error IS NOT NULL").await, 1);
}

async fn a_transaction_outside_a_workflow_just_commits(database: Database) {
    let app = App::launch(&database).await;
    with_stock(&database).await;

    assert_eq!(app.run(async { take(1).await.unwrap() }).await, 9);

    assert_eq!(database.value("SELECT units FROM stock").await.as_deref(), Some("9"));
}
