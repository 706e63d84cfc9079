//! `dbos_rust.executors`: which processes are alive, as far as the database knows.

use std::time::Instant;

use super::backend::{Access, Dialect};
use super::connection::Isolation;
use super::sql::{Row, Statement};
use super::{Store, within};
use crate::clock::Clock;
use crate::error::{Error, Result};

/// A lease that never ends by itself: on SQLite only the file lock tells.
pub(crate) const NO_EXPIRY_MS: i64 = i64::MAX;

/// One row: an executor that is alive, or died and left work.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ExecutorRow {
    pub(crate) executor: String,
    pub(crate) boot_id: Option<String>,
    pub(crate) lock_path: Option<String>,
    pub(crate) expires_at_ms: i64,
}

/// What a renewal learns, in one round trip.
#[derive(Clone, Debug)]
pub(crate) struct Renewal {
    /// The database's clock.
    pub(crate) now_ms: Option<i64>,
    /// Whether our lease still held when it was renewed.
    pub(crate) held: bool,
    /// All executors of the application, ours among them.
    pub(crate) executors: Vec<ExecutorRow>,
}

impl Store {
    /// The database's clock in milliseconds, or `None` where the machine's clock is the database's.
    pub(crate) async fn database_now_ms(&self) -> Result<Option<i64>> {
        if self.dialect() == Dialect::Sqlite {
            return Ok(None);
        }
        let statement = Statement::new("SELECT CAST(EXTRACT(epoch FROM clock_timestamp()) * 1000 AS BIGINT) AS now_ms");
        let rows = self.insist("read the database's clock", Access::Read, &statement).await?;
        let now_ms = rows.first().map(|row| row.get("now_ms")).transpose();
        now_ms.map_err(|error| Error::database("read the database's clock", error))
    }

    /// Sets `clock` by the database's, where that is not the machine's.
    pub(crate) async fn set_clock(&self, clock: &Clock) -> Result<()> {
        let asked = Instant::now();
        if let Some(now_ms) = self.database_now_ms().await? {
            clock.set(now_ms, asked);
        }
        Ok(())
    }

    pub(crate) async fn register_executor(&self, application: &str, row: &ExecutorRow) -> Result<()> {
        let statement = Statement::new(
            "INSERT INTO dbos_rust.executors (executor_id, application_name, boot_id, lock_path, expires_at_ms)
             VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (executor_id) DO UPDATE SET expires_at_ms = EXCLUDED.expires_at_ms",
        )
        .bind(&row.executor)
        .bind(application)
        .bind(row.boot_id.clone())
        .bind(row.lock_path.clone())
        .bind(row.expires_at_ms);
        self.insist("register this executor", Access::Write, &statement).await.map(drop)
    }

    /// The executor with this id, if the table knows it.
    pub(crate) async fn executor(&self, executor: &str) -> Result<Option<ExecutorRow>> {
        let statement = Statement::new(
            "SELECT executor_id, boot_id, lock_path, expires_at_ms
               FROM dbos_rust.executors
              WHERE executor_id = $1",
        )
        .bind(executor);
        let rows = self.insist("look for an executor", Access::Read, &statement).await?;
        let row = rows.first().map(ExecutorRow::read).transpose();
        row.map_err(|error| Error::database("look for an executor", error))
    }

    /// Extends our lease, unless it has run out: then others may be taking our work over, and
    /// pretending to be alive again would let both of us run it. One try.
    pub(crate) async fn renew(&self, application: &str, executor: &str, lease_ms: i64) -> sqlx::Result<Renewal> {
        let rows = match self.dialect() {
            Dialect::Postgres => {
                let statement = Statement::new(
                    "WITH clock AS (
                       SELECT CAST(EXTRACT(epoch FROM clock_timestamp()) * 1000 AS BIGINT) AS now_ms
                     ), renewed AS (
                       UPDATE dbos_rust.executors
                          SET expires_at_ms = clock.now_ms + $3
                         FROM clock
                        WHERE executor_id = $2
                          AND expires_at_ms > clock.now_ms
                       RETURNING executor_id
                     )
                     SELECT executors.executor_id, boot_id, lock_path, expires_at_ms, clock.now_ms,
                            EXISTS (SELECT 1 FROM renewed) AS held
                       FROM dbos_rust.executors
                      CROSS JOIN clock
                      WHERE application_name = $1",
                )
                .bind(application)
                .bind(executor)
                .bind(lease_ms);
                self.run(Access::Write, &statement).await?
            }
            Dialect::Sqlite => {
                let statement = Statement::new(
                    "SELECT executor_id, boot_id, lock_path, expires_at_ms, NULL AS now_ms,
                            EXISTS (SELECT 1 FROM dbos_rust.executors WHERE executor_id = $2) AS held
                       FROM dbos_rust.executors
                      WHERE application_name = $1",
                )
                .bind(application)
                .bind(executor);
                self.run(Access::Read, &statement).await?
            }
        };
        renewal(&rows)
    }

    /// Lets everybody know that `executor` is gone.
    pub(crate) async fn expire_executor(&self, executor: &str) -> Result<()> {
        let statement =
            Statement::new("UPDATE dbos_rust.executors SET expires_at_ms = 0 WHERE executor_id = $1").bind(executor);
        self.insist("end this executor's lease", Access::Write, &statement).await.map(drop)
    }

    /// Forgets a dead executor once nothing names it any more, and keeps anything from naming it later.
    pub(crate) async fn forget_executor(&self, executor: &str) -> Result<bool> {
        self.repeat("forget a dead executor", || self.try_to_forget(executor)).await
    }

    async fn try_to_forget(&self, executor: &str) -> sqlx::Result<bool> {
        let mut connection = self.begin(Isolation::ReadCommitted).await?;
        if self.dialect() == Dialect::Postgres {
            // Waits for starts under its name, so that the next statement sees them; new ones wait for us.
            let lock = Statement::new("SELECT executor_id FROM dbos_rust.executors WHERE executor_id = $1 FOR UPDATE");
            within(self.deadline(), connection.run(&lock.bind(executor))).await?;
        }
        let delete = Statement::new(
            "DELETE FROM dbos_rust.executors
              WHERE executor_id = $1
                AND NOT EXISTS (SELECT 1 FROM dbos.workflow_status
                                 WHERE workflow_status.executor_id = $1 AND workflow_status.status = 'PENDING')
             RETURNING executor_id",
        )
        .bind(executor);
        let forgotten = !within(self.deadline(), connection.run(&delete)).await?.is_empty();
        within(self.deadline(), connection.commit()).await?;
        Ok(forgotten)
    }
}

fn renewal(rows: &[Row]) -> sqlx::Result<Renewal> {
    let first = rows.first();
    let executors = rows.iter().map(ExecutorRow::read).collect::<sqlx::Result<_>>()?;
    Ok(Renewal {
        now_ms: first.map(|row| row.get::<Option<i64>>("now_ms")).transpose()?.flatten(),
        held: first.map(|row| row.get::<bool>("held")).transpose()?.unwrap_or(false),
        executors,
    })
}

impl ExecutorRow {
    pub(super) fn read(row: &Row) -> sqlx::Result<Self> {
        Ok(Self {
            executor: row.text("executor_id")?,
            boot_id: row.get("boot_id")?,
            lock_path: row.get("lock_path")?,
            expires_at_ms: row.get("expires_at_ms")?,
        })
    }
}
