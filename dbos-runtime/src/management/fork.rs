//! Forking: a new workflow that begins with what is recorded of another.

use std::fmt;
use std::future::IntoFuture;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::{Manager, Rerun, StartFrom, nobody};
use crate::clock::millis;
use crate::error::{Error, Result};
use crate::id::{IntoWorkflowId, check_key, random_id};
use crate::queue::QueueName;
use crate::step::Question;
use crate::store::forks::Fork;
use crate::wakeup::Fact;

/// What a fork is told besides.
#[derive(Clone, Debug, Default)]
pub(crate) struct Forking {
    pub(crate) rerun: Rerun,
    /// The id of the new workflow, if one was given.
    pub(crate) id: Option<String>,
    pub(crate) timeout: Option<Duration>,
}

impl Manager {
    /// Forks `source`, whether it has ended or not, and gives the id of the new workflow. Done again under the same id,
    /// it is the same fork.
    pub(crate) async fn fork(&self, source: &str, forking: &Forking) -> Result<String> {
        let workflow = forking.id.clone().unwrap_or_else(random_id);
        check_key("workflow id", &workflow)?;
        let fork = Fork {
            source: source.to_owned(),
            start: self.first_step(source, &forking.rerun.from).await?,
            version: forking.rerun.version.clone(),
            place: self.place_for(&forking.rerun).await?,
            timeout_ms: forking.timeout.map(millis),
            now_ms: self.now_ms().await?,
            workflow,
        };
        if self.store().fork(&fork).await? {
            self.tell(&Fact::Enqueued { queue: fork.place.queue }).await;
        } else {
            let existing = self.store().workflow_status(&fork.workflow).await?.ok_or_else(|| nobody(source))?;
            if existing.forked_from.as_deref() != Some(source) {
                return Err(Error::AlreadyStarted { workflow: fork.workflow });
            }
        }
        Ok(fork.workflow)
    }
}

/// A fork: awaiting it enqueues the new workflow and gives its id.
#[must_use = "a workflow is forked only when this is awaited"]
pub struct ForkWorkflow {
    source: String,
    forking: Forking,
    question: Question,
}

#[track_caller]
pub(crate) fn fork_workflow(source: String, from: StartFrom) -> ForkWorkflow {
    let question = Question::here("DBOS.forkWorkflow");
    // A crash before it is recorded finds the same fork again.
    let forking = Forking { rerun: Rerun { from, ..Rerun::default() }, id: question.derived_id(), timeout: None };
    ForkWorkflow { source, forking, question }
}

impl ForkWorkflow {
    /// The id of the new workflow. Without one, it is made up.
    pub fn workflow_id(mut self, id: impl IntoWorkflowId) -> Self {
        self.forking.id = id.into_workflow_id().or(self.forking.id);
        self
    }

    /// Runs it under this version of the application: where the code for it is, that takes it up. Without one it has
    /// the version of the workflow that is forked.
    pub fn application_version(mut self, version: impl Into<String>) -> Self {
        self.forking.rerun.version = Some(version.into());
        self
    }

    /// Lets it wait in this queue.
    pub fn queue(mut self, queue: impl QueueName) -> Self {
        self.forking.rerun.target.queue = Some(queue.queue_name());
        self
    }

    /// Lets it wait in this partition of the queue, which a queue with limits for partitions asks for.
    pub fn partition_key(mut self, key: impl Into<String>) -> Self {
        self.forking.rerun.target.partition_key = Some(key.into());
        self
    }

    /// Cancels it if it has not ended this long after it has left its queue.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.forking.timeout = Some(timeout);
        self
    }
}

impl fmt::Debug for ForkWorkflow {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("ForkWorkflow").field(&self.source).field(&self.forking).finish()
    }
}

impl IntoFuture for ForkWorkflow {
    type Output = Result<String>;
    type IntoFuture = BoxFuture<'static, Result<String>>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { source, forking, question } = self;
        let fork = move |executor| async move { Manager::Engine(executor).fork(&source, &forking).await };
        Box::pin(question.answer(fork))
    }
}
