//! A workflow that failed and is tried again: what its attempt recorded is forgotten.

use super::Store;
use super::checkpoints::{Checkpoint, fenced_insert};
use super::forks::forget_since;
use super::sql::Statement;
use crate::error::Result;

impl Store {
    /// Forgets what a run has recorded since step `start`, and records `step` instead. `false` if the run is no longer
    /// ours. Done twice, it is done once.
    pub(crate) async fn retry_workflow(&self, step: &Checkpoint, start: u32) -> Result<bool> {
        let mut rest = forget_since(&step.workflow, start);
        rest.push(fenced_insert(step));
        self.all_or_nothing("retry a workflow", &still_ours(step), &rest).await
    }
}

/// What it lived through in the attempt that failed is no reason to set it aside in the next.
fn still_ours(step: &Checkpoint) -> Statement {
    Statement::new(
        "UPDATE dbos.workflow_status
            SET recovery_attempts = 1, updated_at = $3
          WHERE workflow_uuid = $1
            AND owner_xid = $2
            AND status = 'PENDING'
         RETURNING workflow_uuid",
    )
    .bind(&step.workflow)
    .bind(&step.owner)
    .bind(step.started_at_ms)
}
