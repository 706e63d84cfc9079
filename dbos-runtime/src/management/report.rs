//! What became of a workflow that was to be changed, in the form in which programs read it.

use serde::Serialize;

use super::{Change, Manager, Reach};
use crate::error::{Error, Result};
use crate::status::Status;
use crate::store::queues::Target;

/// What is to be done with a workflow.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Verb {
    Cancel(Reach),
    Resume,
}

impl Verb {
    pub(crate) async fn apply(self, manager: &Manager, workflow: &str) -> Result<Change> {
        match self {
            Self::Cancel(reach) => manager.cancel(workflow, reach).await,
            Self::Resume => manager.resume(workflow, &Target::default()).await,
        }
    }
}

/// What became of one workflow.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) workflow_id: String,
    pub(crate) outcome: Outcome,
    /// How it has ended, if that is why it is unchanged.
    pub(crate) status: Option<Status>,
    /// The workflows that were cancelled along with it.
    pub(crate) descendants: Vec<String>,
    /// Why it failed.
    pub(crate) error: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    Cancelled,
    Resumed,
    Unchanged,
    Failed,
}

impl Report {
    pub(crate) fn changed(workflow_id: String, verb: Verb, change: Change) -> Self {
        let (outcome, status, descendants) = match (change, verb) {
            (Change::Ended { status, descendants }, _) => (Outcome::Unchanged, status, descendants),
            (Change::Made { descendants }, Verb::Cancel(_)) => (Outcome::Cancelled, None, descendants),
            (Change::Made { descendants }, Verb::Resume) => (Outcome::Resumed, None, descendants),
        };
        Self { workflow_id, outcome, status, descendants, error: None }
    }

    pub(crate) fn failed(workflow_id: String, error: &Error) -> Self {
        let error = Some(error.to_string());
        Self { workflow_id, outcome: Outcome::Failed, status: None, descendants: Vec::new(), error }
    }
}
