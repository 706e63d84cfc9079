//! Whether the process lives, and whether it should be sent requests: for whoever watches it.

use std::time::Duration;

use axum::response::IntoResponse;

use super::HttpError;
use super::access::Access;
use super::limits::RouteOptions;
use super::route::{Answered, Route, RouteRequest};
use crate::context::engine;

/// How long the database may take to answer a process that is ready.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whoever watches the process need not be known.
const UNASKED: RouteOptions = RouteOptions { access: Access::Unasked, ..RouteOptions::DEFAULT };

const READINESS: &str = "Whether the process should be sent requests.

# Errors

- 503: It should not; the message says why.";

/// The same paths on every server of ours; a program's own routes may not have them.
pub(super) static ROUTES: [Route; 2] = [
    Route {
        method: "GET",
        path: "/dbos-healthz",
        function: "health check",
        module: module_path!(),
        file: file!(),
        line: line!(),
        handler: alive,
        describe: |operation| operation.is_plain_text("Whether the process lives."),
        options: UNASKED,
    },
    Route {
        method: "GET",
        path: "/dbos-readyz",
        function: "readiness check",
        module: module_path!(),
        file: file!(),
        line: line!(),
        handler: ready,
        describe: |operation| operation.is_plain_text(READINESS),
        options: UNASKED,
    },
];

/// That it answers is the answer.
fn alive(_: RouteRequest) -> Answered {
    Box::pin(async { Ok("healthy".into_response()) })
}

fn ready(_: RouteRequest) -> Answered {
    Box::pin(async {
        match reason_to_wait().await {
            None => Ok("ready".into_response()),
            Some(reason) => Err(HttpError::new(503, reason)),
        }
    })
}

/// Why workflows cannot be started here now.
async fn reason_to_wait() -> Option<String> {
    let Ok(executor) = engine() else { return Some("DBOS is not running in this process".to_owned()) };
    if executor.is_closing() {
        return Some("the program is shutting down".to_owned());
    }
    if !executor.holds_lease() {
        let why = executor.store.known_ailment().map_or_else(String::new, |ailment| format!(": {ailment}"));
        return Some(format!("the lease in the database ran out{why}"));
    }
    let ailment = tokio::time::timeout(PATIENCE, executor.store.ailment()).await;
    ailment.unwrap_or(Some("the database does not answer")).map(str::to_owned)
}
