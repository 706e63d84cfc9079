//! A race of durable calls whose winner is recorded, so that a replay lets the same one win.

use std::panic::Location;

use crate::checkpoint::{Point, StepOutcome};
use crate::context::{Place, place, place_of};
use crate::error::Error;
use crate::executor::Signal;
use crate::store::checkpoints::Effect;

const SELECT: &str = "DBOS.select";

/// One race; made by [`select!`](crate::select).
#[derive(Debug)]
pub struct Race {
    point: Option<Point>,
    winner: Option<u32>,
}

impl Race {
    /// Takes the race's step id and looks up its winner, if it has been run before.
    #[track_caller]
    #[must_use]
    pub fn here() -> Self {
        let location = Location::caller();
        let Place::Workflow(run) = place() else { return Self { point: None, winner: None } };
        let point = Point::take(run, SELECT, location);
        let recorded = point.run.recorded(point.step, SELECT).filter(|recorded| recorded.name == SELECT);
        let winner = recorded.and_then(|recorded| recorded.output?.parse().ok());
        Self { point: Some(point), winner }
    }

    /// Whether the branch may run: any in a first run, the recorded winner alone in a replay.
    #[must_use]
    pub fn admits(&self, branch: u32) -> bool {
        self.winner.is_none_or(|winner| winner == branch)
    }

    /// The branch that won is not in the code any more: the run waits for the code that has it.
    pub async fn has_no_winner(&self) -> ! {
        let Some(point) = &self.point else { unreachable!("without a record every branch is admitted") };
        let winner = self.winner.map_or_else(|| "?".to_owned(), |winner| winner.to_string());
        let diverged = Error::Diverged {
            workflow: point.run.workflow.clone(),
            step: point.step,
            recorded: format!("{SELECT}, won by branch {winner}"),
            called: format!("{SELECT} without that branch"),
            location: place_of(point.location),
        };
        point.run.stop(Signal::Diverged(diverged)).await
    }

    /// Records the winner before its branch goes on.
    pub async fn won(&self, branch: u32) {
        let Some(point) = &self.point else { return };
        if let Some(recorded) = point.recorded().await {
            if recorded.output.as_deref() == Some(branch.to_string().as_str()) {
                return;
            }
            self.has_no_winner().await
        }
        let outcome = StepOutcome { output: Some(branch.to_string()), ..StepOutcome::default() };
        point.record(outcome, Effect::None, point.run.executor.clock.now_ms()).await;
    }
}

/// Waits for the first of several durable calls and goes on with its branch; the others are dropped.
///
/// The winner is recorded before its branch runs, so a replay takes the same one. Calls are written
/// and get their step ids from top to bottom. Patterns must not be refutable.
///
/// ```ignore
/// dbos::select! {
///     answer = DBOS::recv(ANSWERS, Duration::from_secs(60)) => handle(answer?).await?,
///     () = DBOS::sleep(Duration::from_secs(10)) => remind().await?,
/// }
/// ```
#[macro_export]
macro_rules! select {
    (@branches ($race:ident) ($index:expr) ($($done:tt)*)) => {
        $crate::__private::tokio::select! { biased; $($done)* else => $race.has_no_winner().await }
    };
    (@branches ($race:ident) ($index:expr) ($($done:tt)*) $pattern:pat = $call:expr => $body:block $(,)? $($rest:tt)*) => {
        $crate::select! { @branches ($race) ($index + 1u32)
            ($($done)* __value = $call, if $race.admits($index) => { $race.won($index).await; let $pattern = __value; $body })
            $($rest)* }
    };
    (@branches ($race:ident) ($index:expr) ($($done:tt)*) $pattern:pat = $call:expr => $body:expr, $($rest:tt)*) => {
        $crate::select! { @branches ($race) ($index) ($($done)*) $pattern = $call => { $body } $($rest)* }
    };
    (@branches ($race:ident) ($index:expr) ($($done:tt)*) $pattern:pat = $call:expr => $body:expr) => {
        $crate::select! { @branches ($race) ($index) ($($done)*) $pattern = $call => { $body } }
    };
    ($($branches:tt)+) => {{
        let __race = $crate::__private::Race::here();
        $crate::select! { @branches (__race) (0u32) () $($branches)+ }
    }};
}
