//! An application for programs of other DBOS libraries: they enqueue its workflows, and it enqueues theirs. It says
//! `ready` when it serves.

#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests are not replayed, and panic when they fail")]

use std::fmt;
use std::time::Duration;

use dbos::{Config, DBOS, Error, Event, Queue, Result, Schedule, StreamKey, Tick, Topic, step, workflow};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[dbos::queue]
static LETTERS: Queue = Queue::new("letters");

#[dbos::queue]
static SINGLE: Queue = Queue::new("single").concurrency(1);

const STAGE: Event<Value> = Event::new("stage");
const LABEL: Topic<Value> = Topic::new("label");
const WORD: Topic<Value> = Topic::new("word");
const NEWS: StreamKey<Value> = StreamKey::new("news");

/// Gives back what it is given, on every way that a value can take.
#[workflow]
async fn echo(value: Value) -> Result<Value> {
    DBOS::set_event(STAGE, value.clone()).await?;
    DBOS::write_stream(NEWS, value.clone()).await?;
    DBOS::close_stream(NEWS).await?;
    Ok(value)
}

/// What the JSON in `text` says.
#[workflow]
async fn parse(text: String) -> Result<Value> {
    serde_json::from_str(&text).map_err(|error| Error::new(error.to_string()))
}

/// Whether a value has come as what the JSON in `text` says.
#[workflow]
async fn weigh(text: String, value: Value) -> Result<bool> {
    Ok(serde_json::from_str::<Value>(&text).is_ok_and(|expected| expected == value))
}

/// Waits for its label.
#[workflow]
async fn ship(order: u64, to: String) -> Result<String> {
    DBOS::write_stream(NEWS, json!("packed")).await?;
    DBOS::set_event(STAGE, json!({ "packed": order })).await?;
    let label = DBOS::recv(LABEL, Duration::from_secs(60)).await?.unwrap_or_default();
    DBOS::write_stream(NEWS, json!("on its way")).await?;
    Ok(format!("{order} to {to}, {label}"))
}

#[derive(Debug, Deserialize, Serialize)]
enum Refusal {
    TooLarge { order: u64, most: u64 },
    Dbos(dbos::Error),
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { order, .. } => write!(formatter, "nobody can carry order {order}"),
            Self::Dbos(error) => error.fmt(formatter),
        }
    }
}

impl std::error::Error for Refusal {}

impl From<dbos::Error> for Refusal {
    fn from(error: dbos::Error) -> Self {
        Self::Dbos(error)
    }
}

#[workflow]
async fn refuse(order: u64) -> Result<(), Refusal> {
    Err(Refusal::TooLarge { order, most: 1000 })
}

#[step]
async fn draw(name: &str) -> String {
    format!("{name}: {}", uuid::Uuid::new_v4())
}

/// Three values that no other run would draw.
#[workflow]
async fn draw_three() -> Result<Vec<String>> {
    Ok(vec![draw("first").await, draw("second").await, draw("third").await])
}

#[step]
async fn note(word: &str) -> String {
    word.to_owned()
}

/// A step and another, so that a kill may come between.
#[workflow]
async fn work(number: u64) -> Result<u64> {
    note("begun").await;
    note("done").await;
    Ok(number)
}

#[workflow]
async fn rest(seconds: u64) -> Result<()> {
    DBOS::sleep(Duration::from_secs(seconds)).await;
    Ok(())
}

#[workflow]
async fn count(tick: Tick<Value>) -> Result<Value> {
    let at = jiff::Timestamp::try_from(tick.scheduled_at()).unwrap();
    Ok(json!({ "at": at.to_string(), "context": tick.context }))
}

/// What is said to it, in this order.
#[workflow]
async fn hear(words: usize) -> Result<Vec<Value>> {
    let mut heard = Vec::new();
    while heard.len() < words {
        heard.extend(DBOS::recv(WORD, Duration::from_secs(60)).await?);
    }
    Ok(heard)
}

/// Has the work done by a child in another application: answers its event with a label, and gives back both its event
/// and what it returned.
#[workflow]
async fn delegate(name: String, queue: String, arguments: Value) -> Result<Value> {
    let child = DBOS::enqueue(name, queue, arguments).await?;
    let stage = DBOS::get_event(child.workflow_id(), STAGE).await?;
    DBOS::send(child.workflow_id(), json!("by train"), LABEL).await?;
    Ok(json!({ "stage": stage, "result": child.result().await? }))
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut config = Config::new("neighbour").database_url(std::env::var("DATABASE").unwrap());
    config.poll_interval = Duration::from_millis(100);
    let _engine = DBOS::launch(config).await?;
    DBOS::create_schedule(Schedule::new("yearly", "0 0 1 1 *", count, json!({ "of": "rust" }))).await?;
    println!("ready");
    std::future::pending().await
}
