//! The portable connection of a `#[transaction]`: one set of queries for both databases.

use sqlx::{Arguments as _, SqlSafeStr};

use super::backend::{Dialect, postgres, sqlite};
use super::connection::Connection;
use super::retry::{is_refused_write, is_worth_rerunning};
use super::trouble::SharedTrouble;
use crate::clock::Clock;

/// An open transaction on either database. SQL is written once, with `$1` placeholders.
///
/// It is opened, committed and rolled back by the engine; the body only runs statements.
pub struct Tx {
    connection: Connection,
    dialect: Dialect,
    clock: Clock,
    read_only: bool,
    /// Whether a statement failed for a reason that a rerun may mend, whatever became of the error.
    rerun: bool,
    trouble: SharedTrouble,
}

/// A value that both databases can store.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be bound on both Postgres and SQLite",
    note = "use i64, f64, bool, String, Vec<u8>, uuid::Uuid, sqlx::types::Json<T> or an Option of these"
)]
pub trait Parameter: postgres::Parameter + sqlite::Parameter + Send {}

impl<T: postgres::Parameter + sqlite::Parameter + Send> Parameter for T {}

/// A row type that both databases can fill.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from a row of both Postgres and SQLite",
    note = "derive `dbos::FromRow` for it"
)]
pub trait PortableRow: postgres::FromItsRow + sqlite::FromItsRow + Send + Unpin {}

impl<T: postgres::FromItsRow + sqlite::FromItsRow + Send + Unpin> PortableRow for T {}

/// A single column that both databases can give back.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from a column of both Postgres and SQLite",
    note = "use i64, f64, bool, String, Vec<u8>, uuid::Uuid, sqlx::types::Json<T> or an Option of these"
)]
pub trait Scalar: postgres::Scalar + sqlite::Scalar + Send + Unpin {}

impl<T: postgres::Scalar + sqlite::Scalar + Send + Unpin> Scalar for T {}

impl Tx {
    pub(crate) fn new(
        connection: Connection,
        dialect: Dialect,
        clock: Clock,
        read_only: bool,
        trouble: SharedTrouble,
    ) -> Self {
        Self { connection, dialect, clock, read_only, rerun: false, trouble }
    }

    /// A query to bind values to and run.
    pub fn query(&mut self, sql: impl SqlSafeStr) -> Query<'_> {
        let arguments = match &self.connection {
            Connection::Postgres(link) => Bound::Postgres(link.arguments()),
            Connection::Sqlite(link) => Bound::Sqlite(link.arguments()),
        };
        Query { tx: self, sql: sql.into_sql_str().as_str().to_owned(), arguments: Ok(arguments), bound: 0 }
    }

    /// Which SQL this database speaks.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The database's clock, in milliseconds since 1970. Every attempt reads it anew.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    pub(crate) fn wants_rerun(&self) -> bool {
        self.rerun
    }

    pub(crate) fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    pub(crate) fn into_connection(self) -> Connection {
        self.connection
    }

    fn note<T>(&mut self, outcome: sqlx::Result<T>) -> sqlx::Result<T> {
        if let Err(error) = &outcome {
            self.trouble.note_damage(error);
            let rerun = is_worth_rerunning(error) && !(self.read_only && is_refused_write(error));
            if rerun {
                self.trouble.note(error);
            }
            self.rerun |= rerun;
        }
        outcome
    }
}

impl std::fmt::Debug for Tx {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Tx").field("dialect", &self.dialect).finish_non_exhaustive()
    }
}

/// A query with its values so far.
#[must_use = "a query does nothing until it is executed or fetched"]
pub struct Query<'t> {
    tx: &'t mut Tx,
    sql: String,
    arguments: sqlx::Result<Bound>,
    bound: usize,
}

enum Bound {
    Postgres(postgres::Arguments),
    Sqlite(sqlite::Arguments),
}

impl std::fmt::Debug for Query<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Query").field("sql", &self.sql).finish_non_exhaustive()
    }
}

