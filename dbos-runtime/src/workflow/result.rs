//! What a workflow returned, as the function that awaits it sees it.

use std::sync::Arc;

use super::handle::wait_for_outcome;
use crate::checkpoint::{Point, StepOutcome};
use crate::codec::{Encoded, WorkflowCodec, engine_error};
use crate::error::{Error, Result};
use crate::executor::{Executor, Signal};
use crate::status::Status;
use crate::store::checkpoints::Effect;
use crate::store::workflows::WorkflowOutcome;

/// Waits for the end of `workflow`; recorded at `awaited` if the one who waits is a workflow.
pub(super) async fn result<R>(
    executor: Arc<Executor>,
    workflow: String,
    awaited: Option<Point>,
    codec: WorkflowCodec<R>,
) -> R {
    let encoded = match awaited {
        Some(point) => Ok(recorded_result(&executor, &workflow, &point).await),
        None => wait_for_outcome(&executor, &workflow).await.map(|outcome| encode(&workflow, outcome)),
    };
    match encoded {
        Ok(encoded) => codec.decode(&workflow, &encoded),
        Err(error) => (codec.from_error)(error),
    }
}

async fn recorded_result(executor: &Executor, workflow: &str, point: &Point) -> Encoded {
    if let Some(recorded) = point.recorded().await {
        return recorded.into_encoded();
    }
    let started_at_ms = executor.clock.now_ms();
    let encoded = wait_without_fail(executor, workflow, point).await;
    let outcome = StepOutcome { child: Some(workflow.to_owned()), ..StepOutcome::from(encoded) };
    point.record(outcome, Effect::None, started_at_ms).await.into_encoded()
}

/// Trouble on the way stops the run of the one who waits; only facts about the workflow are results.
async fn wait_without_fail(executor: &Executor, workflow: &str, point: &Point) -> Encoded {
    let outcome: Result<WorkflowOutcome> = wait_for_outcome(executor, workflow).await;
    match outcome {
        Ok(outcome) => encode(workflow, outcome),
        Err(error @ Error::NonExistentWorkflow { .. }) => engine_error(&error),
        Err(error @ Error::Diverged { .. }) => point.run.stop(Signal::Diverged(error)).await,
        Err(Error::ShuttingDown) => point.run.stop(Signal::ShutDown).await,
        Err(error) => point.fail_to_store(&error).await,
    }
}

pub(super) fn encode(workflow: &str, outcome: WorkflowOutcome) -> Encoded {
    let workflow = workflow.to_owned();
    match outcome.status {
        Status::Cancelled => engine_error(&Error::Cancelled { workflow }),
        Status::MaxRecoveryAttemptsExceeded => engine_error(&Error::DeadLettered { workflow }),
        _ => match outcome.error {
            Some(error) => Encoded::Error(error),
            None => Encoded::Value(outcome.output.unwrap_or_else(|| "null".to_owned())),
        },
    }
}
