//! Recorded workflows run through the code of this program, without any effect: does it still take the steps that they
//! have recorded?
//!
//! ```standalone_crate
//! # #[tokio::main]
//! # async fn main() {
//! # const HISTORY: &str = r#"{"format": 1, "workflows": []}"#;
//! // `include_str!("order-42.json")`: what `my-app workflow export order-42` has printed.
//! dbos::replay::check(HISTORY).await.unwrap();
//! # }
//! ```
//!
//! The code of the workflow runs; no step does, no transaction, no child, and there is no database. Each durable call gets
//! what is recorded of it. What a workflow does beside its durable calls it does here too.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::catalog::Catalog;
use crate::clock::Clock;
use crate::codec::{Encoded, read_engine_error};
use crate::context::place_of;
use crate::error::{Error, Result};
use crate::executor::{Executor, Parts};
use crate::history::{Histories, WorkflowHistory};
use crate::registry::StepFunction;
use crate::rehearsal::{Call, Parting};
use crate::state::States;
use crate::status::Status;
use crate::store::Store;
use crate::store::steps::{History, RecordedStep};
use crate::wakeup::Wakeups;
use crate::workflow::{Ending, Recording, rehearse};

/// What stands in the way of a recorded workflow.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// The code calls a step that is not recorded.
    Added,
    /// A step is recorded that the code does not call.
    Removed,
    /// In the place of a recorded step whose function is gone the code calls another.
    Renamed,
    /// The code calls the recorded steps in another order.
    Reordered,
    /// The code starts another workflow as its child.
    ChildChanged,
    /// The code ends with another outcome.
    OutcomeChanged,
    /// A recorded value does not fit the type that the code has for it.
    Unreadable,
    /// The code waits for something that is not recorded.
    Waits,
    /// The program has no workflow of that name, or the file is none of a workflow.
    Unknown,
}

/// One place where the code is not the recorded one.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Divergence {
    /// The recorded workflow.
    pub workflow_id: String,
    /// What it is.
    pub kind: Kind,
    /// The step id in the record, or in the code if it is not recorded.
    pub step_id: Option<u32>,
    /// What is recorded there.
    pub recorded: Option<String>,
    /// What the code has there.
    pub called: Option<String>,
    /// `file:line` of the call.
    pub location: Option<String>,
}

impl fmt::Display for Divergence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { workflow_id, kind, step_id, recorded, called, location } = self;
        write!(formatter, "workflow `{workflow_id}`")?;
        if let Some(step) = step_id {
            write!(formatter, ", step {step}")?;
        }
        let recorded = recorded.as_deref().unwrap_or("nothing");
        let called = called.as_deref().unwrap_or("nothing");
        match kind {
            Kind::Added => write!(formatter, ": the code calls `{called}`, which is not recorded")?,
            Kind::Removed => write!(formatter, ": `{recorded}` is recorded, and the code does not call it")?,
            Kind::Renamed => write!(formatter, ": `{recorded}` is recorded, and the code calls `{called}`")?,
            Kind::Reordered => write!(formatter, ": the code calls `{called}` where `{recorded}` is recorded")?,
            Kind::ChildChanged => write!(formatter, ": the recorded child is `{recorded}`, and the code's `{called}`")?,
            Kind::OutcomeChanged => write!(formatter, ": it ended with {recorded}, and the code ends with {called}")?,
            Kind::Unreadable | Kind::Waits | Kind::Unknown => write!(formatter, ": {called}")?,
        }
        match location {
            Some(location) => write!(formatter, ", at {location}"),
            None => Ok(()),
        }
    }
}

/// All of them; what [`check`] fails with.
#[derive(Clone)]
pub struct Divergences(Vec<Divergence>);

impl Divergences {
    /// One by one.
    #[must_use]
    pub fn list(&self) -> &[Divergence] {
        &self.0
    }
}

impl fmt::Display for Divergences {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        formatter.write_str(&lines.join("\n"))
    }
}

