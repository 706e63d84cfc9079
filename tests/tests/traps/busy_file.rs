//! SQLite files that others write too.

use std::time::{Duration, Instant};

use dbos::{DBOS, Result, Tx, transaction, workflow};
use dbos_testkit::board::{open, reached, unique};
use dbos_testkit::{App, Database, behaviours};
use sqlx::{Connection, SqliteConnection};

use crate::app::{config, doubled, shopping, shopping_at_gate, with_orders};

behaviours! { busy_file:
    an_outside_writer_is_waited_for on sqlite within 120,
    a_read_that_turns_into_a_write_never_fails on sqlite within 120,
}

/// Longer than the busy timeout of 3 s, while workflows start, run, end and are cancelled.
async fn an_outside_writer_is_waited_for(database: Database) {
    let app = App::launch(config(database.url())).await;
    with_orders(&database).await;
    let gate = unique("gate");
    let mut handles = Vec::new();
    for _ in 0..10 {
        handles.push(
            app.run(async { DBOS::start_workflow(shopping_at_gate(gate.clone(), unique("s"))).await.unwrap() }).await,
        );
    }
    reached(&gate).await;
    let mut outsider = SqliteConnection::connect(database.url()).await.unwrap();

    for _ in 0..2 {
        sqlx::raw_sql("BEGIN EXCLUSIVE").execute(&mut outsider).await.unwrap();
        open(&gate);
        let (late, ()) =
            tokio::join!(app.run(async { DBOS::start_workflow(shopping(unique("late"))).await.unwrap() }), async {
                tokio::time::sleep(Duration::from_millis(4500)).await;
                sqlx::raw_sql("COMMIT").execute(&mut outsider).await.unwrap();
            });
        handles.push(late);
    }

    for handle in &handles {
        assert_eq!(handle.result().await.unwrap(), "ordered milk");
    }
    assert!(doubled(&database).await.is_empty());
    assert_eq!(database.count("SELECT count(*) FROM orders").await, 24);
}

#[transaction]
async fn read_then_write(tx: &mut Tx) -> Result<i64> {
    let count: i64 = tx.query("SELECT count(*) FROM orders").fetch_scalar().await?;
    tokio::task::yield_now().await;
    tx.query("INSERT INTO orders (workflow, item) VALUES ($1, $2)")
        .bind(DBOS::workflow_id())
        .bind(count.to_string())
        .execute()
        .await?;
    Ok(count)
}

#[workflow]
async fn counting() -> Result<Vec<i64>> {
    let mut counts = Vec::new();
    for _ in 0..5 {
        counts.push(read_then_write().await?);
    }
    Ok(counts)
}

async fn a_read_that_turns_into_a_write_never_fails(database: Database) {
    let one = App::launch(config(database.url())).await;
    let two = App::launch(config(database.url())).await;
    with_orders(&database).await;
    let started = Instant::now();

    let mut handles = Vec::new();
    for number in 0..40 {
        let app = if number % 2 == 0 { &one } else { &two };
        handles.push(app.run(async { DBOS::start_workflow(counting()).await.unwrap() }).await);
    }
    let mut all = Vec::new();
    for handle in handles {
        all.extend(handle.result().await.unwrap());
    }

    // Each transaction saw all that were before it: one after the other, over both engines.
    all.sort_unstable();
    assert_eq!(all, (0..200).collect::<Vec<i64>>());
    println!("200 transactions of two engines on one file in {:?}", started.elapsed());
}
