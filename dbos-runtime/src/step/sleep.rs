//! Durable sleep: the instant of waking up is the checkpoint.

use std::panic::Location;
use std::time::Duration;

use super::call::StepCall;
use crate::checkpoint::{Point, StepOutcome};
use crate::clock::pause;
use crate::context::{Place, at_rest, place};
use crate::store::checkpoints::Effect;
use crate::store::steps::RecordedStep;
use crate::wakeup::Wait;

/// The name of timers in every DBOS library.
pub(crate) const SLEEP: &str = "DBOS.sleep";
/// Smaller numbers are seconds, as the Python library writes them; larger ones milliseconds.
const LARGEST_IN_SECONDS: f64 = 1e11;

#[track_caller]
pub(crate) fn sleep(duration: Duration) -> StepCall<'static, ()> {
    let location = Location::caller();
    match place() {
        Place::Workflow(run) => {
            let point = Point::take(run, SLEEP, location);
            StepCall::operation(async move {
                let wake_up_ms = Box::pin(record_wake_up(&point, duration)).await;
                at_rest(Some(Wait::until(wake_up_ms)), point.run.executor.clock.sleep_until(wake_up_ms)).await;
            })
        }
        Place::Step(_) | Place::Outside => StepCall::operation(pause(duration)),
    }
}

/// The instant recorded at `point`, or `duration` from now, recorded there.
pub(crate) async fn record_wake_up(point: &Point, duration: Duration) -> i64 {
    if let Some(recorded) = point.recorded().await {
        return wake_up_ms(&recorded);
    }
    let clock = &point.run.executor.clock;
    let (now_ms, wake_up_ms) = (clock.now_ms(), clock.after(duration));
    let outcome = StepOutcome { output: Some(wake_up_ms.to_string()), ..StepOutcome::default() };
    let recorded = point.record_until(outcome, Effect::None, now_ms, wake_up_ms).await;
    self::wake_up_ms(&recorded)
}

fn wake_up_ms(recorded: &RecordedStep) -> i64 {
    let number: f64 = recorded.output.as_deref().and_then(|text| text.parse().ok()).unwrap_or_default();
    let ms = if number < LARGEST_IN_SECONDS { number * 1000.0 } else { number };
    #[expect(clippy::cast_possible_truncation, reason = "instants fit for another hundred thousand years")]
    let ms = ms.round() as i64;
    ms
}
