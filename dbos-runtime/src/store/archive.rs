//! Workflows out of the tables and into them again, with every row that is recorded of them.

use super::Store;
use super::backend::Access;
use super::connection::{Connection, Isolation};
use super::forks::latest_events;
use super::sql::Statement;
use super::within;
use super::workflow_row::Columns;
use crate::error::Result;
use crate::history::{Archive, Cells, StepHistory, WorkflowHistory, stored};

/// Rows that are taken along as they are: as texts, by the names of their columns.
struct Rows {
    columns: &'static [&'static str],
    select: &'static str,
    /// The workflow's id is the first value, and the columns follow.
    insert: &'static str,
}

/// What a row of `workflow_status` has besides what every history says, and besides its attributes, which the databases
/// store differently.
const STATUS: Rows = Rows {
    columns: &[
        "updated_at",
        "recovery_attempts",
        "workflow_timeout_ms",
        "workflow_deadline_epoch_ms",
        "started_at_epoch_ms",
        "priority",
        "was_forked_from",
        "class_name",
        "config_name",
        "application_id",
        "authenticated_user",
        "authenticated_roles",
        "assumed_role",
        "request",
        "executor_id",
        "queue_name",
        "queue_partition_key",
        "forked_from",
        "schedule_name",
    ],
    select: "SELECT CAST(updated_at AS TEXT) AS updated_at, CAST(recovery_attempts AS TEXT) AS recovery_attempts,
                    CAST(workflow_timeout_ms AS TEXT) AS workflow_timeout_ms,
                    CAST(workflow_deadline_epoch_ms AS TEXT) AS workflow_deadline_epoch_ms,
                    CAST(started_at_epoch_ms AS TEXT) AS started_at_epoch_ms, CAST(priority AS TEXT) AS priority,
                    CASE WHEN was_forked_from THEN '1' ELSE '0' END AS was_forked_from, class_name, config_name,
                    application_id, authenticated_user, authenticated_roles, assumed_role, request, executor_id,
                    queue_name, queue_partition_key, forked_from, schedule_name
               FROM dbos.workflow_status
              WHERE workflow_uuid = $1",
    insert: "UPDATE dbos.workflow_status
                SET updated_at = CAST($2 AS BIGINT), recovery_attempts = CAST($3 AS BIGINT),
                    workflow_timeout_ms = CAST($4 AS BIGINT), workflow_deadline_epoch_ms = CAST($5 AS BIGINT),
                    started_at_epoch_ms = CAST($6 AS BIGINT), priority = CAST($7 AS INTEGER),
                    was_forked_from = ($8 = '1'), class_name = $9, config_name = $10, application_id = $11,
                    authenticated_user = $12, authenticated_roles = $13, assumed_role = $14, request = $15,
                    executor_id = $16, queue_name = $17, queue_partition_key = $18, forked_from = $19,
                    schedule_name = $20
              WHERE workflow_uuid = $1",
};

const EVENTS: Rows = Rows {
    columns: &["function_id", "key", "value", "serialization"],
    select: "SELECT CAST(function_id AS TEXT) AS function_id, key, value, serialization
               FROM dbos.workflow_events_history
              WHERE workflow_uuid = $1
              ORDER BY workflow_events_history.function_id, key",
    insert: "INSERT INTO dbos.workflow_events_history (workflow_uuid, function_id, key, value, serialization)
             VALUES ($1, CAST($2 AS INTEGER), $3, $4, $5)",
};

const STREAMS: Rows = Rows {
    columns: &["offset", "function_id", "key", "value", "serialization"],
    select: "SELECT CAST(\"offset\" AS TEXT) AS \"offset\", CAST(function_id AS TEXT) AS function_id, key, value,
                    serialization
               FROM dbos.streams
              WHERE workflow_uuid = $1
              ORDER BY key, streams.\"offset\"",
    insert: "INSERT INTO dbos.streams (workflow_uuid, \"offset\", function_id, key, value, serialization)
             VALUES ($1, CAST($2 AS INTEGER), CAST($3 AS INTEGER), $4, $5, $6)",
};

const MESSAGES: Rows = Rows {
    columns: &[
        "message_uuid",
        "created_at_epoch_ms",
        "consumed",
        "consumed_by_function_id",
        "topic",
        "message",
        "serialization",
    ],
    select: "SELECT message_uuid, CAST(created_at_epoch_ms AS TEXT) AS created_at_epoch_ms,
                    CASE WHEN consumed THEN '1' ELSE '0' END AS consumed,
                    CAST(consumed_by_function_id AS TEXT) AS consumed_by_function_id, topic, message, serialization
               FROM dbos.notifications
              WHERE destination_uuid = $1
              ORDER BY notifications.created_at_epoch_ms, message_uuid",
    insert: "INSERT INTO dbos.notifications
                    (destination_uuid, message_uuid, created_at_epoch_ms, consumed, consumed_by_function_id, topic,
                     message, serialization)
             VALUES ($1, $2, CAST($3 AS BIGINT), $4 = '1', CAST($5 AS INTEGER), $6, $7, $8)",
};

/// What became of workflows that were to be put into the tables.
#[derive(Debug, PartialEq)]
pub(crate) enum Import {
    /// They are there.
    Done,
    /// Nothing was written: this id is taken.
    Taken(String),
}

impl Store {
    /// What the tables hold of `workflow` besides its steps and payloads.
    pub(crate) async fn archive(&self, workflow: &str) -> Result<Archive> {
        let attributes = Statement::new(
            "SELECT CAST(attributes AS TEXT) AS attributes FROM dbos.workflow_status WHERE workflow_uuid = $1",
        )
        .bind(workflow);
        let attributes = self.insist("read the attributes of a workflow", Access::Read, &attributes).await?;
        Ok(Archive {
            status: self.archived(&STATUS, workflow).await?.pop().unwrap_or_default(),
            attributes: attributes.first().and_then(|row| Columns::of(row).read("attributes")),
            events: self.archived(&EVENTS, workflow).await?,
            streams: self.archived(&STREAMS, workflow).await?,
            messages: self.archived(&MESSAGES, workflow).await?,
        })
    }

