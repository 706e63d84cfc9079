//! What became of a workflow that was to be changed, in the form in which programs read it.

use serde::{Deserialize, Serialize};

use super::{Change, Forking, Manager, Reach, Rerun};
use crate::error::{Error, Result};
use crate::status::Status;
use crate::store::queues::Target;

/// What is to be done with a workflow.
#[derive(Clone, Debug)]
pub(crate) enum Verb {
    Cancel(Reach),
    Resume(Target),
    Fork(Forking),
    Rewind(Rerun),
    Delete(Reach),
}

impl Verb {
    pub(crate) async fn apply(&self, manager: &Manager, workflow: &str) -> Result<Change> {
        match self {
            Self::Cancel(reach) => manager.cancel(workflow, *reach).await,
            Self::Resume(target) => manager.resume(workflow, target).await,
            Self::Fork(forking) => Ok(Change::Forked { workflow: manager.fork(workflow, forking).await? }),
            Self::Rewind(rerun) => manager.rewind(workflow, rerun).await,
            Self::Delete(reach) => manager.delete(workflow, *reach).await,
        }
    }
}

impl Verb {
    /// What a workflow is to which it was done.
    fn done(&self) -> ReportedOutcome {
        match self {
            Self::Cancel(_) => ReportedOutcome::Cancelled,
            Self::Resume(_) => ReportedOutcome::Resumed,
            Self::Fork(_) => ReportedOutcome::Forked,
            Self::Rewind(_) => ReportedOutcome::Rewound,
            Self::Delete(_) => ReportedOutcome::Deleted,
        }
    }
}

/// What became of one workflow of several.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct WorkflowReport {
    /// The workflow.
    pub workflow_id: String,
    /// What became of it.
    pub outcome: ReportedOutcome,
    /// How it has ended, if that is why it is unchanged.
    pub status: Option<Status>,
    /// The workflows that were cancelled or deleted along with it.
    pub descendants: Vec<String>,
    /// The workflow that was made of it.
    pub new_workflow_id: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
}

/// What became of a workflow that was to be changed.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReportedOutcome {
    /// It was cancelled.
    Cancelled,
    /// It goes on.
    Resumed,
    /// Another one begins with what is recorded of it.
    Forked,
    /// It begins again.
    Rewound,
    /// It is gone.
    Deleted,
    /// It stays as it is: it has ended, or was to be deleted and is not there.
    Unchanged,
    /// It could not be done.
    Failed,
}

impl WorkflowReport {
    pub(crate) fn changed(workflow_id: String, verb: &Verb, change: Change) -> Self {
        let report = Self {
            workflow_id,
            outcome: ReportedOutcome::Unchanged,
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
            outcome: ReportedOutcome::Failed,
            status: None,
            descendants: Vec::new(),
            new_workflow_id: None,
            error: Some(error.to_string()),
        }
    }
}
