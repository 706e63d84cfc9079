//! `queues`: the rows that say which queues there are, how much may leave them, and, beside them, which are paused.

use serde::{Deserialize, Serialize};

use super::backend::Access;
use super::connection::{Connection, Isolation};
use super::fragments::{is_waiting, limit_columns};
use super::sql::{Row, Statement};
use super::workflows::Claimant;
use super::{Store, within};
use crate::error::{Error, Result};
use crate::queue::{INTERNAL_QUEUE, Limits, Queue, QueueLimits, RateLimit};

/// What a process that serves a queue has to know of it.
#[derive(Clone, Debug)]
pub(crate) struct QueueNow {
    pub(crate) name: String,
    pub(crate) limits: QueueLimits,
    /// Whether anything waits in it that this code can run, unless it is paused.
    pub(crate) is_waiting: bool,
}

/// What a look at all queues tells.
#[derive(Debug, Default)]
pub(crate) struct QueuesNow {
    pub(crate) queues: Vec<QueueNow>,
    /// Queues whose rows cannot be read, and why.
    pub(crate) unreadable: Vec<(String, String)>,
    /// Whether any workflow of the application waits for its delay to pass.
    pub(crate) anything_delayed: bool,
}

impl QueuesNow {
    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        self.queues.iter().map(|queue| &queue.name).chain(self.unreadable.iter().map(|(name, _)| name))
    }
}

/// A queue as its row tells it, and how full it is.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct QueueStatus {
    /// Its name.
    pub name: String,
    /// The application that serves it.
    pub application_name: Option<String>,
    /// The limits of the queue as a whole.
    pub limits: Limits,
    /// The limits of each of its partitions.
    pub partition_limits: Limits,
    /// Whether nothing leaves it until it is resumed.
    pub is_paused: bool,
    /// How many workflows wait in it, whose delay, if they had one, has passed.
    pub waiting: i64,
    /// How many that were taken out of it run.
    pub running: i64,
    /// Why its limits cannot be read, if they cannot; then it is not served.
    pub unreadable: Option<String>,
}

/// What became of an attempt to delete a queue.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Deleted {
    Yes,
    /// This workflow has not ended and is in it.
    InUse(String),
}

/// A row with the limits that [`bind_limits`] binds, made at `$11` for the application `$12`.
macro_rules! insert_queue {
    () => {
        "INSERT INTO dbos.queues
                (name, concurrency, worker_concurrency, rate_limit_max, rate_limit_period_sec,
                 partition_concurrency, partition_worker_concurrency, partition_rate_limit_max,
                 partition_rate_limit_period_sec, priority_enabled, partition_queue, created_at, updated_at,
                 application_name)
         VALUES ($1, $2, $3, $4, CAST($5 AS DOUBLE PRECISION) / 1000, $6, $7, $8,
                 CAST($9 AS DOUBLE PRECISION) / 1000, TRUE, $10 = 1, $11, $11, $12) "
    };
}

impl Store {
    /// Writes the declared limits of `queue` into its row, for all processes; an error if it is another application's.
    pub(crate) async fn register_queue(&self, queue: &Queue, application: &str, now_ms: i64) -> Result<()> {
        let statement = Statement::new(concat!(
            insert_queue!(),
            "ON CONFLICT (name) DO UPDATE
                SET concurrency = EXCLUDED.concurrency,
                    worker_concurrency = EXCLUDED.worker_concurrency,
                    rate_limit_max = EXCLUDED.rate_limit_max,
                    rate_limit_period_sec = EXCLUDED.rate_limit_period_sec,
                    partition_concurrency = EXCLUDED.partition_concurrency,
                    partition_worker_concurrency = EXCLUDED.partition_worker_concurrency,
                    partition_rate_limit_max = EXCLUDED.partition_rate_limit_max,
                    partition_rate_limit_period_sec = EXCLUDED.partition_rate_limit_period_sec,
                    partition_queue = EXCLUDED.partition_queue,
                    updated_at = EXCLUDED.updated_at,
                    application_name = EXCLUDED.application_name
              WHERE queues.application_name IS NULL
                 OR queues.application_name = EXCLUDED.application_name
             RETURNING name"
        ));
        let statement = bind_limits(statement.bind(queue.name()), &queue.limits()).bind(now_ms).bind(application);
        if self.insist("register a queue", Access::Write, &statement).await?.is_empty() {
            return Err(Error::Configuration(format!(
                "the queue `{}` belongs to another application of this database; give it another name",
                queue.name()
            )));
        }
        if queue.limits().are_partitioned() {
            self.insist("give workflows a partition", Access::Write, &without_key(queue.name())).await?;
        }
        Ok(())
    }

