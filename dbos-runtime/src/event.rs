//! Events: values a workflow publishes under keys, for anybody to read. The latest counts.

use std::collections::BTreeMap;
use std::fmt;
use std::future::IntoFuture;
use std::marker::PhantomData;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
#[cfg(feature = "http")]
use futures_util::stream::Stream;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::checkpoint::{Point, StepOutcome};
use crate::clock::pause;
use crate::codec::{decode_value, encode_value};
use crate::context::{Place, at_rest, durable, engine, place};
use crate::error::{Error, Result};
use crate::executor::{Executor, Signal};
#[cfg(feature = "http")]
use crate::follow::{self, PAGE};
use crate::id::{check_key, typed_name};
use crate::step::{Question, StepCall, record_wake_up};
use crate::store::checkpoints::Effect;
use crate::store::events::EventLook;
use crate::wakeup::{Fact, Wait};

const SET_EVENT: &str = "DBOS.setEvent";
const GET_EVENT: &str = "DBOS.getEvent";
const GET_ALL_EVENTS: &str = "DBOS.getAllEvents";
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// A key under which workflows publish, and the type of what they publish.
pub struct Event<T> {
    key: &'static str,
    kind: PhantomData<fn() -> T>,
}

impl<T> Event<T> {
    /// The event under `key`, as other languages see it.
    #[must_use]
    pub const fn new(key: &'static str) -> Self {
        Self { key, kind: PhantomData }
    }

    /// Its key.
    #[must_use]
    pub const fn key(&self) -> &'static str {
        self.key
    }
}

typed_name!(Event, key);

#[track_caller]
pub(crate) fn set_event<T>(event: Event<T>, value: &T) -> StepCall<'static, Result<()>>
where
    T: Serialize + DeserializeOwned,
{
    let location = Location::caller();
    let value = encode_value(value)
        .map_err(|reason| Error::Unstorable { what: format!("the value of event `{}`", event.key), reason });
    let effect =
        check_key("event key", event.key).and(value).map(|value| Effect::Event { key: event.key.to_owned(), value });
    match place() {
        Place::Workflow(run) => {
            let point = Point::take(run, SET_EVENT, location);
            StepCall::operation(async move { publish(&point, effect?).await })
        }
        Place::Step(step) if step.is_recorded_transaction() => {
            let outcome = effect.map(|effect| step.add_effect(effect));
            StepCall::operation(async move { outcome })
        }
        Place::Step(_) | Place::Outside => {
            let refusal = Error::OutsideWorkflow { function: "DBOS::set_event".to_owned() };
            StepCall::operation(async move { Err(refusal) })
        }
    }
}

async fn publish(point: &Point, effect: Effect) -> Result<()> {
    if point.recorded().await.is_some() {
        return Ok(());
    }
    let Effect::Event { key, .. } = &effect else { unreachable!("made by `set_event`") };
    let fact = Fact::Event { workflow: point.run.workflow.clone(), key: key.clone() };
    let executor = &point.run.executor;
    point.record(StepOutcome::default(), effect, executor.clock.now_ms()).await;
    executor.notifier.told(&fact);
    Ok(())
}

/// A look at another workflow's event; awaiting it waits until the event is set.
#[must_use = "an event is read only when this is awaited"]
pub struct GetEvent<T> {
    workflow: String,
    event: Event<T>,
    timeout: Duration,
    /// The operation's step and its timer's, inside a workflow.
    points: Option<(Point, Point)>,
}

#[track_caller]
pub(crate) fn get_event<T>(workflow: String, event: Event<T>) -> GetEvent<T> {
    let location = Location::caller();
    let points = match place() {
        Place::Workflow(run) => {
            let point = Point::take(Arc::clone(&run), GET_EVENT, location);
            Some((point, Point::take(run, "DBOS.sleep", location)))
        }
        Place::Step(_) | Place::Outside => None,
    };
    GetEvent { workflow, event, timeout: DEFAULT_TIMEOUT, points }
}

impl<T> GetEvent<T> {
    /// How long to wait for it; 60 s by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl<T> fmt::Debug for GetEvent<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("GetEvent")
            .field("workflow", &self.workflow)
            .field("event", &self.event)
            .finish_non_exhaustive()
    }
}

