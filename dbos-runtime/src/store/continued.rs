//! A workflow that goes on under its id with other arguments, and forgets its steps.

use super::backend::Dialect;
use super::checkpoints::{Checkpoint, fenced_insert, fenced_insert_in_transaction};
use super::connection::{Connection, Isolation};
use super::sql::Statement;
use super::{Store, within};
use crate::error::Result;

impl Store {
    /// Records `step`, the last of the run so far, forgets all before it, and replaces the arguments. `false` if the run
    /// is no longer ours, or this has been done.
    pub(crate) async fn continue_as_new(&self, step: &Checkpoint, inputs: &str) -> Result<bool> {
        let write = self.durable_write("continue a workflow as new").await;
        let is_done = self.repeat("continue a workflow as new", || self.try_to_continue_as_new(step, inputs)).await?;
        write.end().await;
        Ok(is_done)
    }

    async fn try_to_continue_as_new(&self, step: &Checkpoint, inputs: &str) -> sqlx::Result<bool> {
        let mut connection = self.begin(Isolation::ReadCommitted).await?;
        if !within(self.deadline(), self.is_written(&mut connection, step)).await? {
            within(self.deadline(), connection.rollback()).await?;
            return Ok(false);
        }
        for statement in [forget_steps(step), forget_old_events(step), replace_inputs(step, inputs), count_anew(step)] {
            within(self.deadline(), connection.run(&statement)).await?;
        }
        within(self.deadline(), connection.commit()).await?;
        Ok(true)
    }

    async fn is_written(&self, connection: &mut Connection, step: &Checkpoint) -> sqlx::Result<bool> {
        Ok(match self.dialect() {
            Dialect::Sqlite => !connection.run(&fenced_insert(step)).await?.is_empty(),
            Dialect::Postgres => {
                let rows = connection.run(&fenced_insert_in_transaction(step)).await?;
                rows.first().ok_or(sqlx::Error::RowNotFound)?.get::<i64>("written")? == 1
            }
        })
    }
}

fn forget_steps(step: &Checkpoint) -> Statement {
    Statement::new("DELETE FROM dbos.operation_outputs WHERE workflow_uuid = $1 AND function_id < $2")
        .bind(&step.workflow)
        .bind(step.step)
}

/// Its events stay as they are; of their history, what a fork would begin with.
fn forget_old_events(step: &Checkpoint) -> Statement {
    Statement::new(
        "DELETE FROM dbos.workflow_events_history AS old
          WHERE old.workflow_uuid = $1
            AND EXISTS (SELECT 1
                          FROM dbos.workflow_events_history AS newer
                         WHERE newer.workflow_uuid = old.workflow_uuid
                           AND newer.key = old.key
                           AND newer.function_id > old.function_id)",
    )
    .bind(&step.workflow)
}

fn replace_inputs(step: &Checkpoint, inputs: &str) -> Statement {
    Statement::new("UPDATE dbos.workflow_input SET inputs = $2 WHERE workflow_uuid = $1")
        .bind(&step.workflow)
        .bind(inputs)
}

/// What it lived through before is no reason to set it aside later.
fn count_anew(step: &Checkpoint) -> Statement {
    Statement::new("UPDATE dbos.workflow_status SET recovery_attempts = 1, updated_at = $2 WHERE workflow_uuid = $1")
        .bind(&step.workflow)
        .bind(step.completed_at_ms)
}