    /// Makes the row unless there is one of that name. Whether it was made.
    pub(crate) async fn create_queue(
        &self,
        queue: &str,
        limits: &QueueLimits,
        application: &str,
        now_ms: i64,
    ) -> Result<bool> {
        let statement = Statement::new(concat!(
            insert_queue!(),
            "ON CONFLICT (name) DO NOTHING
             RETURNING name"
        ));
        let statement = bind_limits(statement.bind(queue), limits).bind(now_ms).bind(application);
        Ok(!self.insist("create a queue", Access::Write, &statement).await?.is_empty())
    }

    /// Gives `queue` the limits that `change` makes of those it has, under the lock that claims take. `None` if there is
    /// no such queue, else what `change` gave.
    pub(crate) async fn update_queue<T>(
        &self,
        queue: &str,
        now_ms: i64,
        change: impl Fn(QueueLimits) -> (QueueLimits, T),
    ) -> Result<Option<T>> {
        self.repeat("change a queue", || async {
            let mut connection = self.begin(Isolation::ReadCommitted).await?;
            let Some(limits) = self.lock_queue(&mut connection, queue).await? else {
                within(self.deadline(), connection.rollback()).await?;
                return Ok(None);
            };
            let (changed, answer) = change(limits);
            let statement = Statement::new(
                "UPDATE dbos.queues
                    SET concurrency = $2, worker_concurrency = $3, rate_limit_max = $4,
                        rate_limit_period_sec = CAST($5 AS DOUBLE PRECISION) / 1000, partition_concurrency = $6,
                        partition_worker_concurrency = $7, partition_rate_limit_max = $8,
                        partition_rate_limit_period_sec = CAST($9 AS DOUBLE PRECISION) / 1000,
                        partition_queue = ($10 = 1), updated_at = $11
                  WHERE name = $1",
            );
            let statement = bind_limits(statement.bind(queue), &changed).bind(now_ms);
            within(self.deadline(), connection.run(&statement)).await?;
            if changed.are_partitioned() {
                within(self.deadline(), connection.run(&without_key(queue))).await?;
            }
            within(self.deadline(), connection.commit()).await?;
            Ok(Some(answer))
        })
        .await
    }

    /// The limits of `queue`, whoever serves it; `None` if there is no such queue. What cannot be read limits nothing: who
    /// serves the queue says so.
    pub(crate) async fn queue_limits(&self, queue: &str) -> Result<Option<QueueLimits>> {
        let statement =
            Statement::new(concat!("SELECT ", limit_columns!(), " FROM dbos.queues AS queue WHERE queue.name = $1"));
        let rows = self.insist("look for a queue", Access::Read, &statement.bind(queue)).await?;
        Ok(rows.first().map(|row| limits(row).unwrap_or(QueueLimits::NONE)))
    }

    /// The limits of `queue`, whose row nobody else locks or changes until the transaction has ended; `None` if it has
    /// none.
    pub(super) async fn lock_queue(
        &self,
        connection: &mut Connection,
        queue: &str,
    ) -> sqlx::Result<Option<QueueLimits>> {
        let statement = Statement::new(concat!(
            "SELECT ",
            limit_columns!(),
            "
               FROM dbos.queues AS queue
              WHERE name = $1
                FOR UPDATE OF queue"
        ))
        .bind(queue);
        let rows = within(self.deadline(), connection.run(&statement)).await?;
        rows.first().map(limits).transpose()
    }

