//! Time, ids and randomness that a replay gets back.

use std::panic::Location;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::call::StepCall;
use crate::checkpoint::{Point, StepOutcome};
use crate::context::{Place, engine, place};
use crate::error::Error;
use crate::executor::Signal;
use crate::random::random_fraction;
use crate::store::checkpoints::Effect;

#[track_caller]
pub(crate) fn now() -> StepCall<'static, SystemTime> {
    let now_ms = || engine().map_or_else(|_| crate::clock::Clock::new().now_ms(), |engine| engine.clock.now_ms());
    let ms = once("DBOS.now", now_ms);
    StepCall::operation(async move { UNIX_EPOCH + Duration::from_millis(ms.await.try_into().unwrap_or_default()) })
}

#[track_caller]
pub(crate) fn uuid() -> StepCall<'static, Uuid> {
    #[expect(clippy::disallowed_methods, reason = "recorded, so a replay sees the same one")]
    once("DBOS.randomUUID", Uuid::new_v4)
}

#[track_caller]
pub(crate) fn random() -> StepCall<'static, f64> {
    once("DBOS.random", random_fraction)
}

/// Makes the value the first time and gives it back ever after.
#[track_caller]
fn once<T>(name: &'static str, make: impl FnOnce() -> T + Send + 'static) -> StepCall<'static, T>
where
    T: Serialize + DeserializeOwned + Send + 'static,
{
    let location = Location::caller();
    let Place::Workflow(run) = place() else { return StepCall::operation(async move { make() }) };
    let point = Point::take(run, name, location);
    StepCall::operation(async move {
        let recorded = match point.recorded().await {
            Some(recorded) => recorded,
            None => {
                let now_ms = point.run.executor.clock.now_ms();
                let output = serde_json::to_string(&make()).expect("times, ids and fractions are JSON");
                let outcome = StepOutcome { output: Some(output), ..StepOutcome::default() };
                point.record(outcome, Effect::None, now_ms).await
            }
        };
        match serde_json::from_str(recorded.output.as_deref().unwrap_or("null")) {
            Ok(value) => value,
            Err(error) => {
                let what = format!("the outcome of step `{name}`");
                point.run.stop(Signal::Failed(Error::Unreadable { what, reason: error.to_string() })).await
            }
        }
    })
}
