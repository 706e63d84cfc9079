//! The rule: recorded? Give it back. Not recorded? Run, record, give it back.

use std::panic::Location;
use std::sync::Arc;

use crate::codec::Encoded;
use crate::context::{Run, place_of};
use crate::error::Error;
use crate::executor::Signal;
use crate::store::checkpoints::{Checkpoint, Effect, Recorded};
use crate::store::is_damage;
use crate::store::steps::RecordedStep;

/// One durable call of a workflow: its id was taken where it is written.
#[derive(Clone, Debug)]
pub(crate) struct Point {
    pub(crate) run: Arc<Run>,
    pub(crate) step: u32,
    pub(crate) name: String,
    pub(crate) location: &'static Location<'static>,
}

/// What is to be recorded.
#[derive(Debug, Default)]
pub(crate) struct StepOutcome {
    pub(crate) output: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) child: Option<String>,
}

impl From<Encoded> for StepOutcome {
    fn from(encoded: Encoded) -> Self {
        match encoded {
            Encoded::Value(output) => Self { output: Some(output), ..Self::default() },
            Encoded::Error(error) => Self { error: Some(error), ..Self::default() },
        }
    }
}

impl RecordedStep {
    /// The outcome as its codec reads it; a step without a value gave `null`.
    pub(crate) fn into_encoded(self) -> Encoded {
        match self.error {
            Some(error) => Encoded::Error(error),
            None => Encoded::Value(self.output.unwrap_or_else(|| "null".to_owned())),
        }
    }
}

impl Point {
    /// Takes the next step id of `run`.
    pub(crate) fn take(run: Arc<Run>, name: impl Into<String>, location: &'static Location<'static>) -> Self {
        let name = name.into();
        let step = run.take_step_id(&name, location);
        Self { run, step, name, location }
    }

    /// What is recorded here. If it is another step's outcome, the code has changed: the run stops.
    pub(crate) async fn recorded(&self) -> Option<RecordedStep> {
        self.run.stop_if_told().await;
        match self.run.recorded(self.step, &self.name) {
            Some(recorded) => Some(self.check_name(recorded).await),
            None => {
                self.run.stop_if_rehearsing().await;
                None
            }
        }
    }

    async fn check_name(&self, recorded: RecordedStep) -> RecordedStep {
        if recorded.name == self.name {
            return recorded;
        }
        let diverged = Error::Diverged {
            workflow: self.run.workflow.clone(),
            step: self.step,
            recorded: recorded.name,
            called: self.name.clone(),
            location: place_of(self.location),
        };
        self.run.stop(Signal::Diverged(diverged)).await
    }

    /// Records `outcome` and gives back what is recorded: this, or what was there before.
    pub(crate) async fn record(&self, outcome: StepOutcome, effect: Effect, started_at_ms: i64) -> RecordedStep {
        self.record_until(outcome, effect, started_at_ms, self.run.executor.clock.now_ms()).await
    }

    /// Like [`record`](Self::record), with the instant the step is planned to complete at.
    pub(crate) async fn record_until(
        &self,
        outcome: StepOutcome,
        effect: Effect,
        started_at_ms: i64,
        completed_at_ms: i64,
    ) -> RecordedStep {
        let checkpoint = self.checkpoint(outcome, effect, started_at_ms, completed_at_ms);
        self.run.note_progress();
        loop {
            match self.run.executor.checkpoints.commit(checkpoint.clone()).await {
                Ok(Recorded::Written) => return Self::as_recorded(checkpoint),
                Ok(Recorded::Unreachable) => return Self::unreachable(checkpoint),
                Ok(Recorded::Refused) => {
                    if let Some(recorded) = self.explain_refusal().await {
                        return recorded;
                    }
                }
                Err(Error::ShuttingDown) => self.run.stop(Signal::ShutDown).await,
                Err(error) => self.fail_to_store(&error).await,
            }
        }
    }

    /// Why nothing was written: the run is somebody else's (then it stops), or the step is recorded
    /// (then that counts). `None`: neither any more, so the write may be repeated.
    pub(crate) async fn explain_refusal(&self) -> Option<RecordedStep> {
        let refusal = match self.run.executor.store.explain_refusal(&self.run.workflow, self.step).await {
            Ok(refusal) => refusal,
            Err(error) => self.fail_to_store(&error).await,
        };
        if refusal.owner.as_ref() != Some(&self.run.owner) {
            self.run.stop(Signal::LostOwnership).await;
        }
        match refusal.recorded {
            Some(recorded) => Some(self.check_name(recorded).await),
            None => None,
        }
    }

    pub(crate) async fn fail_to_store(&self, error: &Error) -> ! {
        if is_damage(error) {
            self.run.stop(Signal::Damaged(error.clone())).await
        }
        let what = format!("the outcome of step `{}`", self.name);
        self.run.stop(Signal::Failed(Error::Unstorable { what, reason: error.to_string() })).await
    }

    pub(crate) fn checkpoint(
        &self,
        outcome: StepOutcome,
        effect: Effect,
        started_at_ms: i64,
        completed_at_ms: i64,
    ) -> Checkpoint {
        Checkpoint {
            workflow: self.run.workflow.clone(),
            owner: self.run.owner.clone(),
            application: self.run.executor.application.clone(),
            step: self.step,
            name: self.name.clone(),
            output: outcome.output,
            error: outcome.error,
            child: outcome.child,
            started_at_ms,
            completed_at_ms,
            effect,
        }
    }

    pub(crate) fn as_recorded(checkpoint: Checkpoint) -> RecordedStep {
        let Checkpoint { name, output, error, child, .. } = checkpoint;
        RecordedStep { name, output, error, child }
    }

    fn unreachable(checkpoint: Checkpoint) -> RecordedStep {
        let error = match &checkpoint.effect {
            Effect::Message { unreachable, .. } => Some(unreachable.clone()),
            _ => None,
        };
        RecordedStep { error, ..Self::as_recorded(checkpoint) }
    }
}
