//! Workflows that are put off with each call for them, until the calls stop.

use super::backend::Dialect;
use super::checkpoints::{Checkpoint, fenced_insert, fenced_insert_in_transaction};
use super::connection::{Connection, Isolation};
use super::sql::Statement;
use super::{PORTABLE, Store, within};
use crate::caller::Provenance;
use crate::error::Result;

/// A call that replaces the one before it.
#[derive(Clone, Debug)]
pub(crate) struct Bounce {
    /// Its id, if it is the first.
    pub(crate) workflow: String,
    pub(crate) name: String,
    pub(crate) inputs: String,
    pub(crate) queue: String,
    pub(crate) deduplication_id: String,
    pub(crate) application: String,
    pub(crate) version: String,
    pub(crate) timeout_ms: Option<i64>,
    pub(crate) now_ms: i64,
    pub(crate) due_ms: i64,
    /// The instant that it is not put off beyond; the first call sets it.
    pub(crate) latest_ms: Option<i64>,
    pub(crate) provenance: Provenance,
}

/// What became of it.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Bounced {
    /// This workflow will run with its arguments.
    Into(String),
    /// Another workflow of the queue has the deduplication id, and was not debounced.
    Taken,
    /// The step of the caller is recorded already, or its run is no longer ours; nothing was written.
    Refused,
}

impl Store {
    /// Puts the workflow that waits off and gives it the new arguments, or lets a new one wait; and records the step of
    /// the workflow that asks for it, in the same commit.
    pub(crate) async fn bounce(&self, bounce: &Bounce, step: Option<&Checkpoint>) -> Result<Bounced> {
        let write = self.durable_write("debounce a workflow").await;
        let bounced = self.repeat("debounce a workflow", || self.try_to_bounce(bounce, step)).await?;
        write.end().await;
        Ok(bounced)
    }

    async fn try_to_bounce(&self, bounce: &Bounce, step: Option<&Checkpoint>) -> sqlx::Result<Bounced> {
        let mut connection = self.begin(Isolation::ReadCommitted).await?;
        let bounced = within(self.deadline(), put_off_or_begin(&mut connection, bounce)).await?;
        let Bounced::Into(workflow) = &bounced else {
            within(self.deadline(), connection.rollback()).await?;
            return Ok(bounced);
        };
        if let Some(step) = step
            && !within(self.deadline(), self.note_bounce(&mut connection, step, workflow)).await?
        {
            within(self.deadline(), connection.rollback()).await?;
            return Ok(Bounced::Refused);
        }
        within(self.deadline(), connection.commit()).await?;
        Ok(bounced)
    }

    async fn note_bounce(&self, connection: &mut Connection, step: &Checkpoint, workflow: &str) -> sqlx::Result<bool> {
        let output = serde_json::to_string(workflow).expect("text is JSON");
        let step = Checkpoint { output: Some(output), child: Some(workflow.to_owned()), ..step.clone() };
        Ok(match self.dialect() {
            Dialect::Sqlite => !connection.run(&fenced_insert(&step)).await?.is_empty(),
            Dialect::Postgres => {
                let rows = connection.run(&fenced_insert_in_transaction(&step)).await?;
                rows.first().ok_or(sqlx::Error::RowNotFound)?.get::<i64>("written")? == 1
            }
        })
    }
}

async fn put_off_or_begin(connection: &mut Connection, bounce: &Bounce) -> sqlx::Result<Bounced> {
    if let Some(row) = connection.run(&put_off(bounce)).await?.first() {
        let workflow = row.text("workflow_uuid")?;
        connection.run(&replace_inputs(bounce, &workflow)).await?;
        return Ok(Bounced::Into(workflow));
    }
    if connection.run(&begin(bounce)).await?.is_empty() {
        return Ok(Bounced::Taken);
    }
    connection.run(&first_inputs(bounce)).await?;
    Ok(Bounced::Into(bounce.workflow.clone()))
}

fn put_off(bounce: &Bounce) -> Statement {
    Statement::new(
        "UPDATE dbos.workflow_status
            SET delay_until_epoch_ms = CASE WHEN debounce_deadline_epoch_ms < $4 THEN debounce_deadline_epoch_ms
                                            ELSE $4 END,
                application_version = $5, updated_at = $6, workflow_timeout_ms = $7, authenticated_user = $8,
                authenticated_roles = $9, assumed_role = $10
          WHERE queue_name = $1
            AND deduplication_id = $2
            AND name = $3
            AND status = 'DELAYED'
            AND is_debounced = TRUE
         RETURNING workflow_uuid",
    )
    .bind(&bounce.queue)
    .bind(&bounce.deduplication_id)
    .bind(&bounce.name)
    .bind(bounce.due_ms)
    .bind(&bounce.version)
    .bind(bounce.now_ms)
    .bind(bounce.timeout_ms)
    .bind(bounce.provenance.user.clone())
    .bind(bounce.provenance.roles_text())
    .bind(bounce.provenance.assumed_role.clone())
}

fn begin(bounce: &Bounce) -> Statement {
    Statement::new(
        "INSERT INTO dbos.workflow_status
                (workflow_uuid, status, name, application_name, application_version, creator_xid, created_at, updated_at,
                 workflow_timeout_ms, recovery_attempts, queue_name, deduplication_id, delay_until_epoch_ms,
                 debounce_deadline_epoch_ms, is_debounced, serialization, authenticated_user, authenticated_roles,
                 assumed_role)
         VALUES ($1, 'DELAYED', $2, $3, $4, $1, $5, $5, $6, 0, $7, $8,
                 CASE WHEN $10 < $9 THEN $10 ELSE $9 END, $10, TRUE, $11, $12, $13, $14)
         ON CONFLICT DO NOTHING
         RETURNING workflow_uuid",
    )
    .bind(&bounce.workflow)
    .bind(&bounce.name)
    .bind(&bounce.application)
    .bind(&bounce.version)
    .bind(bounce.now_ms)
    .bind(bounce.timeout_ms)
    .bind(&bounce.queue)
    .bind(&bounce.deduplication_id)
    .bind(bounce.due_ms)
    .bind(bounce.latest_ms)
    .bind(PORTABLE)
    .bind(bounce.provenance.user.clone())
    .bind(bounce.provenance.roles_text())
    .bind(bounce.provenance.assumed_role.clone())
}

fn first_inputs(bounce: &Bounce) -> Statement {
    Statement::new("INSERT INTO dbos.workflow_input (workflow_uuid, inputs, retention_timestamp) VALUES ($1, $2, $3)")
        .bind(&bounce.workflow)
        .bind(&bounce.inputs)
        .bind(bounce.now_ms)
}

fn replace_inputs(bounce: &Bounce, workflow: &str) -> Statement {
    Statement::new("UPDATE dbos.workflow_input SET inputs = $2 WHERE workflow_uuid = $1")
        .bind(workflow)
        .bind(&bounce.inputs)
}
