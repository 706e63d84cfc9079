//! `queues`, and the workflows that wait in one.

use std::collections::{BTreeSet, HashSet};

use super::Store;
use super::backend::{Access, Dialect};
use super::connection::{Connection, Isolation};
use super::sql::{Row, Statement};
use super::within;
use super::workflow_row::WorkflowStatus;
use super::workflows::{Claimant, Claimed, claimed};
use crate::clock::{Clock, millis};
use crate::error::{Error, Result};
use crate::queue::{INTERNAL_QUEUE, Queue};

/// What was taken out of a queue.
#[derive(Debug, Default)]
pub(crate) struct Dequeued {
    pub(crate) claimed: Vec<Claimed>,
    /// When the rate limit allows another start, if it is why there are no more.
    pub(crate) room_at_ms: Option<i64>,
}

/// What all processes together keep to. The row has it, so that two that were built with different limits agree.
struct SharedLimits {
    concurrency: Option<i64>,
    starts: Option<i64>,
    period_ms: i64,
}

/// How much of that is used.
struct Used {
    running: i64,
    started: i64,
    oldest_start_ms: Option<i64>,
}

impl Store {
    /// Writes the limits of `queue` into its row, for all processes; an error if it is another application's.
    pub(crate) async fn register_queue(&self, queue: &Queue, application: &str, now_ms: i64) -> Result<()> {
        let statement = Statement::new(
            "INSERT INTO dbos.queues
                    (name, concurrency, worker_concurrency, rate_limit_max, rate_limit_period_sec, priority_enabled,
                     created_at, updated_at, application_name)
             VALUES ($1, $2, $3, $4, CAST($5 AS DOUBLE PRECISION) / 1000, TRUE, $6, $6, $7)
             ON CONFLICT (name) DO UPDATE
                SET concurrency = EXCLUDED.concurrency,
                    worker_concurrency = EXCLUDED.worker_concurrency,
                    rate_limit_max = EXCLUDED.rate_limit_max,
                    rate_limit_period_sec = EXCLUDED.rate_limit_period_sec,
                    updated_at = EXCLUDED.updated_at,
                    application_name = EXCLUDED.application_name
              WHERE queues.application_name IS NULL
                 OR queues.application_name = EXCLUDED.application_name
             RETURNING name",
        )
        .bind(queue.name())
        .bind(queue.most().map(i64::from))
        .bind(queue.most_in_a_worker().map(i64::from))
        .bind(queue.rate().map(|rate| i64::from(rate.starts)))
        .bind(queue.rate().map(|rate| millis(rate.period)))
        .bind(now_ms)
        .bind(application);
        if self.insist("register a queue", Access::Write, &statement).await?.is_empty() {
            return Err(Error::Configuration(format!(
                "the queue `{}` belongs to another application of this database; give it another name",
                queue.name()
            )));
        }
        Ok(())
    }

    /// The workflow that has the deduplication id `id` in `queue`.
    pub(crate) async fn deduplicated(&self, queue: &str, id: &str) -> Result<Option<WorkflowStatus>> {
        let statement = Statement::new(
            "SELECT workflow_uuid FROM dbos.workflow_status WHERE queue_name = $1 AND deduplication_id = $2",
        )
        .bind(queue)
        .bind(id);
        let rows = self.insist("look for a deduplication id", Access::Write, &statement).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let workflow =
            row.text("workflow_uuid").map_err(|error| Error::database("look for a deduplication id", error))?;
        self.workflow_status(&workflow).await
    }

    /// Whether anything waits in `queue` that this code can run. Asked before each claim, because a claim that finds
    /// nothing still stops all other writers of an SQLite file.
    pub(crate) async fn anything_enqueued(&self, queue: &Queue, claimant: &Claimant) -> Result<bool> {
        let statement = Statement::new(
            "SELECT 1 AS found
               FROM dbos.workflow_status AS candidate
               JOIN dbos_rust.version_workflows AS theirs
                 ON theirs.version = candidate.application_version AND theirs.name = candidate.name
               JOIN dbos_rust.version_workflows AS mine
                 ON mine.version = $2 AND mine.name = candidate.name AND mine.hash = theirs.hash
              WHERE candidate.queue_name = $3
                AND candidate.status = 'ENQUEUED'
                AND candidate.application_name = $1
              LIMIT 1",
        )
        .bind(&claimant.application)
        .bind(&claimant.version)
        .bind(queue.name());
        Ok(!self.insist("look into a queue", Access::Read, &statement).await?.is_empty())
    }

