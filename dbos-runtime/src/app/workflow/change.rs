//! What changes workflows, one after the other, with a line for each.

use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};

use super::super::{NOT_DONE, print};
use super::{patiently, table};
use crate::management::{Manager, ReportedOutcome, Verb, WorkflowReport};

/// Does it to all of them, whatever becomes of each.
pub(super) async fn all(manager: &Manager, verb: &Verb, workflows: Vec<String>, json: bool) -> ExitCode {
    let bar = bar(workflows.len());
    let mut reports = Vec::with_capacity(workflows.len());
    for workflow in workflows {
        let report = match patiently(verb.apply(manager, &workflow)).await {
            Ok(change) => WorkflowReport::changed(workflow, verb, change),
            Err(error) => WorkflowReport::failed(workflow, &error),
        };
        if !json {
            bar.suspend(|| print(&line(&report)));
        }
        bar.inc(1);
        reports.push(report);
    }
    bar.finish_and_clear();
    if json {
        print(&serde_json::to_string_pretty(&reports).expect("reports have text for keys"));
    }
    let failed = reports.iter().any(|report| report.outcome == ReportedOutcome::Failed);
    if failed { ExitCode::from(NOT_DONE) } else { ExitCode::SUCCESS }
}

fn line(report: &WorkflowReport) -> String {
    let what = match (report.outcome, report.status, &report.error) {
        (ReportedOutcome::Cancelled, ..) => "cancelled".to_owned(),
        (ReportedOutcome::Resumed, ..) => "resumed".to_owned(),
        (ReportedOutcome::Forked, ..) => format!("forked as {}", report.new_workflow_id.as_deref().unwrap_or_default()),
        (ReportedOutcome::Rewound, ..) => "rewound".to_owned(),
        (ReportedOutcome::Deleted, ..) => "deleted".to_owned(),
        (ReportedOutcome::Unchanged, Some(status), _) => format!("unchanged, it has ended as {status}"),
        (_, _, Some(error)) => format!("failed: {error}"),
        _ => "unchanged".to_owned(),
    };
    let along = match (report.descendants.len(), report.outcome) {
        (0, _) => String::new(),
        (count, ReportedOutcome::Deleted) => format!(", and {count} of its descendants"),
        (count, _) => format!(", and {count} of its descendants cancelled"),
    };
    table::plain(&format!("{}: {what}{along}", report.workflow_id))
}

/// For whoever watches several: shown on standard error, and only if that is a terminal.
fn bar(length: usize) -> ProgressBar {
    if length < 2 {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len}, {eta} left");
    ProgressBar::new(length as u64).with_style(style.expect("the template is written here"))
}
