//! Rewinding: a workflow that has ended begins again from one of its steps, under its own id.

use std::fmt;
use std::future::IntoFuture;

use futures_util::future::BoxFuture;

use super::{Change, Manager, Rerun, StartFrom};
use crate::error::{Error, Result};
use crate::queue::QueueName;
use crate::step::Question;
use crate::store::forks::Rewind;
use crate::wakeup::Fact;

impl Manager {
    /// Forgets what is recorded of `workflow` from a step on, and lets it go on from there. One that has not ended is
    /// refused.
    pub(crate) async fn rewind(&self, workflow: &str, rerun: &Rerun) -> Result<Change> {
        let rewind = Rewind {
            workflow: workflow.to_owned(),
            start: self.first_step(workflow, &rerun.from).await?,
            version: rerun.version.clone(),
            place: self.place_for(rerun).await?,
            now_ms: self.now_ms().await?,
        };
        if self.store().rewind(&rewind).await? {
            self.tell(&Fact::Enqueued { queue: rewind.place.queue }).await;
            return Ok(Change::Made { descendants: Vec::new() });
        }
        let status = self.workflow(workflow).await?.status_text().to_owned();
        Err(Error::NotEnded { workflow: rewind.workflow, status })
    }
}

/// A rewinding: awaiting it enqueues the workflow again.
#[must_use = "a workflow is rewound only when this is awaited"]
pub struct RewindWorkflow {
    workflow: String,
    rerun: Rerun,
    question: Question,
}

#[track_caller]
pub(crate) fn rewind_workflow(workflow: String, from: StartFrom) -> RewindWorkflow {
    let rerun = Rerun { from, ..Rerun::default() };
    RewindWorkflow { workflow, rerun, question: Question::here("DBOS.rewindWorkflow") }
}

impl RewindWorkflow {
    /// Runs it under this version of the application from now on.
    pub fn application_version(mut self, version: impl Into<String>) -> Self {
        self.rerun.version = Some(version.into());
        self
    }

    /// Lets it wait in this queue.
    pub fn queue(mut self, queue: impl QueueName) -> Self {
        self.rerun.target.queue = Some(queue.queue_name());
        self
    }

    /// Lets it wait in this partition of the queue, which a queue with limits for partitions asks for.
    pub fn partition_key(mut self, key: impl Into<String>) -> Self {
        self.rerun.target.partition_key = Some(key.into());
        self
    }
}

impl fmt::Debug for RewindWorkflow {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("RewindWorkflow").field(&self.workflow).field(&self.rerun).finish()
    }
}

impl IntoFuture for RewindWorkflow {
    type Output = Result<()>;
    type IntoFuture = BoxFuture<'static, Result<()>>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { workflow, rerun, question } = self;
        Box::pin(
            question.answer(move |executor| async move {
                Manager::Engine(executor).rewind(&workflow, &rerun).await.map(drop)
            }),
        )
    }
}
