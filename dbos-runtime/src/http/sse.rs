//! Server-sent events: an answer that goes on, one event after another, and where a client that lost it takes it up.

use std::convert::Infallible;
use std::fmt;
use std::future::ready;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, Stream, StreamExt};
use tokio::time::timeout;

use super::request::header;
use crate::context::engine;
use crate::event::{self, Event};
use crate::stream::{StreamKey, check_stream, stored_values};
use crate::{Error, Result};

/// After so long without an event, a line says that the connection lives.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// One event of a stream: a text, and what a client may know it by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SseEvent {
    id: Option<String>,
    name: Option<String>,
    data: String,
}

impl SseEvent {
    /// An event with this text, which may have several lines.
    pub fn new(data: impl Into<String>) -> Self {
        Self { data: data.into(), ..Self::default() }
    }

    /// What a client that reconnects sends back as `Last-Event-ID`: one line.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// The name under which a page listens for it; `message` if there is none: one line.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// As it is sent. A line break in the wrong place would begin a field of its own.
    fn written(&self) -> Bytes {
        let one_line = |text: &str| text.replace(['\r', '\n', '\0'], " ");
        let id = self.id.iter().map(|id| format!("id: {}\n", one_line(id)));
        let name = self.name.iter().map(|name| format!("event: {}\n", one_line(name)));
        let data = self.data.replace("\r\n", "\n").replace('\r', "\n");
        let data = data.split('\n').map(|line| format!("data: {line}\n")).collect::<Vec<_>>();
        id.chain(name).chain(data).chain(["\n".to_owned()]).collect::<String>().into()
    }
}

/// An answer that goes on until its stream ends or its client leaves.
///
/// The stream is asked for an event when the client has taken what was there, so a slow client costs no memory.
///
/// ```
/// use dbos::http::Sse;
/// use dbos::{Event, Result, get_api};
///
/// const PROGRESS: Event<u32> = Event::new("progress");
///
/// #[get_api("/orders/:id/progress")]
/// async fn progress(id: String) -> Result<Sse> {
///     Sse::of_event(id, PROGRESS)
/// }
/// ```
#[must_use = "a stream is answered only when the route returns it"]
pub struct Sse(BoxStream<'static, SseEvent>);

impl fmt::Debug for Sse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Sse")
    }
}

impl Sse {
    /// Answers with the events of `stream`.
    pub fn new(stream: impl Stream<Item = SseEvent> + Send + 'static) -> Self {
        Self(stream.boxed())
    }

    /// Answers with every value that `workflow` has published and publishes under `event`, as JSON, until the workflow
    /// is over. A client that reconnects gets what came after the last it has seen.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidKey`] for an id or a `Last-Event-ID` that cannot be one; [`Error::NotLaunched`].
    pub fn of_event<T>(workflow: impl Into<String>, event: Event<T>) -> Result<Self> {
        let (executor, workflow, key) = (engine()?, workflow.into(), event.key());
        let published = event::published(executor, workflow, key, last_seen()?.unwrap_or(0).into())?;
        Ok(Self::of_values(key, published))
    }

    /// Answers with every value of a stream of `workflow`, as JSON, until the stream is closed or the workflow is over. A
    /// client that reconnects gets what came after the last it has seen.
    ///
    /// # Errors
    ///
    /// As [`of_event`](Self::of_event).
    pub fn of_stream<T>(workflow: impl Into<String>, stream: StreamKey<T>) -> Result<Self> {
        let (executor, workflow, key) = (engine()?, workflow.into(), stream.key());
        check_stream(&workflow, key)?;
        let next = last_seen()?.map_or(0, |offset| offset.saturating_add(1));
        Ok(Self::of_values(key, stored_values(executor, workflow, key, next)))
    }

    /// Each value under its number, up to the first that cannot be read.
    fn of_values<N>(key: &'static str, values: impl Stream<Item = Result<(N, String)>> + Send + 'static) -> Self
    where
        N: fmt::Display + Send + 'static,
    {
        let cut_off = move |error: &Error| tracing::warn!(key, "a reader is cut off: {error}");
        let values = values.map(move |value| value.inspect_err(cut_off)).take_while(|value| ready(value.is_ok()));
        Self::new(
            values
                .filter_map(|value| ready(value.ok()))
                .map(move |(number, value)| SseEvent::new(value).id(number.to_string()).name(key)),
        )
    }
}

/// The number of the last event that the client has seen, if it has seen one.
fn last_seen() -> Result<Option<u32>> {
    let Some(id) = last_event_id() else { return Ok(None) };
    let refused = |_| Error::InvalidKey {
        what: "`Last-Event-ID`".to_owned(),
        reason: "it is none that this stream has sent; leave it out to begin anew".to_owned(),
    };
    id.parse().map(Some).map_err(refused)
}

/// The id of the last event that the client of the current request has seen, if it reconnects.
#[must_use]
pub fn last_event_id() -> Option<String> {
    header("last-event-id").filter(|id| !id.is_empty())
}

impl IntoResponse for Sse {
    fn into_response(self) -> Response {
        let lines = stream::unfold(self.0, |mut events| async {
            let line = match timeout(KEEP_ALIVE, events.next()).await {
                Ok(event) => event?.written(),
                Err(_) => Bytes::from_static(b": still there\n\n"),
            };
            Some((Ok::<_, Infallible>(line), events))
        });
        let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")];
        (headers, Body::from_stream(lines)).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_its_fields_and_nothing_else() {
        for (event, written) in [
            (SseEvent::new("a"), "data: a\n\n"),
            (
                SseEvent::new("a\nb\r\nc\rd").id("7").name("x"),
                "id: 7\nevent: x\ndata: a\ndata: b\ndata: c\ndata: d\n\n",
            ),
            (SseEvent::new("").id("7\nevent: y"), "id: 7 event: y\ndata: \n\n"),
        ] {
            assert_eq!(event.written(), written, "{event:?}");
        }
    }
}
