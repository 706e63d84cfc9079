//! Those that are compared, and what each of them is asked to do.

use std::future::Future;
use std::sync::LazyLock;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

pub mod durare;
pub mod groups;
pub mod minimal;
pub mod official;
pub mod one_by_one;
pub mod ours;
mod queue;
pub mod sqlite_groups;

/// Their names.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, ValueEnum)]
pub enum Name {
    /// Limit A.
    OneByOne,
    /// Limit B.
    Groups,
    Ours,
    Official,
    Durare,
    /// Limit B on SQLite.
    SqliteGroups,
    OursOnSqlite,
}

impl Name {
    /// As the tables call it.
    pub fn title(self) -> &'static str {
        match self {
            Self::OneByOne => "A: one commit per write",
            Self::Groups => "B: group commit",
            Self::Ours => "this library",
            Self::Official => "`dbos` 0.5.0",
            Self::Durare => "`durare` 0.5.0",
            Self::SqliteGroups => "B on SQLite: group commit",
            Self::OursOnSqlite => "this library on SQLite",
        }
    }

    pub fn is_on_sqlite(self) -> bool {
        matches!(self, Self::SqliteGroups | Self::OursOnSqlite)
    }
}

/// Connections in the pools of the peers; see `docs/performance.md`.
pub const PEER_CONNECTIONS: u32 = 32;
/// How often the queues of the peers are looked at: a second by default, which would be all that is measured.
pub const PEER_POLL: Duration = Duration::from_millis(50);
/// The one queue.
pub const QUEUE: &str = "work";
/// How long those wait that are to wait until they are killed.
pub const LONG: Duration = Duration::from_secs(86_400);

/// What every step gives back, and what is looked for in its row.
#[derive(Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Receipt {
    pub i: u32,
    pub ok: bool,
}

impl Receipt {
    pub fn of(i: u32) -> Self {
        Self { i, ok: true }
    }
}

/// One workflow.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub enum Body {
    /// So many steps, each of which gives back a [`Receipt`].
    Steps(u32),
    /// So many transactions, each of which inserts a row into `orders` and gives back a [`Receipt`].
    Transactions(u32),
    /// One step that gives back so many bytes, which are the workflow's result too.
    Payload(usize),
}

/// What a workflow waits for, for ever.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Wait {
    Sleep,
    Message,
}

/// A program that runs workflows. What it cannot do it refuses.
pub trait Contender: Sized + Send + Sync + 'static {
    /// Connects to a database that has the tables already, or makes them; with so many workflows in flight at most.
    fn launch(url: &str, in_flight: usize) -> impl Future<Output = Result<Self>> + Send;

    /// Runs one workflow to its end.
    fn run(&self, id: String, body: Body) -> impl Future<Output = Result<()>> + Send;

    /// Puts workflows that call [`arrive`] into [`QUEUE`], as fast as it can.
    fn enqueue(&self, _ids: Vec<String>) -> impl Future<Output = Result<()>> + Send {
        async { bail!("has no queues") }
    }

    /// Starts a workflow that calls [`arrive`] and waits.
    fn wait(&self, _id: String, _wait: Wait) -> impl Future<Output = Result<()>> + Send {
        async { bail!("does not wait") }
    }
}

static ARRIVED: LazyLock<watch::Sender<usize>> = LazyLock::new(watch::Sender::default);

/// A workflow has come to where it is counted.
pub fn arrive() {
    ARRIVED.send_modify(|arrived| *arrived += 1);
}

/// Waits until so many have arrived.
pub async fn arrived(count: usize) {
    ARRIVED.subscribe().wait_for(|arrived| *arrived >= count).await.expect("it is never dropped");
}

/// Milliseconds since 1970.
pub fn now_ms() -> i64 {
    let since = std::time::UNIX_EPOCH.elapsed().expect("the clock is right");
    i64::try_from(since.as_millis()).expect("it is not the year 292 million")
}