    /// The queue `queue` of the application and whether anything waits in it; `None` if it has no row.
    pub(crate) async fn queue_now(&self, queue: &str, claimant: &Claimant) -> Result<Option<QueueNow>> {
        if queue == INTERNAL_QUEUE {
            let is_waiting = self.anything_enqueued(queue, claimant).await?;
            let limits = QueueLimits::NONE;
            return Ok(Some(QueueNow { name: queue.to_owned(), limits, is_waiting }));
        }
        let statement = Statement::new(concat!(
            "SELECT queue.name, ",
            limit_columns!(),
            ",
                    ",
            is_waiting!(),
            "
               FROM dbos.queues AS queue
               LEFT JOIN dbos_rust.paused_queues AS paused ON paused.name = queue.name
              WHERE queue.name = $3
                AND (queue.application_name = $1 OR queue.application_name IS NULL)"
        ))
        .bind(&claimant.application)
        .bind(&claimant.version)
        .bind(queue);
        let rows = self.insist("look into a queue", Access::Read, &statement).await?;
        rows.first().map(queue_now).transpose().map_err(|error| Error::database("look into a queue", error))
    }

    /// All queues of the application, the one for what is resumed among them: everything that a process which has
    /// nothing to do has to know, in one read.
    pub(crate) async fn queues_now(&self, claimant: &Claimant) -> Result<QueuesNow> {
        let statement = Statement::new(concat!(
            "SELECT queue.name, ",
            limit_columns!(),
            ",
                    ",
            is_waiting!(),
            ",
                    EXISTS (SELECT 1
                              FROM dbos.workflow_status
                             WHERE status = 'DELAYED'
                               AND (application_name = $1 OR application_name IS NULL)) AS anything_delayed
               FROM (SELECT name, concurrency, worker_concurrency, rate_limit_max, rate_limit_period_sec,
                            partition_concurrency, partition_worker_concurrency, partition_rate_limit_max,
                            partition_rate_limit_period_sec
                       FROM dbos.queues
                      WHERE application_name = $1
                         OR application_name IS NULL
                      UNION ALL
                     SELECT $3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) AS queue
               LEFT JOIN dbos_rust.paused_queues AS paused ON paused.name = queue.name"
        ))
        .bind(&claimant.application)
        .bind(&claimant.version)
        .bind(INTERNAL_QUEUE);
        let rows = self.insist("look for queues", Access::Read, &statement).await?;
        queues_of(&rows).map_err(|error| Error::database("look for queues", error))
    }

    /// The queues, in the order of their names: of one application, or of all.
    pub(crate) async fn list_queues(
        &self,
        application: Option<String>,
        name: Option<&str>,
    ) -> Result<Vec<QueueStatus>> {
        let statement = Statement::new(concat!(
            "SELECT queue.name, queue.application_name, ",
            limit_columns!(),
            ", paused.name IS NOT NULL AS is_paused,
                    (SELECT count(*)
                       FROM dbos.workflow_status
                      WHERE queue_name = queue.name
                        AND status = 'ENQUEUED'
                        AND status IN ('ENQUEUED', 'PENDING')) AS waiting,
                    (SELECT count(*)
                       FROM dbos.workflow_status
                      WHERE queue_name = queue.name
                        AND status = 'PENDING'
                        AND status IN ('ENQUEUED', 'PENDING')) AS running
               FROM dbos.queues AS queue
               LEFT JOIN dbos_rust.paused_queues AS paused ON paused.name = queue.name
              WHERE (CAST($1 AS TEXT) IS NULL OR queue.application_name = $1 OR queue.application_name IS NULL)
                AND (CAST($2 AS TEXT) IS NULL OR queue.name = $2)
              ORDER BY queue.name"
        ))
        .bind(application)
        .bind(name.map(str::to_owned));
        let rows = self.insist("list queues", Access::Read, &statement).await?;
        let rows: sqlx::Result<_> = rows.iter().map(queue_status).collect();
        rows.map_err(|error| Error::database("list queues", error))
    }

