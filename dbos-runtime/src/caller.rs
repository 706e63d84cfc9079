//! On whose behalf code runs: what a request lends to the workflows it starts, and what it wants to know of them.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde::{Deserialize, Serialize};

tokio::task_local! {
    static CALLER: Arc<Caller>;
}

/// Who asks: a user, and what that user may act as.
#[cfg(feature = "http")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The user's name.
    pub user: String,
    /// What the user may act as.
    pub roles: Vec<String>,
}

#[cfg(feature = "http")]
impl Identity {
    /// A user with these roles.
    pub fn new<R: Into<String>>(user: impl Into<String>, roles: impl IntoIterator<Item = R>) -> Self {
        Self { user: user.into(), roles: roles.into_iter().map(Into::into).collect() }
    }
}

/// Where a workflow comes from, as its row tells it. Children have what their parent has.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Provenance {
    pub(crate) user: Option<String>,
    pub(crate) roles: Vec<String>,
    /// The role that opened the way, among those that the route asked for.
    pub(crate) assumed_role: Option<String>,
    pub(crate) request: Option<RequestNote>,
}

impl Provenance {
    /// What a child records: the same user and the same trace, but no request of its own.
    pub(crate) fn for_child(&self) -> Self {
        let trace = self.traceparent().map(str::to_owned);
        let request = trace.map(|trace| RequestNote { traceparent: Some(trace), ..RequestNote::default() });
        Self { request, ..self.clone() }
    }

    pub(crate) fn traceparent(&self) -> Option<&str> {
        self.request.as_ref()?.traceparent.as_deref()
    }

    /// The second part of the traceparent.
    pub(crate) fn trace_id(&self) -> Option<&str> {
        self.traceparent()?.split('-').nth(1)
    }
}

/// What is recorded of the request that started a workflow. No header and no body is in it.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
pub(crate) struct RequestNote {
    #[serde(rename = "requestID", default, skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) method: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<String>,
    /// The trace it belongs to, as in the header of the same name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) traceparent: Option<String>,
    /// Tells it from other requests under the same idempotency key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fingerprint: Option<String>,
}

impl RequestNote {
    /// Whether this and `other` are one request that was sent twice, as far as is known.
    pub(crate) fn may_be(&self, other: &Self) -> bool {
        match (&self.fingerprint, &other.fingerprint) {
            (Some(mine), Some(theirs)) => mine == theirs,
            _ => true,
        }
    }
}

/// Whoever waits for an answer.
#[derive(Debug, Default)]
pub(crate) struct Caller {
    known: Mutex<Provenance>,
    /// The idempotency key, until a workflow has it for its id.
    key: Mutex<Option<String>>,
    /// The first workflow that was started for it.
    started: OnceLock<String>,
}

/// Whoever waits for what happens here; `None` in a workflow, which goes on without.
pub(crate) fn caller() -> Option<Arc<Caller>> {
    CALLER.try_with(Arc::clone).ok()
}

impl Caller {
    pub(crate) fn new(request: RequestNote) -> Self {
        let known = Provenance { request: Some(request), ..Provenance::default() };
        Self { known: Mutex::new(known), key: Mutex::default(), started: OnceLock::new() }
    }

    /// Runs `future` on its behalf.
    pub(crate) async fn scope<F: Future>(self: Arc<Self>, future: F) -> F::Output {
        CALLER.scope(self, future).await
    }

    /// What workflows that it starts record of it.
    pub(crate) fn provenance(&self) -> Provenance {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Learns more of it.
    pub(crate) fn learn(&self, more: impl FnOnce(&mut Provenance)) {
        more(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Gives it the key that its request carries.
    pub(crate) fn set_key(&self, key: Option<String>) {
        *self.key.lock().unwrap_or_else(PoisonError::into_inner) = key;
    }

    pub(crate) fn has_key(&self) -> bool {
        self.key.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Makes the key that of something smaller than the whole program.
    pub(crate) fn narrow_key(&self, narrow: impl FnOnce(String) -> String) {
        let mut key = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        *key = key.take().map(narrow);
    }

    /// The key, for the first workflow that asks: one key names one workflow.
    pub(crate) fn take_key(&self) -> Option<String> {
        self.key.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The id of the first workflow that was started for it, or attached to.
    pub(crate) fn started(&self) -> Option<&str> {
        self.started.get().map(String::as_str)
    }

    pub(crate) fn note_started(&self, workflow: &str) {
        self.started.set(workflow.to_owned()).ok();
    }
}
