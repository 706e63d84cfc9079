//! Migrations on SQLite: all in one transaction, which is the lock as well.

use dbos_migrations::{
    Migration, SQLITE_OLDER_COLUMNS, SQLITE_OLDER_LEFTOVERS, SQLITE_OLDER_STEPS, SQLITE_OWN, SQLITE_SYSTEM,
};
use sqlx::{SqlSafeStr, SqliteConnection};

use crate::error::{Error, Result};
use crate::store::migrate::{Age, SYSTEM_VERSION, check_complete, failed, where_absent};
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
    if system.is_some() {
        // In a file that cannot be written, `BEGIN IMMEDIATE` opens a transaction that only reads, without a word.
        let nothing = sqlx::raw_sql("DELETE FROM dbos_migrations WHERE FALSE").execute(&mut *connection).await;
        nothing.map_err(|error| Error::database("write to the database", error))?;
    }
    match Age::of(system) {
        Age::Absent => run_all(connection, SQLITE_SYSTEM).await?,
        Age::Older(version) => {
            tracing::info!(from = version, to = SYSTEM_VERSION, "upgrading tables that another DBOS library has made");
            prepare_older(connection).await?;
            for step in SQLITE_SYSTEM {
                run(connection, step, where_absent(step.sql)).await?;
            }
        }
        Age::Sufficient => {}
    }
    let done = SQLITE_OWN.iter().take_while(|step| own.is_some_and(|version| version >= step.version)).count();
    run_all(connection, &SQLITE_OWN[done..]).await
}

/// Brings tables so far that the steps which make those of version 125 only have to add what is missing.
async fn prepare_older(connection: &mut SqliteConnection) -> Result<()> {
    add_columns(connection).await.map_err(|error| failed(&SQLITE_OLDER_COLUMNS, error))?;
    let has_key = "SELECT count(*) > 0 FROM pragma_foreign_key_list('operation_outputs')";
    let has_key = sqlx::query_scalar(has_key).fetch_one(&mut *connection).await;
    if has_key.map_err(|error| failed(&SQLITE_OLDER_STEPS, error))? {
        run(connection, &SQLITE_OLDER_STEPS, SQLITE_OLDER_STEPS.sql).await?;
    }
    run(connection, &SQLITE_OLDER_LEFTOVERS, SQLITE_OLDER_LEFTOVERS.sql).await
}

/// SQLite has no `ADD COLUMN IF NOT EXISTS`.
async fn add_columns(connection: &mut SqliteConnection) -> sqlx::Result<()> {
    for (table, column, statement) in SQLITE_OLDER_COLUMNS.sql.lines().filter_map(added) {
        let lacking = "SELECT count(*) > 0 AND sum(name = $2) = 0 FROM pragma_table_info($1)";
        if sqlx::query_scalar(lacking).bind(table).bind(column).fetch_one(&mut *connection).await? {
            sqlx::raw_sql(statement).execute(&mut *connection).await?;
        }
    }
    Ok(())
}

/// The table and the column of a line that adds one, and the line.
fn added(line: &'static str) -> Option<(&'static str, &'static str, &'static str)> {
    let (table, definition) = line.strip_prefix("ALTER TABLE ")?.split_once(" ADD COLUMN ")?;
    let (column, _) = definition.split_once(' ')?;
    Some((table, column, line))
}

async fn run_all(connection: &mut SqliteConnection, steps: &[Migration]) -> Result<()> {
    for step in steps {
        run(connection, step, step.sql).await?;
    }
    Ok(())
}

async fn run(connection: &mut SqliteConnection, step: &Migration, sql: impl SqlSafeStr) -> Result<()> {
    sqlx::raw_sql(sql).execute(connection).await.map_err(|error| failed(step, error))?;
    tracing::info!(version = step.version, name = step.name, "database migrated");
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
