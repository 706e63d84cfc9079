//! Many workflows in one call: the same is done to each of them, and what became of each is told.

use std::fmt;
use std::future::IntoFuture;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::{Change, Forking, Manager, Reach, Rerun, StartFrom, Verb, WorkflowReport};
use crate::error::{Error, Result};
use crate::queue::QueueName;
use crate::step::Question;
use crate::store::queues::Target;

impl Manager {
    /// Does `verb` to one workflow after the other, whatever becomes of each. Trouble with the database ends it.
    async fn change_all(
        &self,
        workflows: Vec<String>,
        verb: impl Fn(usize) -> Verb + Send,
    ) -> Result<Vec<WorkflowReport>> {
        let mut reports = Vec::with_capacity(workflows.len());
        for (place, workflow) in (1..).zip(workflows) {
            let verb = verb(place);
            reports.push(match verb.apply(self, &workflow).await {
                Ok(change) => WorkflowReport::changed(workflow, &verb, change),
                // It is gone, perhaps by this very step before a crash.
                Err(Error::NonExistentWorkflow { .. }) if matches!(verb, Verb::Delete(_)) => {
                    let gone = Change::Ended { status: None, descendants: Vec::new() };
                    WorkflowReport::changed(workflow, &verb, gone)
                }
                Err(error) if error.is_answer() => WorkflowReport::failed(workflow, &error),
                Err(error) => return Err(error),
            });
        }
        Ok(reports)
    }
}

/// A call for many workflows: `$options`, which `$verb` makes into what is done to one of them. It is given the id of what
/// is made of that one, where a replay has to make the same again.
macro_rules! many {
    ($(#[$doc:meta])* $name:ident, $options:ty, $verb:expr) => {
        $(#[$doc])*
        #[must_use = "workflows are changed only when this is awaited"]
        pub struct $name {
            workflows: Vec<String>,
            options: $options,
            question: Question,
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.debug_tuple(stringify!($name)).field(&self.workflows).field(&self.options).finish()
            }
        }

        impl IntoFuture for $name {
            type Output = Result<Vec<WorkflowReport>>;
            type IntoFuture = BoxFuture<'static, Self::Output>;

            fn into_future(self) -> Self::IntoFuture {
                let Self { workflows, options, question } = self;
                let key = question.derived_id();
                let verb = move |place| {
                    let new = key.as_ref().map(|key| format!("{key}.{place}"));
                    $verb(options.clone(), new)
                };
                Box::pin(question.answer(move |executor| async move {
                    Manager::Engine(executor).change_all(workflows, verb).await
                }))
            }
        }
    };
}

many! {
    /// Cancellations: awaiting them cancels the workflows, and tells what became of each.
    CancelWorkflows, Reach, |reach, _| Verb::Cancel(reach)
}
many! {
    /// Resumptions: awaiting them lets the workflows go on, and tells what became of each.
    ResumeWorkflows, Target, |target, _| Verb::Resume(target)
}
many! {
    /// Forks: awaiting them enqueues the new workflows, and tells what became of each.
    ForkWorkflows, Forking, |forking, id| Verb::Fork(Forking { id, ..forking })
}
many! {
    /// Rewindings: awaiting them enqueues the workflows again, and tells what became of each.
    RewindWorkflows, Rerun, |rerun, _| Verb::Rewind(rerun)
}
many! {
    /// Deletions: awaiting them deletes the workflows, and tells what became of each.
    DeleteWorkflows, Reach, |reach, _| Verb::Delete(reach)
}

#[track_caller]
pub(crate) fn cancel_workflows(workflows: Vec<String>) -> CancelWorkflows {
    CancelWorkflows { workflows, options: Reach::Itself, question: Question::here("DBOS.cancelWorkflows") }
}

#[track_caller]
pub(crate) fn resume_workflows(workflows: Vec<String>) -> ResumeWorkflows {
    ResumeWorkflows { workflows, options: Target::default(), question: Question::here("DBOS.resumeWorkflows") }
}

#[track_caller]
pub(crate) fn fork_workflows(workflows: Vec<String>, from: StartFrom) -> ForkWorkflows {
    let options = Forking { rerun: Rerun { from, ..Rerun::default() }, ..Forking::default() };
    ForkWorkflows { workflows, options, question: Question::here("DBOS.forkWorkflows") }
}

#[track_caller]
pub(crate) fn rewind_workflows(workflows: Vec<String>, from: StartFrom) -> RewindWorkflows {
    let options = Rerun { from, ..Rerun::default() };
    RewindWorkflows { workflows, options, question: Question::here("DBOS.rewindWorkflows") }
}

#[track_caller]
pub(crate) fn delete_workflows(workflows: Vec<String>) -> DeleteWorkflows {
    DeleteWorkflows { workflows, options: Reach::Itself, question: Question::here("DBOS.deleteWorkflows") }
}

impl CancelWorkflows {
    /// Cancels the workflows that they started too, those that these started, and so on.
    pub fn with_children(mut self) -> Self {
        self.options = Reach::Descendants;
        self
    }
}

impl DeleteWorkflows {
    /// Deletes the workflows that they started too, those that these started, and so on.
    pub fn with_children(mut self) -> Self {
        self.options = Reach::Descendants;
        self
    }
}

impl ResumeWorkflows {
    /// Lets them go on in this queue, instead of those that they were in.
    pub fn into_queue(mut self, queue: impl QueueName) -> Self {
        self.options.queue = Some(queue.queue_name());
        self
    }

    /// Lets them go on in this partition, instead of those that they were in.
    pub fn partition_key(mut self, key: impl Into<String>) -> Self {
        self.options.partition_key = Some(key.into());
        self
    }
}

impl ForkWorkflows {
    /// Runs them under this version of the application, instead of those of the workflows that are forked.
    pub fn application_version(mut self, version: impl Into<String>) -> Self {
        self.options.rerun.version = Some(version.into());
        self
    }

    /// Lets them wait in this queue.
    pub fn queue(mut self, queue: impl QueueName) -> Self {
        self.options.rerun.target.queue = Some(queue.queue_name());
        self
    }

    /// Lets them wait in this partition of the queue.
    pub fn partition_key(mut self, key: impl Into<String>) -> Self {
        self.options.rerun.target.partition_key = Some(key.into());
        self
    }

    /// Cancels those that have not ended this long after they have left the queue.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = Some(timeout);
        self
    }
}

impl RewindWorkflows {
    /// Runs them under this version of the application from now on.
    pub fn application_version(mut self, version: impl Into<String>) -> Self {
        self.options.version = Some(version.into());
        self
    }

    /// Lets them wait in this queue.
    pub fn queue(mut self, queue: impl QueueName) -> Self {
        self.options.target.queue = Some(queue.queue_name());
        self
    }

    /// Lets them wait in this partition of the queue.
    pub fn partition_key(mut self, key: impl Into<String>) -> Self {
        self.options.target.partition_key = Some(key.into());
        self
    }
}
