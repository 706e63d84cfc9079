//! Workflows without end: one goes on under its id with other arguments, and with nothing recorded of what was before.

use std::fmt;
use std::future::IntoFuture;

use futures_util::future::BoxFuture;

use super::call::Request;
use crate::checkpoint::{Point, StepOutcome};
use crate::codec::WorkflowCodec;
use crate::context::durable;
use crate::error::{Error, Result};
use crate::executor::Signal;
use crate::store::checkpoints::Effect;

/// A call with which the running workflow goes on. Awaiting it does not return, but for a mistake.
#[must_use = "a workflow goes on as new only when this is awaited"]
pub struct ContinueAsNew<R> {
    request: Request,
    codec: WorkflowCodec<R>,
    /// Where it stands, if that is in a workflow.
    point: Option<Point>,
}

impl<R> ContinueAsNew<R> {
    pub(super) fn new(request: Request, codec: WorkflowCodec<R>, point: Option<Point>) -> Self {
        Self { request, codec, point }
    }

    async fn go_on(&self) -> Result<()> {
        let name = self.request.callee.name();
        let Some(point) = &self.point else {
            return Err(Error::OutsideWorkflow { function: "continue_as_new".to_owned() });
        };
        if name != point.run.name {
            return Err(Error::Configuration(format!(
                "workflow `{}` cannot go on as `{name}`; start that one as a child",
                point.run.name
            )));
        }
        let inputs = self
            .request
            .inputs
            .clone()
            .map_err(|reason| Error::Unstorable { what: format!("an argument of workflow `{name}`"), reason })?;
        point.recorded().await;
        let executor = &point.run.executor;
        let now_ms = executor.clock.now_ms();
        let step = point.checkpoint(StepOutcome::default(), Effect::None, now_ms, now_ms);
        loop {
            match executor.store.continue_as_new(&step, &inputs).await {
                Ok(true) => break,
                // Recorded: our own commit, whose answer was lost.
                Ok(false) if point.explain_refusal().await.is_some() => break,
                Ok(false) => {}
                Err(error) => point.fail_to_store(&error).await,
            }
        }
        point.run.stop(Signal::Continued { inputs, step: point.step }).await
    }
}

impl<R: Send + 'static> IntoFuture for ContinueAsNew<R> {
    type Output = R;
    type IntoFuture = BoxFuture<'static, R>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(durable(async move {
            match self.go_on().await {
                Ok(()) => std::future::pending().await,
                Err(error) => (self.codec.from_error)(error),
            }
        }))
    }
}

impl<R> fmt::Debug for ContinueAsNew<R> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ContinueAsNew").field("point", &self.point).finish_non_exhaustive()
    }
}
