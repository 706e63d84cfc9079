//! How a route fails: with which statuses, and what each means.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::super::access::Access;
use super::super::route::Route;
use super::operation::{Body, Operation};

/// What each status means, wherever the library answers with it.
const MEANINGS: [(u16, &str); 12] = [
    (400, "The request cannot be read, or holds what the route does not take."),
    (401, "Nobody is known to be asking."),
    (403, "Whoever asks may not, or the server does not answer to this name, this origin or a proxy."),
    (408, "The request took too long to arrive."),
    (409, "Another workflow has this id."),
    (413, "The body is larger than it may be."),
    (414, "The URI is longer than it may be."),
    (415, "The body is neither JSON nor a form."),
    (422, "The idempotency key came with another request before."),
    (431, "The headers are larger than they may be."),
    (500, "Something is broken here; the log says what, under the request's id."),
    (503, "There is no answer now: too many requests, too little time, or the program is ending."),
];

/// What the document calls the answer of all other statuses.
pub(super) const OTHER: &str = "Other";

/// The errors of one route: the library's by status, with the meaning that its doc comment adds.
pub(super) struct Errors {
    pub(super) statuses: BTreeMap<u16, Option<String>>,
    /// Whether there may be others.
    pub(super) others: bool,
}

impl Errors {
    /// Of `operation`, where `somebody_asks` says whether the program has an authenticator.
    pub(super) fn of(
        route: &Route,
        operation: &Operation,
        listed: Option<BTreeMap<u16, String>>,
        somebody_asks: bool,
    ) -> Self {
        let access = route.options.access;
        // What is read before and beside the arguments: the URI, the headers, the body.
        let mut known = vec![400, 403, 414, 431, 500];
        if access != Access::Unasked {
            known.extend([408, 413]);
            known.extend(somebody_asks.then_some(401));
        }
        if matches!(operation.body, Body::Fields(_) | Body::Whole(_)) {
            known.push(415);
        }
        if takes_key(route, operation) && (operation.runs_once || operation.may_fail) {
            known.extend([409, 422]);
        }
        let limits = route.options.timeout.is_some() || route.options.max_concurrent.is_some();
        if limits || operation.runs_once || operation.may_fail {
            known.push(503);
        }
        let strangers = operation.extracts || operation.chooses_its_status || route.options.layer.is_some();
        let others = strangers || (operation.may_fail && listed.is_none());
        let mut statuses: BTreeMap<_, _> = known.into_iter().map(|status| (status, None)).collect();
        statuses.extend(listed.unwrap_or_default().into_iter().map(|(status, words)| (status, Some(words))));
        Self { statuses, others }
    }
}

/// Whether an idempotency key does anything on the route: reading once more is harmless anyway.
pub(super) fn takes_key(route: &Route, operation: &Operation) -> bool {
    operation.runs_once || (route.method != "GET" && route.options.access != Access::Unasked)
}

/// What the document calls the answer of `status`.
pub(super) fn name(status: u16) -> String {
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    reason.unwrap_or(OTHER).replace([' ', '-'], "")
}

/// The answer of an error that means `words`.
pub(super) fn response(words: &str, shape: &Value) -> Value {
    json!({
        "description": words,
        "content": { "application/json": { "schema": shape }, "text/html": { "schema": { "type": "string" } } },
    })
}

/// The answers that all routes share, by name.
pub(super) fn responses(shape: &Value) -> Map<String, Value> {
    let told = MEANINGS.iter().map(|(status, words)| (name(*status), response(words, shape)));
    told.chain([(OTHER.to_owned(), response("An error of the function's own.", shape))]).collect()
}

/// Whether the library itself answers with `status`, so that it needs no other words.
pub(super) fn is_shared(status: u16) -> bool {
    MEANINGS.iter().any(|(known, _)| *known == status)
}
