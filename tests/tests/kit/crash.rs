//! Crashing at every write: a promise that holds passes, one that does not is found.

use std::panic::{AssertUnwindSafe, catch_unwind};

use dbos::{DBOS, Error, Result, Tx, step, transaction, workflow};
use dbos_testkit::{Backend, CrashTest, Crashes, Database, Ledger, behaviours};

behaviours! { crash:
    an_order_is_placed_once_wherever_it_crashes,
    an_effect_that_a_crash_doubles_is_found on nothing,
    a_request_without_an_id_is_found on nothing,
}

#[transaction]
async fn place(tx: &mut Tx, item: &str) -> Result<()> {
    tx.query("INSERT INTO orders (item) VALUES ($1)").bind(item.to_owned()).execute().await?;
    Ok(())
}

#[step]
async fn announce(ledger: &str, item: &str) -> Result<()> {
    Ledger::at(ledger).append(item).map_err(|error| Error::new(error.to_string()))
}

#[workflow]
async fn order(item: String) -> Result<String> {
    place(&item).await?;
    let id = DBOS::uuid().await;
    place(&item).await?;
    Ok(id.to_string())
}

#[workflow]
async fn announced_order(ledger: String, item: String) -> Result<()> {
    announce(&ledger, &item).await
}

const ORDERS: &str = "CREATE TABLE orders (item TEXT NOT NULL)";

/// [`CrashTest`] has runtimes of its own, which cannot run within another.
async fn on_a_thread<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(run).await.unwrap()
}

/// Whether the test panics, as one does that finds something.
async fn is_found(test: impl FnOnce() + Send + 'static) -> bool {
    on_a_thread(|| catch_unwind(AssertUnwindSafe(test)).is_err()).await
}

fn order_everywhere(backend: Backend) -> Crashes {
    CrashTest::on(backend).with_tables(ORDERS).run(
        async |_| order("tea".to_owned()).workflow_id("order-1").await,
        async |database, outcome| {
            outcome.unwrap();
            assert_eq!(database.count("SELECT count(*) FROM orders").await, 2);
        },
    )
}

async fn an_order_is_placed_once_wherever_it_crashes(database: Database) {
    let backend = database.backend();

    // The start, three steps, the outcome.
    assert_eq!(on_a_thread(move || order_everywhere(backend)).await, Crashes { writes: 5, crashes: 10 });
}

async fn an_effect_that_a_crash_doubles_is_found() {
    let ledger = |database: &Database| database.path().unwrap().with_extension("ledger");
    let found = is_found(move || {
        CrashTest::on(Backend::Sqlite).run(
            async |database| {
                let ledger = ledger(database).display().to_string();
                announced_order(ledger, "tea".to_owned()).workflow_id("order-1").await
            },
            async |database, outcome| {
                outcome.unwrap();
                assert_eq!(Ledger::at(ledger(database)).count("tea").unwrap(), 1, "announced once");
            },
        );
    });
    assert!(found.await, "a step that ran and was not recorded runs again");
}

async fn a_request_without_an_id_is_found() {
    let found = is_found(|| {
        CrashTest::on(Backend::Sqlite).with_tables(ORDERS).run(
            // Without an id the second request is another workflow.
            async |_| order("tea".to_owned()).await,
            async |database, outcome| {
                outcome.unwrap();
                assert_eq!(database.count("SELECT count(*) FROM orders").await, 2);
            },
        );
    });
    assert!(found.await);
}
