//! A program with two workflows, as it was before its code changed; `clerk_edited` is what became of it.
//!
//! It starts what the variables `FILE` and `SORT` name, and is ready once their first steps are recorded.

#![allow(clippy::disallowed_methods, reason = "tests are not replayed")]

use std::time::Duration;

use dbos::{DBOS, Event, Result, Topic, step, workflow};

const READY: Event<bool> = Event::new("ready");
const GO: Topic<()> = Topic::new("go");
const DAY: Duration = Duration::from_hours(24);

#[step]
async fn read_letter() {}

#[workflow]
async fn file_letter() -> Result<()> {
    read_letter().await;
    DBOS::set_event(READY, true).await?;
    DBOS::recv(GO, DAY).await?;
    Ok(())
}

/// Sorts the mail.
#[workflow]
async fn sort_mail() -> Result<()> {
    read_letter().await; // from the top of the pile
    DBOS::set_event(READY, true).await?;
    DBOS::recv(GO, DAY).await?;
    Ok(())
}

#[dbos::main(name = "clerk")]
async fn main() -> Result<()> {
    for id in named("FILE") {
        DBOS::start_workflow(file_letter()).workflow_id(&id).await?;
        DBOS::get_event(id, READY).await?;
    }
    for id in named("SORT") {
        DBOS::start_workflow(sort_mail()).workflow_id(&id).await?;
        DBOS::get_event(id, READY).await?;
    }
    Ok(())
}

fn named(variable: &str) -> Vec<String> {
    let ids = std::env::var(variable).unwrap_or_default();
    ids.split_whitespace().map(str::to_owned).collect()
}
