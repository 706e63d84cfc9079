//! Waiting for several workflows at once: however many they are, a look at them is one statement.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use serde::{Deserialize, Serialize};

use super::handle::WorkflowHandle;
use super::result::encode;
use crate::checkpoint::Point;
use crate::clock::pause;
use crate::codec::{Encoded, engine_error, read_engine_error};
use crate::context::{Place, at_rest, place};
use crate::error::{Error, Result};
use crate::executor::{Executor, Signal};
use crate::step::StepCall;
use crate::store::checkpoints::Effect;
use crate::wakeup::{Fact, Subscription, Wait};

/// How long news is gathered before the next look, for each workflow that is waited for: a look costs the more, the more
/// it asks for.
const GATHERING: Duration = Duration::from_micros(20);

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Until {
    /// One of them has ended.
    First,
    /// All of them have.
    All,
}

/// The handle of the one that ends first.
#[track_caller]
pub(crate) fn wait_first<R: Send + 'static>(
    handles: &[WorkflowHandle<R>],
) -> StepCall<'static, Result<WorkflowHandle<R>>> {
    let (waiting, handles) = (Waiting::here("DBOS.waitFirst", Until::First, handles), handles.to_vec());
    StepCall::operation(async move {
        let (first, _) = waiting.first().await?;
        Ok(find(&handles, &first).clone())
    })
}

/// The one that ends first, and its result.
#[track_caller]
pub(crate) fn race_all<R: Send + 'static>(
    handles: &[WorkflowHandle<R>],
) -> StepCall<'static, Result<(WorkflowHandle<R>, R)>> {
    let (waiting, handles) = (Waiting::here("DBOS.raceAll", Until::First, handles), handles.to_vec());
    StepCall::operation(async move {
        let (first, outcome) = waiting.first().await?;
        let handle = find(&handles, &first);
        Ok((handle.clone(), handle.codec.decode(&first, &outcome)))
    })
}

/// The results of all of them, in the order of the handles.
#[track_caller]
pub(crate) fn wait_all<R: Send + 'static>(handles: &[WorkflowHandle<R>]) -> StepCall<'static, Vec<R>> {
    let (waiting, handles) = (Waiting::here("DBOS.waitAll", Until::All, handles), handles.to_vec());
    StepCall::operation(async move {
        let outcomes = waiting.outcomes().await;
        let result = |handle: &WorkflowHandle<R>| match &outcomes {
            Ok(outcomes) => handle.codec.decode(&handle.workflow, &outcomes[&handle.workflow]),
            Err(error) => (handle.codec.from_error)(error.clone()),
        };
        handles.iter().map(result).collect()
    })
}

fn find<'h, R>(handles: &'h [WorkflowHandle<R>], workflow: &str) -> &'h WorkflowHandle<R> {
    handles.iter().find(|handle| handle.workflow == workflow).expect("only those are waited for")
}

/// A wait for the ends of some workflows; a step, if it is a workflow that waits.
struct Waiting {
    until: Until,
    executor: Option<Arc<Executor>>,
    workflows: BTreeSet<String>,
    point: Option<Point>,
}

type Outcomes = BTreeMap<String, Encoded>;

impl Waiting {
    #[track_caller]
    fn here<R>(name: &'static str, until: Until, handles: &[WorkflowHandle<R>]) -> Self {
        let location = Location::caller();
        let point = match place() {
            Place::Workflow(run) => Some(Point::take(run, name, location)),
            Place::Step(_) | Place::Outside => None,
        };
        let executor = handles.first().map(|handle| Arc::clone(&handle.executor));
        Self { until, executor, workflows: handles.iter().map(|handle| handle.workflow.clone()).collect(), point }
    }

    async fn first(self) -> Result<(String, Encoded)> {
        Ok(self.outcomes().await?.pop_first().expect("a wait ends when one has ended"))
    }

    async fn outcomes(self) -> Result<Outcomes> {
        let Some(executor) = self.executor else {
            return match self.until {
                Until::All => Ok(Outcomes::new()),
                Until::First => Err(none_to_wait_for()),
            };
        };
        match self.point {
            None => wait(&executor, self.workflows, self.until).await,
            Some(point) => recorded(&point, &executor, self.workflows, self.until).await,
        }
    }
}