    /// Takes up to `most` workflows out of `queue`: those whose code here is the code they were started under, by
    /// priority and then by age, as far as the limits of all processes together allow. One try, as with every claim:
    /// see [`claim_from`](Self::claim_from).
    pub(crate) async fn claim_enqueued(
        &self,
        queue: &Queue,
        claimant: &Claimant,
        owner: &str,
        most: i64,
        clock: &Clock,
    ) -> Result<Dequeued> {
        let failed = |error| Error::database("claim workflows", error);
        if queue.has_shared_limits() {
            return self.claim_within_limits(queue, claimant, owner, most, clock).await.map_err(failed);
        }
        let statement = claim(queue, claimant, owner, most, clock.now_ms());
        let rows = self.run(Access::Write, &statement).await.map_err(failed)?;
        Ok(in_order(rows).into())
    }

    /// The queue's row is locked first: whoever counts sees what the one before has taken, and nobody takes meanwhile.
    /// So the count is a statement of its own, whose snapshot is younger than the lock, as is the time of the starts.
    async fn claim_within_limits(
        &self,
        queue: &Queue,
        claimant: &Claimant,
        owner: &str,
        most: i64,
        clock: &Clock,
    ) -> sqlx::Result<Dequeued> {
        let mut connection = self.begin(Isolation::ReadCommitted).await?;
        let limits = self.lock_limits(&mut connection, queue).await?;
        let now_ms = clock.now_ms();
        let used = self.used(&mut connection, queue, now_ms - limits.period_ms).await?;
        let room = limits.room(&used).min(most);
        if room <= 0 {
            within(self.deadline(), connection.rollback()).await?;
            return Ok(Dequeued { claimed: Vec::new(), room_at_ms: limits.next_start_ms(&used) });
        }
        let statement = claim(queue, claimant, owner, room, now_ms);
        let rows = within(self.deadline(), connection.run(&statement)).await?;
        within(self.deadline(), connection.commit()).await?;
        Ok(in_order(rows).into())
    }

    async fn lock_limits(&self, connection: &mut Connection, queue: &Queue) -> sqlx::Result<SharedLimits> {
        let statement = Statement::new(
            "SELECT CAST(concurrency AS BIGINT) AS concurrency, CAST(rate_limit_max AS BIGINT) AS starts,
                    rate_limit_period_sec
               FROM dbos.queues AS queue
              WHERE name = $1
                FOR UPDATE OF queue",
        )
        .bind(queue.name());
        let rows = within(self.deadline(), connection.run(&statement)).await?;
        let row = rows.first().ok_or_else(|| {
            sqlx::Error::Configuration("the queue has no row in `queues` any more; launch the program again".into())
        })?;
        let period_ms = row.get::<Option<f64>>("rate_limit_period_sec")?.map_or(0, in_ms);
        Ok(SharedLimits { concurrency: row.get("concurrency")?, starts: row.get("starts")?, period_ms })
    }

    /// Counted as the database has it: what runs, whoever runs it and whatever its version, and what was started after
    /// `since_ms`.
    async fn used(&self, connection: &mut Connection, queue: &Queue, since_ms: i64) -> sqlx::Result<Used> {
        let statement = Statement::new(
            "SELECT running.running, recent.started, recent.oldest
               FROM (SELECT count(*) AS running
                       FROM dbos.workflow_status
                      WHERE queue_name = $1
                        AND status = 'PENDING') AS running
              CROSS JOIN
                    (SELECT count(*) AS started, min(started_at_epoch_ms) AS oldest
                       FROM dbos.workflow_status
                      WHERE queue_name = $1
                        AND rate_limited = TRUE
                        AND started_at_epoch_ms > $2) AS recent",
        )
        .bind(queue.name())
        .bind(since_ms);
        let rows = within(self.deadline(), connection.run(&statement)).await?;
        let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
        Ok(Used { running: row.get("running")?, started: row.get("started")?, oldest_start_ms: row.get("oldest")? })
    }

