//! A workflow again from one of its steps on: under a new id, or under its own.

use super::Store;
use super::backend::Access;
use super::connection::{Connection, Isolation};
use super::sql::Statement;
use super::within;
use crate::error::{Error, Result};

/// Where it waits until it runs.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) queue: String,
    pub(crate) partition_key: Option<String>,
}

/// A new workflow that begins with what is recorded of another.
#[derive(Clone, Debug)]
pub(crate) struct Fork {
    pub(crate) source: String,
    pub(crate) workflow: String,
    /// The first step that is not taken along.
    pub(crate) start: u32,
    pub(crate) version: Option<String>,
    pub(crate) place: Place,
    pub(crate) timeout_ms: Option<i64>,
    pub(crate) now_ms: i64,
}

/// A workflow that has ended and begins again, under its own id.
#[derive(Clone, Debug)]
pub(crate) struct Rewind {
    pub(crate) workflow: String,
    /// The first step that is forgotten.
    pub(crate) start: u32,
    pub(crate) version: Option<String>,
    pub(crate) place: Place,
    pub(crate) now_ms: i64,
}

impl Store {
    /// Whether this made the new workflow: not if there is nothing to fork, or if its id is taken, be it by a try of
    /// this very fork whose answer was lost.
    pub(crate) async fn fork(&self, fork: &Fork) -> Result<bool> {
        self.all_or_nothing("fork a workflow", &forked_row(fork), &copies(fork)).await
    }

    /// What was forked from a workflow, and from that, and so on.
    pub(crate) async fn forks_of(&self, workflow: &str) -> Result<Vec<String>> {
        const ACTION: &str = "look for the forks of a workflow";
        let statement = Statement::new(
            "WITH RECURSIVE fork (workflow_uuid) AS (
               SELECT workflow_uuid
                 FROM dbos.workflow_status
                WHERE forked_from = $1
                UNION
               SELECT of_fork.workflow_uuid
                 FROM dbos.workflow_status AS of_fork
                 JOIN fork ON of_fork.forked_from = fork.workflow_uuid
             )
             SELECT workflow_uuid
               FROM fork
              WHERE workflow_uuid <> $1
              ORDER BY workflow_uuid",
        )
        .bind(workflow);
        let rows = self.insist(ACTION, Access::Read, &statement).await?;
        let forks: sqlx::Result<_> = rows.iter().map(|row| row.text("workflow_uuid")).collect();
        forks.map_err(|error| Error::database(ACTION, error))
    }

    /// Whether this took the workflow back: not if there is none that has ended.
    pub(crate) async fn rewind(&self, rewind: &Rewind) -> Result<bool> {
        self.all_or_nothing("rewind a workflow", &rewound_row(rewind), &losses(rewind)).await
    }

    /// One transaction, unless its first statement finds nothing.
    pub(super) async fn all_or_nothing(
        &self,
        action: &'static str,
        first: &Statement,
        rest: &[Statement],
    ) -> Result<bool> {
        let write = self.durable_write(action).await;
        let done = self
            .repeat(action, async || {
                let mut connection = self.begin(Isolation::ReadCommitted).await?;
                if within(self.deadline(), connection.run(first)).await?.is_empty() {
                    within(self.deadline(), connection.rollback()).await?;
                    return Ok(false);
                }
                run_all(self, &mut connection, rest).await?;
                within(self.deadline(), connection.commit()).await?;
                Ok(true)
            })
            .await?;
        write.end().await;
        Ok(done)
    }
}

async fn run_all(store: &Store, connection: &mut Connection, statements: &[Statement]) -> sqlx::Result<()> {
    for statement in statements {
        within(store.deadline(), connection.run(statement)).await?;
    }
    Ok(())
}

/// As every library does, it keeps neither place in a queue, nor timeout, schedule or parent.
fn forked_row(fork: &Fork) -> Statement {
    Statement::new(
        "INSERT INTO dbos.workflow_status
                (workflow_uuid, status, name, class_name, config_name, application_id, application_name,
                 application_version, authenticated_user, authenticated_roles, assumed_role, request, attributes,
                 serialization, forked_from, queue_name, queue_partition_key, workflow_timeout_ms, created_at, updated_at,
                 recovery_attempts)
         SELECT $2, 'ENQUEUED', name, class_name, config_name, application_id, application_name,
                COALESCE($3, application_version), authenticated_user, authenticated_roles, assumed_role, request,
                attributes, serialization, workflow_uuid, $4, $5, $6, $7, $7, 0
           FROM dbos.workflow_status
          WHERE workflow_uuid = $1
         ON CONFLICT DO NOTHING
         RETURNING workflow_uuid",
    )
    .bind(&fork.source)
    .bind(&fork.workflow)
    .bind(fork.version.clone())
    .bind(&fork.place.queue)
    .bind(fork.place.partition_key.clone())
    .bind(fork.timeout_ms)
    .bind(fork.now_ms)
}

