//! Notices a workflow that waits for something that is not the engine's: a replay waits for it again, and may
//! see something else come of it.

use std::collections::HashSet;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Mutex;

use crate::context::{Run, place_of};

/// The places that were reported, by workflow and the durable call before them: once is enough for a process.
static REPORTED: Mutex<Option<HashSet<String>>> = Mutex::new(None);

/// Runs `body`, reporting each wait during which it polled no durable call.
///
/// A wait for both at once, as in `tokio::join!`, is not noticed.
pub(super) async fn reporting_foreign_waits<F: Future>(run: &Run, name: &str, body: F) -> F::Output {
    let mut body = pin!(body);
    poll_fn(|task| {
        run.forget_durable_poll();
        let polled = body.as_mut().poll(task);
        if polled.is_pending() && !run.has_polled_durably() {
            report(run, name);
        }
        polled
    })
    .await
}

fn report(run: &Run, name: &str) {
    let place =
        run.latest_call().map_or_else(|| "its start".to_owned(), |call| format!("the call at {}", place_of(call)));
    let is_new =
        REPORTED.lock().expect("no panic while held").get_or_insert_default().insert(format!("{name} {place}"));
    if is_new {
        tracing::warn!(
            "workflow `{name}` waits for something that is not recorded, after {place}; put it into a `#[step]`, \
             or a replay waits for it again (to silence this: `#[workflow(allow_nondeterminism)]`)"
        );
    }
}
