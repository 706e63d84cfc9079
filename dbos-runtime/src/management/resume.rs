//! Resuming: a workflow that was cancelled or set aside goes on after its last recorded step.

use super::{Change, Manager, nobody};
use crate::error::{Error, Result};
use crate::queue::INTERNAL_QUEUE;
use crate::service::identity::is_dead;
use crate::status::Status;
use crate::step::{Question, StepCall};
use crate::store::workflow_row::WorkflowStatus;
use crate::wakeup::Fact;

impl Manager {
    /// Puts `workflow` where any live executor with its code takes it up. What has ended by itself
    /// stays as it is, and what is being run is refused: it would run twice.
    pub(crate) async fn resume(&self, workflow: &str) -> Result<Change> {
        let mut dead = None;
        loop {
            let now_ms = self.now_ms().await?;
            let write = self.store().durable_write("resume a workflow").await;
            let enqueued = self.store().enqueue_again(workflow, dead.as_deref(), now_ms).await?;
            write.end().await;
            if enqueued {
                self.tell(&Fact::Enqueued { queue: INTERNAL_QUEUE.to_owned() }).await;
                return Ok(Change::Made { descendants: Vec::new() });
            }
            let found = self.store().workflow_status(workflow).await?.ok_or_else(|| nobody(workflow))?;
            match found.status {
                Some(status @ (Status::Success | Status::Error)) => {
                    return Ok(Change::Ended { status: Some(status), descendants: Vec::new() });
                }
                Some(Status::Pending) => dead = Some(self.dead_executor(found).await?),
                // It has changed since the statement looked.
                Some(_) => {}
                None => return Err(unknown(&found)),
            }
        }
    }

    /// The executor that has left `pending` behind; an error if it is alive, or cannot be known to be
    /// gone.
    async fn dead_executor(&self, pending: WorkflowStatus) -> Result<String> {
        let executor = pending.executor_id.unwrap_or_default();
        let row = self.store().executor(&executor).await?;
        let now_ms = self.lease_now_ms().await?;
        if row.is_some_and(|row| is_dead(&row, self.store(), now_ms)) {
            return Ok(executor);
        }
        Err(Error::StillRunning { workflow: pending.workflow_id, executor })
    }
}

fn unknown(found: &WorkflowStatus) -> Error {
    Error::Unreadable {
        what: format!("the status of workflow `{}`", found.workflow_id),
        reason: format!("`{}` is unknown to this version", found.status_text()),
    }
}

#[track_caller]
pub(crate) fn resume_workflow(workflow: String) -> StepCall<'static, Result<()>> {
    let question = Question::here("DBOS.resumeWorkflow");
    StepCall::operation(
        question.answer(|executor| async move { Manager::Engine(executor).resume(&workflow).await.map(drop) }),
    )
}