fn copies(fork: &Fork) -> Vec<Statement> {
    let between = |sql| Statement::new(sql).bind(&fork.source).bind(&fork.workflow);
    vec![
        between(
            "INSERT INTO dbos.workflow_input (workflow_uuid, inputs, retention_timestamp)
             SELECT $2, COALESCE(input.inputs, workflow.inputs), $3
               FROM dbos.workflow_status AS workflow
               LEFT JOIN dbos.workflow_input AS input ON input.workflow_uuid = workflow.workflow_uuid
              WHERE workflow.workflow_uuid = $1",
        )
        .bind(fork.now_ms),
        between(
            "INSERT INTO dbos.operation_outputs
                    (workflow_uuid, function_id, function_name, output, error, child_workflow_id, started_at_epoch_ms,
                     completed_at_epoch_ms, serialization, application_name, retention_timestamp)
             SELECT $2, function_id, function_name, output, error, child_workflow_id, started_at_epoch_ms,
                    completed_at_epoch_ms, serialization, application_name, $4
               FROM dbos.operation_outputs
              WHERE workflow_uuid = $1
                AND function_id < $3",
        )
        .bind(fork.start)
        .bind(fork.now_ms),
        between(
            "INSERT INTO dbos.workflow_events_history (workflow_uuid, function_id, key, value, serialization)
             SELECT $2, function_id, key, value, serialization
               FROM dbos.workflow_events_history
              WHERE workflow_uuid = $1
                AND function_id < $3",
        )
        .bind(fork.start),
        between(
            "INSERT INTO dbos.streams (workflow_uuid, key, value, \"offset\", function_id, serialization)
             SELECT $2, key, value, \"offset\", function_id, serialization
               FROM dbos.streams
              WHERE workflow_uuid = $1
                AND function_id < $3",
        )
        .bind(fork.start),
        latest_events(&fork.workflow),
        Statement::new("UPDATE dbos.workflow_status SET was_forked_from = TRUE WHERE workflow_uuid = $1")
            .bind(&fork.source),
    ]
}

/// The latest value of each event, from the history of all.
pub(super) fn latest_events(workflow: &str) -> Statement {
    Statement::new(
        "INSERT INTO dbos.workflow_events (workflow_uuid, key, value, serialization)
         SELECT event.workflow_uuid, event.key, event.value, event.serialization
           FROM dbos.workflow_events_history AS event
          WHERE event.workflow_uuid = $1
            AND event.function_id = (SELECT max(later.function_id)
                                       FROM dbos.workflow_events_history AS later
                                      WHERE later.workflow_uuid = $1
                                        AND later.key = event.key)",
    )
    .bind(workflow)
}

/// It counts anew, and has all of its timeout again.
fn rewound_row(rewind: &Rewind) -> Statement {
    Statement::new(
        "UPDATE dbos.workflow_status
            SET status = 'ENQUEUED', queue_name = $3, application_version = COALESCE($2, application_version),
                recovery_attempts = 0, updated_at = $4, owner_xid = NULL, started_at_epoch_ms = NULL,
                completed_at = NULL, workflow_deadline_epoch_ms = NULL, delay_until_epoch_ms = NULL,
                deduplication_id = NULL, queue_partition_key = $5, output = NULL, error = NULL
          WHERE workflow_uuid = $1
            AND status IN ('SUCCESS', 'ERROR', 'CANCELLED', 'MAX_RECOVERY_ATTEMPTS_EXCEEDED')
         RETURNING workflow_uuid",
    )
    .bind(&rewind.workflow)
    .bind(rewind.version.clone())
    .bind(&rewind.place.queue)
    .bind(rewind.now_ms)
    .bind(rewind.place.partition_key.clone())
}

fn losses(rewind: &Rewind) -> Vec<Statement> {
    let output = "DELETE FROM dbos.workflow_output WHERE workflow_uuid = $1";
    let mut losses = forget_since(&rewind.workflow, rewind.start);
    losses.push(Statement::new(output).bind(&rewind.workflow));
    losses
}

/// Forgets the steps of a workflow from `start` on, and what they did to what belongs to it.
pub(super) fn forget_since(workflow: &str, start: u32) -> Vec<Statement> {
    let of = |sql| Statement::new(sql).bind(workflow);
    let since = |sql| of(sql).bind(start);
    vec![
        since("DELETE FROM dbos.operation_outputs WHERE workflow_uuid = $1 AND function_id >= $2"),
        since("DELETE FROM dbos.workflow_events_history WHERE workflow_uuid = $1 AND function_id >= $2"),
        of("DELETE FROM dbos.workflow_events WHERE workflow_uuid = $1"),
        latest_events(workflow),
        since(
            "DELETE FROM dbos.streams
              WHERE workflow_uuid = $1
                AND (function_id >= $2 OR value = '\"__DBOS_STREAM_CLOSED__\"')",
        ),
        since(
            "UPDATE dbos.notifications
                SET consumed = FALSE, consumed_by_function_id = NULL
              WHERE destination_uuid = $1
                AND consumed_by_function_id >= $2",
        ),
    ]
}
