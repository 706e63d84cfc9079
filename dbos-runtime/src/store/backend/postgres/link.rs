//! A borrowed connection to Postgres.

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{Arguments as _, AssertSqlSafe, Decode, Encode, FromRow, PgConnection, Postgres, Type};

use super::schema::Schema;
use crate::config::Pooler;
use crate::store::connection::{Connection, Isolation};
use crate::store::pool::Borrowed;
use crate::store::sql::{Statement, Value};
use crate::store::tx::{FromTx, Tx};

pub(crate) use sqlx::postgres::{PgArguments as Arguments, PgRow as Row};

/// What Postgres can store.
pub trait Parameter: for<'q> Encode<'q, Postgres> + Type<Postgres> {}

impl<T: for<'q> Encode<'q, Postgres> + Type<Postgres>> Parameter for T {}

/// What Postgres can give back as a column.
pub trait Scalar: for<'r> Decode<'r, Postgres> + Type<Postgres> {}

impl<T: for<'r> Decode<'r, Postgres> + Type<Postgres>> Scalar for T {}

/// What a row of Postgres can fill.
pub trait FromItsRow: for<'r> FromRow<'r, PgRow> {}

impl<T: for<'r> FromRow<'r, PgRow>> FromItsRow for T {}

/// For this transaction, where a session cannot be told.
const LIMIT_OF_IDLENESS: &str = "SET LOCAL idle_in_transaction_session_timeout = '30s'";

pub(crate) struct Link {
    connection: Borrowed<PgConnection>,
    pooler: Pooler,
    schema: Schema,
    is_in_transaction: bool,
    /// Whether user code has had the native connection, and may have prepared statements on it.
    was_lent: bool,
}

impl Link {
    pub(super) fn new(connection: Borrowed<PgConnection>, pooler: Pooler, schema: Schema) -> Self {
        Self { connection, pooler, schema, is_in_transaction: false, was_lent: false }
    }

    pub(crate) async fn run(&mut self, statement: &Statement) -> sqlx::Result<Vec<Row>> {
        if self.pooler == Pooler::None || self.is_in_transaction {
            return self.run_prepared(statement).await;
        }
        // Preparing and executing must reach the same server process, and only a transaction keeps it.
        self.run_script("BEGIN").await?;
        match self.run_prepared(statement).await {
            Ok(rows) => self.run_script("COMMIT").await.map(|()| rows),
            Err(error) => {
                self.run_script("ROLLBACK").await?;
                Err(error)
            }
        }
    }

    async fn run_prepared(&mut self, statement: &Statement) -> sqlx::Result<Vec<Row>> {
        let query = sqlx::query_with(self.schema.spelled(statement.sql), bound(statement)?);
        query.persistent(self.keeps_statements()).fetch_all(&mut *self.connection).await
    }

    pub(crate) async fn run_script(&mut self, sql: &'static str) -> sqlx::Result<()> {
        self.is_in_transaction = match sql {
            "COMMIT" | "ROLLBACK" => false,
            _ => self.is_in_transaction || sql.starts_with("BEGIN"),
        };
        let sql = match sql {
            // The next to come to this server process may give its statements the same names.
            "COMMIT" if self.leaves_statements() => "COMMIT; DEALLOCATE ALL",
            "ROLLBACK" if self.leaves_statements() => "ROLLBACK; DEALLOCATE ALL",
            other => other,
        };
        sqlx::raw_sql(sql).execute(&mut *self.connection).await?;
        if sql.starts_with("BEGIN") && self.pooler == Pooler::Transaction {
            sqlx::raw_sql(LIMIT_OF_IDLENESS).execute(&mut *self.connection).await?;
        }
        Ok(())
    }

    /// Whether a prepared statement can be executed again later.
    fn keeps_statements(&self) -> bool {
        self.pooler == Pooler::None
    }

    fn leaves_statements(&self) -> bool {
        self.was_lent && !self.keeps_statements()
    }

    /// A setting that is local to the transaction is its marker.
    pub(crate) fn begin(isolation: Isolation) -> &'static str {
        match isolation {
            Isolation::Serializable => "BEGIN ISOLATION LEVEL SERIALIZABLE; SET LOCAL dbos_engine.transaction = 'open'",
            Isolation::RepeatableRead => {
                "BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL dbos_engine.transaction = 'open'"
            }
            Isolation::ReadCommitted => {
                "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL dbos_engine.transaction = 'open'"
            }
        }
    }

    pub(crate) fn begin_reading(isolation: Isolation) -> &'static str {
        match isolation {
            Isolation::Serializable => "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY",
            Isolation::RepeatableRead => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            Isolation::ReadCommitted => "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY",
        }
    }

    /// Postgres is asked within the last statement itself.
    #[allow(clippy::unused_async)] // it has the shape of the other database's
    pub(crate) async fn is_still_open(&mut self) -> sqlx::Result<bool> {
        Ok(true)
    }

    /// Fails if the transaction is aborted, whose COMMIT would roll back without a word.
    pub(crate) async fn has_marker(&mut self) -> sqlx::Result<bool> {
        let marker =
            sqlx::query_scalar("SELECT COALESCE(current_setting('dbos_engine.transaction', TRUE), '') = 'open'");
        marker.persistent(self.keeps_statements()).fetch_one(&mut *self.connection).await
    }

    pub(crate) fn give_back(self) {
        self.connection.give_back();
    }

    #[allow(clippy::unused_self)] // its type says which arguments
    pub(crate) fn arguments(&self) -> Arguments {
        PgArguments::default()
    }

    /// The text was `SqlSafeStr` when it was given.
    pub(crate) async fn execute(&mut self, sql: String, arguments: Arguments) -> sqlx::Result<u64> {
        let query = sqlx::query_with(AssertSqlSafe(sql), arguments);
        query.persistent(self.keeps_statements()).execute(&mut *self.connection).await.map(|done| done.rows_affected())
    }

    pub(crate) async fn fetch_all<R>(&mut self, sql: String, arguments: Arguments) -> sqlx::Result<Vec<R>>
    where
        R: FromItsRow + Send + Unpin,
    {
        let query = sqlx::query_as_with(AssertSqlSafe(sql), arguments);
        query.persistent(self.keeps_statements()).fetch_all(&mut *self.connection).await
    }
}

fn bound(statement: &Statement) -> sqlx::Result<PgArguments> {
    let mut arguments = PgArguments::default();
    for value in &statement.values {
        match value {
            Value::Text(text) => arguments.add(text.as_deref()),
            Value::Int(int) => arguments.add(int),
            Value::Texts(texts) => arguments.add(texts),
            Value::Ints(ints) => arguments.add(ints),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

impl Tx {
    /// The native connection, if the database is Postgres.
    pub fn postgres(&mut self) -> Option<&mut PgConnection> {
        match self.connection() {
            Connection::Postgres(link) => {
                link.was_lent = true;
                Some(&mut link.connection)
            }
            Connection::Sqlite(_) => None,
        }
    }
}

impl FromTx for PgConnection {
    const DATABASE: Option<&'static str> = Some("Postgres");

    fn from_tx(tx: &mut Tx) -> Option<&mut Self> {
        tx.postgres()
    }
}
