//! Workflows enqueued in the commit of a transaction.

use dbos::{DBOS, Deduplication, Error, Result, Tx, transaction, workflow};
use dbos_testkit::board::{open, reached, runs_of, unique};
use dbos_testkit::{App, Backend, CrashTest, Database, behaviours};

use crate::app::{CUSTOMERS, ENDED, MINUTE, PLAIN, config, ids, queued, row, text};

behaviours! { transactions:
    rows_and_enqueued_workflows_commit_together,
    a_transaction_that_is_rolled_back_enqueues_nothing,
    a_connection_of_sqlx_enqueues_too,
    a_transaction_outside_a_workflow_enqueues_too,
    a_transaction_enqueues_many,
    a_transaction_that_enqueues_ends_once_wherever_it_crashes within 240,
    what_cannot_be_enqueued_ends_the_workflow_and_leaves_no_row,
    a_transaction_that_only_reads_enqueues_nothing,
}

const ORDERS: &str = "CREATE TABLE orders (item TEXT NOT NULL)";
const ROWS: &str = "SELECT count(*) FROM dbos.workflow_status";

#[transaction]
async fn queues_order(tx: &mut Tx, gate: &str, ending: &str) -> Result<String> {
    tx.query("INSERT INTO orders (item) VALUES ($1)").bind(ending.to_owned()).execute().await?;
    let call = queued(gate.to_owned()).enqueue(&CUSTOMERS).partition_key("k").priority(3).timeout(MINUTE);
    let handle = match ending {
        "id" => call.workflow_id("shipped").await?,
        "taken" => call.deduplication_id("taken").await?,
        "existing" => call.deduplication_id("taken").deduplication(Deduplication::ReturnExisting).await?,
        _ => call.await?,
    };
    if ending == "error" {
        return Err(Error::new("sold out"));
    }
    Ok(handle.workflow_id().to_owned())
}

#[workflow]
async fn queues_sells(gate: String, ending: String) -> Result<String> {
    queues_order(&gate, &ending).await
}

async fn launched(database: &Database) -> App {
    database.execute(ORDERS).await;
    App::launch(config(database)).await
}

async fn rows_and_enqueued_workflows_commit_together(database: Database) {
    let app = launched(&database).await;
    let gate = unique("queued");

    let id = app.run(async { queues_sells(gate.clone(), "id".to_owned()).workflow_id("p").await.unwrap() }).await;
    assert_eq!(id, "shipped");
    // Nothing is found by polling: it was told when it was committed.
    reached(&gate).await;
    let place = "queue_name, queue_partition_key, CAST(priority AS BIGINT), workflow_timeout_ms, parent_workflow_id";
    let expected = [text("customers"), text("k"), text("3"), text("60000"), None];
    assert_eq!(row(&database, place, "shipped").await, expected);
    open(&gate);
    assert_eq!(app.result::<Result<String>>("shipped").await.unwrap(), "shipped");
    assert_eq!(database.count("SELECT count(*) FROM orders").await, 1);
    assert_eq!(database.count("SELECT count(*) FROM dbos.operation_outputs WHERE workflow_uuid = 'p'").await, 1);
}

async fn a_transaction_that_is_rolled_back_enqueues_nothing(database: Database) {
    let app = launched(&database).await;

    let error = app.run(async { queues_sells(String::new(), "error".to_owned()).await.unwrap_err() }).await;

    assert_eq!(error.to_string(), "sold out");
    assert_eq!(database.count("SELECT count(*) FROM orders").await, 0);
    assert_eq!(database.count(ROWS).await, 1);
}

#[transaction]
async fn queues_order_on_postgres(tx: &mut sqlx::PgConnection, gate: &str) -> Result<String> {
    sqlx::query("INSERT INTO orders (item) VALUES ('native')")
        .execute(&mut *tx)
        .await
        .map_err(|error| Error::new(error.to_string()))?;
    Ok(queued(gate.to_owned()).enqueue(&PLAIN).await?.workflow_id().to_owned())
}

#[transaction]
async fn queues_order_on_sqlite(tx: &mut sqlx::SqliteConnection, gate: &str) -> Result<String> {
    sqlx::query("INSERT INTO orders (item) VALUES ('native')")
        .execute(&mut *tx)
        .await
        .map_err(|error| Error::new(error.to_string()))?;
    Ok(queued(gate.to_owned()).enqueue(&PLAIN).await?.workflow_id().to_owned())
}

