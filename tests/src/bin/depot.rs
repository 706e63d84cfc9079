//! An application for tests of clients: it ships what others have put into its queue, and says `ready` when it serves.

#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests are not replayed, and panic when they fail")]

use std::time::Duration;

use dbos::{Config, DBOS, Error, Event, Queue, Result, StreamKey, Tick, Topic, workflow};

#[dbos::queue]
static PARCELS: Queue = Queue::new("parcels").concurrency(1);

const STAGE: Event<String> = Event::new("stage");
const LABEL: Topic<String> = Topic::new("label");
const NEWS: StreamKey<String> = StreamKey::new("news");

/// Waits for its label unless the order is too large to be shipped.
#[workflow]
async fn ship(order: u64, to: String) -> Result<String> {
    if order > 1000 {
        return Err(Error::named("TooLarge", "nobody can carry that"));
    }
    DBOS::write_stream(NEWS, format!("order {order} is packed")).await?;
    DBOS::set_event(STAGE, "packed").await?;
    let label = DBOS::recv(LABEL, Duration::from_secs(60)).await?;
    DBOS::write_stream(NEWS, format!("order {order} is on its way")).await?;
    Ok(format!("{order} to {to}, {}", label.unwrap_or_default()))
}

#[workflow]
async fn count_parcels(tick: Tick<String>) -> Result<String> {
    Ok(format!("{} are counted", tick.context))
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut config = Config::new("depot").database_url(std::env::var("DATABASE").unwrap());
    config.lease = Duration::from_secs(2);
    config.poll_interval = Duration::from_millis(50);
    let _engine = DBOS::launch(config).await?;
    println!("ready");
    std::future::pending().await
}
