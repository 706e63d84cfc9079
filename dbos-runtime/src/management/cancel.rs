//! Cancelling a workflow, and the workflows it started.

use std::collections::HashSet;
use std::fmt;
use std::future::IntoFuture;
use std::time::SystemTime;

use futures_util::future::BoxFuture;

use super::{Change, Manager, nobody};
use crate::clock::millis;
use crate::context::current_run;
use crate::error::Result;
use crate::status::Status;
use crate::step::{Question, StepCall};
use crate::store::filter::WorkflowFilter;

/// How many workflows are looked at together.
const PAGE: u32 = 1000;

/// How far a cancellation goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// This workflow only.
    Itself,
    /// This workflow, its children, theirs, and so on.
    Descendants,
}

impl Manager {
    /// Cancels `workflow` unless it has ended. Its code stops within a second wherever it runs, and
    /// nothing it does after this is recorded.
    pub(crate) async fn cancel(&self, workflow: &str, reach: Reach) -> Result<Change> {
        let now_ms = self.now_ms().await?;
        let cancelled = self.cancel_one(workflow, now_ms).await?.ok_or_else(|| nobody(workflow))?;
        let descendants = match reach {
            Reach::Itself => Vec::new(),
            Reach::Descendants => self.cancel_descendants(workflow, now_ms).await?,
        };
        if cancelled {
            return Ok(Change::Made { descendants });
        }
        Ok(Change::Ended { status: self.workflow(workflow).await?.status, descendants })
    }

    /// Cancels all workflows of `application` that were started before an instant and have not ended, but for
    /// `caller`; gives them, the oldest first.
    pub(crate) async fn cancel_started_before(
        &self,
        application: &str,
        instant_ms: i64,
        caller: Option<&str>,
    ) -> Result<Vec<String>> {
        let open = [Status::Pending, Status::Enqueued, Status::Delayed];
        let filter = WorkflowFilter::new().application_name(application).created_before_ms(instant_ms);
        let filter = open.into_iter().fold(filter, WorkflowFilter::status).oldest_first().limit(PAGE);
        let mut cancelled = Vec::new();
        let mut page = self.store().list_workflows(&filter).await?;
        while let Some(last) = page.last().cloned() {
            for workflow in page.into_iter().filter(|workflow| Some(workflow.workflow_id.as_str()) != caller) {
                if self.cancel_one(&workflow.workflow_id, self.now_ms().await?).await? == Some(true) {
                    cancelled.push(workflow.workflow_id);
                }
            }
            page = self.store().list_workflows(&filter.clone().after(&last)).await?;
        }
        Ok(cancelled)
    }

    /// `None` if there is no such workflow, else whether this cancelled it.
    async fn cancel_one(&self, workflow: &str, now_ms: i64) -> Result<Option<bool>> {
        let write = self.store().durable_write("cancel a workflow").await;
        self.store().remember_queue(workflow).await?;
        let cancelled = self.store().cancel(workflow, now_ms).await?;
        write.end().await;
        if cancelled == Some(true) {
            self.was_cancelled(workflow).await;
        }
        Ok(cancelled)
    }

    /// Parents first: a cancelled parent starts no more children, so none is missed. Ended ones are
    /// looked through as well, because a child may go on after its parent.
    async fn cancel_descendants(&self, workflow: &str, now_ms: i64) -> Result<Vec<String>> {
        let mut seen = HashSet::from([workflow.to_owned()]);
        let mut parents = vec![workflow.to_owned()];
        let mut cancelled = Vec::new();
        while let Some(parent) = parents.pop() {
            for child in self.store().children(&parent).await? {
                if !seen.insert(child.clone()) {
                    continue;
                }
                if self.cancel_one(&child, now_ms).await? == Some(true) {
                    cancelled.push(child.clone());
                }
                parents.push(child);
            }
        }
        Ok(cancelled)
    }
}

/// A cancellation: awaiting it cancels the workflow.
#[must_use = "a workflow is cancelled only when this is awaited"]
pub struct CancelWorkflow {
    workflow: String,
    reach: Reach,
    question: Question,
}

#[track_caller]
pub(crate) fn cancel_workflow(workflow: String) -> CancelWorkflow {
    CancelWorkflow { workflow, reach: Reach::Itself, question: Question::here("DBOS.cancelWorkflow") }
}

#[track_caller]
pub(crate) fn cancel_started_before(instant: SystemTime) -> StepCall<'static, Result<Vec<String>>> {
    let question = Question::here("DBOS.cancelStartedBefore");
    let caller = current_run().map(|run| run.workflow.clone());
    let instant_ms = millis(instant.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default());
    StepCall::operation(question.answer(move |executor| async move {
        let application = executor.application.clone();
        Manager::Engine(executor).cancel_started_before(&application, instant_ms, caller.as_deref()).await
    }))
}

impl CancelWorkflow {
    /// Cancels the workflows that it started too, those that they started, and so on.
    pub fn with_children(mut self) -> Self {
        self.reach = Reach::Descendants;
        self
    }
}

impl fmt::Debug for CancelWorkflow {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("CancelWorkflow").field(&self.workflow).field(&self.reach).finish()
    }
}

impl IntoFuture for CancelWorkflow {
    type Output = Result<()>;
    type IntoFuture = BoxFuture<'static, Result<()>>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { workflow, reach, question } = self;
        Box::pin(
            question.answer(move |executor| async move {
                Manager::Engine(executor).cancel(&workflow, reach).await.map(drop)
            }),
        )
    }
}
