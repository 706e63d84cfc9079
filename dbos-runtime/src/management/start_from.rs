//! Where a workflow begins again: the first step that runs once more.

use super::{Manager, nobody};
use crate::error::{Error, Result};
use crate::queue::INTERNAL_QUEUE;
use crate::store::forks::Place;
use crate::store::queues::Target;
use crate::store::steps::StepStatus;

/// The first step of a recorded workflow that is to run once more. What is recorded before it stays as it is.
///
/// ```
/// use dbos::StartFrom;
///
/// let third: StartFrom = 3.into();
/// let payment = StartFrom::StepNamed("pay".to_owned());
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum StartFrom {
    /// Nothing stays: it runs from its start.
    #[default]
    Beginning,
    /// The step with this number, from 1; one more than there are steps keeps them all.
    Step(u32),
    /// The last step that is recorded.
    LastStep,
    /// The last step that recorded an error; the last step if none did.
    LastFailure,
    /// The last step of this name.
    StepNamed(String),
}

impl From<u32> for StartFrom {
    fn from(step: u32) -> Self {
        Self::Step(step)
    }
}

/// How a workflow begins again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rerun {
    pub(crate) from: StartFrom,
    /// Instead of the version it was started under.
    pub(crate) version: Option<String>,
    /// Where it waits, instead of in the queue that all programs of the application serve.
    pub(crate) target: Target,
}

impl Manager {
    /// The number of the first step of `workflow` that runs again.
    pub(super) async fn first_step(&self, workflow: &str, from: &StartFrom) -> Result<u32> {
        let steps = self.store().list_steps(workflow).await?;
        if steps.is_empty() && !self.store().exists(workflow).await? {
            return Err(nobody(workflow));
        }
        let refuse = |reason: String| Error::InvalidKey { what: "step".to_owned(), reason };
        let last = steps.last().map_or(0, |step| step.step_id);
        match from {
            StartFrom::Beginning => Ok(1),
            StartFrom::Step(0) => Err(refuse("the first step is number 1".to_owned())),
            StartFrom::Step(step) if i64::from(*step) > last + 1 => {
                Err(refuse(format!("{step} is too high; the last one of workflow `{workflow}` is {last}")))
            }
            StartFrom::Step(step) => Ok(*step),
            StartFrom::LastStep => Ok(number(steps.last())),
            StartFrom::LastFailure => Ok(number(steps.iter().rfind(|step| step.error.is_some()).or(steps.last()))),
            StartFrom::StepNamed(name) => match steps.iter().rfind(|step| step.name == *name) {
                None => Err(refuse(format!("workflow `{workflow}` has recorded none that is named `{name}`"))),
                found => Ok(number(found)),
            },
        }
    }

    /// The place to wait in: by default the queue that all programs of the application serve.
    pub(super) async fn place_for(&self, rerun: &Rerun) -> Result<Place> {
        self.check_target(&rerun.target, "what begins again").await?;
        let Target { queue, partition_key } = rerun.target.clone();
        if queue.is_none() && partition_key.is_some() {
            let reason = "it is of no queue; name the queue too".to_owned();
            return Err(Error::InvalidKey { what: "partition key".to_owned(), reason });
        }
        Ok(Place { queue: queue.unwrap_or_else(|| INTERNAL_QUEUE.to_owned()), partition_key })
    }
}

/// The number of a step; of none, the first there will be. Other libraries count from 0.
fn number(step: Option<&StepStatus>) -> u32 {
    step.map_or(1, |step| u32::try_from(step.step_id).unwrap_or_default())
}
