//! Workflows that fail and are tried again: as new runs, with the arguments they were started with.

use std::panic::Location;
use std::sync::Arc;

use serde_json::value::RawValue;

use super::run::End;
use crate::checkpoint::{Point, StepOutcome};
use crate::clock::millis;
use crate::codec::Encoded;
use crate::context::{Run, at_rest, durable};
use crate::registry::AnyWorkflow;
use crate::round::{RETRY, Retry};
use crate::store::checkpoints::Effect;
use crate::store::steps::History;
use crate::wakeup::Wait;

/// The run that follows one which came to `end`, if the workflow failed and is to be tried again; else that end.
pub(super) async fn after(run: &Arc<Run>, definition: &'static dyn AnyWorkflow, end: End) -> Result<Arc<Run>, End> {
    let End::Returned(Ok(failure @ Encoded::Error(error))) = &end else { return Err(end) };
    let policy = &definition.options().retry;
    if !policy.allows_retry(run.round.attempt) || !definition.is_worth_retrying(failure) {
        return Err(end);
    }
    let pause = policy.pause_after(run.round.attempt);
    match try_again(run, error, millis(pause)).await {
        Some(next) => {
            tracing::warn!(attempt = run.round.attempt, "workflow failed; next attempt in {} ms", pause.as_millis());
            Ok(next)
        }
        None => Err(end),
    }
}

/// `None` if it cannot be: then the failure is the end, if it is still ours to record.
async fn try_again(run: &Arc<Run>, error: &str, pause_ms: i64) -> Option<Arc<Run>> {
    let error = RawValue::from_string(error.to_owned()).ok()?;
    let now_ms = run.executor.clock.now_ms();
    let retry = Retry { attempt: run.round.attempt.saturating_add(1), due_ms: now_ms + pause_ms, error };
    let outcome = StepOutcome { output: serde_json::to_string(&retry).ok(), ..StepOutcome::default() };
    let point = Point::take(Arc::clone(run), RETRY, Location::caller());
    let step = point.checkpoint(outcome, Effect::None, now_ms, retry.due_ms);
    match run.executor.store.retry_workflow(&step, run.round.first_step).await {
        Ok(true) => Some(run.anew(History::from([(point.step, Point::as_recorded(step))]))),
        Ok(false) => None,
        Err(error) => {
            tracing::error!(%error, "a failed workflow cannot be tried again");
            None
        }
    }
}

/// Waits until the attempt that `run` makes is due.
pub(super) async fn until_due(run: &Run) {
    if let Some(due_ms) = run.round.due_ms {
        let due = at_rest(Some(Wait::until(due_ms)), run.executor.clock.sleep_until(due_ms));
        Box::pin(durable(due)).await;
    }
}
