//! One borrowed connection. It goes back to its pool only when it is known to be idle; whoever drops
//! it half-way (a cancelled workflow, a passed deadline) closes it. So a `BEGIN` whose caller went
//! away, or an answer nobody read, can never reach the next borrower.

use sqlx::{AssertSqlSafe, PgConnection, SqliteConnection};

use super::pool::Borrowed;
use super::sql::{Row, Statement};

pub(crate) struct Connection {
    link: Link,
}

enum Link {
    Postgres(Borrowed<PgConnection>),
    Sqlite(Borrowed<SqliteConnection>),
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

impl From<Borrowed<PgConnection>> for Connection {
    fn from(link: Borrowed<PgConnection>) -> Self {
        Self { link: Link::Postgres(link) }
    }
}

impl From<Borrowed<SqliteConnection>> for Connection {
    fn from(link: Borrowed<SqliteConnection>) -> Self {
        Self { link: Link::Sqlite(link) }
    }
}

impl Connection {
    pub(crate) async fn run(&mut self, statement: &Statement) -> sqlx::Result<Vec<Row>> {
        match &mut self.link {
            Link::Postgres(link) => {
                let query = sqlx::query_with(statement.sql, statement.postgres_arguments()?);
                let rows = query.fetch_all(&mut **link).await?;
                Ok(rows.into_iter().map(Row::Postgres).collect())
            }
            Link::Sqlite(link) => {
                let text = AssertSqlSafe(Statement::sqlite_text(statement.sql));
                let query = sqlx::query_with(text, statement.sqlite_arguments()?);
                let rows = query.fetch_all(&mut **link).await?;
                Ok(rows.into_iter().map(Row::Sqlite).collect())
            }
        }
    }

    /// Runs text that takes no values and may hold several statements.
    pub(crate) async fn run_script(&mut self, sql: &'static str) -> sqlx::Result<()> {
        match &mut self.link {
            Link::Postgres(link) => sqlx::raw_sql(sql).execute(&mut **link).await.map(drop),
            Link::Sqlite(link) => sqlx::raw_sql(sql).execute(&mut **link).await.map(drop),
        }
    }

    /// Opens a transaction that will write.
    ///
    /// A marker that ends with the transaction tells later whether user code has ended it: a
    /// transaction-local setting on Postgres, a savepoint on SQLite.
    pub(crate) async fn begin(&mut self, isolation: Isolation) -> sqlx::Result<()> {
        let begin = match (&self.link, isolation) {
            // A deferred transaction that turns from reading to writing fails at once with
            // SQLITE_BUSY, whatever the busy timeout says; an immediate one waits its turn.
            (Link::Sqlite(_), _) => "BEGIN IMMEDIATE; SAVEPOINT dbos",
            (Link::Postgres(_), Isolation::Serializable) => {
                "BEGIN ISOLATION LEVEL SERIALIZABLE; SET LOCAL dbos.transaction = 'open'"
            }
            (Link::Postgres(_), Isolation::RepeatableRead) => {
                "BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL dbos.transaction = 'open'"
            }
            (Link::Postgres(_), Isolation::ReadCommitted) => {
                "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL dbos.transaction = 'open'"
            }
        };
        self.run_script(begin).await
    }

    /// Opens a transaction that only reads.
    pub(crate) async fn begin_reading(&mut self, isolation: Isolation) -> sqlx::Result<()> {
        let begin = match (&self.link, isolation) {
            (Link::Sqlite(_), _) => "BEGIN",
            (Link::Postgres(_), Isolation::Serializable) => "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY",
            (Link::Postgres(_), Isolation::RepeatableRead) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            (Link::Postgres(_), Isolation::ReadCommitted) => "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY",
        };
        self.run_script(begin).await
    }

    /// Whether the transaction that [`begin`](Self::begin) opened is still the open one. Asked once,
    /// before the transaction's last statement.
    pub(crate) async fn is_still_open(&mut self) -> sqlx::Result<bool> {
        match &mut self.link {
            Link::Sqlite(_) => match self.run_script("RELEASE dbos").await {
                Ok(()) => Ok(true),
                Err(sqlx::Error::Database(error)) if error.message().contains("no such savepoint") => Ok(false),
                Err(error) => Err(error),
            },
            // Postgres is asked within the last statement itself.
            Link::Postgres(_) => Ok(true),
        }
    }

    /// Whether Postgres still has the marker of [`begin`](Self::begin); a savepoint was asked for
    /// otherwise. Fails if the transaction is aborted, whose COMMIT would roll back without a word.
    pub(crate) async fn has_marker(&mut self) -> sqlx::Result<bool> {
        match &mut self.link {
            Link::Sqlite(_) => Ok(true),
            Link::Postgres(link) => {
                let marker =
                    sqlx::query_scalar("SELECT COALESCE(current_setting('dbos.transaction', TRUE), '') = 'open'");
                marker.fetch_one(&mut **link).await
            }
        }
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
        match self.link {
            Link::Postgres(link) => link.give_back(),
            Link::Sqlite(link) => link.give_back(),
        }
    }

    pub(crate) fn postgres(&mut self) -> Option<&mut PgConnection> {
        match &mut self.link {
            Link::Postgres(link) => Some(link),
            Link::Sqlite(_) => None,
        }
    }

    pub(crate) fn sqlite(&mut self) -> Option<&mut SqliteConnection> {
        match &mut self.link {
            Link::Sqlite(link) => Some(link),
            Link::Postgres(_) => None,
        }
    }
}
