//! Streams: values that a workflow appends under a key, for anybody to read from any place on, as they come.

use std::fmt;
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, Stream, StreamExt};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::checkpoint::{Point, StepOutcome};
use crate::codec::{decode_value, encode_value};
use crate::context::{Place, Run, StepContext, current_run, durable, engine, place};
use crate::error::{Error, Result};
use crate::executor::{Executor, Signal};
use crate::follow::{self, PAGE};
use crate::id::{check_key, typed_name};
use crate::step::StepCall;
use crate::store::checkpoints::Effect;
use crate::store::streams::{Appending, CLOSED};
use crate::wakeup::Fact;

const WRITE_STREAM: &str = "DBOS.writeStream";
const CLOSE_STREAM: &str = "DBOS.closeStream";
const READ_STREAM: &str = "DBOS.readStream";

/// A key under which workflows append values, and the type of these.
pub struct StreamKey<T> {
    key: &'static str,
    kind: PhantomData<fn() -> T>,
}

impl<T> StreamKey<T> {
    /// The stream under `key`, as other languages see it.
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

typed_name!(StreamKey, key);

#[track_caller]
pub(crate) fn write_stream<T>(stream: StreamKey<T>, value: &T) -> StepCall<'static, Result<()>>
where
    T: Serialize + DeserializeOwned,
{
    let unstorable = |reason| Error::Unstorable { what: format!("a value of stream `{}`", stream.key), reason };
    let value = encode_value(value).map_err(unstorable).and_then(|value| match value.as_str() {
        CLOSED => Err(unstorable("it is the text that marks the end of a stream; write another".to_owned())),
        _ => Ok(value),
    });
    append(WRITE_STREAM, "DBOS::write_stream", stream.key, value)
}

#[track_caller]
pub(crate) fn close_stream<T>(stream: StreamKey<T>) -> StepCall<'static, Result<()>> {
    append(CLOSE_STREAM, "DBOS::close_stream", stream.key, Ok(CLOSED.to_owned()))
}

/// A step of a workflow; a part of the transaction whose body this is; at once in a step.
#[track_caller]
fn append(
    name: &'static str,
    function: &'static str,
    key: &'static str,
    value: Result<String>,
) -> StepCall<'static, Result<()>> {
    let location = Location::caller();
    let value = check_key("stream key", key).and(value);
    let effect = |value| Effect::Stream { key: key.to_owned(), value };
    match place() {
        Place::Workflow(run) => {
            let point = Point::take(run, name, location);
            StepCall::operation(async move {
                let value = value?;
                append_once(&point, key, value).await;
                Ok(())
            })
        }
        Place::Step(step) if step.is_recorded_transaction() => {
            let outcome = value.map(|value| step.add_effect(effect(value)));
            StepCall::operation(async move { outcome })
        }
        Place::Step(step) if step.transaction.get().is_none() && step.workflow.is_some() => {
            StepCall::operation(async move { append_now(&step, key, &value?).await })
        }
        Place::Step(_) | Place::Outside => {
            let refusal = Error::OutsideWorkflow { function: function.to_owned() };
            StepCall::operation(async move { Err(refusal) })
        }
    }
}

async fn append_once(point: &Point, key: &str, value: String) {
    if point.recorded().await.is_some() {
        return;
    }
    let executor = &point.run.executor;
    let effect = Effect::Stream { key: key.to_owned(), value };
    point.record(StepOutcome::default(), effect, executor.clock.now_ms()).await;
    executor.notifier.told(&news(&point.run.workflow, key));
}

/// Once per attempt: what an earlier attempt of the step has written stays.
async fn append_now(step: &StepContext, key: &str, value: &str) -> Result<()> {
    let run = current_run().ok_or_else(|| Error::OutsideWorkflow { function: "DBOS::write_stream".to_owned() })?;
    run.stop_if_told().await;
    let from = Appending { workflow: &run.workflow, owner: &run.owner, step: step.step.unwrap_or_default() };
    if !run.executor.store.append_to_stream(from, key, value).await? {
        run.stop(Signal::LostOwnership).await
    }
    run.executor.notifier.told(&news(&run.workflow, key));
    Ok(())
}