/// The same, for `unwrap`.
impl fmt::Debug for Divergences {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the code is not the recorded one:\n{self}")
    }
}

impl std::error::Error for Divergences {}

/// A workflow that was replayed.
#[derive(Debug, Serialize)]
pub(crate) struct Replayed {
    pub(crate) workflow_id: String,
    pub(crate) name: String,
    pub(crate) status: String,
    pub(crate) divergences: Vec<Divergence>,
}

/// Whether the code of this program takes the steps that are recorded in `history`, the text of a file that
/// `workflow export` or [`DBOS::export_workflow`](crate::DBOS::export_workflow) has made. A workflow that had not ended is
/// looked at as far as it came.
///
/// # Errors
///
/// What has changed. A text that is no such file is one entry as well.
pub async fn check(history: &str) -> Result<(), Divergences> {
    let replayed = async { replay(&Histories::read(history)?).await }.await;
    let divergences = match replayed {
        Ok(replayed) => replayed.into_iter().flat_map(|replayed| replayed.divergences).collect(),
        Err(error) => vec![divergence("?", Kind::Unknown, &error)],
    };
    if divergences.is_empty() { Ok(()) } else { Err(Divergences(divergences)) }
}

/// Replays each workflow of the file.
pub(crate) async fn replay(histories: &Histories) -> Result<Vec<Replayed>> {
    let stage = stage()?;
    let mut all = Vec::with_capacity(histories.workflows.len());
    for history in &histories.workflows {
        all.push(Replayed {
            workflow_id: history.workflow_id.clone(),
            name: history.name.clone(),
            status: history.status.clone(),
            divergences: divergences(&stage, history).await,
        });
    }
    Ok(all)
}

/// An executor that has the program's workflows and no database. Its time is after all time-outs.
fn stage() -> Result<Arc<Executor>> {
    Ok(Executor::new(Parts {
        store: Store::nowhere(),
        clock: Clock::at_the_end(),
        wakeups: Wakeups::default(),
        catalog: Catalog::collect()?,
        application: "replay".to_owned(),
        version: "replay".to_owned(),
        id: "replay".to_owned(),
        states: States::default(),
        runs_workflows: true,
        poll_interval: std::time::Duration::from_secs(1),
        transaction_deadline: std::time::Duration::from_secs(1),
        parking: None,
        listens: false,
    }))
}

async fn divergences(stage: &Arc<Executor>, history: &WorkflowHistory) -> Vec<Divergence> {
    let workflow = &history.workflow_id;
    let Some(definition) = stage.workflow(&history.name) else {
        let missing = format!("this program has no workflow `{}`", history.name);
        return vec![divergence(workflow, Kind::Unknown, &missing)];
    };
    let outcome = recorded_outcome(history);
    let recording = Recording {
        workflow: workflow.clone(),
        inputs: history.inputs.as_ref().map_or_else(|| "null".to_owned(), ToString::to_string),
        history: steps(history),
        is_open: outcome.is_none(),
    };
    let rehearsed = rehearse(stage, definition, recording).await;
    if !rehearsed.partings.is_empty() {
        return rehearsed.partings.into_iter().map(|parting| parted(stage, workflow, parting)).collect();
    }
    match (rehearsed.ending, outcome) {
        (Ending::Ended(now), Some(then)) if !is_equal(&now, &then) => vec![Divergence {
            recorded: Some(then.text().to_owned()),
            called: Some(now.text().to_owned()),
            ..nothing(workflow, Kind::OutcomeChanged)
        }],
        (Ending::Panicked(_), Some(Encoded::Error(then))) if is_panic(&then) => Vec::new(),
        (Ending::Panicked(message), then) => vec![Divergence {
            recorded: then.map(|then| then.text().to_owned()),
            called: Some(format!("a panic: {message}")),
            ..nothing(workflow, Kind::OutcomeChanged)
        }],
        // What stopped the recorded run stops this one too.
        (Ending::Unusable(error), Some(Encoded::Error(then)))
            if read_engine_error(&then).to_string() == error.to_string() =>
        {
            Vec::new()
        }
        (Ending::Diverged(Error::Diverged { step, recorded, called, location, .. }), _) => vec![Divergence {
            step_id: Some(step),
            recorded: Some(recorded),
            called: Some(called),
            location: Some(location),
            ..nothing(workflow, Kind::Renamed)
        }],
        (Ending::Unusable(error) | Ending::Diverged(error), _) => vec![divergence(workflow, Kind::Unreadable, &error)],
        (Ending::Foreign, _) => {
            vec![divergence(workflow, Kind::Waits, &"the code waits for something that is not recorded")]
        }
        (Ending::Ended(_) | Ending::Beyond, _) => Vec::new(),
    }
}

