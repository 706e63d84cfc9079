//! Workflows and steps as people read them: one row a line, fit for `grep`.

use comfy_table::{Table, presets};
use jiff::Timestamp;

use crate::management::{Details, Payload};
use crate::replay::Replayed;
use crate::store::aggregates::Group;
use crate::store::steps::StepStatus;
use crate::store::versions::ApplicationVersion;
use crate::store::workflow_row::WorkflowStatus;

/// How much of a payload a row shows.
const WIDEST: usize = 60;

pub(super) fn workflows(workflows: &[WorkflowStatus]) -> String {
    let mut table = table(&["WORKFLOW ID", "NAME", "STATUS", "STARTED", "ENDED", "ATTEMPTS", "EXECUTOR", "VERSION"]);
    for workflow in workflows {
        table.add_row([
            plain(&workflow.workflow_id),
            plain(&workflow.name),
            plain(workflow.status_text()),
            time(Some(workflow.created_at_ms)),
            time(workflow.completed_at_ms),
            workflow.recovery_attempts.to_string(),
            text(workflow.executor_id.as_deref()),
            text(workflow.application_version.as_deref()),
        ]);
    }
    lines(&table)
}

pub(super) fn details(details: &Details) -> String {
    let Details { status: workflow, serialization, inputs, output, error } = details;
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let payload = |payload: &Option<Payload>| text(payload.as_ref().map(Payload::text));
    for (name, value) in [
        ("workflow id", plain(&workflow.workflow_id)),
        ("name", plain(&workflow.name)),
        ("status", plain(workflow.status_text())),
        ("application", text(workflow.application_name.as_deref())),
        ("version", text(workflow.application_version.as_deref())),
        ("executor", text(workflow.executor_id.as_deref())),
        ("queue", text(workflow.queue_name.as_deref())),
        ("priority", if workflow.priority == 0 { String::new() } else { workflow.priority.to_string() }),
        ("deduplication id", text(workflow.deduplication_id.as_deref())),
        ("partition", text(workflow.partition_key.as_deref())),
        ("schedule", text(workflow.schedule_name.as_deref())),
        ("parent", text(workflow.parent_workflow_id.as_deref())),
        ("forked from", text(workflow.forked_from.as_deref())),
        ("user", text(workflow.authenticated_user.as_deref())),
        ("roles", plain(&workflow.authenticated_roles.join(", "))),
        ("attributes", text(workflow.attributes.as_ref().map(ToString::to_string).as_deref())),
        ("attempts", workflow.recovery_attempts.to_string()),
        ("started", time(Some(workflow.created_at_ms))),
        ("changed", time(Some(workflow.updated_at_ms))),
        ("delayed until", time(workflow.delayed_until_ms)),
        ("dequeued", time(workflow.dequeued_at_ms)),
        ("ended", time(workflow.completed_at_ms)),
        ("deadline", time(workflow.deadline_ms)),
        ("written as", text(serialization.as_deref())),
        ("input", payload(inputs)),
        ("output", payload(output)),
        ("error", payload(error)),
        ("unreadable", plain(&workflow.unreadable.join("; "))),
    ] {
        if !value.is_empty() {
            table.add_row([name.to_owned(), value]);
        }
    }
    lines(&table)
}

pub(super) fn groups(groups: &[Group]) -> String {
    let mut table = table(&["FROM", "NAME", "STATUS", "QUEUE", "VERSION", "EXECUTOR", "COUNT", "LONGEST"]);
    for group in groups {
        table.add_row([
            time(group.from_ms),
            text(group.name.as_deref()),
            text(group.status.as_deref()),
            text(group.queue_name.as_deref()),
            text(group.application_version.as_deref()),
            text(group.executor_id.as_deref()),
            group.count.to_string(),
            group.longest_ms.map(|ms| format!("{ms} ms")).unwrap_or_default(),
        ]);
    }
    lines(&table)
}

pub(super) fn versions(versions: &[ApplicationVersion]) -> String {
    let mut table = table(&["VERSION", "LATEST", "LAUNCHED", "OPEN", "STRANDED"]);
    for version in versions {
        table.add_row([
            plain(&version.version),
            if version.is_latest { "latest".to_owned() } else { String::new() },
            time(Some(version.created_at_ms)),
            version.open.to_string(),
            version.stranded.to_string(),
        ]);
    }
    lines(&table)
}

pub(super) fn steps(steps: &[StepStatus]) -> String {
    let mut table = table(&["STEP", "NAME", "STARTED", "TOOK", "CHILD", "OUTPUT", "ERROR"]);
    for step in steps {
        table.add_row([
            step.step_id.to_string(),
            plain(&step.name),
            time(step.started_at_ms),
            took(step.started_at_ms, step.completed_at_ms),
            text(step.child_workflow_id.as_deref()),
            short(&text(step.output.as_deref())),
            short(&text(step.error.as_deref())),
        ]);
    }
    lines(&table)
}

/// A line for each workflow that was cancelled.
pub(super) fn cancelled(workflows: &[String]) -> String {
    workflows.iter().map(|workflow| format!("{}: cancelled", plain(workflow))).collect::<Vec<_>>().join("\n")
}

/// A line for each workflow that fits, and for each place where one does not.
pub(super) fn replayed(workflows: &[Replayed]) -> String {
    let lines = workflows.iter().flat_map(|workflow| {
        if workflow.divergences.is_empty() {
            return vec![format!("{}: fits, {} `{}`", workflow.workflow_id, workflow.status, workflow.name)];
        }
        workflow.divergences.iter().map(ToString::to_string).collect()
    });
    lines.map(|line| plain(&line)).collect::<Vec<_>>().join("\n")
}

pub(in crate::app) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    table
}

pub(in crate::app) fn lines(table: &Table) -> String {
    table
        .lines()
        .map(|line| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned())
        .collect::<Vec<_>>()
        .join("\n")
}

/// Text that anybody may have chosen, without what a terminal would obey.
pub(in crate::app) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            plain.extend(character.escape_default());
        } else {
            plain.push(character);
        }
    }
    plain
}

pub(in crate::app) fn text(text: Option<&str>) -> String {
    text.map(plain).unwrap_or_default()
}

fn short(text: &str) -> String {
    match text.char_indices().nth(WIDEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

pub(in crate::app) fn time(instant_ms: Option<i64>) -> String {
    let time = instant_ms.map(Timestamp::from_millisecond);
    match time {
        Some(Ok(time)) => format!("{time:.3}"),
        Some(Err(_)) => instant_ms.unwrap_or_default().to_string(),
        None => String::new(),
    }
}

fn took(started_ms: Option<i64>, completed_ms: Option<i64>) -> String {
    let took = completed_ms.zip(started_ms).map(|(end, start)| end.saturating_sub(start));
    took.map(|ms| format!("{ms} ms")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_given_nothing_to_obey() {
        assert_eq!(plain("\u{1b}[31mred\n"), "\\u{1b}[31mred\\n");
    }

    #[test]
    fn what_is_long_is_cut_between_characters() {
        let long = "é".repeat(61);
        assert_eq!(short(&long), format!("{}…", "é".repeat(60)));
        assert_eq!(short("é"), "é");
    }

    #[test]
    fn a_row_is_a_line() {
        let step = StepStatus { step_id: 1, name: "pay\nnow".to_owned(), ..StepStatus::default() };
        assert_eq!(steps(&[step]).lines().count(), 2);
    }
}
