//! Debouncing: of many calls with one key, the last one runs, once no more have come for a while.

use std::fmt;
use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::call::Request;
use super::handle::WorkflowHandle;
use crate::caller::caller;
use crate::checkpoint::{Point, StepOutcome};
use crate::clock::millis;
use crate::codec::{Encoded, WorkflowCodec, decode_value, engine_error, read_engine_error};
use crate::context::{durable, engine};
use crate::error::{Error, Result};
use crate::executor::{Executor, Signal};
use crate::id::{check_key, random_id};
use crate::queue::{INTERNAL_QUEUE, QueueName};
use crate::store::checkpoints::Effect;
use crate::store::debounce::{Bounce, Bounced};
use crate::wakeup::Fact;

/// The name of the step, as most DBOS libraries have it.
pub(super) const DEBOUNCE: &str = "DBOS.debounceDelayedWorkflow";

/// How often another workflow is met before it is none that can be put off.
const PATIENCE: u32 = 3;

/// A debounced call. Awaiting it puts the workflow off, with the new arguments, and gives a handle to the one that will
/// run.
#[must_use = "a workflow is debounced only when this is awaited"]
pub struct Debounce<R> {
    request: Request,
    codec: WorkflowCodec<R>,
    /// The step of the workflow that asks for it.
    point: Option<Point>,
    key: String,
    delay: Duration,
    at_most: Option<Duration>,
    queue: String,
}

impl<R> Debounce<R> {
    pub(super) fn new(
        request: Request,
        codec: WorkflowCodec<R>,
        point: Option<Point>,
        key: String,
        delay: Duration,
    ) -> Self {
        Self { request, codec, point, key, delay, at_most: None, queue: INTERNAL_QUEUE.to_owned() }
    }

    /// Lets it run this long after the first call, even if more keep coming. Without it they can put it off for ever.
    pub fn at_most(mut self, longest: Duration) -> Self {
        self.at_most = Some(longest);
        self
    }

    /// The queue it waits in once it is due.
    pub fn queue(mut self, queue: impl QueueName) -> Self {
        self.queue = queue.queue_name();
        self
    }

    /// Cancels the workflow if it has not ended this long after it has left its queue.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.request.timeout = Some(timeout);
        self
    }

    fn bounce(&self, executor: &Executor) -> Result<Bounce> {
        let name = self.request.callee.name();
        if !executor.runs_workflows {
            return Err(Error::Configuration(format!(
                "a client debounces nothing; let a workflow or a route call `{name}`"
            )));
        }
        let inputs = self
            .request
            .inputs
            .clone()
            .map_err(|reason| Error::Unstorable { what: format!("an argument of workflow `{name}`"), reason })?;
        check_key("debounce key", &self.key)?;
        let deduplication_id = format!("{name}-{}", self.key);
        check_key("debounce key with the name of its workflow", &deduplication_id)?;
        let provenance = match &self.point {
            Some(point) => point.run.provenance.for_child(),
            None => caller().map(|caller| caller.provenance()).unwrap_or_default(),
        };
        let now_ms = executor.clock.now_ms();
        Ok(Bounce {
            workflow: random_id(),
            name: name.to_owned(),
            inputs,
            queue: self.queue.clone(),
            deduplication_id,
            application: executor.application.clone(),
            version: executor.version.clone(),
            timeout_ms: self.request.timeout.or(self.request.callee.timeout()).map(millis),
            now_ms,
            due_ms: now_ms.saturating_add(millis(self.delay)),
            latest_ms: self.at_most.map(|longest| now_ms.saturating_add(millis(longest))),
            provenance,
        })
    }
}

impl<R: Send + 'static> IntoFuture for Debounce<R> {
    type Output = Result<WorkflowHandle<R>>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(durable(async move {
            let executor = engine()?;
            let workflow = match &self.point {
                None => {
                    let _permit = executor.start_permit().await?;
                    self.put_off(&executor, None).await?
                }
                Some(point) => self.once(&executor, point).await?,
            };
            Ok(WorkflowHandle::new(executor, workflow, self.codec))
        }))
    }
}

impl<R> Debounce<R> {
    async fn put_off(&self, executor: &Arc<Executor>, point: Option<&Point>) -> Result<String> {
        let bounce = self.bounce(executor)?;
        let step =
            point.map(|point| point.checkpoint(StepOutcome::default(), Effect::None, bounce.now_ms, bounce.now_ms));
        let mut met = 0;
        loop {
            match executor.store.bounce(&bounce, step.as_ref()).await? {
                Bounced::Into(workflow) => {
                    executor.notifier.told(&Fact::Delayed);
                    return Ok(workflow);
                }
                Bounced::Taken => {
                    let found = executor.store.deduplicated(&bounce.queue, &bounce.deduplication_id).await?;
                    met += 1;
                    // It may have been begun by another call a moment ago; then it is put off.
                    if let Some(existing) = found.filter(|_| met >= PATIENCE) {
                        return Err(Error::Deduplicated {
                            queue: bounce.queue,
                            deduplication_id: bounce.deduplication_id,
                            workflow: existing.workflow_id,
                        });
                    }
                }
                Bounced::Refused => {
                    let Some(point) = point else { unreachable!("only a step is refused") };
                    if let Some(recorded) = point.explain_refusal().await {
                        return read(point, recorded.into_encoded()).await;
                    }
                }
            }
        }
    }

    /// In a workflow: a replay gets the same handle, and puts nothing off.
    async fn once(&self, executor: &Arc<Executor>, point: &Point) -> Result<String> {
        if let Some(recorded) = point.recorded().await {
            return read(point, recorded.into_encoded()).await;
        }
        match self.put_off(executor, Some(point)).await {
            Ok(workflow) => Ok(workflow),
            Err(error @ (Error::Unstorable { .. } | Error::InvalidKey { .. } | Error::Deduplicated { .. })) => {
                let now_ms = executor.clock.now_ms();
                let recorded = point.record(engine_error(&error).into(), Effect::None, now_ms).await;
                read(point, recorded.into_encoded()).await
            }
            Err(Error::ShuttingDown) => point.run.stop(Signal::ShutDown).await,
            Err(error) => point.fail_to_store(&error).await,
        }
    }
}

async fn read(point: &Point, recorded: Encoded) -> Result<String> {
    match recorded {
        Encoded::Error(error) => Err(read_engine_error(&error)),
        Encoded::Value(workflow) => match decode_value(&workflow) {
            Ok(workflow) => Ok(workflow),
            Err(reason) => {
                let what = format!("the outcome of step `{DEBOUNCE}`");
                point.run.stop(Signal::Failed(Error::Unreadable { what, reason })).await
            }
        },
    }
}

impl<R> fmt::Debug for Debounce<R> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Debounce").field("key", &self.key).field("delay", &self.delay).finish_non_exhaustive()
    }
}
