//! The seam between the store and a database. What differs in behaviour is a method here; what
//! differs in SQL is a `match` on [`Dialect`] beside the statement.

pub(crate) mod postgres;
pub(crate) mod sqlite;

use async_trait::async_trait;

use super::connection::Connection;
use crate::error::Result;
use crate::wakeup::Wakeups;

/// Which SQL a database speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Dialect {
    /// PostgreSQL.
    Postgres,
    /// SQLite.
    Sqlite,
}

/// What a connection is wanted for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Access {
    Read,
    Write,
}

#[async_trait]
pub(crate) trait Backend: Send + Sync + 'static {
    fn dialect(&self) -> Dialect;

    /// The database for people: no user, no password.
    fn description(&self) -> String;

    /// Borrows a connection; on SQLite there is one writer.
    async fn connect(&self, access: Access) -> sqlx::Result<Connection>;

    /// Creates or completes the tables, under a lock against other processes.
    async fn migrate(&self) -> Result<()>;

    /// Wakes waiters as the database tells news; returns when that link is lost, and at once where
    /// there is none.
    async fn listen(&self, wakeups: &Wakeups) -> sqlx::Result<()>;

    async fn close(&self);
}