/// How the workflow ended; `None` if it might go on.
fn recorded_outcome(history: &WorkflowHistory) -> Option<Encoded> {
    let text = |payload: &Option<Box<serde_json::value::RawValue>>| {
        payload.as_ref().map_or_else(|| "null".to_owned(), ToString::to_string)
    };
    match Status::parse(&history.status)? {
        Status::Success => Some(Encoded::Value(text(&history.output))),
        Status::Error => Some(Encoded::Error(text(&history.error))),
        _ => None,
    }
}

fn steps(history: &WorkflowHistory) -> History {
    let steps = history.steps.iter().map(|step| {
        let recorded = RecordedStep {
            name: step.name.clone(),
            output: step.output.as_ref().map(ToString::to_string),
            error: step.error.as_ref().map(ToString::to_string),
            child: step.child_workflow_id.clone(),
        };
        (step.step_id, recorded)
    });
    steps.collect()
}

fn parted(stage: &Executor, workflow: &str, parting: Parting) -> Divergence {
    let called = |call: &Call| Some(call.name.clone());
    let location = |call: &Call| Some(place_of(call.place));
    match parting {
        Parting::Unrecorded { call, recorded } => {
            let kind = match &recorded {
                Some(recorded) if recorded.child.is_some() && stage.workflow(&call.name).is_some() => {
                    Kind::ChildChanged
                }
                Some(recorded) if !is_known(stage, &recorded.name) => Kind::Renamed,
                _ => Kind::Added,
            };
            Divergence {
                step_id: Some(call.step),
                recorded: recorded.map(|recorded| recorded.name),
                called: called(&call),
                location: location(&call),
                ..nothing(workflow, kind)
            }
        }
        Parting::Unasked { step, recorded, call } => Divergence {
            step_id: Some(step),
            recorded: Some(recorded),
            called: call.as_ref().and_then(called),
            location: call.as_ref().and_then(location),
            ..nothing(workflow, Kind::Removed)
        },
        Parting::Moved { call, recorded } => Divergence {
            step_id: Some(call.step),
            recorded,
            called: called(&call),
            location: location(&call),
            ..nothing(workflow, Kind::Reordered)
        },
    }
}

/// Whether the program still has what is recorded under this name.
fn is_known(stage: &Executor, name: &str) -> bool {
    let functions: BTreeSet<_> = inventory::iter::<StepFunction>.into_iter().map(|function| function.name).collect();
    name.starts_with("DBOS.") || functions.contains(name) || stage.workflow(name).is_some()
}

fn is_equal(now: &Encoded, then: &Encoded) -> bool {
    let value = |encoded: &Encoded| serde_json::from_str::<Value>(encoded.text()).ok();
    now.is_error() == then.is_error() && (now.text() == then.text() || value(now) == value(then))
}

fn is_panic(error: &str) -> bool {
    matches!(read_engine_error(error), Error::Panicked { .. })
}

fn nothing(workflow: &str, kind: Kind) -> Divergence {
    Divergence { workflow_id: workflow.to_owned(), kind, step_id: None, recorded: None, called: None, location: None }
}

fn divergence(workflow: &str, kind: Kind, what: &dyn fmt::Display) -> Divergence {
    Divergence { called: Some(what.to_string()), ..nothing(workflow, kind) }
}
