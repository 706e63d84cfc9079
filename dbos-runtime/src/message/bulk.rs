//! Many messages in one commit: all of them are sent, or none.

use std::fmt;
use std::future::IntoFuture;
use std::panic::Location;

use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{At, Topic, message_id, sent};
use crate::checkpoint::{Point, StepOutcome};
use crate::codec::{encode_value, engine_error};
use crate::context::{durable, engine};
use crate::error::{Error, Result};
use crate::executor::Executor;
use crate::id::check_key;
use crate::store::checkpoints::Effect;
use crate::store::messages::{Delivery, Outgoing};
use crate::store::retry::{Backoff, is_transient};
use crate::wakeup::Fact;

const SEND_BULK: &str = "DBOS.sendBulk";

/// Messages about to be sent.
#[must_use = "messages are sent only when this is awaited"]
pub struct SendBulk {
    topic: &'static str,
    /// Destination and message.
    messages: Vec<(String, Result<String, String>)>,
    idempotency_key: Option<String>,
    at: At,
}

#[track_caller]
pub(crate) fn send_bulk<T: Serialize + DeserializeOwned>(
    messages: impl Iterator<Item = (String, T)>,
    topic: Topic<T>,
) -> SendBulk {
    let at = At::here(SEND_BULK, Location::caller());
    let messages = messages.map(|(destination, message)| (destination, encode_value(&message))).collect();
    SendBulk { topic: topic.name, messages, idempotency_key: None, at }
}

impl SendBulk {
    /// Sends none of them that was sent before with this key and in the same place of the list.
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    async fn send(self) -> Result<()> {
        if let At::Workflow(point) = &self.at
            && let Some(recorded) = point.recorded().await
        {
            return sent(&recorded.into_encoded());
        }
        let executor = engine()?;
        let messages = self.outgoing(&executor)?;
        let topic = self.topic;
        match self.at {
            At::Outside => deliver(&executor, topic, &messages).await?,
            At::Workflow(point) => deliver_from(&point, topic, &messages).await?,
            At::Transaction(step) => {
                for Outgoing { destination, message, id, sent_at_ms } in messages {
                    let unreachable = engine_error(&nobody(&destination)).text().to_owned();
                    let topic = topic.to_owned();
                    step.add_effect(Effect::Message { destination, topic, message, id, sent_at_ms, unreachable });
                }
                return Ok(());
            }
        }
        for Outgoing { destination, .. } in messages {
            executor.notifier.told(&Fact::Message { workflow: destination, topic: topic.to_owned() });
        }
        Ok(())
    }

    fn outgoing(&self, executor: &Executor) -> Result<Vec<Outgoing>> {
        check_key("topic", self.topic)?;
        let outgoing = |(place, (destination, message)): (usize, &(String, Result<String, String>))| {
            check_key("workflow id", destination)?;
            let message = message.clone().map_err(|reason| Error::Unstorable {
                what: format!("the message to workflow `{destination}`"),
                reason,
            })?;
            let key = self.idempotency_key.as_ref().map(|key| format!("{key}-{place}"));
            let id = message_id(key, destination);
            Ok(Outgoing { destination: destination.clone(), message, id, sent_at_ms: executor.clock.unique_ms() })
        };
        self.messages.iter().enumerate().map(outgoing).collect()
    }
}

/// Sends them from outside any workflow.
async fn deliver(executor: &Executor, topic: &str, messages: &[Outgoing]) -> Result<()> {
    let delivery = executor.store.repeat("send messages", || executor.store.send_all(topic, messages, None));
    match delivery.await? {
        Delivery::Nobody(workflow) => Err(nobody(&workflow)),
        Delivery::Sent | Delivery::Refused => Ok(()),
    }
}

/// Sends them and records the step in one commit; if one cannot be sent, records that and sends none.
async fn deliver_from(point: &Point, topic: &str, messages: &[Outgoing]) -> Result<()> {
    let executor = &point.run.executor;
    let now_ms = executor.clock.now_ms();
    let checkpoint = point.checkpoint(StepOutcome::default(), Effect::None, now_ms, now_ms);
    let mut backoff = Backoff::new();
    loop {
        match executor.store.send_all(topic, messages, Some(&checkpoint)).await {
            Ok(Delivery::Sent) => return Ok(()),
            Ok(Delivery::Nobody(workflow)) => {
                let outcome = StepOutcome::from(engine_error(&nobody(&workflow)));
                return sent(&point.record(outcome, Effect::None, now_ms).await.into_encoded());
            }
            // Perhaps by ourselves, and the answer was lost.
            Ok(Delivery::Refused) => {
                if let Some(recorded) = point.explain_refusal().await {
                    return sent(&recorded.into_encoded());
                }
            }
            Err(error) if is_transient(&error) => {}
            Err(error) => point.fail_to_store(&Error::database("send messages", error)).await,
        }
        backoff.wait().await;
    }
}

fn nobody(workflow: &str) -> Error {
    Error::NonExistentWorkflow { workflow: workflow.to_owned() }
}

impl IntoFuture for SendBulk {
    type Output = Result<()>;
    type IntoFuture = BoxFuture<'static, Result<()>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(durable(self.send()))
    }
}

impl fmt::Debug for SendBulk {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SendBulk").field("topic", &self.topic).finish_non_exhaustive()
    }
}