    /// Deletes the row of `queue` unless it is in use; that it is gone already is as good.
    pub(crate) async fn delete_queue(&self, queue: &str) -> Result<Deleted> {
        let in_use = Statement::new(
            "SELECT workflow_uuid
               FROM dbos.workflow_status
              WHERE queue_name = $1
                AND (status = 'ENQUEUED' OR status = 'PENDING' OR status = 'DELAYED')
              LIMIT 1",
        )
        .bind(queue);
        let delete = Statement::new("DELETE FROM dbos.queues WHERE name = $1").bind(queue);
        let forget = Statement::new("DELETE FROM dbos_rust.paused_queues WHERE name = $1").bind(queue);
        self.repeat("delete a queue", || async {
            let mut connection = self.begin(Isolation::ReadCommitted).await?;
            // Nobody takes anything out of it meanwhile.
            self.lock_queue_row(&mut connection, queue).await?;
            let found = within(self.deadline(), connection.run(&in_use)).await?;
            if let Some(row) = found.first() {
                let workflow = row.text("workflow_uuid")?;
                within(self.deadline(), connection.rollback()).await?;
                return Ok(Deleted::InUse(workflow));
            }
            within(self.deadline(), connection.run(&delete)).await?;
            within(self.deadline(), connection.run(&forget)).await?;
            within(self.deadline(), connection.commit()).await?;
            Ok(Deleted::Yes)
        })
        .await
    }

    /// Lets nothing out of `queue` any more. Whether there is such a queue.
    ///
    /// Whoever is just taking something out of it within shared limits is waited for, because that holds the row.
    pub(crate) async fn pause_queue(&self, queue: &str, now_ms: i64) -> Result<bool> {
        let statement = Statement::new(
            "INSERT INTO dbos_rust.paused_queues (name, paused_at_ms)
             VALUES ($1, $2)
             ON CONFLICT (name) DO NOTHING",
        );
        self.change_pause(queue, "pause a queue", &statement.bind(queue).bind(now_ms)).await
    }

    /// Lets what waits in `queue` go on. Whether there is such a queue.
    pub(crate) async fn resume_queue(&self, queue: &str) -> Result<bool> {
        let statement = Statement::new("DELETE FROM dbos_rust.paused_queues WHERE name = $1");
        self.change_pause(queue, "resume a queue", &statement.bind(queue)).await
    }

    async fn change_pause(&self, queue: &str, action: &str, statement: &Statement) -> Result<bool> {
        self.repeat(action, || async {
            let mut connection = self.begin(Isolation::ReadCommitted).await?;
            let exists = self.lock_queue_row(&mut connection, queue).await?;
            within(self.deadline(), connection.run(statement)).await?;
            if !exists {
                within(self.deadline(), connection.rollback()).await?;
                return Ok(false);
            }
            within(self.deadline(), connection.commit()).await?;
            Ok(true)
        })
        .await
    }

    /// Locks the row whatever its limits say. Whether there is one.
    async fn lock_queue_row(&self, connection: &mut Connection, queue: &str) -> sqlx::Result<bool> {
        let statement = Statement::new("SELECT name FROM dbos.queues AS queue WHERE name = $1 FOR UPDATE OF queue");
        Ok(!within(self.deadline(), connection.run(&statement.bind(queue))).await?.is_empty())
    }
}

