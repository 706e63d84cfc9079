//! The seam between the store and a database. What differs in behaviour is a method here; what
//! differs in SQL is a `match` on [`Dialect`] beside the statement.
//!
//! Each database is a module with the same names in it. `absent` stands in for one that is not
//! compiled in, so nothing else in the store knows of the cargo features.

#[cfg_attr(not(feature = "postgres"), path = "backend/absent.rs")]
pub(crate) mod postgres;
#[cfg_attr(not(feature = "sqlite"), path = "backend/absent.rs")]
pub(crate) mod sqlite;

pub(super) mod nowhere;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::connection::Connection;
use crate::config::Pooler;
use crate::error::{Error, Result};
use crate::store::notify::Audience;
use crate::wakeup::Wakeups;

#[cfg(not(any(feature = "postgres", feature = "sqlite")))]
compile_error!("dbos-runtime needs a database: turn on its cargo feature `postgres`, `sqlite` or both");

/// Which SQL a database speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Dialect {
    /// PostgreSQL.
    Postgres,
    /// SQLite.
    Sqlite,
}

impl Dialect {
    /// Of the database that `url` names.
    fn of(url: &str) -> Result<Self> {
        match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("postgres" | "postgresql") => Ok(Self::Postgres),
            Some("sqlite") => Ok(Self::Sqlite),
            _ => Err(Error::Configuration(
                "the database URL begins neither with `postgres://` nor with `sqlite:`".to_owned(),
            )),
        }
    }
}

/// Opens the database that `url` names.
pub(super) async fn open(url: &str, opening: Opening<'_>) -> Result<Arc<dyn Backend>> {
    match Dialect::of(url)? {
        Dialect::Postgres => postgres::open(url, opening).await,
        Dialect::Sqlite => sqlite::open(url, opening).await,
    }
}

/// What a connection is wanted for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// How a database is opened.
#[cfg_attr(not(all(feature = "postgres", feature = "sqlite")), allow(dead_code))] // each looks at what concerns it
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opening<'a> {
    pub(crate) schema: &'a str,
    pub(crate) pool_size: u32,
    pub(crate) deadline: Duration,
    pub(crate) pooler: Pooler,
    pub(crate) missing: Missing,
}

/// What becomes of a database that is not there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Missing {
    Create,
    Refuse,
}

#[async_trait]
pub(crate) trait Backend: Send + Sync + 'static {
    fn dialect(&self) -> Dialect;

    /// The database for people: no user, no password.
    fn description(&self) -> String;

    /// Where executors of this database keep their lock files; shared by all who can prove anything.
    fn lock_folder(&self, boot_id: &str) -> PathBuf;

    /// Borrows a connection; on SQLite there is one writer.
    async fn connect(&self, access: Access) -> sqlx::Result<Connection>;

    /// Creates or completes the tables, under a lock against other processes.
    async fn migrate(&self) -> Result<()>;

    /// Refuses tables that are missing or too old, and changes nothing.
    async fn check(&self) -> Result<()>;

    /// Wakes waiters as the database tells news, and notes whether others listen too; returns when that link is lost,
    /// and at once where there is none.
    async fn listen(&self, wakeups: &Wakeups, audience: &Audience) -> sqlx::Result<()>;

    async fn close(&self);
}
