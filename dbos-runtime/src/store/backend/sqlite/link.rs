//! A borrowed connection to SQLite.

use sqlx::error::BoxDynError;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments as _, AssertSqlSafe, Decode, Encode, FromRow, Sqlite, SqliteConnection, Type};

use crate::store::connection::{Connection, Isolation};
use crate::store::pool::Borrowed;
use crate::store::sql::{Statement, Value};
use crate::store::tx::{FromTx, Tx};

pub(crate) use sqlx::sqlite::{SqliteArguments as Arguments, SqliteRow as Row};

/// What SQLite can store.
pub trait Parameter: for<'q> Encode<'q, Sqlite> + Type<Sqlite> {}

impl<T: for<'q> Encode<'q, Sqlite> + Type<Sqlite>> Parameter for T {}

/// What SQLite can give back as a column.
pub trait Scalar: for<'r> Decode<'r, Sqlite> + Type<Sqlite> {}

impl<T: for<'r> Decode<'r, Sqlite> + Type<Sqlite>> Scalar for T {}

/// What a row of SQLite can fill.
pub trait FromItsRow: for<'r> FromRow<'r, SqliteRow> {}

impl<T: for<'r> FromRow<'r, SqliteRow>> FromItsRow for T {}

pub(crate) struct Link(Borrowed<SqliteConnection>);

impl Link {
    pub(super) fn new(link: Borrowed<SqliteConnection>) -> Self {
        Self(link)
    }

    pub(crate) async fn run(&mut self, statement: &Statement) -> sqlx::Result<Vec<Row>> {
        let query = sqlx::query_with(AssertSqlSafe(translated(statement.sql)), bound(statement)?);
        query.fetch_all(&mut *self.0).await
    }

    pub(crate) async fn run_script(&mut self, sql: &'static str) -> sqlx::Result<()> {
        sqlx::raw_sql(sql).execute(&mut *self.0).await.map(drop)
    }

    /// A deferred transaction that turns from reading to writing fails at once with `SQLITE_BUSY`,
    /// whatever the busy timeout says; an immediate one waits its turn. A savepoint is its marker.
    pub(crate) fn begin(_: Isolation) -> &'static str {
        "BEGIN IMMEDIATE; SAVEPOINT dbos"
    }

    pub(crate) fn begin_reading(_: Isolation) -> &'static str {
        "BEGIN"
    }

    pub(crate) async fn is_still_open(&mut self) -> sqlx::Result<bool> {
        match self.run_script("RELEASE dbos").await {
            Ok(()) => Ok(true),
            Err(sqlx::Error::Database(error)) if error.message().contains("no such savepoint") => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The savepoint was asked for before.
    #[allow(clippy::unused_async)] // it has the shape of the other database's
    pub(crate) async fn has_marker(&mut self) -> sqlx::Result<bool> {
        Ok(true)
    }

    pub(crate) fn give_back(self) {
        self.0.give_back();
    }

    #[allow(clippy::unused_self)] // its type says which arguments
    pub(crate) fn arguments(&self) -> Arguments {
        SqliteArguments::default()
    }

    /// The text was `SqlSafeStr` when it was given.
    pub(crate) async fn execute(&mut self, sql: String, arguments: Arguments) -> sqlx::Result<u64> {
        let query = sqlx::query_with(AssertSqlSafe(sql), arguments);
        query.execute(&mut *self.0).await.map(|done| done.rows_affected())
    }

    pub(crate) async fn fetch_all<R>(&mut self, sql: String, arguments: Arguments) -> sqlx::Result<Vec<R>>
    where
        R: FromItsRow + Send + Unpin,
    {
        sqlx::query_as_with(AssertSqlSafe(sql), arguments).fetch_all(&mut *self.0).await
    }
}

fn bound(statement: &Statement) -> sqlx::Result<SqliteArguments> {
    let mut arguments = SqliteArguments::default();
    for value in &statement.values {
        match value {
            Value::Text(text) => arguments.add(text.clone()),
            Value::Int(int) => arguments.add(*int),
            Value::Texts(texts) => Err(no_array(texts.len())),
            Value::Ints(ints) => Err(no_array(ints.len())),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

fn no_array(length: usize) -> BoxDynError {
    format!("SQLite has no arrays, and was given one of {length} values").into()
}

/// How statements that serve both databases lock rows.
const ROW_LOCKS: [&str; 5] = [
    "FOR NO KEY UPDATE OF candidate SKIP LOCKED",
    "FOR NO KEY UPDATE OF candidate",
    "FOR KEY SHARE",
    "FOR UPDATE OF queue",
    "FOR UPDATE OF schedule",
];

/// The text as SQLite understands it: it has no schemas, so `dbos.` falls away and our own schema
/// becomes a prefix.
fn translated(sql: &str) -> String {
    let sql = sql.replace("dbos_rust.", "dbos_rust_").replace("dbos.", "");
    // There are no locks of rows: whoever writes has the whole file.
    ROW_LOCKS.iter().fold(sql, |sql, lock| sql.replace(lock, ""))
}

impl Tx {
    /// The native connection, if the database is SQLite.
    pub fn sqlite(&mut self) -> Option<&mut SqliteConnection> {
        match self.connection() {
            Connection::Sqlite(link) => Some(&mut link.0),
            Connection::Postgres(_) => None,
        }
    }
}

impl FromTx for SqliteConnection {
    const DATABASE: Option<&'static str> = Some("SQLite");

    fn from_tx(tx: &mut Tx) -> Option<&mut Self> {
        tx.sqlite()
    }
}
