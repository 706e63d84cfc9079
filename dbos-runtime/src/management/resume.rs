//! Resuming: a workflow that was cancelled or set aside goes on after its last recorded step.

use std::fmt;
use std::future::IntoFuture;

use futures_util::future::BoxFuture;

use super::{Change, Manager, nobody};
use crate::error::{Error, Result};
use crate::queue::QueueName;
use crate::service::identity::is_dead;
use crate::status::Status;
use crate::step::Question;
use crate::store::queues::Target;
use crate::store::workflow_row::WorkflowStatus;
use crate::wakeup::Fact;

impl Manager {
    /// Puts `workflow` where any live executor with its code takes it up: into `target`, or the queue that it was in.
    /// What has ended by itself stays as it is, and what is being run is refused: it would run twice.
    pub(crate) async fn resume(&self, workflow: &str, target: &Target) -> Result<Change> {
        self.check_target(target, "a resumption").await?;
        let mut dead = None;
        loop {
            let now_ms = self.now_ms().await?;
            let write = self.store().durable_write("resume a workflow").await;
            let enqueued = self.store().enqueue_again(workflow, dead.as_deref(), target, now_ms).await?;
            write.end().await;
            if let Some(queue) = enqueued {
                self.tell(&Fact::Enqueued { queue }).await;
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

/// A resumption: awaiting it lets the workflow go on.
#[must_use = "a workflow is resumed only when this is awaited"]
pub struct ResumeWorkflow {
    workflow: String,
    target: Target,
    question: Question,
}

#[track_caller]
pub(crate) fn resume_workflow(workflow: String) -> ResumeWorkflow {
    ResumeWorkflow { workflow, target: Target::default(), question: Question::here("DBOS.resumeWorkflow") }
}

impl ResumeWorkflow {
    /// Lets it go on in this queue, instead of the one that it was in.
    pub fn into_queue(mut self, queue: impl QueueName) -> Self {
        self.target.queue = Some(queue.queue_name());
        self
    }

    /// Lets it go on in this partition, instead of the one that it was in.
    pub fn partition_key(mut self, key: impl Into<String>) -> Self {
        self.target.partition_key = Some(key.into());
        self
    }
}

impl fmt::Debug for ResumeWorkflow {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("ResumeWorkflow").field(&self.workflow).field(&self.target).finish()
    }
}

impl IntoFuture for ResumeWorkflow {
    type Output = Result<()>;
    type IntoFuture = BoxFuture<'static, Result<()>>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { workflow, target, question } = self;
        Box::pin(question.answer(move |executor| async move {
            Manager::Engine(executor).resume(&workflow, &target).await.map(drop)
        }))
    }
}
