//! Brings the tables into shape: the shared ones at the family's version, ours at our own, under a
//! lock so that processes starting together do not collide. How it is done is each database's own.

use dbos_migrations::Migration;
use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

use crate::error::{Error, Result};

/// The version of the shared tables that this library writes.
pub(super) const SYSTEM_VERSION: i64 = 125;

/// What the shared tables are, compared with what this library needs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Age {
    /// There are none.
    Absent,
    /// Another library has made them, and has stopped at this version.
    Older(i64),
    /// They will do: newer tables only have more in them.
    Sufficient,
}

impl Age {
    pub(super) fn of(found: Option<i64>) -> Self {
        match found {
            None => Self::Absent,
            Some(version) if version < SYSTEM_VERSION => Self::Older(version),
            Some(version) => {
                if version > SYSTEM_VERSION {
                    tracing::warn!(
                        "the DBOS tables are at version {version}, newer than the {SYSTEM_VERSION} known here; going on"
                    );
                }
                Self::Sufficient
            }
        }
    }
}

pub(super) fn check_complete(system: Option<i64>, own: Option<i64>, needed: &[Migration]) -> Result<()> {
    let age = Age::of(system);
    if let Age::Older(version) = age {
        return Err(Error::Configuration(format!(
            "the DBOS tables are at version {version} and version {SYSTEM_VERSION} is needed; run the command `migrate` \
             of a program to upgrade them, or name another database"
        )));
    }
    let complete = needed.iter().all(|step| own.is_some_and(|version| version >= step.version));
    if age == Age::Sufficient && complete {
        return Ok(());
    }
    Err(Error::Configuration(
        "the database lacks tables that this program needs; run the command `migrate` to make them".to_owned(),
    ))
}

/// The statements of a migration, for a database that has some of the tables and indexes.
pub(super) fn where_absent(sql: &str) -> SqlStr {
    let made = [
        ("CREATE TABLE ", "CREATE TABLE IF NOT EXISTS "),
        ("CREATE INDEX ", "CREATE INDEX IF NOT EXISTS "),
        ("CREATE UNIQUE INDEX ", "CREATE UNIQUE INDEX IF NOT EXISTS "),
    ];
    AssertSqlSafe(made.iter().fold(sql.to_owned(), |sql, (always, once)| sql.replace(always, once))).into_sql_str()
}

pub(super) fn failed(step: &Migration, error: sqlx::Error) -> Error {
    Error::database(&format!("apply migration {} ({})", step.version, step.name), error)
}