    async fn archived(&self, rows: &Rows, workflow: &str) -> Result<Vec<Cells>> {
        let found = self.insist("export a workflow", Access::Read, &Statement::new(rows.select).bind(workflow)).await?;
        let cells = found.iter().map(|row| {
            let mut columns = Columns::of(row);
            rows.columns.iter().filter_map(|name| Some(((*name).to_owned(), columns.read(name)?))).collect()
        });
        Ok(cells.collect())
    }

    /// Puts these workflows into the tables, all or none of them.
    pub(crate) async fn import(&self, workflows: &[WorkflowHistory], now_ms: i64) -> Result<Import> {
        let write = self.durable_write("import workflows").await;
        let imported = self
            .repeat("import workflows", async || {
                let mut connection = self.begin(Isolation::ReadCommitted).await?;
                for workflow in workflows {
                    if within(self.deadline(), connection.run(&status_row(workflow, now_ms))).await?.is_empty() {
                        within(self.deadline(), connection.rollback()).await?;
                        return Ok(Import::Taken(workflow.workflow_id.clone()));
                    }
                    self.import_rows(&mut connection, workflow, now_ms).await?;
                }
                within(self.deadline(), connection.commit()).await?;
                Ok(Import::Done)
            })
            .await?;
        write.end().await;
        Ok(imported)
    }

    async fn import_rows(
        &self,
        connection: &mut Connection,
        workflow: &WorkflowHistory,
        now_ms: i64,
    ) -> sqlx::Result<()> {
        let id = &workflow.workflow_id;
        let mut statements = vec![input_row(workflow, now_ms)];
        if workflow.output.is_some() || workflow.error.is_some() {
            statements.push(output_row(workflow, now_ms));
        }
        statements.extend(workflow.steps.iter().map(|step| step_row(workflow, step, now_ms)));
        if let Some(archive) = &workflow.archive {
            statements.extend(archive.attributes.as_ref().map(|attributes| self.marked(id, attributes, now_ms)));
            statements.push(STATUS.statement(id, &archive.status));
            statements.extend(archive.events.iter().map(|cells| EVENTS.statement(id, cells)));
            statements.extend(archive.streams.iter().map(|cells| STREAMS.statement(id, cells)));
            statements.extend(archive.messages.iter().map(|cells| MESSAGES.statement(id, cells)));
            statements.push(latest_events(id));
        }
        for statement in statements {
            within(self.deadline(), connection.run(&statement)).await?;
        }
        Ok(())
    }
}

impl Rows {
    fn statement(&self, workflow: &str, cells: &Cells) -> Statement {
        let statement = Statement::new(self.insert).bind(workflow);
        self.columns.iter().fold(statement, |statement, name| statement.bind(cells.get(*name).cloned()))
    }
}

fn status_row(workflow: &WorkflowHistory, now_ms: i64) -> Statement {
    Statement::new(
        "INSERT INTO dbos.workflow_status
                (workflow_uuid, name, status, parent_workflow_id, application_name, application_version, serialization,
                 created_at, completed_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         ON CONFLICT DO NOTHING
         RETURNING workflow_uuid",
    )
    .bind(&workflow.workflow_id)
    .bind(&workflow.name)
    .bind(&workflow.status)
    .bind(workflow.parent_workflow_id.clone())
    .bind(workflow.application_name.clone())
    .bind(workflow.application_version.clone())
    .bind(workflow.serialization.clone())
    .bind(workflow.created_at_ms)
    .bind(workflow.completed_at_ms)
    .bind(now_ms)
}

fn input_row(workflow: &WorkflowHistory, now_ms: i64) -> Statement {
    let tag = workflow.serialization.as_deref();
    Statement::new("INSERT INTO dbos.workflow_input (workflow_uuid, inputs, retention_timestamp) VALUES ($1, $2, $3)")
        .bind(&workflow.workflow_id)
        .bind(stored(workflow.inputs.as_deref(), tag))
        .bind(now_ms)
}

fn output_row(workflow: &WorkflowHistory, now_ms: i64) -> Statement {
    let tag = workflow.serialization.as_deref();
    Statement::new(
        "INSERT INTO dbos.workflow_output (workflow_uuid, output, error, retention_timestamp) VALUES ($1, $2, $3, $4)",
    )
    .bind(&workflow.workflow_id)
    .bind(stored(workflow.output.as_deref(), tag))
    .bind(stored(workflow.error.as_deref(), tag))
    .bind(now_ms)
}

fn step_row(workflow: &WorkflowHistory, step: &StepHistory, now_ms: i64) -> Statement {
    let tag = step.serialization.as_deref();
    Statement::new(
        "INSERT INTO dbos.operation_outputs
                (workflow_uuid, function_id, function_name, output, error, child_workflow_id, started_at_epoch_ms,
                 completed_at_epoch_ms, serialization, application_name, retention_timestamp)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(&workflow.workflow_id)
    .bind(step.step_id)
    .bind(&step.name)
    .bind(stored(step.output.as_deref(), tag))
    .bind(stored(step.error.as_deref(), tag))
    .bind(step.child_workflow_id.clone())
    .bind(step.started_at_ms)
    .bind(step.completed_at_ms)
    .bind(step.serialization.clone())
    .bind(workflow.application_name.clone())
    .bind(now_ms)
}
