//! The request that is being answered, for code that is not handed it.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

use super::HttpError;
use super::trace::{self, TRACEPARENT};
use crate::caller::{Caller, RequestNote};
use crate::id::{check_key, random_id};

tokio::task_local! {
    static CURRENT: Arc<Current>;
}

/// The header that carries a request's id, in and out.
pub(crate) const REQUEST_ID: &str = "x-request-id";

/// The header that carries the id of the workflow that the request is, or the first that it started.
pub(crate) const WORKFLOW_ID: &str = "dbos-workflow-id";

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
    traceparent: String,
    caller: Arc<Caller>,
}

impl Current {
    pub(crate) fn new(peer: Option<SocketAddr>, method: &Method, uri: &Uri, headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let id = text(REQUEST_ID).filter(|id| is_plain(id)).map_or_else(random_id, str::to_owned);
        let traceparent = trace::continued(text(TRACEPARENT));
        let note = RequestNote {
            id: Some(id.clone()),
            method: Some(method.to_string()),
            path: Some(uri.path().to_owned()),
            traceparent: Some(traceparent.clone()),
            fingerprint: None,
        };
        Self {
            id,
            peer,
            method: method.clone(),
            path: uri.path().to_owned(),
            headers: headers.clone(),
            traceparent,
            caller: Arc::new(Caller::new(note)),
        }
    }

    /// The headers that every answer to it carries.
    pub(crate) fn answer_headers(&self) -> [(HeaderName, HeaderValue); 2] {
        let value = |text: &str| HeaderValue::from_str(text).expect("what is echoed is checked or made here");
        [
            (HeaderName::from_static(REQUEST_ID), value(&self.id)),
            (HeaderName::from_static(TRACEPARENT), value(&self.traceparent)),
        ]
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

/// Whether the current request would rather have a page than JSON: a browser that shows what it gets.
pub(crate) fn wants_page() -> bool {
    let Some(accept) = header("accept") else { return false };
    quality(&accept, "text/html") > quality(&accept, "application/json")
}

/// How much `accept` wants `kind`, by its name and in thousandths; `*/*` wants nothing in particular.
fn quality(accept: &str, kind: &str) -> u16 {
    let wanted = accept.split(',').filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let named = parts.next()?.eq_ignore_ascii_case(kind);
        let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1000), thousandths);
        named.then_some(weight?)
    });
    wanted.max().unwrap_or(0)
}

/// `0.8` is 800.
fn thousandths(weight: &str) -> Option<u16> {
    let weight: f32 = weight.parse().ok()?;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 1000")]
    (0.0..=1.0).contains(&weight).then_some((weight * 1000.0) as u16)
}

/// The idempotency key among `headers`.
///
/// # Errors
///
/// 400 if it is given twice, or could not be the id of a workflow.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, HttpError> {
    let Some(name) = IDEMPOTENCY_KEYS.into_iter().find(|name| headers.contains_key(*name)) else { return Ok(None) };
    let mut values = headers.get_all(name).iter();
    let key = values.next().and_then(|value| value.to_str().ok());
    let Some(key) = key.filter(|_| values.next().is_none()) else {
        return Err(HttpError::new(400, format!("the header `{name}` holds one key, of plain ASCII")));
    };
    check_key(name, key)?;
    Ok(Some(key.to_owned()))
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
///
/// A workflow is outside, and so is a step or transaction behind a route once an idempotency key makes it a workflow:
/// after a crash another process may run it. What it needs of the request is an argument, `#[header]`, which is recorded.
#[must_use]
pub fn header(name: &str) -> Option<String> {
    CURRENT.try_with(|current| current.headers.get(name)?.to_str().ok().map(str::to_owned)).ok().flatten()
}

/// The token in `Authorization: Bearer …` of the current request; `None` if there is none.
#[must_use]
pub fn bearer_token() -> Option<String> {
    let header = header("authorization")?;
    let (scheme, token) = header.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| token.to_owned())
}
