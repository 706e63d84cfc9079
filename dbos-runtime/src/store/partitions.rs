//! Taking workflows out of a queue whose partitions have limits of their own.

use super::connection::Connection;
use super::fragments::{claimed_columns, leaves_its_queue, may_run};
use super::queues::{Claim, period_ms};
use super::sql::Statement;
use super::{Store, within};
use crate::queue::{Limits, QueueLimits};

impl Claim<'_> {
    /// Takes up to `most` out of the queue, by priority and then by age, and out of each of its partitions no more than
    /// `limits` leave room for. It runs under the lock of the queue's row, as its counts want.
    ///
    /// `waiting` hops from one partition to the next, and `line` from the head of each that has room to the one behind:
    /// what is passed over costs nothing, however long a partition is. A `CROSS JOIN` has SQLite begin with the few.
    #[allow(clippy::too_many_lines)] // they are one statement's
    pub(super) fn of_partitions(&self, limits: &Limits, most: i64) -> Statement {
        Statement::new(concat!(
            "WITH RECURSIVE me AS (
               SELECT executor_id FROM dbos_rust.executors WHERE executor_id = $1 FOR KEY SHARE
             ), waiting (partition_key) AS (
               SELECT min(queue_partition_key)
                 FROM dbos.workflow_status
                WHERE queue_name = $7
                  AND status = 'ENQUEUED'
                  AND status IN ('ENQUEUED', 'PENDING')
                  AND queue_partition_key IS NOT NULL
                UNION ALL
               SELECT (SELECT min(further.queue_partition_key)
                         FROM dbos.workflow_status AS further
                        WHERE further.queue_name = $7
                          AND further.status = 'ENQUEUED'
                          AND further.status IN ('ENQUEUED', 'PENDING')
                          AND further.queue_partition_key > waiting.partition_key)
                 FROM waiting
                WHERE waiting.partition_key IS NOT NULL
             ), running AS (
               SELECT queue_partition_key AS partition_key, count(*) AS everywhere,
                      count(CASE WHEN executor_id = $1 THEN 1 END) AS here
                 FROM dbos.workflow_status
                WHERE queue_name = $7
                  AND status = 'PENDING'
                  AND status IN ('ENQUEUED', 'PENDING')
                GROUP BY queue_partition_key
             ), recent AS (
               SELECT queue_partition_key AS partition_key, count(*) AS started
                 FROM dbos.workflow_status
                WHERE queue_name = $7
                  AND rate_limited = TRUE
                  AND started_at_epoch_ms > $8
                GROUP BY queue_partition_key
             ), room AS (
               SELECT waiting.partition_key, $9 - COALESCE(running.everywhere, 0) AS everywhere,
                      $10 - COALESCE(running.here, 0) AS here, $11 - COALESCE(recent.started, 0) AS starts
                 FROM waiting
                 LEFT JOIN running ON running.partition_key = waiting.partition_key
                 LEFT JOIN recent ON recent.partition_key = waiting.partition_key
                WHERE waiting.partition_key IS NOT NULL
             ), line (partition_key, place, everywhere, here, starts, workflow_uuid) AS (
               SELECT room.partition_key, 1, room.everywhere, room.here, room.starts,
                      (SELECT head.workflow_uuid
                         FROM dbos.workflow_status AS head ",
            may_run!("head", "$2", "$3"),
            "
                        WHERE head.queue_name = $7
                          AND head.status = 'ENQUEUED'
                          AND head.status IN ('ENQUEUED', 'PENDING')
                          AND head.queue_partition_key = room.partition_key
                        ORDER BY head.priority, head.created_at, head.workflow_uuid
                        LIMIT 1)
                 FROM room
                WHERE 1 <= COALESCE(room.everywhere, 1)
                  AND 1 <= COALESCE(room.here, 1)
                  AND 1 <= COALESCE(room.starts, 1)
                UNION ALL
               SELECT line.partition_key, line.place + 1, line.everywhere, line.here, line.starts,
                      (SELECT behind.workflow_uuid
                         FROM dbos.workflow_status AS behind ",
            may_run!("behind", "$2", "$3"),
            "
                        WHERE behind.queue_name = $7
                          AND behind.status = 'ENQUEUED'
                          AND behind.status IN ('ENQUEUED', 'PENDING')
                          AND behind.queue_partition_key = line.partition_key
                          AND (behind.priority, behind.created_at, behind.workflow_uuid)
                              > (ahead.priority, ahead.created_at, ahead.workflow_uuid)
                        ORDER BY behind.priority, behind.created_at, behind.workflow_uuid
                        LIMIT 1)
                 FROM line
                CROSS JOIN dbos.workflow_status AS ahead
                WHERE ahead.workflow_uuid = line.workflow_uuid
                  AND line.place < $6
                  AND line.place < COALESCE(line.everywhere, $6)
                  AND line.place < COALESCE(line.here, $6)
                  AND line.place < COALESCE(line.starts, $6)
             )
             UPDATE dbos.workflow_status
                SET ",
            leaves_its_queue!(),
            "
              WHERE EXISTS (SELECT 1 FROM me)
                AND NOT EXISTS (SELECT 1 FROM dbos_rust.paused_queues AS paused WHERE paused.name = $7)
                AND status = 'ENQUEUED'
                AND workflow_uuid IN
                    (SELECT chosen.workflow_uuid
                       FROM line
                      CROSS JOIN dbos.workflow_status AS chosen
                      WHERE chosen.workflow_uuid = line.workflow_uuid
                      ORDER BY chosen.priority, chosen.created_at, chosen.workflow_uuid
                      LIMIT $6)
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
        .bind(self.now_ms - period_ms(limits))
        .bind(limits.concurrency.map(i64::from))
        .bind(limits.worker_concurrency.map(i64::from))
        .bind(limits.rate_limit.map(|rate| i64::from(rate.starts)))
    }
}

impl Store {
    /// When the rate of some partition may allow another start, at the earliest.
    pub(super) async fn next_start_of_a_partition(
        &self,
        connection: &mut Connection,
        claim: &Claim<'_>,
        limits: &QueueLimits,
    ) -> sqlx::Result<Option<i64>> {
        let period_ms = period_ms(&limits.partition);
        let statement = Statement::new(
            "SELECT min(started_at_epoch_ms) AS oldest
               FROM dbos.workflow_status
              WHERE queue_name = $1
                AND rate_limited = TRUE
                AND started_at_epoch_ms > $2",
        )
        .bind(claim.queue)
        .bind(claim.now_ms - period_ms);
        let rows = within(self.deadline(), connection.run(&statement)).await?;
        let oldest_ms: Option<i64> = rows.first().map_or(Ok(None), |row| row.get("oldest"))?;
        Ok(oldest_ms.map(|oldest_ms| oldest_ms.saturating_add(period_ms)))
    }
}
