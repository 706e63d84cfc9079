//! What is asked of the admin server in the query: which workflows, counted how, beginning again where.

use std::time::Duration;

use serde_json::Value;

use crate::http::HttpError;
use crate::http::arguments::Arguments;
use crate::management::{Manager, Reach, Rerun, StartFrom};
use crate::status::Status;
use crate::store::aggregates::Grouping;
use crate::store::filter::WorkflowFilter;
use crate::store::queues::Target;

/// The longest list.
const MOST: u32 = 1000;

pub(super) fn reach(arguments: &mut Arguments) -> Result<Reach, HttpError> {
    arguments.check_query(&["children"])?;
    let children: Option<bool> = arguments.query("children")?;
    Ok(if children == Some(true) { Reach::Descendants } else { Reach::Itself })
}

/// The arguments that say where a workflow begins again, and how.
pub(super) const RERUN: [&str; 7] =
    ["step", "step_named", "last_step", "last_failure", "application_version", "queue", "partition_key"];

pub(super) fn rerun(arguments: &mut Arguments) -> Result<Rerun, HttpError> {
    let from = [
        arguments.query::<Option<u32>>("step")?.map(StartFrom::Step),
        arguments.query::<Option<String>>("step_named")?.map(StartFrom::StepNamed),
        arguments.query::<Option<bool>>("last_step")?.filter(|last| *last).map(|_| StartFrom::LastStep),
        arguments.query::<Option<bool>>("last_failure")?.filter(|last| *last).map(|_| StartFrom::LastFailure),
    ];
    let mut from = from.into_iter().flatten();
    let rerun = Rerun {
        from: from.next().unwrap_or_default(),
        version: arguments.query("application_version")?,
        target: Target { queue: arguments.query("queue")?, partition_key: arguments.query("partition_key")? },
    };
    match from.next() {
        None => Ok(rerun),
        Some(_) => Err(HttpError::new(400, "more than one step is named to begin from")),
    }
}

/// What `by` names several times, or several with commas.
pub(super) fn grouping(arguments: &mut Arguments) -> Result<Grouping, HttpError> {
    arguments.check_query(&["by", "every_ms", "from_ms", "before_ms", "application"])?;
    let mut grouping = Grouping::new();
    for by in arguments.query_values("by").flat_map(|by| by.split(',')) {
        grouping = match by {
            "name" => grouping.by_name(),
            "status" => grouping.by_status(),
            "queue" => grouping.by_queue(),
            "version" => grouping.by_version(),
            "executor" => grouping.by_executor(),
            _ => return Err(HttpError::new(400, format!("nothing is counted by `{by}`"))),
        };
    }
    let every_ms = arguments.query::<Option<u64>>("every_ms")?.map(Duration::from_millis);
    grouping = every_ms.into_iter().fold(grouping, Grouping::by_time);
    grouping = arguments.query::<Option<i64>>("from_ms")?.into_iter().fold(grouping, Grouping::from_ms);
    grouping = arguments.query::<Option<i64>>("before_ms")?.into_iter().fold(grouping, Grouping::before_ms);
    Ok(arguments.query::<Option<String>>("application")?.into_iter().fold(grouping, Grouping::application_name))
}

/// The filter in the query, in the words of the command line.
pub(super) async fn filter(manager: &Manager, arguments: &mut Arguments) -> Result<WorkflowFilter, HttpError> {
    arguments.check_query(&[
        "id",
        "id_prefix",
        "name",
        "status",
        "application",
        "application_version",
        "executor",
        "queue",
        "parent",
        "has_parent",
        "user",
        "attribute",
        "forked_from",
        "was_forked",
        "queued",
        "schedule",
        "deduplication_id",
        "created_from_ms",
        "created_before_ms",
        "completed_from_ms",
        "completed_before_ms",
        "dequeued_from_ms",
        "dequeued_before_ms",
        "load_input",
        "load_output",
        "oldest_first",
        "after",
        "limit",
    ])?;
    let mut filter = WorkflowFilter::new();
    for id in arguments.query_values("id") {
        filter = filter.id(id);
    }
    for name in arguments.query_values("name") {
        filter = filter.name(name);
    }
    for status in arguments.query_values("status") {
        let known = Status::parse(&status.to_ascii_uppercase());
        filter = filter.status(known.ok_or_else(|| HttpError::new(400, format!("there is no status `{status}`")))?);
    }
    let mut text = |name: &str| arguments.query::<Option<String>>(name);
    filter = text("id_prefix")?.into_iter().fold(filter, WorkflowFilter::id_prefix);
    filter = text("application")?.into_iter().fold(filter, WorkflowFilter::application_name);
    filter = text("application_version")?.into_iter().fold(filter, WorkflowFilter::application_version);
    filter = text("executor")?.into_iter().fold(filter, WorkflowFilter::executor_id);
    filter = text("queue")?.into_iter().fold(filter, WorkflowFilter::queue);
    filter = text("parent")?.into_iter().fold(filter, WorkflowFilter::parent);
    filter = text("user")?.into_iter().fold(filter, WorkflowFilter::user);
    filter = text("forked_from")?.into_iter().fold(filter, WorkflowFilter::forked_from);
    filter = text("schedule")?.into_iter().fold(filter, WorkflowFilter::schedule_name);
    filter = text("deduplication_id")?.into_iter().fold(filter, WorkflowFilter::deduplication_id);
    if let Some(last) = text("after")? {
        filter = filter.after(&manager.workflow(&last).await?);
    }
    for attribute in arguments.query_values("attribute") {
        let wanted = || HttpError::new(400, "an attribute is written KEY=VALUE");
        let (key, value) = attribute.split_once('=').ok_or_else(wanted)?;
        filter = filter.attribute(key, serde_json::from_str(value).unwrap_or_else(|_| Value::from(value)));
    }
    let mut instant = |name: &str| arguments.query::<Option<i64>>(name);
    filter = instant("created_from_ms")?.into_iter().fold(filter, WorkflowFilter::created_from_ms);
    filter = instant("created_before_ms")?.into_iter().fold(filter, WorkflowFilter::created_before_ms);
    filter = instant("completed_from_ms")?.into_iter().fold(filter, WorkflowFilter::completed_from_ms);
    filter = instant("completed_before_ms")?.into_iter().fold(filter, WorkflowFilter::completed_before_ms);
    filter = instant("dequeued_from_ms")?.into_iter().fold(filter, WorkflowFilter::dequeued_from_ms);
    filter = instant("dequeued_before_ms")?.into_iter().fold(filter, WorkflowFilter::dequeued_before_ms);
    let mut choice = |name: &str| arguments.query::<Option<bool>>(name);
    filter = choice("has_parent")?.into_iter().fold(filter, WorkflowFilter::has_parent);
    filter = choice("was_forked")?.into_iter().fold(filter, WorkflowFilter::was_forked);
    for (name, chosen) in [
        ("queued", WorkflowFilter::queued as fn(WorkflowFilter) -> WorkflowFilter),
        ("load_input", WorkflowFilter::with_inputs),
        ("load_output", WorkflowFilter::with_outputs),
        ("oldest_first", WorkflowFilter::oldest_first),
    ] {
        if choice(name)? == Some(true) {
            filter = chosen(filter);
        }
    }
    match arguments.query::<Option<u32>>("limit")? {
        Some(limit @ 1..=MOST) => Ok(filter.limit(limit)),
        Some(limit) => Err(HttpError::new(400, format!("the limit {limit} is not from 1 to {MOST}"))),
        None => Ok(filter),
    }
}