impl Query<'_> {
    /// Binds the next placeholder.
    pub fn bind<P: Parameter>(mut self, value: P) -> Self {
        self.bound += 1;
        if let Ok(arguments) = &mut self.arguments {
            let added = match arguments {
                Bound::Postgres(arguments) => arguments.add(value),
                Bound::Sqlite(arguments) => arguments.add(value),
            };
            if let Err(error) = added {
                self.arguments = Err(sqlx::Error::Encode(error));
            }
        }
        self
    }

    /// Runs the statement; gives the number of rows it changed.
    ///
    /// # Errors
    ///
    /// Whatever the database or its driver says.
    pub async fn execute(self) -> sqlx::Result<u64> {
        let (tx, sql, arguments) = self.ready()?;
        let outcome = match (&mut tx.connection, arguments) {
            (Connection::Postgres(link), Bound::Postgres(arguments)) => link.execute(sql, arguments).await,
            (Connection::Sqlite(link), Bound::Sqlite(arguments)) => link.execute(sql, arguments).await,
            _ => Err(other_database()),
        };
        tx.note(outcome)
    }

    /// All rows.
    ///
    /// # Errors
    ///
    /// Whatever the database or its driver says.
    pub async fn fetch_all<R: PortableRow>(self) -> sqlx::Result<Vec<R>> {
        let (tx, sql, arguments) = self.ready()?;
        let outcome = match (&mut tx.connection, arguments) {
            (Connection::Postgres(link), Bound::Postgres(arguments)) => link.fetch_all(sql, arguments).await,
            (Connection::Sqlite(link), Bound::Sqlite(arguments)) => link.fetch_all(sql, arguments).await,
            _ => Err(other_database()),
        };
        tx.note(outcome)
    }

    /// The first row, if there is one.
    ///
    /// # Errors
    ///
    /// Whatever the database or its driver says.
    pub async fn fetch_optional<R: PortableRow>(self) -> sqlx::Result<Option<R>> {
        Ok(self.fetch_all().await?.into_iter().next())
    }

    /// The first row.
    ///
    /// # Errors
    ///
    /// [`sqlx::Error::RowNotFound`] if there is none, or whatever the database or its driver says.
    pub async fn fetch_one<R: PortableRow>(self) -> sqlx::Result<R> {
        self.fetch_optional().await?.ok_or(sqlx::Error::RowNotFound)
    }

    /// The first column of the first row.
    ///
    /// # Errors
    ///
    /// As [`fetch_one`](Self::fetch_one).
    pub async fn fetch_scalar<T: Scalar>(self) -> sqlx::Result<T> {
        self.fetch_one::<(T,)>().await.map(|(value,)| value)
    }

    /// The first column of the first row, if there is one.
    ///
    /// # Errors
    ///
    /// Whatever the database or its driver says.
    pub async fn fetch_optional_scalar<T: Scalar>(self) -> sqlx::Result<Option<T>> {
        Ok(self.fetch_optional::<(T,)>().await?.map(|(value,)| value))
    }
}

impl<'t> Query<'t> {
    /// SQLite takes a missing value for NULL without a word, so it is counted here.
    fn ready(self) -> sqlx::Result<(&'t mut Tx, String, Bound)> {
        let wanted = placeholders(&self.sql);
        if wanted != self.bound {
            return Err(sqlx::Error::Encode(
                format!("the statement has {wanted} placeholders, and {} values are bound", self.bound).into(),
            ));
        }
        Ok((self.tx, self.sql, self.arguments?))
    }
}

fn other_database() -> sqlx::Error {
    sqlx::Error::Protocol("the query was made for another database".to_owned())
}

/// The highest `$n` outside of quotes and comments.
fn placeholders(sql: &str) -> usize {
    let bytes = sql.as_bytes();
    let (mut highest, mut at) = (0, 0);
    while at < bytes.len() {
        match bytes[at] {
            quote @ (b'\'' | b'"') => {
                at += 1;
                while at < bytes.len() && bytes[at] != quote {
                    at += 1;
                }
            }
            b'-' if bytes.get(at + 1) == Some(&b'-') => {
                while at < bytes.len() && bytes[at] != b'\n' {
                    at += 1;
                }
            }
            b'$' => {
                let digits = bytes[at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                highest = highest.max(sql[at + 1..at + 1 + digits].parse().unwrap_or(0));
                at += digits;
            }
            _ => {}
        }
        at += 1;
    }
    highest
}

/// What the first parameter of a `#[transaction]` may be.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a connection that a transaction can have",
    note = "use `&mut dbos::Tx`, `&mut sqlx::PgConnection` or `&mut sqlx::SqliteConnection`"
)]
pub trait FromTx {
    /// The database it needs, or `None` if any will do.
    const DATABASE: Option<&'static str>;

    /// This kind of connection, if the database is of its kind.
    fn from_tx(tx: &mut Tx) -> Option<&mut Self>;
}

impl FromTx for Tx {
    const DATABASE: Option<&'static str> = None;

    fn from_tx(tx: &mut Tx) -> Option<&mut Self> {
        Some(tx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_counted_outside_of_quotes_and_comments() {
        assert_eq!(placeholders("SELECT $2, $1, $1"), 2);
        assert_eq!(placeholders("SELECT '$3', \"$4\" -- $5\n, $1"), 1);
        assert_eq!(placeholders("SELECT 1"), 0);
    }
}
