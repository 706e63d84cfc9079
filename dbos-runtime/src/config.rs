//! What an engine can be told at launch.

use std::time::Duration;

use crate::clock::Clock;
use crate::failpoint::Failpoints;
use crate::state::{StateValue, States};

/// An application's own migrations: per dialect, file name and SQL text, in order.
#[derive(Clone, Copy, Debug, Default)]
pub struct Migrations {
    /// Applied on Postgres.
    pub postgres: &'static [(&'static str, &'static str)],
    /// Applied on SQLite.
    pub sqlite: &'static [(&'static str, &'static str)],
}

/// What stands between the engine and Postgres.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Pooler {
    /// Nothing, or a pooler that keeps a server process for as long as a connection lasts.
    #[default]
    None,
    /// A pooler such as `PgBouncer` in transaction mode: each transaction may go to another server process. Statements
    /// are prepared anew each time, in a transaction of their own, and waiters poll, because such a pooler passes on
    /// neither prepared statements nor notifications.
    Transaction,
}

/// How long what is recorded of workflows is kept after their end.
///
/// ```
/// use dbos::Retention;
///
/// let a_month_but_no_more_than_a_million = Retention::for_ever().days(30).rows(1_000_000);
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[must_use = "nothing is deleted by itself"]
pub struct Retention {
    /// 0 for any number.
    pub(crate) days: u32,
    /// 0 for any number.
    pub(crate) rows: u32,
}

impl Retention {
    /// All of them, always.
    pub fn for_ever() -> Self {
        Self::default()
    }

    /// For so many days after their end; 0 for any number.
    pub fn days(self, days: u32) -> Self {
        Self { days, ..self }
    }

    /// As long as they are among the last so many that have ended; 0 for any number.
    pub fn rows(self, rows: u32) -> Self {
        Self { rows, ..self }
    }
}

/// Where the tables are unless another schema is named, as with every DBOS library.
pub(crate) const DEFAULT_SCHEMA: &str = "dbos";
/// What Postgres takes is 63 letters; names made of this one have more.
#[cfg_attr(not(any(feature = "postgres", feature = "http")), allow(dead_code))] // nobody else knows schemas
pub(crate) const LONGEST_SCHEMA: usize = 40;

/// Whether Postgres takes `name` for a schema, and for what is made of it, in whatever quotes.
#[cfg_attr(not(any(feature = "postgres", feature = "http")), allow(dead_code))]
pub(crate) fn is_schema_name(name: &str) -> bool {
    let plain = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == b'_';
    let reserved = name.starts_with("pg_") || name == "information_schema";
    (1..=LONGEST_SCHEMA).contains(&name.len())
        && name.bytes().all(plain)
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && !reserved
}

/// The settings of an engine. Start from [`Config::new`] and change what you need.
#[derive(Clone)]
#[non_exhaustive]
pub struct Config {
    /// The application's name; rows carry it, and only executors of the same name share work.
    pub application: String,
    /// `postgres://…` or `sqlite:…`. Default: the SQLite file `./{application}.sqlite`.
    pub database_url: Option<String>,
    /// Overrides the version computed from the source of the workflows.
    pub application_version: Option<String>,
    /// The schema of the tables on Postgres. Default `dbos`. Applications in two schemas of one database know nothing of
    /// each other. What this library alone needs is in a second one, whose name has `_rust` behind it.
    pub schema: String,
    /// The application's own tables.
    pub migrations: Migrations,
    /// Connections for user transactions and reads. Default 10 (Postgres).
    pub pool_size: u32,
    /// How often a waiter looks without having been woken. Default 1 s.
    pub poll_interval: Duration,
    /// How long a workflow waits in memory, if it waits for nothing but durable calls; after that it leaves, and comes
    /// back by replay when it goes on. One that is asleep for longer leaves at once. Default 10 s; zero keeps all of
    /// them.
    pub park_after: Duration,
    /// How many workflows may wait in memory for so long; while more do, each of them leaves as soon as it waits. Default
    /// 1,000.
    pub most_waiting: u32,
    /// Whether to use LISTEN/NOTIFY on Postgres. Default true; never done through a [`Pooler::Transaction`].
    pub listen: bool,
    /// The queues that this process takes workflows out of; what is resumed it takes in any case. Default none, which
    /// means all.
    pub queues: Vec<String>,
    /// What stands between the engine and Postgres. Default nothing.
    pub pooler: Pooler,
    /// How long an executor may be silent before others take its work over. Default 5 s.
    pub lease: Duration,
    /// Longest single statement of the engine. Default 4 s.
    pub statement_deadline: Duration,
    /// Longest user transaction. Default 60 s.
    pub transaction_deadline: Duration,
    /// How long workflows are kept after their end. Default for ever.
    pub retention: Retention,
    /// Replaces the database's clock, for tests.
    pub clock: Option<Clock>,
    /// What its functions may ask for.
    pub(crate) states: States,
    /// Where tests stop the engine.
    pub(crate) failpoints: Failpoints,
}

