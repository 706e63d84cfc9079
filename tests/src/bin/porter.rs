//! An application for tests that need real processes: it carries parcels out of two queues, one of which has limits for
//! all processes together, for each, and for each of four streets, and the other a rate.
//!
//! It puts as many into the first as `PARCELS` says and a quarter into the other, says `ready`, and carries until it is
//! killed. The way to the door takes as many milliseconds as `WAY_MS` says.

#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests are not replayed, and panic when they fail")]

use std::time::Duration;

use dbos::{Config, DBOS, Queue, Result, Tx, step, transaction, workflow};

#[dbos::queue]
static CROWDED: Queue = Queue::new("crowded").concurrency(8).worker_concurrency(3).partition_concurrency(3);

#[dbos::queue]
static RATED: Queue = Queue::new("rated").rate_limit(10, Duration::from_millis(500));

#[step]
async fn walk() {
    let way_ms = std::env::var("WAY_MS").map_or(50, |way_ms| way_ms.parse().unwrap());
    tokio::time::sleep(Duration::from_millis(way_ms)).await;
}

#[transaction]
async fn hand_over(tx: &mut Tx) -> Result<()> {
    tx.query("INSERT INTO carried (parcel) VALUES ($1)").bind(DBOS::workflow_id()).execute().await?;
    Ok(())
}

#[workflow]
async fn carry() -> Result<()> {
    walk().await;
    hand_over().await
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut config = Config::new("porter").database_url(std::env::var("DATABASE").unwrap());
    config.lease = Duration::from_secs(2);
    config.poll_interval = Duration::from_millis(100);
    let _engine = DBOS::launch(config).await?;
    let parcels: u32 = std::env::var("PARCELS").unwrap().parse().unwrap();
    let crowded = |number| {
        let street = format!("street-{}", number % 4);
        carry().enqueue(&CROWDED).partition_key(street).workflow_id(format!("crowded-{number}"))
    };
    let rated = |number| carry().enqueue(&RATED).workflow_id(format!("rated-{number}"));
    DBOS::enqueue_all((0..parcels / 4).map(rated)).await?;
    DBOS::enqueue_all((0..parcels).map(crowded)).await?;
    println!("ready");
    std::future::pending().await
}