/// What was put into a queue before it had limits for partitions is a partition of its own; without a key nobody would
/// look for it.
fn without_key(queue: &str) -> Statement {
    Statement::new(
        "UPDATE dbos.workflow_status
            SET queue_partition_key = ''
          WHERE queue_name = $1
            AND queue_partition_key IS NULL
            AND (status IN ('ENQUEUED', 'PENDING') OR status = 'DELAYED')",
    )
    .bind(queue)
}

/// `$2` to `$10`: the limits, and whether there are partitions. SQLite has no truth values, so a number says it.
fn bind_limits(statement: Statement, limits: &QueueLimits) -> Statement {
    let statement = bind_scope(bind_scope(statement, &limits.whole), &limits.partition);
    statement.bind(i64::from(limits.are_partitioned()))
}

fn bind_scope(statement: Statement, limits: &Limits) -> Statement {
    statement
        .bind(limits.concurrency.map(i64::from))
        .bind(limits.worker_concurrency.map(i64::from))
        .bind(limits.rate_limit.map(|rate| i64::from(rate.starts)))
        .bind(limits.rate_limit.map(|rate| i64::try_from(rate.period_ms).unwrap_or(i64::MAX)))
}

fn queues_of(rows: &[Row]) -> sqlx::Result<QueuesNow> {
    let mut found = QueuesNow::default();
    for row in rows {
        match queue_now(row) {
            Ok(queue) => found.queues.push(queue),
            Err(error) => found.unreadable.push((row.text("name")?, error.to_string())),
        }
        found.anything_delayed = row.get("anything_delayed")?;
    }
    Ok(found)
}

fn queue_now(row: &Row) -> sqlx::Result<QueueNow> {
    Ok(QueueNow { name: row.text("name")?, limits: limits(row)?, is_waiting: row.get("is_waiting")? })
}

fn queue_status(row: &Row) -> sqlx::Result<QueueStatus> {
    let (known, unreadable) = match limits(row) {
        Ok(limits) => (limits, None),
        Err(error) => (QueueLimits::NONE, Some(error.to_string())),
    };
    Ok(QueueStatus {
        name: row.text("name")?,
        application_name: row.get("application_name")?,
        limits: known.whole,
        partition_limits: known.partition,
        unreadable,
        is_paused: row.get("is_paused")?,
        waiting: row.get("waiting")?,
        running: row.get("running")?,
    })
}

fn limits(row: &Row) -> sqlx::Result<QueueLimits> {
    Ok(QueueLimits {
        whole: Limits {
            concurrency: limit(row, "concurrency")?,
            worker_concurrency: limit(row, "worker_concurrency")?,
            rate_limit: rate_limit(row, "rate_limit_max", "rate_limit_period_sec")?,
        },
        partition: Limits {
            concurrency: limit(row, "partition_concurrency")?,
            worker_concurrency: limit(row, "partition_worker_concurrency")?,
            rate_limit: rate_limit(row, "partition_rate_limit_max", "partition_rate_limit_period_sec")?,
        },
    })
}

/// What is below nothing lets nothing out, as 0 does.
fn limit(row: &Row, column: &str) -> sqlx::Result<Option<u32>> {
    let limit: Option<i64> = row.get(column)?;
    Ok(limit.map(|most| u32::try_from(most.max(0)).unwrap_or(u32::MAX)))
}

/// Other libraries and other hands write these columns too. Half a limit is none that anybody meant.
fn rate_limit(row: &Row, starts: &str, period: &str) -> sqlx::Result<Option<RateLimit>> {
    match (limit(row, starts)?, row.get::<Option<f64>>(period)?) {
        (None, None) => Ok(None),
        (Some(starts), Some(seconds)) => Ok(Some(RateLimit { starts, period_ms: in_ms(seconds) })),
        _ => Err(sqlx::Error::Configuration(
            format!("half a rate limit: give both `{starts}` and `{period}`, or neither").into(),
        )),
    }
}

/// A period as other libraries write it: in seconds.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // it is rounded, and none is shorter than 0
fn in_ms(seconds: f64) -> u64 {
    (seconds * 1000.0).round() as u64
}