impl Config {
    /// The defaults for the application `application`.
    pub fn new(application: impl Into<String>) -> Self {
        Self {
            application: application.into(),
            database_url: None,
            application_version: None,
            schema: DEFAULT_SCHEMA.to_owned(),
            migrations: Migrations::default(),
            pool_size: 10,
            poll_interval: Duration::from_secs(1),
            park_after: Duration::from_secs(10),
            most_waiting: 1000,
            listen: true,
            queues: Vec::new(),
            pooler: Pooler::default(),
            lease: Duration::from_secs(5),
            statement_deadline: Duration::from_secs(4),
            transaction_deadline: Duration::from_secs(60),
            retention: Retention::for_ever(),
            clock: None,
            states: States::default(),
            failpoints: Failpoints::default(),
        }
    }

    /// Where the tables are.
    #[must_use]
    pub fn database_url(mut self, url: impl Into<String>) -> Self {
        self.database_url = Some(url.into());
        self
    }

    /// The schema of the tables, on Postgres.
    #[must_use]
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = schema.into();
        self
    }

    /// How long workflows are kept after their end.
    #[must_use]
    pub fn retention(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }

    /// The clock to go by, for tests.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Provides `value` for the functions that ask for its type with `#[state]`, in this engine. What
    /// [`DBOS::provide`](crate::DBOS::provide) has given the program is for those engines that have none of their own.
    #[must_use]
    pub fn provide<T: StateValue>(mut self, value: T) -> Self {
        self.states.add(value);
        self
    }

    /// Stops the engine at one of its durable writes, or counts them.
    #[cfg(feature = "failpoints")]
    #[must_use]
    pub fn failpoints(mut self, failpoints: Failpoints) -> Self {
        self.failpoints = failpoints;
        self
    }

    /// Whether news come from the database by themselves.
    pub(crate) fn listens(&self) -> bool {
        self.listen && self.pooler == Pooler::None
    }

    /// How workflows leave memory that wait; `None` if none does. One that lives by another clock stays.
    pub(crate) fn parking(&self) -> Option<Parking> {
        let parking = Parking { after: self.park_after, most_waiting: self.most_waiting as usize };
        (self.clock.is_none() && !self.park_after.is_zero()).then_some(parking)
    }

    /// The database to use: the given one, or a file named after the application.
    pub(crate) fn effective_url(&self) -> String {
        self.database_url.clone().unwrap_or_else(|| format!("sqlite:./{}.sqlite", self.application))
    }
}

/// When a workflow that waits leaves memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parking {
    pub(crate) after: Duration,
    /// How many may wait for so long.
    pub(crate) most_waiting: usize,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The URL may hold a password, so it is left out.
        formatter.debug_struct("Config").field("application", &self.application).finish_non_exhaustive()
    }
}
