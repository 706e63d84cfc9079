//! The queue that every DBOS library puts resumed workflows into, and takes them from.

use super::Store;
use super::backend::Access;
use super::sql::Statement;
use super::workflows::{Claimant, Claimed, claimed};
use crate::error::{Error, Result};

/// Its name. It has no row in `queues`.
pub(crate) const INTERNAL_QUEUE: &str = "_dbos_internal_queue";

impl Store {
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

    /// Whether anything waits in the internal queue that this code can run. Asked before each claim,
    /// because a claim that finds nothing still stops all other writers of an SQLite file.
    pub(crate) async fn anything_enqueued(&self, claimant: &Claimant) -> Result<bool> {
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
        .bind(INTERNAL_QUEUE);
        Ok(!self.insist("look into the internal queue", Access::Read, &statement).await?.is_empty())
    }

    /// Takes up to `limit` workflows out of the internal queue: those whose code here is the code they
    /// were started under. A workflow with a timeout has all of it from now on. No number in a row can
    /// overflow: an error here would keep all of them waiting. Nothing is claimed for an executor that is
    /// itself taken for dead.
    pub(crate) async fn claim_enqueued(
        &self,
        claimant: &Claimant,
        owner: &str,
        now_ms: i64,
        limit: i64,
    ) -> Result<Vec<Claimed>> {
        let statement = Statement::new(
            "WITH me AS (
               SELECT executor_id FROM dbos_rust.executors WHERE executor_id = $1 FOR KEY SHARE
             )
             UPDATE dbos.workflow_status
                SET status = 'PENDING', owner_xid = $4, executor_id = $1, updated_at = $5, started_at_epoch_ms = $5,
                    recovery_attempts = CASE WHEN recovery_attempts > 1000000000 THEN 1000000000
                                             ELSE COALESCE(recovery_attempts, 0) + 1 END,
                    workflow_deadline_epoch_ms = COALESCE(workflow_deadline_epoch_ms, $5 +
                        CASE WHEN workflow_timeout_ms > 1000000000000000 THEN 1000000000000000
                             ELSE workflow_timeout_ms END)
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
             RETURNING workflow_uuid, name, recovery_attempts, workflow_deadline_epoch_ms,
                       COALESCE((SELECT input.inputs FROM dbos.workflow_input AS input
                                  WHERE input.workflow_uuid = workflow_status.workflow_uuid), inputs) AS inputs",
        )
        .bind(&claimant.executor)
        .bind(&claimant.application)
        .bind(&claimant.version)
        .bind(owner)
        .bind(now_ms)
        .bind(limit)
        .bind(INTERNAL_QUEUE);
        // One try, as with every claim: see `claim_from`.
        let rows = self
            .run(Access::Write, &statement)
            .await
            .map_err(|error| Error::database("claim resumed workflows", error))?;
        Ok(claimed(&rows))
    }
}