#[workflow]
async fn queues_sells_natively(gate: String, on_postgres: bool) -> Result<String> {
    if on_postgres { queues_order_on_postgres(&gate).await } else { queues_order_on_sqlite(&gate).await }
}

async fn a_connection_of_sqlx_enqueues_too(database: Database) {
    let app = launched(&database).await;
    let gate = unique("queued");
    open(&gate);

    let on_postgres = database.backend() == Backend::Postgres;
    let id = app.run(async { queues_sells_natively(gate.clone(), on_postgres).await.unwrap() }).await;

    assert_eq!(app.result::<Result<String>>(&id).await.unwrap(), id);
    assert_eq!(database.count("SELECT count(*) FROM orders").await, 1);
}

async fn a_transaction_outside_a_workflow_enqueues_too(database: Database) {
    let app = launched(&database).await;
    let gate = unique("queued");
    open(&gate);

    app.run(async {
        let id = queues_order(&gate, "none").await.unwrap();
        assert_eq!(app.result::<Result<String>>(&id).await.unwrap(), id);
        queues_order(&gate, "error").await.unwrap_err();
    })
    .await;

    assert_eq!((database.count("SELECT count(*) FROM orders").await, database.count(ROWS).await), (1, 1));
    assert_eq!(runs_of(&gate), 1);
}

#[transaction]
async fn queues_orders(tx: &mut Tx, gate: &str) -> Result<()> {
    tx.query("INSERT INTO orders (item) VALUES ('many')").execute().await?;
    let calls = (0..3000).map(|number| queued(gate.to_owned()).enqueue(&PLAIN).workflow_id(format!("m-{number}")));
    DBOS::enqueue_all(calls).await?;
    Ok(())
}

#[workflow]
async fn queues_sells_many(gate: String) -> Result<()> {
    queues_orders(&gate).await
}

async fn a_transaction_enqueues_many(database: Database) {
    let app = launched(&database).await;

    app.run(async {
        DBOS::pause_queue(&PLAIN).await.unwrap();
        queues_sells_many(String::new()).await.unwrap();
    })
    .await;

    assert_eq!(ids(&database, "plain", "ENQUEUED").await.len(), 3000);
}

async fn a_transaction_that_enqueues_ends_once_wherever_it_crashes(database: Database) {
    open("crashing");
    let backend = database.backend();
    let crash = move || {
        CrashTest::on(backend).with_tables(ORDERS).run(
            async |_| queues_sells("crashing".to_owned(), "none".to_owned()).workflow_id("p").await,
            async |database, result| {
                let id = result.unwrap();
                database.until_count(ENDED, 2).await;
                assert_eq!(row(database, "status", &id).await, [text("SUCCESS")]);
                assert_eq!(database.count("SELECT count(*) FROM orders").await, 1);
                assert_eq!(database.count(ROWS).await, 2);
            },
        )
    };
    tokio::task::spawn_blocking(crash).await.unwrap();
}

async fn what_cannot_be_enqueued_ends_the_workflow_and_leaves_no_row(database: Database) {
    let app = launched(&database).await;
    app.run(async {
        DBOS::pause_queue(&CUSTOMERS).await.unwrap();
        let call = queued(String::new()).enqueue(&CUSTOMERS).partition_key("k").workflow_id("first");
        call.deduplication_id("taken").await.unwrap();

        let taken = queues_sells(String::new(), "taken".to_owned()).await.unwrap_err();
        assert!(matches!(&taken, Error::Deduplicated { workflow, .. } if workflow == "first"), "{taken}");
        let existing = queues_sells(String::new(), "existing".to_owned()).await.unwrap_err();
        assert!(existing.to_string().contains("enqueue outside of it"), "{existing}");
    })
    .await;

    assert_eq!(database.count("SELECT count(*) FROM orders").await, 0);
    assert_eq!(ids(&database, "customers", "ENQUEUED").await, ["first"]);
}

#[transaction(read_only)]
async fn queues_only_reads(_tx: &mut Tx) -> Result<()> {
    queued(String::new()).enqueue(&PLAIN).await?;
    Ok(())
}

#[workflow]
async fn queues_reads() -> Result<()> {
    queues_only_reads().await
}

async fn a_transaction_that_only_reads_enqueues_nothing(database: Database) {
    let app = App::launch(config(&database)).await;

    let error = app.run(async { queues_reads().await.unwrap_err() }).await;

    assert!(error.to_string().contains("enqueue no workflow"), "{error}");
    assert_eq!(database.count(ROWS).await, 1);
}
