//! One borrowed connection. It goes back to its pool only when it is known to be idle; whoever drops
//! it half-way (a cancelled workflow, a passed deadline) closes it. So a `BEGIN` whose caller went
//! away, or an answer nobody read, can never reach the next borrower.

use super::backend::{postgres, sqlite};
use super::sql::{Row, Statement};

pub(crate) enum Connection {
    Postgres(postgres::Link),
    Sqlite(sqlite::Link),
}

/// How a transaction sees the others.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Isolation {
    /// As if transactions ran one after another. The default.
    #[default]
    Serializable,
    /// A snapshot taken at the first statement.
    RepeatableRead,
    /// Each statement sees what was committed before it.
    ReadCommitted,
}

impl From<postgres::Link> for Connection {
    fn from(link: postgres::Link) -> Self {
        Self::Postgres(link)
    }
}

impl From<sqlite::Link> for Connection {
    fn from(link: sqlite::Link) -> Self {
        Self::Sqlite(link)
    }
}

/// The same on whichever database it is.
macro_rules! on_either {
    ($connection:expr, $link:ident => $done:expr) => {
        match $connection {
            Self::Postgres($link) => $done,
            Self::Sqlite($link) => $done,
        }
    };
}

impl Connection {
    pub(crate) async fn run(&mut self, statement: &Statement) -> sqlx::Result<Vec<Row>> {
        on_either!(self, link => Ok(link.run(statement).await?.into_iter().map(Row::from).collect()))
    }

    /// Runs text that takes no values and may hold several statements.
    pub(crate) async fn run_script(&mut self, sql: &'static str) -> sqlx::Result<()> {
        on_either!(self, link => link.run_script(sql).await)
    }

    /// Opens a transaction that will write.
    ///
    /// A marker that ends with the transaction tells later whether user code has ended it.
    pub(crate) async fn begin(&mut self, isolation: Isolation) -> sqlx::Result<()> {
        let begin = match self {
            Self::Postgres(_) => postgres::Link::begin(isolation),
            Self::Sqlite(_) => sqlite::Link::begin(isolation),
        };
        self.run_script(begin).await
    }

    /// Opens a transaction that only reads.
    pub(crate) async fn begin_reading(&mut self, isolation: Isolation) -> sqlx::Result<()> {
        let begin = match self {
            Self::Postgres(_) => postgres::Link::begin_reading(isolation),
            Self::Sqlite(_) => sqlite::Link::begin_reading(isolation),
        };
        self.run_script(begin).await
    }

    /// Whether the transaction that [`begin`](Self::begin) opened is still the open one. Asked once,
    /// before the transaction's last statement. Where that statement asks too, it is always so.
    pub(crate) async fn is_still_open(&mut self) -> sqlx::Result<bool> {
        on_either!(self, link => link.is_still_open().await)
    }

    /// Whether the marker of [`begin`](Self::begin) is still there, where
    /// [`is_still_open`](Self::is_still_open) does not tell.
    pub(crate) async fn has_marker(&mut self) -> sqlx::Result<bool> {
        on_either!(self, link => link.has_marker().await)
    }

    pub(crate) async fn commit(mut self) -> sqlx::Result<()> {
        self.run_script("COMMIT").await?;
        self.release();
        Ok(())
    }

    pub(crate) async fn rollback(mut self) -> sqlx::Result<()> {
        self.run_script("ROLLBACK").await?;
        self.release();
        Ok(())
    }

    /// Gives the connection back; only when nothing is under way on it.
    pub(crate) fn release(self) {
        on_either!(self, link => link.give_back());
    }
}
