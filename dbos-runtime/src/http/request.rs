//! The request that is being answered, for code that is not handed it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

use crate::caller::Caller;
use crate::id::random_id;

tokio::task_local! {
    static CURRENT: Arc<Current>;
}

/// The header that carries a request's id, in and out.
pub(crate) const REQUEST_ID: &str = "x-request-id";

/// The header that carries the id of the workflow that the request is, or the first that it started.
const WORKFLOW_ID: &str = "dbos-workflow-id";

/// The headers with which a caller makes a repeated request harmless: DBOS's own, and the one that
/// other services use. The first counts.
const IDEMPOTENCY_KEYS: [&str; 2] = ["dbos-idempotency-key", "idempotency-key"];

/// Longer ids are replaced: they are echoed into headers and logs.
const LONGEST_REQUEST_ID: usize = 128;

/// What is known of a request while it is being answered.
#[derive(Debug)]
pub(crate) struct Current {
    id: String,
    peer: Option<SocketAddr>,
    method: Method,
    path: String,
    headers: HeaderMap,
    key: Mutex<Option<String>>,
    caller: Arc<Caller>,
}

impl Current {
    pub(crate) fn new(peer: Option<SocketAddr>, method: &Method, uri: &Uri, headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        Self {
            id: text(REQUEST_ID).filter(|id| is_plain(id)).map_or_else(random_id, str::to_owned),
            peer,
            method: method.clone(),
            path: uri.path().to_owned(),
            headers: headers.clone(),
            key: Mutex::new(IDEMPOTENCY_KEYS.into_iter().find_map(text).map(str::to_owned)),
            caller: Arc::default(),
        }
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn method(&self) -> &Method {
        &self.method
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Runs `future` with this request as the current one.
    pub(crate) async fn scope<F: Future>(self: Arc<Self>, future: F) -> F::Output {
        let caller = Arc::clone(&self.caller);
        caller.scope(CURRENT.scope(self, future)).await
    }
}

/// An id that may be echoed: short, and no character that means anything in a log or a header.
fn is_plain(id: &str) -> bool {
    (1..=LONGEST_REQUEST_ID).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// Whether a request is being answered here.
pub(crate) fn is_running() -> bool {
    CURRENT.try_with(|_| ()).is_ok()
}

/// The header that names the workflow which the current request started, if it did.
pub(crate) fn workflow_header() -> Option<(HeaderName, HeaderValue)> {
    let started = CURRENT.try_with(|current| current.caller.started().map(str::to_owned)).ok().flatten()?;
    // An id of the family's other libraries may hold what no header can.
    Some((HeaderName::from_static(WORKFLOW_ID), HeaderValue::try_from(started).ok()?))
}

/// The idempotency key of the current request, for whoever asks first: one key names one workflow.
pub(crate) fn take_idempotency_key() -> Option<String> {
    CURRENT.try_with(|current| current.key.lock().unwrap_or_else(PoisonError::into_inner).take()).ok().flatten()
}

/// The address the current request came from; `None` outside a request.
///
/// Behind a proxy that is trusted (`trust_forwarded`) this is the address the proxy reports, with
/// port 0.
#[must_use]
pub fn peer() -> Option<SocketAddr> {
    CURRENT.try_with(|current| current.peer).ok().flatten()
}

/// The id of the current request, as the `X-Request-ID` header and every error carry it.
#[must_use]
pub fn request_id() -> Option<String> {
    CURRENT.try_with(|current| current.id.clone()).ok()
}

/// The value of a header of the current request; `None` outside a request, or if it is not text.
#[must_use]
pub fn header(name: &str) -> Option<String> {
    CURRENT.try_with(|current| current.headers.get(name)?.to_str().ok().map(str::to_owned)).ok().flatten()
}
