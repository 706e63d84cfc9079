//! A program with a schedule: `cargo run --example schedule`, and `… schedule -- schedule list` beside it.
//!
//! Kill it, wait a minute, start it again: the last tick that was missed is made up for, and no tick comes twice.

use dbos::{Result, Tick, step, workflow};

#[step]
async fn greet(tick: Tick) {
    println!("tick of {:?}", tick.scheduled_at());
}

#[workflow(schedule = "*/10 * * * * *", timezone = "Europe/Berlin", late = "last")]
async fn every_ten_seconds(tick: Tick) -> Result<()> {
    greet(tick).await;
    Ok(())
}

#[dbos::main]
async fn main() {}
