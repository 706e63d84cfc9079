//! An application for tests that need real processes: a schedule ticks each second, and each tick is a row in the table
//! `ticked`.
//!
//! With arguments it is a generated program with that command line.

#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests are not replayed, and panic when they fail")]

use std::process::ExitCode;
use std::time::{Duration, UNIX_EPOCH};

use dbos::{Config, DBOS, Result, Tick, Tx, transaction, workflow};
use dbos_testkit::tool_or;

#[transaction]
async fn note(tx: &mut Tx, second: i64) -> Result<()> {
    tx.query("INSERT INTO ticked (second) VALUES ($1)").bind(second).execute().await?;
    Ok(())
}

#[workflow(schedule = "* * * * * *", late = "all")]
async fn tick(tick: Tick) -> Result<()> {
    let second = tick.scheduled_at().duration_since(UNIX_EPOCH).unwrap().as_secs();
    note(second.try_into().unwrap()).await
}

fn main() -> ExitCode {
    tool_or("ticker", run)
}

#[tokio::main]
async fn run() -> Result<()> {
    let mut config = Config::new("ticker").database_url(std::env::var("DATABASE").unwrap());
    config.lease = Duration::from_secs(2);
    config.poll_interval = Duration::from_millis(200);
    let _engine = DBOS::launch(config).await?;
    println!("ready");
    std::future::pending().await
}
