//! Rows in and out. The rest of the engine speaks of workflows, steps and messages; SQL is only here.

mod app_migrations;
pub(crate) mod backend;
pub(crate) mod connection;
mod migrate;
pub(crate) mod notify;
mod pool;
mod provenance;
pub(crate) mod retry;
pub(crate) mod sql;
mod trouble;
pub(crate) mod tx;
pub(crate) mod writer;

pub(crate) mod aggregates;
pub(crate) mod archive;
pub(crate) mod attributes;
pub(crate) mod bulk;
pub(crate) mod checkpoints;
mod continued;
pub(crate) mod debounce;
mod delays;
pub(crate) mod deletion;
pub(crate) mod events;
pub(crate) mod executors;
pub(crate) mod filter;
mod fragments;
pub(crate) mod forks;
pub(crate) mod listing;
pub(crate) mod messages;
pub(crate) mod outcomes;
pub(crate) mod page;
pub(crate) mod parked;
mod partitions;
#[cfg(all(test, feature = "sqlite"))]
mod plans;
pub(crate) mod queue_rows;
pub(crate) mod queues;
pub(crate) mod renaming;
mod retention;
mod retried;
pub(crate) mod schedules;
pub(crate) mod starts;
pub(crate) mod steps;
pub(crate) mod streams;
pub(crate) mod versions;
pub(crate) mod workflow_row;
pub(crate) mod workflows;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use backend::nowhere::Nowhere;
use backend::{Access, Backend, Dialect, Missing, Opening};
use connection::{Connection, Isolation};
use notify::Audience;
use retry::{Backoff, is_transient};
use sql::{Row, Statement};
use trouble::Troubles;
pub(crate) use trouble::{SharedTrouble, Trouble};

use crate::config::Config;
use crate::error::{Error, Result};
use crate::failpoint::{DurableWrite, Failpoints};
use crate::wakeup::Wakeups;

/// How values are written: as JSON that every DBOS library reads.
pub(crate) const PORTABLE: &str = "portable_json";

/// A database that is up to date. Clones share its connections.
#[derive(Clone)]
pub(crate) struct Store {
    backend: Arc<dyn Backend>,
    /// Of the tables, where there are schemas.
    schema: Arc<str>,
    deadline: Duration,
    failpoints: Failpoints,
    troubles: Troubles,
}

impl Store {
    /// Opens the configured database with `pool_size` connections; [`migrate`](Self::migrate) next.
    pub(crate) async fn open(config: &Config, pool_size: u32) -> Result<Self> {
        Self::open_or(config, pool_size, Missing::Create).await
    }

    /// Opens the configured database for somebody who runs no workflows: nothing is created, and
    /// tables that are missing or too old are an error.
    pub(crate) async fn open_existing(config: &Config, pool_size: u32) -> Result<Self> {
        let store = Self::open_or(config, pool_size, Missing::Refuse).await?;
        store.backend.check().await?;
        Ok(store)
    }

    /// One that is never asked anything.
    pub(crate) fn nowhere() -> Self {
        Self {
            backend: Arc::new(Nowhere),
            schema: "".into(),
            deadline: Duration::from_secs(1),
            failpoints: Failpoints::default(),
            troubles: Troubles::default(),
        }
    }

    async fn open_or(config: &Config, pool_size: u32, missing: Missing) -> Result<Self> {
        let deadline = config.statement_deadline;
        let opening = Opening { schema: &config.schema, pool_size, deadline, pooler: config.pooler, missing };
        let backend = backend::open(&config.effective_url(), opening).await?;
        Ok(Self {
            backend,
            schema: config.schema.as_str().into(),
            deadline,
            failpoints: config.failpoints.clone(),
            troubles: Troubles::default(),
        })
    }

    /// Where executors of this database keep their lock files; shared by all who can prove anything.
    pub(crate) fn lock_folder(&self, boot_id: &str) -> PathBuf {
        self.backend.lock_folder(boot_id)
    }

    pub(crate) async fn migrate(&self) -> Result<()> {
        self.backend.migrate().await
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.backend.dialect()
    }

    pub(crate) fn description(&self) -> String {
        self.backend.description()
    }

    pub(crate) async fn listen(&self, wakeups: &Wakeups, audience: &Audience) -> sqlx::Result<()> {
        self.backend.listen(wakeups, audience).await
    }

    pub(crate) async fn close(&self) {
        self.backend.close().await;
    }

