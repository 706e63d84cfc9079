//! A statement with its values, and a row that comes back: one type for both databases.

use sqlx::Row as _;

use super::backend::{postgres, sqlite};
use super::tx::Scalar;

/// SQL text as it would be pasted into `psql`, with `$1` placeholders and `dbos.` before each table.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    pub(crate) sql: &'static str,
    pub(crate) values: Vec<Value>,
}

/// One bound value. NULLs keep their type, because Postgres wants to know it.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Text(Option<String>),
    Int(Option<i64>),
    /// Arrays exist on Postgres only; SQLite runs its own form of such a statement.
    Texts(Vec<Option<String>>),
    Ints(Vec<Option<i64>>),
}

impl Statement {
    pub(crate) fn new(sql: &'static str) -> Self {
        Self { sql, values: Vec::new() }
    }

    pub(crate) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Some(text))
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(Some(text.clone()))
    }
}

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value {
    fn from(int: i64) -> Self {
        Self::Int(Some(int))
    }
}

impl From<u32> for Value {
    fn from(int: u32) -> Self {
        Self::Int(Some(int.into()))
    }
}

impl From<Option<i64>> for Value {
    fn from(int: Option<i64>) -> Self {
        Self::Int(int)
    }
}

impl From<Vec<Option<String>>> for Value {
    fn from(texts: Vec<Option<String>>) -> Self {
        Self::Texts(texts)
    }
}

impl From<Vec<Option<i64>>> for Value {
    fn from(ints: Vec<Option<i64>>) -> Self {
        Self::Ints(ints)
    }
}

/// A row of either database.
pub(crate) enum Row {
    Postgres(postgres::Row),
    Sqlite(sqlite::Row),
}

impl From<postgres::Row> for Row {
    fn from(row: postgres::Row) -> Self {
        Self::Postgres(row)
    }
}

impl From<sqlite::Row> for Row {
    fn from(row: sqlite::Row) -> Self {
        Self::Sqlite(row)
    }
}

impl Row {
    /// The column `name` as `T`; integers are read as `i64`.
    pub(crate) fn get<T: Scalar>(&self, name: &str) -> sqlx::Result<T> {
        match self {
            Self::Postgres(row) => row.try_get(name),
            Self::Sqlite(row) => row.try_get(name),
        }
    }

    pub(crate) fn text(&self, name: &str) -> sqlx::Result<String> {
        self.get(name)
    }

    pub(crate) fn step_id(&self, name: &str) -> sqlx::Result<u32> {
        u32::try_from(self.get::<i64>(name)?)
            .map_err(|error| sqlx::Error::ColumnDecode { index: name.to_owned(), source: error.into() })
    }
}
