//! Parts of statements that stand in several of them, each said once.

/// Joins the hashes of the code that the workflow `$row` was started under, and of this program's, whose version is the
/// parameter `$version`. Rows of other code fall out.
macro_rules! same_code {
    ($row:literal, $version:literal) => {
        concat!(
            "JOIN dbos_rust.version_workflows AS theirs
               ON theirs.version = ",
            $row,
            ".application_version AND theirs.name = ",
            $row,
            ".name
             JOIN dbos_rust.version_workflows AS mine
               ON mine.version = ",
            $version,
            " AND mine.name = ",
            $row,
            ".name AND mine.hash = theirs.hash"
        )
    };
}

/// Joins the code of this program, of the application `$application` in the parameter `$version`, that may run the workflow
/// `$row` out of a queue: its hash is that of the code that the workflow was put there under. Whoever puts it there without
/// a version, as other DBOS libraries do, leaves it to the latest version that has the workflow, and whoever names no
/// application to all that serve the queue.
macro_rules! may_run {
    ($row:literal, $application:literal, $version:literal) => {
        concat!(
            "JOIN dbos_rust.version_workflows AS mine
               ON mine.version = ",
            $version,
            " AND mine.name = ",
            $row,
            ".name AND (",
            $row,
            ".application_name = ",
            $application,
            " OR ",
            $row,
            ".application_name IS NULL)
              AND (EXISTS (SELECT 1
                             FROM dbos_rust.version_workflows AS theirs
                            WHERE theirs.version = ",
            $row,
            ".application_version AND theirs.name = ",
            $row,
            ".name AND theirs.hash = mine.hash)
                   OR (",
            $row,
            ".application_version IS NULL
                       AND mine.version = (SELECT latest.version_name
                                             FROM dbos.application_versions AS latest
                                            WHERE latest.application_name = ",
            $application,
            "                                 AND EXISTS (SELECT 1
                                                            FROM dbos_rust.version_workflows AS has
                                                           WHERE has.version = latest.version_name
                                                             AND has.name = ",
            $row,
            ".name)
                                            ORDER BY latest.version_timestamp DESC, latest.version_name
                                            LIMIT 1)))"
        )
    };
}

/// Counts an attempt. No number in a row can overflow: an error here would keep all others waiting.
macro_rules! one_attempt_more {
    () => {
        "recovery_attempts = CASE WHEN recovery_attempts > 1000000000 THEN 1000000000
                                  ELSE COALESCE(recovery_attempts, 0) + 1 END"
    };
}

/// What becomes of a row that leaves the queue `$7`: the executor `$1` of the application `$2` runs it with its version `$3`,
/// unless it has one already, under the token `$4`, at `$5`. A workflow
/// with a timeout has all of it from then, unless it inherited a deadline that is earlier. One that gave up its place while
/// it waited was started before.
macro_rules! leaves_its_queue {
    () => {
        concat!(
            "status = 'PENDING', owner_xid = $4, executor_id = $1, updated_at = $5, application_name = $2,
             application_version = COALESCE(application_version, $3),
             started_at_epoch_ms = COALESCE(started_at_epoch_ms, $5),
             rate_limited = EXISTS (SELECT 1
                                      FROM dbos.queues
                                     WHERE queues.name = $7
                                       AND (rate_limit_max IS NOT NULL OR partition_rate_limit_max IS NOT NULL)), ",
            $crate::store::fragments::one_attempt_more!(),
            ",
             workflow_deadline_epoch_ms =
                 CASE WHEN workflow_timeout_ms IS NULL OR workflow_deadline_epoch_ms <= $5
                      THEN workflow_deadline_epoch_ms
                      WHEN workflow_deadline_epoch_ms - $5 <= workflow_timeout_ms THEN workflow_deadline_epoch_ms
                      WHEN workflow_timeout_ms > 1000000000000000 THEN $5 + 1000000000000000
                      ELSE $5 + workflow_timeout_ms END"
        )
    };
}

/// What somebody who claims a row has to know of it: see `claimed` in `workflows.rs`.
macro_rules! claimed_columns {
    () => {
        "workflow_uuid, name, recovery_attempts, workflow_deadline_epoch_ms, authenticated_user, authenticated_roles,
         assumed_role, request,
         COALESCE((SELECT input.inputs
                     FROM dbos.workflow_input AS input
                    WHERE input.workflow_uuid = workflow_status.workflow_uuid), inputs) AS inputs"
    };
}

/// The limits of the queue `queue`: see `limits` in `queue_rows.rs`.
macro_rules! limit_columns {
    () => {
        "CAST(queue.concurrency AS BIGINT) AS concurrency,
         CAST(queue.worker_concurrency AS BIGINT) AS worker_concurrency,
         CAST(queue.rate_limit_max AS BIGINT) AS rate_limit_max, queue.rate_limit_period_sec,
         CAST(queue.partition_concurrency AS BIGINT) AS partition_concurrency,
         CAST(queue.partition_worker_concurrency AS BIGINT) AS partition_worker_concurrency,
         CAST(queue.partition_rate_limit_max AS BIGINT) AS partition_rate_limit_max,
         queue.partition_rate_limit_period_sec"
    };
}

/// Whether anything waits in the queue `queue` that the application `$1` can run with its version `$2`, unless the queue is
/// `paused`.
macro_rules! is_waiting {
    () => {
        concat!(
            "paused.name IS NULL
             AND EXISTS (SELECT 1
                           FROM dbos.workflow_status AS candidate ",
            $crate::store::fragments::may_run!("candidate", "$1", "$2"),
            " WHERE candidate.queue_name = queue.name
                AND candidate.status = 'ENQUEUED'
                AND candidate.status IN ('ENQUEUED', 'PENDING')) AS is_waiting"
        )
    };
}

/// The fence of a batch: keeps those of `input` whose workflow is still its owner's, under a lock. Each row is found by its
/// key, whatever the planner thinks of tables that were empty when it was asked.
macro_rules! fenced {
    () => {
        "CROSS JOIN LATERAL (
                 SELECT owner_xid
                   FROM dbos.workflow_status
                  WHERE workflow_uuid = input.workflow_uuid
                    FOR NO KEY UPDATE
               ) AS workflow
         WHERE workflow.owner_xid = input.owner_xid"
    };
}

pub(super) use {
    claimed_columns, fenced, is_waiting, leaves_its_queue, limit_columns, may_run, one_attempt_more, same_code,
};