    /// Puts what `executor`, which is dead, took out of queues back to its place there, whatever its version: what
    /// nobody runs takes no room. Gives the queues.
    pub(crate) async fn put_back(&self, executor: &str, application: &str, now_ms: i64) -> Result<BTreeSet<String>> {
        let statement = Statement::new(
            "UPDATE dbos.workflow_status
                SET status = 'ENQUEUED', owner_xid = NULL, executor_id = NULL, started_at_epoch_ms = NULL,
                    updated_at = $3
              WHERE executor_id = $1
                AND status = 'PENDING'
                AND application_name = $2
                AND queue_name IN (SELECT name FROM dbos.queues)
             RETURNING queue_name",
        )
        .bind(executor)
        .bind(application)
        .bind(now_ms);
        let rows = self.insist("put workflows back into their queues", Access::Write, &statement).await?;
        queue_names(&rows)
    }

    /// Puts one workflow back into its queue, if it came out of one, from the run `from` of this process, which is no
    /// more. Gives the queue.
    pub(crate) async fn put_back_one(&self, workflow: &str, from: &str, now_ms: i64) -> Result<Option<String>> {
        let statement = Statement::new(
            "UPDATE dbos.workflow_status
                SET status = 'ENQUEUED', owner_xid = NULL, executor_id = NULL, started_at_epoch_ms = NULL,
                    updated_at = $3
              WHERE workflow_uuid = $1
                AND owner_xid = $2
                AND status = 'PENDING'
                AND queue_name IN (SELECT name FROM dbos.queues)
             RETURNING queue_name",
        )
        .bind(workflow)
        .bind(from)
        .bind(now_ms);
        let rows = self.insist("put a workflow back into its queue", Access::Write, &statement).await?;
        Ok(queue_names(&rows)?.pop_first())
    }

    /// Of these workflows, those that have recorded a step.
    pub(crate) async fn begun(&self, workflows: &[&str]) -> Result<HashSet<String>> {
        let statement = Statement::new(match self.dialect() {
            Dialect::Postgres => {
                "SELECT DISTINCT step.workflow_uuid
                   FROM json_array_elements_text($1::json) AS asked
                   JOIN dbos.operation_outputs AS step ON step.workflow_uuid = asked.value"
            }
            Dialect::Sqlite => {
                "SELECT DISTINCT step.workflow_uuid
                   FROM json_each($1) AS asked
                   JOIN dbos.operation_outputs AS step ON step.workflow_uuid = asked.value"
            }
        })
        .bind(serde_json::to_string(workflows).expect("strings are JSON"));
        let rows = self.insist("look which workflows have begun", Access::Read, &statement).await?;
        let begun: sqlx::Result<_> = rows.iter().map(|row| row.text("workflow_uuid")).collect();
        begun.map_err(|error| Error::database("look which workflows have begun", error))
    }

    /// Puts `workflow` into the internal queue unless it has ended; a pending one only if `dead`, which
    /// is gone, ran it last. As every library does, this begins anew with the attempts and forgets the
    /// deadline. Whether it was done.
    pub(crate) async fn enqueue_again(&self, workflow: &str, dead: Option<&str>, now_ms: i64) -> Result<bool> {
        let statement = Statement::new(
            "UPDATE dbos.workflow_status
                SET status = 'ENQUEUED', queue_name = $3, recovery_attempts = 0, updated_at = $4,
                    owner_xid = NULL, started_at_epoch_ms = NULL, completed_at = NULL,
                    workflow_deadline_epoch_ms = NULL, delay_until_epoch_ms = NULL,
                    deduplication_id = NULL, queue_partition_key = NULL
              WHERE workflow_uuid = $1
                AND (status IN ('CANCELLED', 'MAX_RECOVERY_ATTEMPTS_EXCEEDED', 'ENQUEUED', 'DELAYED')
                     OR (status = 'PENDING' AND executor_id = $2))
             RETURNING workflow_uuid",
        )
        .bind(workflow)
        .bind(dead.map(str::to_owned))
        .bind(INTERNAL_QUEUE)
        .bind(now_ms);
        Ok(!self.insist("resume a workflow", Access::Write, &statement).await?.is_empty())
    }
}

impl From<Vec<Claimed>> for Dequeued {
    fn from(claimed: Vec<Claimed>) -> Self {
        Self { claimed, room_at_ms: None }
    }
}

