//! Messages: sent to a workflow, taken once, in order.

mod bulk;
mod delivery;

use std::fmt;
use std::future::IntoFuture;
use std::marker::PhantomData;
use std::panic::Location;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::checkpoint::{Point, StepOutcome};
use crate::clock::pause;
use crate::codec::{Encoded, decode_value, encode_value, engine_error, read_engine_error};
use crate::context::{Place, StepContext, at_rest, durable, engine, place};
use crate::error::{Error, Result};
use crate::executor::Signal;
use crate::id::{check_key, random_id, typed_name};
use crate::step::{StepCall, record_wake_up};
use crate::store::checkpoints::{Checkpoint, Effect};
use crate::store::messages::{NO_TOPIC, Taken};
use crate::store::retry::{Backoff, is_transient};
use crate::store::steps::RecordedStep;
use crate::wakeup::{Fact, Wait};

use delivery::{Forks, Letter, deliver};

pub use bulk::SendBulk;
pub(crate) use bulk::send_bulk;

const SEND: &str = "DBOS.send";
const RECV: &str = "DBOS.recv";
/// What `()` and `None` look like on their way.
const EMPTY: &str = "null";

/// A named channel to a workflow, and the type of what goes through it.
pub struct Topic<T> {
    name: &'static str,
    kind: PhantomData<fn() -> T>,
}

impl<T> Topic<T> {
    /// The topic `name`, as other languages see it.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name, kind: PhantomData }
    }

    /// The channel of messages that were sent without a topic.
    #[must_use]
    pub const fn none() -> Self {
        Self::new(NO_TOPIC)
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

typed_name!(Topic, name);

/// A message about to be sent.
#[must_use = "a message is sent only when this is awaited"]
pub struct Send {
    destination: String,
    topic: &'static str,
    message: Result<String, String>,
    idempotency_key: Option<String>,
    forks: Forks,
    at: At,
}

enum At {
    Workflow(Point),
    Transaction(std::sync::Arc<StepContext>),
    Outside,
}

impl At {
    /// Takes the id of the step `name` here, if this is in a workflow.
    fn here(name: &'static str, location: &'static Location<'static>) -> Self {
        match place() {
            Place::Workflow(run) => Self::Workflow(Point::take(run, name, location)),
            Place::Step(step) if step.transaction.get().is_some() => Self::Transaction(step),
            Place::Step(_) | Place::Outside => Self::Outside,
        }
    }
}

/// The name of a message in the database: its own, or one that another with the same key has too.
fn message_id(key: Option<String>, destination: &str) -> String {
    key.map_or_else(random_id, |key| format!("{key}::{destination}"))
}

impl Send {
    /// Sends nothing if a message with this key was sent to the same workflow before.
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// Sends it to all that was [forked](crate::DBOS::fork_workflow) from that workflow too, and from those forks, as they
    /// are now: a copy to each, in one commit. A key makes each of them receive it once. Not in a transaction.
    pub fn to_forks(mut self) -> Self {
        self.forks = Forks::Included;
        self
    }
}

impl fmt::Debug for Send {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Send").field("topic", &self.topic).finish_non_exhaustive()
    }
}

#[track_caller]
pub(crate) fn send<T: Serialize + DeserializeOwned>(destination: String, message: &T, topic: Topic<T>) -> Send {
    let location = Location::caller();
    let at = At::here(SEND, location);
    Send {
        destination,
        topic: topic.name,
        message: encode_value(message),
        idempotency_key: None,
        forks: Forks::default(),
        at,
    }
}

impl IntoFuture for Send {
    type Output = Result<()>;
    type IntoFuture = BoxFuture<'static, Result<()>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(durable(self.send()))
    }
}

impl Send {
    async fn send(self) -> Result<()> {
        if let At::Workflow(point) = &self.at
            && let Some(recorded) = point.recorded().await
        {
            return sent(&recorded.into_encoded());
        }
        check_key("workflow id", &self.destination)?;
        check_key("topic", self.topic)?;
        let message = self.message.map_err(|reason| Error::Unstorable { what: "the message".to_owned(), reason })?;
        if self.forks == Forks::Included {
            let letter = Letter { destination: self.destination, message, key: self.idempotency_key };
            return deliver(self.at, self.topic, &[letter], self.forks).await;
        }
        let executor = engine()?;
        let id = message_id(self.idempotency_key, &self.destination);
        let (destination, topic) = (self.destination, self.topic.to_owned());
        let fact = Fact::Message { workflow: destination.clone(), topic: topic.clone() };
        let unreachable = Error::NonExistentWorkflow { workflow: destination.clone() };
        let sent_at_ms = executor.clock.unique_ms();
        match self.at {
            At::Outside => {
                if !executor.store.send(&destination, &topic, &message, &id, sent_at_ms).await? {
                    return Err(unreachable);
                }
            }
            At::Transaction(step) => {
                let unreachable = engine_error(&unreachable).text().to_owned();
                step.add_effect(Effect::Message { destination, topic, message, id, sent_at_ms, unreachable });
                return Ok(());
            }
            At::Workflow(point) => {
                let unreachable = engine_error(&unreachable).text().to_owned();
                let effect = Effect::Message { destination, topic, message, id, sent_at_ms, unreachable };
                let recorded = point.record(StepOutcome::default(), effect, sent_at_ms).await;
                sent(&recorded.into_encoded())?;
            }
        }
        executor.notifier.told(&fact);
        Ok(())
    }
}