fn news(workflow: &str, key: &str) -> Fact {
    Fact::Stream { workflow: workflow.to_owned(), key: key.to_owned() }
}

/// The values of a stream as they are stored, each with its offset, from `offset` on; ends where the stream is closed, or
/// with its workflow.
pub(crate) fn stored_values(
    executor: Arc<Executor>,
    workflow: String,
    key: &'static str,
    offset: u32,
) -> impl Stream<Item = Result<(u32, String)>> + Send + 'static {
    let news = news(&workflow, key);
    let after = i64::from(offset) - 1;
    let values = follow::values(executor, workflow, news, after, move |executor, workflow, after| async move {
        executor.store.stream_page(&workflow, key, after, PAGE).await
    });
    let until_closed = values.take_while(|value| {
        let is_closed = matches!(value, Ok((_, value)) if value == CLOSED);
        std::future::ready(!is_closed)
    });
    until_closed.map(|value| value.map(|(offset, value)| (u32::try_from(offset).unwrap_or(u32::MAX), value)))
}

/// Refuses what can be the key of no stream of any workflow.
pub(crate) fn check_stream(workflow: &str, key: &str) -> Result<()> {
    check_key("workflow id", workflow)?;
    check_key("stream key", key)
}

/// The values of a stream, in order: a `futures::Stream` that ends where the stream is closed, or with its workflow.
///
/// ```
/// # use dbos::{DBOS, Result, StreamKey};
/// const TOKENS: StreamKey<String> = StreamKey::new("tokens");
///
/// async fn print(id: &str) -> Result<()> {
///     let mut tokens = DBOS::read_stream(id, TOKENS);
///     while let Some(token) = tokens.next().await {
///         print!("{}", token?);
///     }
///     Ok(())
/// }
/// ```
///
/// Inside a workflow each value is a step, and so is the end: a replay reads what was read.
#[must_use = "a stream is read only when it is asked for values"]
pub struct ReadStream<T> {
    workflow: String,
    key: &'static str,
    offset: u32,
    location: &'static Location<'static>,
    executor: Result<Arc<Executor>>,
    /// The workflow that reads, if it is one.
    run: Option<Arc<Run>>,
    /// What comes after the last value, unless that was recorded.
    live: Option<Stored>,
    reading: Option<BoxFuture<'static, (Read<T>, Option<Stored>)>>,
    is_over: bool,
}

/// Values as they are stored, each with its offset.
type Stored = BoxStream<'static, Result<(u32, String)>>;
type Read<T> = Result<Option<(u32, T)>>;

#[track_caller]
pub(crate) fn read_stream<T>(workflow: String, stream: StreamKey<T>) -> ReadStream<T> {
    let run = match place() {
        Place::Workflow(run) => Some(run),
        Place::Step(_) | Place::Outside => None,
    };
    ReadStream {
        workflow,
        key: stream.key,
        offset: 0,
        location: Location::caller(),
        executor: engine(),
        run,
        live: None,
        reading: None,
        is_over: false,
    }
}

impl<T> ReadStream<T> {
    /// Begins with the value at `offset`; the first of a stream is at 0.
    pub fn from_offset(mut self, offset: u32) -> Self {
        self.offset = offset;
        self
    }

    /// Where the value after the last one that was read will be: whoever begins there misses and repeats nothing.
    #[must_use]
    pub fn offset(&self) -> u32 {
        self.offset
    }
}