impl<T: DeserializeOwned + Send + 'static> IntoFuture for GetEvent<T> {
    type Output = Result<Option<T>>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(durable(async move {
            check_key("workflow id", &self.workflow)?;
            check_key("event key", self.event.key)?;
            let (workflow, key) = (self.workflow, self.event.key);
            let run = self.points.as_ref().map(|(point, _)| Arc::clone(&point.run));
            let value = match self.points {
                Some((point, timer)) => recorded_event(&point, &timer, &workflow, key, self.timeout).await,
                None => {
                    let executor = engine()?;
                    let deadline_ms = executor.clock.after(self.timeout);
                    wait(&executor, &workflow, key, deadline_ms).await?
                }
            };
            let Some(value) = value else { return Ok(None) };
            match (decode_value(&value), run) {
                (Ok(value), _) => Ok(Some(value)),
                (Err(reason), None) => Err(unreadable(key, reason)),
                (Err(reason), Some(run)) => run.stop(Signal::Failed(unreadable(key, reason))).await,
            }
        }))
    }
}

fn unreadable(key: &str, reason: String) -> Error {
    Error::Unreadable { what: format!("event `{key}`"), reason }
}

/// A look that a workflow takes is a step. A published null and a passed time-out must stay apart on
/// replay: no output at all stands for the time-out.
async fn recorded_event(point: &Point, timer: &Point, workflow: &str, key: &str, timeout: Duration) -> Option<String> {
    if let Some(recorded) = point.recorded().await {
        return recorded.output;
    }
    let executor = &point.run.executor;
    let deadline_ms = record_wake_up(timer, timeout).await;
    let output = match wait(executor, workflow, key, deadline_ms).await {
        Ok(value) => value,
        Err(Error::ShuttingDown) => point.run.stop(Signal::ShutDown).await,
        Err(error) => point.fail_to_store(&error).await,
    };
    let outcome = StepOutcome { output, ..StepOutcome::default() };
    point.record(outcome, Effect::None, executor.clock.now_ms()).await.output
}

/// The value as JSON; `None` once the deadline has passed, or when the workflow is over without it.
async fn wait(executor: &Executor, workflow: &str, key: &str, deadline_ms: i64) -> Result<Option<String>> {
    let news = [
        Fact::Event { workflow: workflow.to_owned(), key: key.to_owned() },
        Fact::Ended { workflow: workflow.to_owned() },
    ];
    let [set, ended] = news.clone().map(|fact| executor.wakeups.subscribe(fact));
    let wait = Wait { until_ms: Some(deadline_ms), news: news.into() };
    loop {
        let (next, end) = (set.next(), ended.next());
        match executor.store.look_for_event(workflow, key).await? {
            EventLook::Value(value) => return Ok(Some(value)),
            EventLook::Never => return Ok(None),
            EventLook::NotYet if executor.clock.now_ms() >= deadline_ms => return Ok(None),
            // It may have to come from a workflow that a dead executor left.
            EventLook::NotYet => executor.take_over(),
        }
        let news = async {
            tokio::select! {
                () = next => {}
                () = end => {}
                () = executor.clock.sleep_until(deadline_ms) => {}
                () = pause(executor.poll_interval) => {}
                () = executor.closed() => return Err(Error::ShuttingDown),
            }
            Ok(())
        };
        at_rest(Some(wait.clone()), news).await?;
    }
}

/// The latest value under each key, without waiting for any.
#[track_caller]
pub(crate) fn get_all_events(workflow: String) -> StepCall<'static, Result<BTreeMap<String, Value>>> {
    let question = Question::here(GET_ALL_EVENTS);
    StepCall::operation(question.answer(|executor| async move {
        check_key("workflow id", &workflow)?;
        let events = executor.store.all_events(&workflow).await?;
        if events.is_empty() && !executor.store.exists(&workflow).await? {
            return Err(Error::NonExistentWorkflow { workflow });
        }
        // What another language has written in a format of its own is there as the text that it is.
        let value = |text: String| decode_value(&text).unwrap_or(Value::String(text));
        Ok(events.into_iter().map(|(key, text)| (key, value(text))).collect())
    }))
}

/// Every value that `workflow` publishes under `key` after the step `after`, with the step that published it; ends when
/// the workflow is over, or the engine stops.
///
/// # Errors
///
/// [`Error::InvalidKey`] for an id or key that cannot be one.
#[cfg(feature = "http")]
pub(crate) fn published(
    executor: Arc<Executor>,
    workflow: String,
    key: &'static str,
    after: i64,
) -> Result<impl Stream<Item = Result<(i64, String)>> + Send> {
    check_key("workflow id", &workflow)?;
    check_key("event key", key)?;
    let set = Fact::Event { workflow: workflow.clone(), key: key.to_owned() };
    let values = follow::values(executor, workflow, set, after, move |executor, workflow, after| async move {
        executor.store.published(&workflow, key, after, PAGE).await
    });
    Ok(values)
}
