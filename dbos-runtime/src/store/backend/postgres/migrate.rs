//! Migrations on Postgres: one transaction, under the lock that every DBOS library takes.

use std::time::Duration;

use dbos_migrations::{Migration, POSTGRES_OLDER, POSTGRES_OWN, POSTGRES_SYSTEM};
use sqlx::{Connection, PgConnection, SqlStr};

use super::schema::Schema;
use crate::config::DEFAULT_SCHEMA;
use crate::error::{Error, Result};
use crate::store::migrate::{Age, SYSTEM_VERSION, check_complete, failed, where_absent};

/// The lock that every DBOS library takes while it migrates. In a schema of another name it is one of that name's, so
/// that nobody waits for whoever works elsewhere.
const LOCK_KEY: i64 = 1_234_567_890;
const TRY_LOCK: &str = "SELECT pg_try_advisory_xact_lock(CASE $3 WHEN $2 THEN $1 ELSE hashtextextended($3, $1) END)";
const LOCK_TRIES: u32 = 300;
const LOCK_PAUSE: Duration = Duration::from_millis(100);

pub(super) async fn migrate(connection: &mut PgConnection, schema: &Schema) -> Result<()> {
    let failed = |error| Error::database("migrate the database", error);
    let mut transaction = connection.begin().await.map_err(failed)?;
    lock(&mut transaction, schema).await?;
    apply(&mut transaction, schema).await?;
    transaction.commit().await.map_err(failed)
}

/// Waits for the lock, which lasts as long as the transaction, as its holder may take a while. A holder that never ends
/// must not block all launches for ever; two that race cannot both commit.
async fn lock(connection: &mut PgConnection, schema: &Schema) -> Result<()> {
    for _ in 0..LOCK_TRIES {
        let locked: bool = sqlx::query_scalar(TRY_LOCK)
            .persistent(false)
            .bind(LOCK_KEY)
            .bind(DEFAULT_SCHEMA)
            .bind(schema.name())
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

/// Refuses tables that are missing or too old, and changes nothing.
pub(super) async fn check(connection: &mut PgConnection, schema: &Schema) -> Result<()> {
    let failed = |error| Error::database("look for the tables", error);
    let mut transaction = connection.begin().await.map_err(failed)?;
    let (system, own) = versions(&mut transaction, schema).await?;
    transaction.rollback().await.map_err(failed)?;
    check_complete(system, own, POSTGRES_OWN)
}

/// Of the shared tables, and of our own.
async fn versions(connection: &mut PgConnection, schema: &Schema) -> Result<(Option<i64>, Option<i64>)> {
    let mut version_of =
        async |table, select| version_of(connection, schema.spelled(table), schema.spelled(select)).await;
    let system = version_of("dbos.dbos_migrations", "SELECT version FROM dbos.dbos_migrations").await?;
    let own = version_of("dbos_rust.migrations", "SELECT max(version) FROM dbos_rust.migrations").await?;
    Ok((system, own))
}

async fn apply(connection: &mut PgConnection, schema: &Schema) -> Result<()> {
    let (system, own) = versions(connection, schema).await?;
    match Age::of(system) {
        Age::Absent => run_all(connection, schema, POSTGRES_SYSTEM).await?,
        Age::Older(version) => {
            tracing::info!(from = version, to = SYSTEM_VERSION, "upgrading tables that another DBOS library has made");
            run(connection, &POSTGRES_OLDER, schema.spelled(POSTGRES_OLDER.sql)).await?;
            for step in POSTGRES_SYSTEM {
                run(connection, step, where_absent(schema.spelled(step.sql).as_str())).await?;
            }
        }
        Age::Sufficient => {}
    }
    let done = POSTGRES_OWN.iter().take_while(|step| own.is_some_and(|version| version >= step.version)).count();
    run_all(connection, schema, &POSTGRES_OWN[done..]).await
}

async fn run_all(connection: &mut PgConnection, schema: &Schema, steps: &[Migration]) -> Result<()> {
    for step in steps {
        run(connection, step, schema.spelled(step.sql)).await?;
    }
    Ok(())
}

async fn run(connection: &mut PgConnection, step: &Migration, sql: SqlStr) -> Result<()> {
    sqlx::raw_sql(sql).execute(connection).await.map_err(|error| failed(step, error))?;
    tracing::info!(version = step.version, name = step.name, "database migrated");
    Ok(())
}

async fn version_of(connection: &mut PgConnection, table: SqlStr, select: SqlStr) -> Result<Option<i64>> {
    let failed = |error| Error::database("read the version of the tables", error);
    let exists: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .persistent(false)
        .bind(table.as_str())
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    if !exists {
        return Ok(None);
    }
    let version: Option<Option<i64>> =
        sqlx::query_scalar(select).persistent(false).fetch_optional(&mut *connection).await.map_err(failed)?;
    Ok(version.flatten())
}
