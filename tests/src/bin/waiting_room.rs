//! An application with very many workflows that wait.
//!
//! It starts `WAITING` workflows that sleep so many seconds or wait for a message, as `WAIT` says, and says so. With `BUSY` it
//! then starts one after the other that ends at once.

#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests are not replayed, and panic when they fail")]

use std::time::{Duration, Instant};

use dbos::{Config, DBOS, Result, Topic, workflow};
use futures_util::stream::{self, StreamExt};

const WORD: Topic<String> = Topic::new("word");
/// How many are started at a time.
const AT_ONCE: usize = 512;

#[workflow]
async fn asleep(seconds: u64) -> Result<()> {
    DBOS::sleep(Duration::from_secs(seconds)).await;
    Ok(())
}

#[workflow]
async fn in_recv() -> Result<Option<String>> {
    DBOS::recv(WORD, Duration::from_hours(24)).await
}

#[workflow]
async fn fresh() -> Result<()> {
    Ok(())
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("the variable {name} is needed"))
}

async fn start(number: usize) {
    let id = format!("w-{number}");
    match variable("WAIT").as_str() {
        "recv" => drop(DBOS::start_workflow(in_recv()).workflow_id(id).await.unwrap()),
        seconds => drop(DBOS::start_workflow(asleep(seconds.parse().unwrap())).workflow_id(id).await.unwrap()),
    }
}

#[tokio::main]
async fn main() {
    let mut config = Config::new("waiting-room").database_url(variable("DATABASE"));
    config.park_after = Duration::from_millis(200);
    let begun = Instant::now();
    DBOS::launch(config).await.unwrap();
    println!("launched");
    fresh().await.unwrap();
    println!("a fresh one ended after {} ms", begun.elapsed().as_millis());
    let count: usize = variable("WAITING").parse().unwrap();
    stream::iter(0..count).for_each_concurrent(AT_ONCE, start).await;
    println!("all are started");
    if std::env::var_os("BUSY").is_none() {
        std::future::pending::<()>().await;
    }
    loop {
        let begun = Instant::now();
        fresh().await.unwrap();
        println!("another ended after {} ms", begun.elapsed().as_millis());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
