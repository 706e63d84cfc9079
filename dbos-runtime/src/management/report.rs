//! What became of a workflow that was to be changed, in the form in which programs read it.

use serde::Serialize;

use super::{Change, Forking, Manager, Reach, Rerun};
use crate::error::{Error, Result};
use crate::status::Status;
use crate::store::queues::Target;

/// What is to be done with a workflow.
#[derive(Clone, Debug)]
pub(crate) enum Verb {
    Cancel(Reach),
    Resume,
    Fork(Forking),
    Rewind(Rerun),
    Delete(Reach),
}

impl Verb {
    pub(crate) async fn apply(&self, manager: &Manager, workflow: &str) -> Result<Change> {
        match self {
            Self::Cancel(reach) => manager.cancel(workflow, *reach).await,
            Self::Resume => manager.resume(workflow, &Target::default()).await,
            Self::Fork(forking) => Ok(Change::Forked { workflow: manager.fork(workflow, forking).await? }),
            Self::Rewind(rerun) => manager.rewind(workflow, rerun).await,
            Self::Delete(reach) => manager.delete(workflow, *reach).await,
        }
    }
}

impl Verb {
    /// What a workflow is to which it was done.
    fn done(&self) -> Outcome {
        match self {
            Self::Cancel(_) => Outcome::Cancelled,
            Self::Resume => Outcome::Resumed,
            Self::Fork(_) => Outcome::Forked,
            Self::Rewind(_) => Outcome::Rewound,
            Self::Delete(_) => Outcome::Deleted,
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
    /// The workflows that were cancelled or deleted along with it.
    pub(crate) descendants: Vec<String>,
    /// The workflow that was made of it.
    pub(crate) new_workflow_id: Option<String>,
    /// Why it failed.
    pub(crate) error: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    Cancelled,
    Resumed,
    Forked,
    Rewound,
    Deleted,
    Unchanged,
    Failed,
}

impl Report {
    pub(crate) fn changed(workflow_id: String, verb: &Verb, change: Change) -> Self {
        let report = Self {
            workflow_id,
            outcome: Outcome::Unchanged,
            status: None,
            descendants: Vec::new(),
            new_workflow_id: None,
            error: None,
        };
        match change {
            Change::Ended { status, descendants } => Self { status, descendants, ..report },
            Change::Made { descendants } => Self { outcome: verb.done(), descendants, ..report },
            Change::Forked { workflow } => Self { outcome: verb.done(), new_workflow_id: Some(workflow), ..report },
        }
    }

    pub(crate) fn failed(workflow_id: String, error: &Error) -> Self {
        Self {
            workflow_id,
            outcome: Outcome::Failed,
            status: None,
            descendants: Vec::new(),
            new_workflow_id: None,
            error: Some(error.to_string()),
        }
    }
}