impl<T: DeserializeOwned + Send + 'static> ReadStream<T> {
    /// The next value, once there is one; `None` at the end of the stream.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidKey`], [`Error::Unreadable`], [`Error::NotLaunched`], [`Error::ShuttingDown`]. After an error there
    /// is no more.
    #[track_caller]
    #[expect(clippy::should_implement_trait, reason = "it is what a `Stream` has, and no iterator")]
    pub fn next(&mut self) -> impl Future<Output = Option<Result<T>>> + Send + '_ {
        self.location = Location::caller();
        self.begin();
        poll_fn(|task| Pin::new(&mut *self).poll_next(task))
    }

    /// Takes the step id, if it is a workflow that reads, where the value is asked for.
    fn begin(&mut self) {
        if self.is_over || self.reading.is_some() {
            return;
        }
        let point = self.run.clone().map(|run| Point::take(run, READ_STREAM, self.location));
        let live = match self.live.take() {
            Some(live) => Ok(live),
            None => check_stream(&self.workflow, self.key)
                .and(self.executor.clone())
                .map(|executor| stored_values(executor, self.workflow.clone(), self.key, self.offset).boxed()),
        };
        let key = self.key;
        self.reading = Some(Box::pin(durable(async move {
            let live = match live {
                Ok(live) => live,
                Err(error) => return (Err(error), None),
            };
            match point {
                Some(point) => read_once(&point, live, key).await,
                None => read(live, key).await,
            }
        })));
    }
}

async fn read<T: DeserializeOwned>(mut live: Stored, key: &str) -> (Read<T>, Option<Stored>) {
    let value = live.next().await.transpose();
    let value = value.and_then(|value| {
        value.map(|(offset, value)| Ok((offset, decode_value(&value).map_err(|why| unreadable(key, why))?))).transpose()
    });
    (value, Some(live))
}

fn unreadable(key: &str, reason: String) -> Error {
    Error::Unreadable { what: format!("a value of stream `{key}`"), reason }
}

/// What the step that reads a value records of it. The end is recorded as nothing.
#[derive(Deserialize, Serialize)]
struct Entry {
    offset: u32,
    value: Box<RawValue>,
}

async fn read_once<T: DeserializeOwned>(point: &Point, live: Stored, key: &str) -> (Read<T>, Option<Stored>) {
    let (recorded, live) = match point.recorded().await {
        Some(recorded) => (recorded, None),
        None => {
            let mut live = live;
            let started_at_ms = point.run.executor.clock.now_ms();
            let output = match live.next().await.transpose() {
                Ok(entry) => entry.map(|(offset, value)| written(offset, value)),
                Err(Error::ShuttingDown) => point.run.stop(Signal::ShutDown).await,
                Err(error) => point.fail_to_store(&error).await,
            };
            let output = match output.transpose() {
                Ok(output) => output,
                Err(reason) => point.run.stop(Signal::Failed(unreadable(key, reason))).await,
            };
            let outcome = StepOutcome { output, ..StepOutcome::default() };
            (point.record(outcome, Effect::None, started_at_ms).await, Some(live))
        }
    };
    match recorded.output.map(|output| entry(&output)).transpose() {
        Ok(entry) => (Ok(entry), live),
        Err(reason) => point.run.stop(Signal::Failed(unreadable(key, reason))).await,
    }
}

fn written(offset: u32, value: String) -> Result<String, String> {
    let value = RawValue::from_string(value).map_err(|reason| reason.to_string())?;
    serde_json::to_string(&Entry { offset, value }).map_err(|reason| reason.to_string())
}

fn entry<T: DeserializeOwned>(output: &str) -> Result<(u32, T), String> {
    let Entry { offset, value } = serde_json::from_str(output).map_err(|reason| reason.to_string())?;
    Ok((offset, decode_value(value.get())?))
}

impl<T: DeserializeOwned + Send + 'static> Stream for ReadStream<T> {
    type Item = Result<T>;

    fn poll_next(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        let this = self.get_mut();
        this.begin();
        let Some(reading) = &mut this.reading else { return Poll::Ready(None) };
        let (read, live) = ready!(reading.as_mut().poll(task));
        (this.reading, this.live) = (None, live);
        Poll::Ready(match read {
            Ok(Some((offset, value))) => {
                this.offset = offset.saturating_add(1);
                Some(Ok(value))
            }
            ended => {
                this.is_over = true;
                ended.err().map(Err)
            }
        })
    }
}

impl<T> Unpin for ReadStream<T> {}

impl<T> fmt::Debug for ReadStream<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ReadStream")
            .field("workflow", &self.workflow)
            .field("key", &self.key)
            .field("offset", &self.offset)
            .finish_non_exhaustive()
    }
}
