//! Changes in the code of a workflow: new runs take them, and runs that were under way before do not.

use std::panic::Location;

use super::call::StepCall;
use crate::checkpoint::{Point, StepOutcome};
use crate::context::{Place, place};
use crate::store::checkpoints::Effect;

/// The step that says that the change is in force.
fn marker(name: &str) -> String {
    format!("DBOS.patch-{name}")
}

/// Whether the run takes the change: not if it recorded another step where this is asked.
#[track_caller]
pub(crate) fn patch(name: &str) -> StepCall<'static, bool> {
    let (marker, location) = (marker(name), Location::caller());
    let Place::Workflow(run) = place() else { return StepCall::operation(async { true }) };
    if !run.may_go_on_with(&marker) {
        return StepCall::operation(async { false });
    }
    let point = Point::take(run, marker, location);
    StepCall::operation(async move {
        if point.recorded().await.is_none() {
            let now_ms = point.run.executor.clock.now_ms();
            point.record(StepOutcome::default(), Effect::None, now_ms).await;
        }
        true
    })
}

/// Passes over the marker of a change that all runs take by now.
#[track_caller]
pub(crate) fn deprecate_patch(name: &str) -> StepCall<'static, ()> {
    let (marker, location) = (marker(name), Location::caller());
    let Place::Workflow(run) = place() else { return StepCall::operation(async {}) };
    if !run.goes_on_with(&marker) {
        return StepCall::operation(async {});
    }
    let point = Point::take(run, marker, location);
    StepCall::operation(async move {
        point.recorded().await;
    })
}
