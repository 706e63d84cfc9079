//! The program of `clerk` after an edit: `file_letter` takes one more step at its end, and `sort_mail` only looks
//! different.

use std::time::Duration;

use dbos::{DBOS, Event, Result, Topic, step, workflow};

const READY: Event<bool> = Event::new("ready");
const GO: Topic<()> = Topic::new("go");
const DAY: Duration = Duration::from_hours(24);

#[step]
async fn read_letter() {}

#[step]
async fn stamp() {}

#[workflow]
async fn file_letter() -> Result<()> {
    read_letter().await;
    DBOS::set_event(READY, true).await?;
    DBOS::recv(GO, DAY).await?;
    stamp().await;
    Ok(())
}

/// Sorts the mail, with more words about it.
#[rustfmt::skip]
#[workflow]
async fn sort_mail()
    -> Result<()>
{
    // From the top of the pile.
    read_letter().await;

    DBOS::set_event(
        READY,
        true,
    ).await?;
    /* All day long. */ DBOS::recv(GO, DAY).await?;
    Ok(())
}

#[dbos::main(name = "clerk")]
async fn main() {}