fn none_to_wait_for() -> Error {
    let reason = "there are none, so none can be the first; give at least one".to_owned();
    Error::InvalidKey { what: "the handles".to_owned(), reason }
}

/// What a step records of a workflow that has ended. Texts, because another language may have written its outcome in a
/// format that is no JSON.
#[derive(Deserialize, Serialize)]
struct Entry {
    workflow: String,
    output: Option<String>,
    error: Option<String>,
}

async fn recorded(point: &Point, executor: &Executor, workflows: BTreeSet<String>, until: Until) -> Result<Outcomes> {
    let recorded = match point.recorded().await {
        Some(recorded) => recorded,
        None => {
            let started_at_ms = executor.clock.now_ms();
            let outcome = match wait(executor, workflows, until).await {
                Ok(outcomes) => Encoded::Value(written(outcomes)),
                Err(error @ Error::NonExistentWorkflow { .. }) => engine_error(&error),
                Err(error @ Error::Diverged { .. }) => point.run.stop(Signal::Diverged(error)).await,
                Err(Error::ShuttingDown) => point.run.stop(Signal::ShutDown).await,
                Err(error) => point.fail_to_store(&error).await,
            };
            point.record(outcome.into(), Effect::None, started_at_ms).await
        }
    };
    match recorded.into_encoded() {
        Encoded::Error(error) => Err(read_engine_error(&error)),
        Encoded::Value(entries) => match read(&entries) {
            Ok(outcomes) => Ok(outcomes),
            Err(reason) => {
                let what = format!("the outcome of step `{}`", point.name);
                point.run.stop(Signal::Failed(Error::Unreadable { what, reason: reason.to_string() })).await
            }
        },
    }
}

fn written(outcomes: Outcomes) -> String {
    let entries = outcomes.into_iter().map(|(workflow, outcome)| match outcome {
        Encoded::Value(output) => Entry { workflow, output: Some(output), error: None },
        Encoded::Error(error) => Entry { workflow, output: None, error: Some(error) },
    });
    serde_json::to_string(&entries.collect::<Vec<_>>()).expect("texts are JSON")
}

fn read(entries: &str) -> serde_json::Result<Outcomes> {
    let entries: Vec<Entry> = serde_json::from_str(entries)?;
    let outcome = |Entry { workflow, output, error }| match error {
        Some(error) => (workflow, Encoded::Error(error)),
        None => (workflow, Encoded::Value(output.unwrap_or_else(|| "null".to_owned()))),
    };
    Ok(entries.into_iter().map(outcome).collect())
}

/// Waits until one or all of `workflows` have ended, and gives how.
async fn wait(executor: &Executor, workflows: BTreeSet<String>, until: Until) -> Result<Outcomes> {
    let ended = |workflow: &String| executor.wakeups.subscribe(Fact::Ended { workflow: workflow.clone() });
    let subscriptions: Vec<Subscription> = workflows.iter().map(ended).collect();
    let (mut waiting, mut outcomes) = (workflows, Outcomes::new());
    // They may be ones that a dead executor left.
    executor.take_over();
    loop {
        let mut news: FuturesUnordered<_> = subscriptions.iter().map(Subscription::next).collect();
        for (workflow, outcome) in executor.store.outcomes(&waiting).await? {
            let Some(outcome) = outcome else { return Err(Error::NonExistentWorkflow { workflow }) };
            waiting.remove(&workflow);
            outcomes.insert(workflow.clone(), encode(&workflow, outcome));
            if until == Until::First {
                return Ok(outcomes);
            }
        }
        if waiting.is_empty() {
            return Ok(outcomes);
        }
        if let Some(error) = waiting.iter().find_map(|workflow| executor.stuck(workflow)) {
            return Err(error);
        }
        let ends = waiting.iter().map(|workflow| Fact::Ended { workflow: workflow.clone() });
        let wait = Wait { until_ms: None, news: ends.collect() };
        at_rest(Some(wait), async {
            tokio::select! {
                _ = news.next() => Ok(()),
                () = pause(executor.poll_interval) => Ok(()),
                () = executor.closed() => Err(Error::ShuttingDown),
            }
        })
        .await?;
        if until == Until::All {
            // There is news, so this is work: no clock may skip ahead meanwhile.
            pause(GATHERING * u32::try_from(waiting.len()).unwrap_or(u32::MAX)).await;
        }
    }
}
