//! Migrations on SQLite: all in one transaction, which is the lock as well.

use dbos_migrations::{SQLITE_OWN, SQLITE_SYSTEM};
use sqlx::SqliteConnection;

use crate::error::{Error, Result};
use crate::store::migrate::{Age, check_complete, failed, too_old};
use crate::store::retry::is_transient;

/// How often the lock is asked for; each time it is waited for as long as for any other write.
const LOCK_TRIES: u32 = 10;

pub(super) async fn migrate(connection: &mut SqliteConnection) -> Result<()> {
    lock(connection).await.map_err(|error| Error::database("lock the database for migrations", error))?;
    let outcome = apply(connection).await;
    let end = if outcome.is_ok() { "COMMIT" } else { "ROLLBACK" };
    let ended = sqlx::raw_sql(end).execute(connection).await;
    outcome?;
    ended.map(drop).map_err(|error| Error::database("commit the migrations", error))
}

/// Opens the transaction, once those who have the file are done.
async fn lock(connection: &mut SqliteConnection) -> sqlx::Result<()> {
    let mut tries = 1;
    loop {
        match sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut *connection).await {
            Err(error) if tries < LOCK_TRIES && is_transient(&error) => tries += 1,
            outcome => return outcome.map(drop),
        }
    }
}

/// Refuses tables that are missing or too old, and changes nothing.
pub(super) async fn check(connection: &mut SqliteConnection) -> Result<()> {
    let (system, own) = versions(connection).await?;
    check_complete(system, own, SQLITE_OWN)
}

/// Of the shared tables, and of our own.
async fn versions(connection: &mut SqliteConnection) -> Result<(Option<i64>, Option<i64>)> {
    let system = version_of(connection, "dbos_migrations", "SELECT version FROM dbos_migrations").await?;
    let own = version_of(connection, "dbos_rust_migrations", "SELECT max(version) FROM dbos_rust_migrations").await?;
    Ok((system, own))
}

async fn apply(connection: &mut SqliteConnection) -> Result<()> {
    let (system, own) = versions(connection).await?;
    let age = Age::of(system);
    if let Age::Older(version) = age {
        return Err(too_old(
            version,
            "upgrade them with a current DBOS library of another language (`dbos migrate`), or name another file",
        ));
    }
    if system.is_some() {
        // In a file that cannot be written, `BEGIN IMMEDIATE` opens a transaction that only reads, without a word.
        let nothing = sqlx::raw_sql("DELETE FROM dbos_migrations WHERE FALSE").execute(&mut *connection).await;
        nothing.map_err(|error| Error::database("write to the database", error))?;
    }
    let system_steps = SQLITE_SYSTEM.iter().filter(|_| age == Age::Absent);
    let own_steps = SQLITE_OWN.iter().filter(|step| own.is_none_or(|version| version < step.version));
    for step in system_steps.chain(own_steps) {
        sqlx::raw_sql(step.sql).execute(&mut *connection).await.map_err(|error| failed(step, error))?;
        tracing::info!(version = step.version, name = step.name, "database migrated");
    }
    Ok(())
}

async fn version_of(connection: &mut SqliteConnection, table: &str, select: &'static str) -> Result<Option<i64>> {
    let failed = |error| Error::database("read the version of the tables", error);
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = $1")
        .bind(table)
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    if tables == 0 {
        return Ok(None);
    }
    let version: Option<Option<i64>> =
        sqlx::query_scalar(select).fetch_optional(&mut *connection).await.map_err(failed)?;
    Ok(version.flatten())
}
