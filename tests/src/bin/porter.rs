//! An application for tests that need real processes: it carries parcels out of two queues, one of which has limits for
//! all processes together and for each, and the other a rate.
//!
//! It puts as many into the first as `PARCELS` says and a quarter into the other, says `ready`, and carries until it is
//! killed.

#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests are not replayed, and panic when they fail")]

use std::time::Duration;

use dbos::{Config, DBOS, Queue, Result, Tx, step, transaction, workflow};

#[dbos::queue]
static CROWDED: Queue = Queue::new("crowded").concurrency(4).worker_concurrency(2);

#[dbos::queue]
static RATED: Queue = Queue::new("rated").rate_limit(10, Duration::from_millis(500));

#[step]
async fn walk() {
    tokio::time::sleep(Duration::from_millis(50)).await;
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
    for number in 0..parcels {
        carry().enqueue(&CROWDED).workflow_id(format!("crowded-{number}")).await?;
        if number % 4 == 0 {
            carry().enqueue(&RATED).workflow_id(format!("rated-{number}")).await?;
        }
    }
    println!("ready");
    std::future::pending().await
}