impl SharedLimits {
    fn room(&self, used: &Used) -> i64 {
        let places = self.concurrency.map(|most| most - used.running);
        let starts = self.starts.map(|most| most - used.started);
        places.into_iter().chain(starts).min().unwrap_or(i64::MAX)
    }

    /// When the oldest of the starts that count no longer does, if they are all that may be.
    fn next_start_ms(&self, used: &Used) -> Option<i64> {
        let is_spent = self.starts.is_some_and(|most| most <= used.started);
        used.oldest_start_ms.filter(|_| is_spent).map(|oldest_ms| oldest_ms + self.period_ms)
    }
}

/// A period as other libraries write it: in seconds.
#[allow(clippy::cast_possible_truncation)] // it is rounded, and a period out of range is as good as for ever
fn in_ms(seconds: f64) -> i64 {
    (seconds * 1000.0).round() as i64
}

/// A workflow with a timeout has all of it from when it first leaves the queue, unless it inherited a deadline that is
/// earlier. No number in a row can overflow: an error here would keep all of them waiting. Nothing is claimed for an
/// executor that is itself taken for dead.
fn claim(queue: &Queue, claimant: &Claimant, owner: &str, most: i64, now_ms: i64) -> Statement {
    Statement::new(
        "WITH me AS (
           SELECT executor_id FROM dbos_rust.executors WHERE executor_id = $1 FOR KEY SHARE
         )
         UPDATE dbos.workflow_status
            SET status = 'PENDING', owner_xid = $4, executor_id = $1, updated_at = $5, started_at_epoch_ms = $5,
                rate_limited = EXISTS (SELECT 1 FROM dbos.queues WHERE queues.name = $7 AND rate_limit_max IS NOT NULL),
                recovery_attempts = CASE WHEN recovery_attempts > 1000000000 THEN 1000000000
                                         ELSE COALESCE(recovery_attempts, 0) + 1 END,
                workflow_deadline_epoch_ms =
                    CASE WHEN workflow_timeout_ms IS NULL OR workflow_deadline_epoch_ms <= $5
                         THEN workflow_deadline_epoch_ms
                         WHEN workflow_deadline_epoch_ms - $5 <= workflow_timeout_ms THEN workflow_deadline_epoch_ms
                         WHEN workflow_timeout_ms > 1000000000000000 THEN $5 + 1000000000000000
                         ELSE $5 + workflow_timeout_ms END
          WHERE EXISTS (SELECT 1 FROM me)
            AND workflow_uuid IN
                (SELECT candidate.workflow_uuid
                   FROM dbos.workflow_status AS candidate
                   JOIN dbos_rust.version_workflows AS theirs
                     ON theirs.version = candidate.application_version AND theirs.name = candidate.name
                   JOIN dbos_rust.version_workflows AS mine
                     ON mine.version = $3 AND mine.name = candidate.name AND mine.hash = theirs.hash
                  WHERE candidate.queue_name = $7
                    AND candidate.status = 'ENQUEUED'
                    AND candidate.application_name = $2
                  ORDER BY candidate.priority, candidate.created_at
                  LIMIT $6
                    FOR NO KEY UPDATE OF candidate SKIP LOCKED)
         RETURNING workflow_uuid, name, recovery_attempts, workflow_deadline_epoch_ms, created_at,
                   CAST(priority AS BIGINT) AS priority, authenticated_user, authenticated_roles, assumed_role, request,
                   COALESCE((SELECT input.inputs FROM dbos.workflow_input AS input
                              WHERE input.workflow_uuid = workflow_status.workflow_uuid), inputs) AS inputs",
    )
    .bind(&claimant.executor)
    .bind(&claimant.application)
    .bind(&claimant.version)
    .bind(owner)
    .bind(now_ms)
    .bind(most)
    .bind(queue.name())
}

/// What was claimed, in the order in which it waited.
fn in_order(mut rows: Vec<Row>) -> Vec<Claimed> {
    rows.sort_by_cached_key(|row| {
        (row.get::<i64>("priority").unwrap_or_default(), row.get::<i64>("created_at").unwrap_or_default())
    });
    claimed(&rows)
}

pub(super) fn queue_names(rows: &[Row]) -> Result<BTreeSet<String>> {
    let names: sqlx::Result<_> = rows.iter().map(|row| row.text("queue_name")).collect();
    names.map_err(|error| Error::database("read the name of a queue", error))
}