    /// Tries once, for no longer than the deadline. A connection that did not answer is closed.
    pub(crate) async fn run(&self, access: Access, statement: &Statement) -> sqlx::Result<Vec<Row>> {
        let mut connection = self.connect(access).await?;
        let outcome = within(self.deadline, connection.run(statement)).await;
        let rows = outcome.inspect_err(|error| self.troubles.note_damage(error))?;
        connection.release();
        Ok(rows)
    }

    /// Tries until the database answers. Only a statement that is itself at fault gives an error, so
    /// an outage is a pause and never an outcome.
    ///
    /// The statement must be safe to repeat: an answer that was lost may have been a success.
    pub(crate) async fn insist(&self, action: &str, access: Access, statement: &Statement) -> Result<Vec<Row>> {
        self.repeat(action, || self.run(access, statement)).await
    }

    /// Repeats `attempt` until it succeeds or fails for a reason that time does not mend.
    pub(crate) async fn repeat<T, F>(&self, action: &str, mut attempt: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = sqlx::Result<T>>,
    {
        let (mut backoff, mut trouble) = (Backoff::new(), self.trouble(action));
        loop {
            match attempt().await {
                Ok(value) => return Ok(value),
                Err(error) if is_transient(&error) => {
                    trouble.note(&error);
                    backoff.wait().await;
                }
                Err(error) => {
                    self.troubles.note_damage(&error);
                    return Err(Error::database(action, error));
                }
            }
        }
    }

    /// For what is tried again elsewhere.
    pub(crate) fn trouble(&self, action: &str) -> Trouble {
        self.troubles.of(action)
    }

    /// What has been wrong with the database for some time.
    #[cfg(feature = "http")]
    pub(crate) fn known_ailment(&self) -> Option<&'static str> {
        self.troubles.worst()
    }

    /// The same; and if there is nothing, what it says when it is asked.
    #[cfg(feature = "http")]
    pub(crate) async fn ailment(&self) -> Option<&'static str> {
        // A table, because the first page of a file may be the only one that is whole.
        let statement = Statement::new("SELECT 1 AS found FROM dbos_rust.executors LIMIT 1");
        let asked = self.run(Access::Read, &statement).await;
        self.known_ailment().or_else(|| asked.err().map(|error| retry::reason(&error)))
    }

    pub(crate) async fn connect(&self, access: Access) -> sqlx::Result<Connection> {
        let connected = within(self.deadline, self.backend.connect(access)).await.map_err(out_of_reach);
        connected.inspect_err(|error| self.troubles.note_damage(error))
    }

    /// Opens a writing transaction.
    pub(crate) async fn begin(&self, isolation: Isolation) -> sqlx::Result<Connection> {
        let mut connection = self.connect(Access::Write).await?;
        within(self.deadline, connection.begin(isolation)).await?;
        Ok(connection)
    }

    /// Opens a transaction that only reads.
    pub(crate) async fn begin_reading(&self, isolation: Isolation) -> sqlx::Result<Connection> {
        let mut connection = self.connect(Access::Read).await?;
        within(self.deadline, connection.begin_reading(isolation)).await?;
        Ok(connection)
    }

    /// To be called before a write that counts, and ended once it is committed.
    pub(crate) async fn durable_write(&self, action: &'static str) -> DurableWrite {
        self.failpoints.begin(action).await
    }

    /// Whether a write that turns out to be none would be noticed.
    pub(crate) fn numbers_writes(&self) -> bool {
        self.failpoints.are_armed()
    }

    pub(crate) fn deadline(&self) -> Duration {
        self.deadline
    }
}

/// Whether that is what a damaged database says.
pub(crate) fn is_damage(error: &Error) -> bool {
    matches!(error, Error::Database { source: Some(source), .. } if retry::is_damage(source))
}

/// `operation`, or a timeout that is retried like any other trouble of the line.
pub(crate) async fn within<T>(deadline: Duration, operation: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    match tokio::time::timeout(deadline, operation).await {
        Ok(outcome) => outcome,
        Err(_) => Err(sqlx::Error::Io(std::io::Error::new(
            std::io::ErrorKind::TimedOut,
            format!("the database did not answer within {} ms", deadline.as_millis()),
        ))),
    }
}

/// A server that was fine at launch and now lets nobody in, whatever its reason, is out of reach and
/// not at fault: somebody changes a password, restores a dump, or has used up the connections.
fn out_of_reach(error: sqlx::Error) -> sqlx::Error {
    match error {
        damaged if retry::is_damage(&damaged) => damaged,
        sqlx::Error::Database(_) | sqlx::Error::Configuration(_) => sqlx::Error::Io(std::io::Error::other(error)),
        other => other,
    }
}
