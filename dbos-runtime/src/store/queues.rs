//! The workflows that wait in a queue, and how many of them may leave it.

use std::collections::{BTreeSet, HashSet};

use super::Store;
use super::backend::{Access, Dialect};
use super::connection::{Connection, Isolation};
use super::fragments::{claimed_columns, leaves_its_queue, may_run};
use super::sql::{Row, Statement};
use super::within;
use super::workflow_row::WorkflowStatus;
use super::workflows::{Claimant, Claimed, claimed};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::queue::{INTERNAL_QUEUE, Limits, QueueLimits};

/// What was taken out of a queue.
#[derive(Debug, Default)]
pub(crate) struct Dequeued {
    pub(crate) claimed: Vec<Claimed>,
    /// When the rate limit allows another start, if it is why there are no more.
    pub(crate) room_at_ms: Option<i64>,
}

/// Where a workflow is to go on; by default where it was.
#[derive(Clone, Debug, Default)]
pub(crate) struct Target {
    pub(crate) queue: Option<String>,
    pub(crate) partition_key: Option<String>,
}

/// How much of its limits a queue uses, in all processes.
struct Used {
    running: i64,
    started: i64,
    oldest_start_ms: Option<i64>,
}

impl Store {
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
    pub(crate) async fn anything_enqueued(&self, queue: &str, claimant: &Claimant) -> Result<bool> {
        let statement = Statement::new(concat!(
            "SELECT 1 AS found
               FROM dbos.workflow_status AS candidate ",
            may_run!("candidate", "$1", "$2"),
            "
              WHERE candidate.queue_name = $3
                AND candidate.status = 'ENQUEUED'
                AND candidate.status IN ('ENQUEUED', 'PENDING')
              LIMIT 1"
        ))
        .bind(&claimant.application)
        .bind(&claimant.version)
        .bind(queue);
        Ok(!self.insist("look into a queue", Access::Read, &statement).await?.is_empty())
    }

    /// Takes up to `most` workflows out of `queue`: those whose code here is the code they were started under, by
    /// priority and then by age, as far as the limits of all processes together allow. One try, as with every claim:
    /// see [`claim_from`](Self::claim_from).
    pub(crate) async fn claim_enqueued(
        &self,
        queue: &str,
        limits: &QueueLimits,
        claimant: &Claimant,
        owner: &str,
        most: i64,
        clock: &Clock,
    ) -> Result<Dequeued> {
        let failed = |error| Error::database("claim workflows", error);
        let claim = Claim { queue, claimant, owner, now_ms: clock.now_ms() };
        if limits.are_shared() {
            return self.claim_within_limits(claim, limits, most, clock).await.map_err(failed);
        }
        let rows = self.run(Access::Write, &claim.of_queue(most)).await.map_err(failed)?;
        Ok(in_order(rows).into())
    }

    /// The queue's row is locked first: whoever counts sees what the one before has taken, and nobody takes meanwhile.
    /// So the count is a statement of its own, whose snapshot is younger than the lock, as is the time of the starts.
    async fn claim_within_limits(
        &self,
        claim: Claim<'_>,
        known: &QueueLimits,
        most: i64,
        clock: &Clock,
    ) -> sqlx::Result<Dequeued> {
        let mut connection = self.begin(Isolation::ReadCommitted).await?;
        let limits = self.lock_queue(&mut connection, claim.queue).await?.ok_or_else(|| {
            sqlx::Error::Configuration("the queue has no row in `queues` any more; launch the program again".into())
        })?;
        let claim = Claim { now_ms: clock.now_ms(), ..claim };
        if limits != *known {
            // Under others, another number would be wanted.
            within(self.deadline(), connection.rollback()).await?;
            return Ok(Dequeued { claimed: Vec::new(), room_at_ms: Some(claim.now_ms) });
        }
        let used = self.used(&mut connection, claim.queue, claim.now_ms - period_ms(&limits.whole)).await?;
        let room = room(&limits.whole, &used).min(most);
        if room <= 0 {
            within(self.deadline(), connection.rollback()).await?;
            return Ok(Dequeued { claimed: Vec::new(), room_at_ms: next_start_ms(&limits.whole, &used) });
        }
        let statement =
            if limits.are_partitioned() { claim.of_partitions(&limits.partition, room) } else { claim.of_queue(room) };
        let rows = within(self.deadline(), connection.run(&statement)).await?;
        let room_at_ms = match limits.partition.rate_limit {
            Some(_) if rows.is_empty() => self.next_start_of_a_partition(&mut connection, &claim, &limits).await?,
            _ => None,
        };
        within(self.deadline(), connection.commit()).await?;
        Ok(Dequeued { room_at_ms, ..in_order(rows).into() })
    }

