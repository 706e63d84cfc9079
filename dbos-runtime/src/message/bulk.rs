//! Many messages in one commit: all of them are sent, or none.

use std::fmt;
use std::future::IntoFuture;
use std::panic::Location;

use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::delivery::{Forks, Letter, deliver};
use super::{At, Topic, sent};
use crate::codec::encode_value;
use crate::context::durable;
use crate::error::{Error, Result};
use crate::id::check_key;

const SEND_BULK: &str = "DBOS.sendBulk";

/// Messages about to be sent.
#[must_use = "messages are sent only when this is awaited"]
pub struct SendBulk {
    topic: &'static str,
    /// Destination and message.
    messages: Vec<(String, Result<String, String>)>,
    idempotency_key: Option<String>,
    forks: Forks,
    at: At,
}

#[track_caller]
pub(crate) fn send_bulk<T: Serialize + DeserializeOwned>(
    messages: impl Iterator<Item = (String, T)>,
    topic: Topic<T>,
) -> SendBulk {
    let at = At::here(SEND_BULK, Location::caller());
    let messages = messages.map(|(destination, message)| (destination, encode_value(&message))).collect();
    SendBulk { topic: topic.name, messages, idempotency_key: None, forks: Forks::default(), at }
}

impl SendBulk {
    /// Sends none of them that was sent before with this key and in the same place of the list.
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// Sends each of them to all that was forked from its destination too, and from that; as
    /// [`Send::to_forks`](super::Send::to_forks).
    pub fn to_forks(mut self) -> Self {
        self.forks = Forks::Included;
        self
    }

    async fn send(self) -> Result<()> {
        if let At::Workflow(point) = &self.at
            && let Some(recorded) = point.recorded().await
        {
            return sent(&recorded.into_encoded());
        }
        check_key("topic", self.topic)?;
        let letter = |(place, (destination, message)): (usize, (String, Result<String, String>))| {
            check_key("workflow id", &destination)?;
            let what = || format!("the message to workflow `{destination}`");
            let message = message.map_err(|reason| Error::Unstorable { what: what(), reason })?;
            let key = self.idempotency_key.as_ref().map(|key| format!("{key}-{place}"));
            Ok(Letter { destination, message, key })
        };
        let letters = self.messages.into_iter().enumerate().map(letter).collect::<Result<Vec<_>>>()?;
        deliver(self.at, self.topic, &letters, self.forks).await
    }
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
