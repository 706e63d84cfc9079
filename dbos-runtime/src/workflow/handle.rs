//! A handle: another's view of a workflow.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::Value;

use super::call::GET_RESULT;
use super::result;
use crate::checkpoint::Point;
use crate::clock::pause;
use crate::codec::WorkflowCodec;
use crate::context::{Place, at_rest, durable, in_engine, place};
use crate::error::{Error, Result};
use crate::executor::Executor;
use crate::step::Question;
use crate::store::workflow_row::WorkflowStatus;
use crate::store::workflows::WorkflowOutcome;
use crate::wakeup::{Fact, Subscription, Wait};

/// What a look at a workflow's row is recorded as.
const GET_STATUS: &str = "DBOS.getStatus";

/// A workflow that was started, here or elsewhere, now or long ago.
pub struct WorkflowHandle<R> {
    pub(super) executor: Arc<Executor>,
    pub(super) workflow: String,
    pub(super) codec: WorkflowCodec<R>,
}

impl WorkflowHandle<Result<Value>> {
    /// To a workflow whose function is not at hand.
    pub(crate) fn untyped(executor: Arc<Executor>, workflow: String) -> Self {
        Self::new(executor, workflow, WorkflowCodec::json())
    }
}

impl<R: Send + 'static> WorkflowHandle<R> {
    pub(crate) fn new(executor: Arc<Executor>, workflow: String, codec: WorkflowCodec<R>) -> Self {
        Self { executor, workflow, codec }
    }

    /// The workflow's id.
    #[must_use]
    pub fn workflow_id(&self) -> &str {
        &self.workflow
    }

    /// Waits until the workflow has ended and gives what it returned.
    ///
    /// Inside another workflow this is a step: a replay gets the recorded result. If the workflow
    /// was cancelled, panicked or was set aside, the result is that [`Error`], turned into the error
    /// type of the function.
    #[track_caller]
    pub fn result(&self) -> BoxFuture<'static, R> {
        let location = Location::caller();
        let awaited = match place() {
            Place::Workflow(run) => Some(Point::take(run, GET_RESULT, location)),
            Place::Step(_) | Place::Outside => None,
        };
        Box::pin(durable(result::result(Arc::clone(&self.executor), self.workflow.clone(), awaited, self.codec)))
    }

    /// The workflow's row, or `None` if no workflow has this id. Inside another workflow this is a
    /// step: a replay sees the row as it was.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] if the row cannot be read.
    #[track_caller]
    pub fn status(&self) -> BoxFuture<'static, Result<Option<WorkflowStatus>>> {
        let question = Question::here(GET_STATUS);
        let (asked, workflow) = (Arc::clone(&self.executor), self.workflow.clone());
        // The handle's own engine, which need not be the one of the code that asks.
        let engine = Arc::clone(&self.executor);
        Box::pin(in_engine(engine, question.answer(|_| async move { asked.store.workflow_status(&workflow).await })))
    }
}

impl<R> Clone for WorkflowHandle<R> {
    fn clone(&self) -> Self {
        Self { executor: Arc::clone(&self.executor), workflow: self.workflow.clone(), codec: self.codec }
    }
}

impl<R> fmt::Debug for WorkflowHandle<R> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("WorkflowHandle").field(&self.workflow).finish()
    }
}

/// Waits for the end of `workflow`: told within milliseconds where the database tells, else found
/// by polling.
pub(crate) async fn wait_for_outcome(executor: &Executor, workflow: &str) -> Result<WorkflowOutcome> {
    let end = Fact::Ended { workflow: workflow.to_owned() };
    let (ended, wait) = (executor.wakeups.subscribe(end.clone()), Wait { until_ms: None, news: vec![end] });
    if let Some(outcome) = delivered(executor, workflow, &ended, &wait).await {
        return Ok(outcome);
    }
    // It may be one that a dead executor left.
    executor.take_over();
    loop {
        let next = ended.next();
        match executor.store.outcome(workflow).await? {
            None => return Err(Error::NonExistentWorkflow { workflow: workflow.to_owned() }),
            Some(Some(outcome)) => return Ok(outcome),
            Some(None) => {}
        }
        if let Some(error) = executor.stuck(workflow) {
            return Err(error);
        }
        let news = async {
            tokio::select! {
                () = next => {}
                () = pause(executor.poll_interval) => {}
                () = executor.closed() => return Err(Error::ShuttingDown),
            }
            Ok(())
        };
        at_rest(Some(wait.clone()), news).await?;
    }
}

/// What a run in this process hands over once it is recorded, so that nobody has to read it. `None` if
/// it does not run here, ends otherwise, or takes so long that a look is due.
async fn delivered(executor: &Executor, workflow: &str, ended: &Subscription, wait: &Wait) -> Option<WorkflowOutcome> {
    let next = ended.next();
    let mut delivery = executor.delivery(workflow)?;
    at_rest(Some(wait.clone()), async {
        tokio::select! {
            biased;
            outcome = delivery.wait_for(Option::is_some) => outcome.ok()?.clone(),
            () = next => None,
            () = pause(executor.poll_interval) => None,
            () = executor.closed() => None,
        }
    })
    .await
}