    /// Counted as the database has it: what runs, whoever runs it and whatever its version, and what was started after
    /// `since_ms`.
    async fn used(&self, connection: &mut Connection, queue: &str, since_ms: i64) -> sqlx::Result<Used> {
        let statement = Statement::new(
            "SELECT running.running, recent.started, recent.oldest
               FROM (SELECT count(*) AS running
                       FROM dbos.workflow_status
                      WHERE queue_name = $1
                        AND status = 'PENDING'
                        AND status IN ('ENQUEUED', 'PENDING')) AS running
              CROSS JOIN
                    (SELECT count(*) AS started, min(started_at_epoch_ms) AS oldest
                       FROM dbos.workflow_status
                      WHERE queue_name = $1
                        AND rate_limited = TRUE
                        AND started_at_epoch_ms > $2) AS recent",
        )
        .bind(queue)
        .bind(since_ms);
        let rows = within(self.deadline(), connection.run(&statement)).await?;
        let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
        Ok(Used { running: row.get("running")?, started: row.get("started")?, oldest_start_ms: row.get("oldest")? })
    }

    /// Puts what `executor`, which is dead, took out of queues back to its place there, whatever its version: what
    /// nobody runs takes no room, and nobody else knows what those wait for that gave up their places. Gives the queues.
    pub(crate) async fn put_back(&self, executor: &str, application: &str, now_ms: i64) -> Result<BTreeSet<String>> {
        let statement = Statement::new(
            "UPDATE dbos.workflow_status
                SET status = 'ENQUEUED', owner_xid = NULL, executor_id = NULL, started_at_epoch_ms = NULL,
                    updated_at = $3
              WHERE executor_id = $1
                AND (status = 'PENDING' OR (status = 'DELAYED' AND owner_xid IS NOT NULL))
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
                AND status IN ('PENDING', 'DELAYED')
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

    /// Notes which queue `workflow` is in, before its row forgets it. It may happen for nothing: the note counts only
    /// for a row that says nothing itself.
    pub(crate) async fn remember_queue(&self, workflow: &str) -> Result<()> {
        let statement = Statement::new(
            "INSERT INTO dbos_rust.left_queues (workflow_id, queue_name)
             SELECT workflow_uuid, queue_name
               FROM dbos.workflow_status
              WHERE workflow_uuid = $1
                AND queue_name IN (SELECT name FROM dbos.queues)
             ON CONFLICT (workflow_id) DO UPDATE SET queue_name = EXCLUDED.queue_name",
        )
        .bind(workflow);
        self.insist("remember the queue of a workflow", Access::Write, &statement).await.map(drop)
    }

    /// Enqueues `workflow` unless it has ended; a pending one only if `dead`, which is gone, ran it last. It goes where
    /// `target` says, else into the queue it is in or was in, else into the internal one. As every library does, this
    /// begins anew with the attempts and forgets the deadline. Gives the queue if it was done.
    pub(crate) async fn enqueue_again(
        &self,
        workflow: &str,
        dead: Option<&str>,
        target: &Target,
        now_ms: i64,
    ) -> Result<Option<String>> {
        let statement = Statement::new(
            "UPDATE dbos.workflow_status
                SET status = 'ENQUEUED', recovery_attempts = 0, updated_at = $4, owner_xid = NULL,
                    started_at_epoch_ms = NULL, completed_at = NULL, workflow_deadline_epoch_ms = NULL,
                    delay_until_epoch_ms = NULL, deduplication_id = NULL,
                    queue_partition_key = COALESCE($6, queue_partition_key),
                    queue_name = COALESCE((SELECT queue.name
                                             FROM dbos.queues AS queue
                                            WHERE queue.name =
                                                  COALESCE($5, workflow_status.queue_name,
                                                           (SELECT gone.queue_name
                                                              FROM dbos_rust.left_queues AS gone
                                                             WHERE gone.workflow_id = $1))), $3)
              WHERE workflow_uuid = $1
                AND (status IN ('CANCELLED', 'MAX_RECOVERY_ATTEMPTS_EXCEEDED', 'ENQUEUED', 'DELAYED')
                     OR (status = 'PENDING' AND executor_id = $2))
             RETURNING queue_name",
        )
        .bind(workflow)
        .bind(dead.map(str::to_owned))
        .bind(INTERNAL_QUEUE)
        .bind(now_ms)
        .bind(target.queue.clone())
        .bind(target.partition_key.clone());
        let rows = self.insist("resume a workflow", Access::Write, &statement).await?;
        Ok(queue_names(&rows)?.pop_first())
    }
}

impl From<Vec<Claimed>> for Dequeued {
    fn from(claimed: Vec<Claimed>) -> Self {
        Self { claimed, room_at_ms: None }
    }
}

fn room(limits: &Limits, used: &Used) -> i64 {
    let places = limits.concurrency.map(|most| i64::from(most) - used.running);
    let starts = limits.rate_limit.map(|rate| i64::from(rate.starts) - used.started);
    places.into_iter().chain(starts).min().unwrap_or(i64::MAX)
}

/// When the oldest of the starts that count no longer does, if they are all that may be.
fn next_start_ms(limits: &Limits, used: &Used) -> Option<i64> {
    let is_spent = limits.rate_limit.is_some_and(|rate| i64::from(rate.starts) <= used.started);
    used.oldest_start_ms.filter(|_| is_spent).map(|oldest_ms| oldest_ms.saturating_add(period_ms(limits)))
}

pub(super) fn period_ms(limits: &Limits) -> i64 {
    limits.rate_limit.map_or(0, |rate| i64::try_from(rate.period_ms).unwrap_or(i64::MAX))
}

/// What is taken out of which queue, by whom and when.
#[derive(Clone, Copy)]
pub(super) struct Claim<'a> {
    pub(super) queue: &'a str,
    pub(super) claimant: &'a Claimant,
    /// The token of the runs.
    pub(super) owner: &'a str,
    pub(super) now_ms: i64,
}

impl Claim<'_> {
    /// A workflow with a timeout has all of it from when it first leaves the queue, unless it inherited a deadline that is
    /// earlier. No number in a row can overflow: an error here would keep all of them waiting. Nothing is claimed for an
    /// executor that is itself taken for dead.
    pub(super) fn of_queue(&self, most: i64) -> Statement {
        Statement::new(concat!(
            "WITH me AS (
               SELECT executor_id FROM dbos_rust.executors WHERE executor_id = $1 FOR KEY SHARE
             )
             UPDATE dbos.workflow_status
                SET ",
            leaves_its_queue!(),
            "
              WHERE EXISTS (SELECT 1 FROM me)
                AND NOT EXISTS (SELECT 1 FROM dbos_rust.paused_queues AS paused WHERE paused.name = $7)
                AND workflow_uuid IN
                    (SELECT candidate.workflow_uuid
                       FROM dbos.workflow_status AS candidate ",
            may_run!("candidate", "$2", "$3"),
            "
                      WHERE candidate.queue_name = $7
                        AND candidate.status = 'ENQUEUED'
                        AND candidate.status IN ('ENQUEUED', 'PENDING')
                      ORDER BY candidate.priority, candidate.created_at
                      LIMIT $6
                        FOR NO KEY UPDATE OF candidate SKIP LOCKED)
             RETURNING created_at, CAST(priority AS BIGINT) AS priority, ",
            claimed_columns!(),
        ))
        .bind(&self.claimant.executor)
        .bind(&self.claimant.application)
        .bind(&self.claimant.version)
        .bind(self.owner)
        .bind(self.now_ms)
        .bind(most)
        .bind(self.queue)
    }
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
