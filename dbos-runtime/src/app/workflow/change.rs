//! Cancelling and resuming, one workflow after the other, with a line for each.

use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::super::{NOT_DONE, print};
use super::{patiently, table};
use crate::management::{Change, Manager, Reach};
use crate::{Result, Status};

/// What is to be done with each.
#[derive(Clone, Copy, Debug)]
pub(super) enum Verb {
    Cancel(Reach),
    Resume,
}

impl Verb {
    async fn apply(self, manager: &Manager, workflow: &str) -> Result<Change> {
        match self {
            Self::Cancel(reach) => manager.cancel(workflow, reach).await,
            Self::Resume => manager.resume(workflow).await,
        }
    }

    fn done(self) -> Outcome {
        match self {
            Self::Cancel(_) => Outcome::Cancelled,
            Self::Resume => Outcome::Resumed,
        }
    }
}

/// What became of one workflow.
#[derive(Debug, Serialize)]
struct Report {
    workflow_id: String,
    outcome: Outcome,
    /// How it has ended, if that is why it is unchanged.
    status: Option<Status>,
    /// The workflows that were cancelled along with it.
    descendants: Vec<String>,
    /// Why it failed.
    error: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Cancelled,
    Resumed,
    Unchanged,
    Failed,
}

impl Report {
    fn new(workflow_id: String, verb: Verb, changed: Result<Change>) -> Self {
        let report = Self { workflow_id, outcome: verb.done(), status: None, descendants: Vec::new(), error: None };
        match changed {
            Ok(Change::Made { descendants }) => Self { descendants, ..report },
            Ok(Change::Ended { status, descendants }) => {
                Self { outcome: Outcome::Unchanged, status, descendants, ..report }
            }
            Err(error) => Self { outcome: Outcome::Failed, error: Some(error.to_string()), ..report },
        }
    }

    fn line(&self) -> String {
        let what = match (self.outcome, self.status, &self.error) {
            (Outcome::Cancelled, ..) => "cancelled".to_owned(),
            (Outcome::Resumed, ..) => "resumed".to_owned(),
            (Outcome::Unchanged, Some(status), _) => format!("unchanged, it has ended as {status}"),
            (_, _, Some(error)) => format!("failed: {error}"),
            _ => "unchanged".to_owned(),
        };
        let along = match self.descendants.len() {
            0 => String::new(),
            count => format!(", and {count} of its descendants cancelled"),
        };
        table::plain(&format!("{}: {what}{along}", self.workflow_id))
    }
}

/// Does it to all of them, whatever becomes of each.
pub(super) async fn all(manager: &Manager, verb: Verb, workflows: Vec<String>, json: bool) -> ExitCode {
    let bar = bar(workflows.len());
    let mut reports = Vec::with_capacity(workflows.len());
    for workflow in workflows {
        let changed = patiently(verb.apply(manager, &workflow)).await;
        let report = Report::new(workflow, verb, changed);
        if !json {
            bar.suspend(|| print(&report.line()));
        }
        bar.inc(1);
        reports.push(report);
    }
    bar.finish_and_clear();
    if json {
        print(&serde_json::to_string_pretty(&reports).expect("reports have text for keys"));
    }
    let failed = reports.iter().any(|report| report.outcome == Outcome::Failed);
    if failed { ExitCode::from(NOT_DONE) } else { ExitCode::SUCCESS }
}

/// For whoever watches several: shown on standard error, and only if that is a terminal.
fn bar(length: usize) -> ProgressBar {
    if length < 2 {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len}, {eta} left");
    ProgressBar::new(length as u64).with_style(style.expect("the template is written here"))
}
