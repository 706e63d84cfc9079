//! Whether the process lives, and whether it should be sent requests: for whoever watches it.

use std::time::Duration;

use axum::response::IntoResponse;

use super::HttpError;
use super::route::{Answered, Route, RouteRequest};
use crate::context::engine;

/// How long the database may take to answer a process that is ready.
const PATIENCE: Duration = Duration::from_secs(2);

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
    },
    Route {
        method: "GET",
        path: "/dbos-readyz",
        function: "readiness check",
        module: module_path!(),
        file: file!(),
        line: line!(),
        handler: ready,
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
async fn reason_to_wait() -> Option<&'static str> {
    let Ok(executor) = engine() else { return Some("DBOS is not running in this process") };
    if executor.is_closing() {
        return Some("the program is shutting down");
    }
    if !executor.holds_lease() {
        return Some("the lease in the database ran out");
    }
    match tokio::time::timeout(PATIENCE, executor.store.answers()).await {
        Ok(true) => None,
        _ => Some("the database does not answer"),
    }
}
