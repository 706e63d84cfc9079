//! A question to the database, or a change in it, that a workflow asks for once: its answer is recorded.

use std::panic::Location;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::checkpoint::{Point, StepOutcome};
use crate::codec::{Encoded, decode_value, encode_value, engine_error, read_engine_error};
use crate::context::{Place, durable, engine, place};
use crate::error::{Error, Result};
use crate::executor::{Executor, Signal};
use crate::id::child_id;
use crate::store::checkpoints::Effect;

/// Where it is asked.
#[derive(Debug)]
pub(crate) enum Question {
    /// In a workflow: a replay gets the recorded answer.
    Recorded(Point),
    /// In a step, whose outcome is recorded, or outside.
    Unrecorded,
    /// In a transaction, which may hold the only connection that could answer.
    InTransaction { function: &'static str, outer: &'static str },
}

impl Question {
    /// Takes the step id of `function` here, if it stands in a workflow.
    #[track_caller]
    pub(crate) fn here(function: &'static str) -> Self {
        match place() {
            Place::Workflow(run) => Self::Recorded(Point::take(run, function, Location::caller())),
            Place::Step(step) if step.transaction.get().is_some() => Self::InTransaction { function, outer: step.name },
            Place::Step(_) | Place::Outside => Self::Unrecorded,
        }
    }

    /// An id for what is made here, the same in each replay; `None` outside of workflows, where nothing is replayed.
    pub(crate) fn derived_id(&self) -> Option<String> {
        match self {
            Self::Recorded(point) => Some(child_id(&point.run.workflow, point.step)),
            Self::Unrecorded | Self::InTransaction { .. } => None,
        }
    }

    /// What `ask` gives, or gave when it was first asked.
    pub(crate) async fn answer<T, F>(self, ask: impl FnOnce(Arc<Executor>) -> F + Send) -> Result<T>
    where
        T: Serialize + DeserializeOwned,
        F: Future<Output = Result<T>> + Send,
    {
        match self {
            Self::Unrecorded => ask(engine()?).await,
            Self::InTransaction { function, outer } => {
                Err(Error::NestedStep { outer: outer.to_owned(), inner: function.to_owned() })
            }
            Self::Recorded(point) => durable(recorded(&point, ask)).await,
        }
    }
}

async fn recorded<T, F>(point: &Point, ask: impl FnOnce(Arc<Executor>) -> F + Send) -> Result<T>
where
    T: Serialize + DeserializeOwned,
    F: Future<Output = Result<T>> + Send,
{
    let answer = match point.recorded().await {
        Some(recorded) => recorded,
        None => {
            let executor = Arc::clone(&point.run.executor);
            let started_at_ms = executor.clock.now_ms();
            let outcome = outcome(point, ask(executor).await).await;
            point.record(outcome, Effect::None, started_at_ms).await
        }
    };
    match answer.into_encoded() {
        Encoded::Error(error) => Err(read_engine_error(&error)),
        Encoded::Value(value) => match decode_value(&value) {
            Ok(value) => Ok(value),
            Err(reason) => {
                let what = format!("the outcome of step `{}`", point.name);
                point.run.stop(Signal::Failed(Error::Unreadable { what, reason })).await
            }
        },
    }
}

/// Facts about workflows are answers. Trouble on the way stops the run of the one who asks.
async fn outcome<T: Serialize + DeserializeOwned>(point: &Point, answer: Result<T>) -> StepOutcome {
    match answer {
        Ok(value) => match encode_value(&value) {
            Ok(output) => Encoded::Value(output).into(),
            Err(reason) => {
                let what = format!("the outcome of step `{}`", point.name);
                point.run.stop(Signal::Failed(Error::Unstorable { what, reason })).await
            }
        },
        Err(error) if error.is_answer() => engine_error(&error).into(),
        Err(Error::ShuttingDown) => point.run.stop(Signal::ShutDown).await,
        Err(error) => point.fail_to_store(&error).await,
    }
}
