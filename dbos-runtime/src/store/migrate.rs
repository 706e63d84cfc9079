//! Brings the tables into shape: the shared ones at the family's version, ours at our own, under a
//! lock so that processes starting together do not collide.

use std::time::Duration;

use dbos_migrations::{Migration, POSTGRES_OWN, POSTGRES_SYSTEM, SQLITE_OWN, SQLITE_SYSTEM};
use sqlx::{AssertSqlSafe, PgConnection, SqliteConnection};

use crate::error::{Error, Result};

/// The version of the shared tables that this library writes.
const SYSTEM_VERSION: i64 = 125;
/// The lock that every DBOS library takes while it migrates.
const LOCK_KEY: i64 = 1_234_567_890;
const LOCK_TRIES: u32 = 300;
const LOCK_PAUSE: Duration = Duration::from_millis(100);

pub(super) async fn postgres(connection: &mut PgConnection) -> Result<()> {
    lock(connection).await?;
    let outcome = apply_postgres(connection).await;
    let unlock = sqlx::query("SELECT pg_advisory_unlock($1)").bind(LOCK_KEY);
    unlock.execute(connection).await.ok();
    outcome
}

/// Waits for the lock as its holder may take a while; a holder that never ends must not block all
/// launches for ever, and each step is safe to race because it applies in one transaction.
async fn lock(connection: &mut PgConnection) -> Result<()> {
    for _ in 0..LOCK_TRIES {
        let locked: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
            .bind(LOCK_KEY)
            .fetch_one(&mut *connection)
            .await
            .map_err(|error| Error::database("lock the migrations", error))?;
        if locked {
            return Ok(());
        }
        crate::clock::pause(LOCK_PAUSE).await;
    }
    tracing::warn!("another process holds the migration lock; going on without it");
    Ok(())
}

async fn apply_postgres(connection: &mut PgConnection) -> Result<()> {
    let system =
        postgres_version(connection, "dbos.dbos_migrations", "SELECT version FROM dbos.dbos_migrations").await?;
    check_system_version(system)?;
    let own =
        postgres_version(connection, "dbos_rust.migrations", "SELECT max(version) FROM dbos_rust.migrations").await?;
    let system_steps = POSTGRES_SYSTEM.iter().filter(|step| system.is_none() && step.version <= SYSTEM_VERSION);
    let own_steps = POSTGRES_OWN.iter().filter(|step| own.is_none_or(|version| version < step.version));
    for step in system_steps.chain(own_steps) {
        let script = AssertSqlSafe(format!("BEGIN;\n{}\nCOMMIT;", step.sql));
        sqlx::raw_sql(script).execute(&mut *connection).await.map_err(|error| failed(step, error))?;
        tracing::info!(version = step.version, name = step.name, "database migrated");
    }
    Ok(())
}

async fn postgres_version(connection: &mut PgConnection, table: &str, select: &'static str) -> Result<Option<i64>> {
    let failed = |error| Error::database("read the version of the tables", error);
    let exists: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(table)
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    if !exists {
        return Ok(None);
    }
    let version: Option<Option<i64>> =
        sqlx::query_scalar(select).fetch_optional(&mut *connection).await.map_err(failed)?;
    Ok(version.flatten())
}

pub(super) async fn sqlite(connection: &mut SqliteConnection) -> Result<()> {
    let failed_lock = |error| Error::database("lock the database for migrations", error);
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut *connection).await.map_err(failed_lock)?;
    let outcome = apply_sqlite(connection).await;
    let end = if outcome.is_ok() { "COMMIT" } else { "ROLLBACK" };
    let ended = sqlx::raw_sql(end).execute(connection).await;
    outcome?;
    ended.map(drop).map_err(|error| Error::database("commit the migrations", error))
}

async fn apply_sqlite(connection: &mut SqliteConnection) -> Result<()> {
    let system = sqlite_version(connection, "dbos_migrations", "SELECT version FROM dbos_migrations").await?;
    check_system_version(system)?;
    let own =
        sqlite_version(connection, "dbos_rust_migrations", "SELECT max(version) FROM dbos_rust_migrations").await?;
    let system_steps = SQLITE_SYSTEM.iter().filter(|step| system.is_none() && step.version <= SYSTEM_VERSION);
    let own_steps = SQLITE_OWN.iter().filter(|step| own.is_none_or(|version| version < step.version));
    for step in system_steps.chain(own_steps) {
        sqlx::raw_sql(step.sql).execute(&mut *connection).await.map_err(|error| failed(step, error))?;
        tracing::info!(version = step.version, name = step.name, "database migrated");
    }
    Ok(())
}

async fn sqlite_version(connection: &mut SqliteConnection, table: &str, select: &'static str) -> Result<Option<i64>> {
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

/// Newer tables only have more in them; older ones lack what we need.
fn check_system_version(found: Option<i64>) -> Result<()> {
    match found {
        Some(version) if version > SYSTEM_VERSION => {
            tracing::warn!(
                "the DBOS tables are at version {version}, newer than the {SYSTEM_VERSION} known here; going on"
            );
            Ok(())
        }
        Some(version) if version < SYSTEM_VERSION => Err(Error::Configuration(format!(
            "the DBOS tables are at version {version} and version {SYSTEM_VERSION} is needed; \
             upgrade them with a current DBOS library of another language (`dbos migrate`), or name another database"
        ))),
        _ => Ok(()),
    }
}

fn failed(step: &Migration, error: sqlx::Error) -> Error {
    Error::database(&format!("apply migration {} ({})", step.version, step.name), error)
}