fn sent(recorded: &Encoded) -> Result<()> {
    match recorded {
        Encoded::Value(_) => Ok(()),
        Encoded::Error(error) => Err(read_engine_error(error)),
    }
}

/// Waits for a message. Takes two step ids: its own and, one higher, its timer's.
#[track_caller]
pub(crate) fn recv<T>(topic: Topic<T>, timeout: Duration) -> StepCall<'static, Result<Option<T>>>
where
    T: Serialize + DeserializeOwned + std::marker::Send + 'static,
{
    let location = Location::caller();
    let Place::Workflow(run) = place() else {
        let refusal = Error::OutsideWorkflow { function: "DBOS::recv".to_owned() };
        return StepCall::operation(async move { Err(refusal) });
    };
    let point = Point::take(std::sync::Arc::clone(&run), RECV, location);
    let timer = Point::take(run, "DBOS.sleep", location);
    StepCall::operation(async move {
        check_key("topic", topic.name)?;
        let message = receive(&point, &timer, topic.name, timeout).await;
        let Some(message) = message else { return Ok(None) };
        match decode_value(&message) {
            Ok(message) => Ok(Some(message)),
            // The empty message of another language, on a topic whose type has no empty value.
            Err(_) if message == EMPTY => Ok(None),
            Err(reason) => {
                let what = format!("a message on topic `{}`", topic.name);
                point.run.stop(Signal::Failed(Error::Unreadable { what, reason })).await
            }
        }
    })
}

/// The message as JSON, or `None` once the timeout has passed.
async fn receive(point: &Point, timer: &Point, topic: &str, timeout: Duration) -> Option<String> {
    if let Some(recorded) = point.recorded().await {
        return recorded.output;
    }
    let executor = &point.run.executor;
    let deadline_ms = Box::pin(record_wake_up(timer, timeout)).await;
    let message = Fact::Message { workflow: point.run.workflow.clone(), topic: topic.to_owned() };
    let arrived = executor.wakeups.subscribe(message.clone());
    let mut looks = Looks { point, topic, is_in_doubt: false };
    loop {
        let next = arrived.next();
        if let Some(recorded) = Box::pin(looks.take()).await {
            return recorded.output;
        }
        if executor.clock.now_ms() >= deadline_ms {
            // No output at all stands for the time-out: an empty message is something else.
            let timed_out = point.record(StepOutcome::default(), Effect::None, executor.clock.now_ms());
            return Box::pin(timed_out).await.output;
        }
        let wait = Wait { until_ms: Some(deadline_ms), news: vec![message.clone()] };
        at_rest(Some(wait), async {
            tokio::select! {
                () = next => {}
                () = executor.clock.sleep_until(deadline_ms) => {}
                () = pause(executor.poll_interval) => {}
            }
        })
        .await;
    }
}

/// The looks of one receiver for its message.
struct Looks<'a> {
    point: &'a Point,
    topic: &'a str,
    /// The answer to an earlier look was lost. It may have taken the message, or may do so yet, and
    /// later looks cannot see that: a taken message is no message.
    is_in_doubt: bool,
}

impl Looks<'_> {
    /// The oldest message, taken and recorded in one commit; or what an earlier look has recorded.
    async fn take(&mut self) -> Option<RecordedStep> {
        let executor = &self.point.run.executor;
        let now_ms = executor.clock.now_ms();
        let checkpoint = self.point.checkpoint(StepOutcome::default(), Effect::None, now_ms, now_ms);
        let mut backoff = Backoff::new();
        loop {
            match executor.store.take_message(&checkpoint, self.topic).await {
                Ok(Taken::Message(message)) => {
                    return Some(Point::as_recorded(Checkpoint { output: Some(message), ..checkpoint }));
                }
                Ok(Taken::Nothing) if self.is_in_doubt => return self.point.explain_refusal().await,
                Ok(Taken::Nothing) => return None,
                Ok(Taken::Refused) => {
                    if let Some(recorded) = self.point.explain_refusal().await {
                        return Some(recorded);
                    }
                }
                Err(error) if is_transient(&error) => self.is_in_doubt = true,
                Err(error) => self.point.fail_to_store(&Error::database("take a message", error)).await,
            }
            backoff.wait().await;
        }
    }
}
