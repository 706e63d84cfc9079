//! Deletes what ended long ago, in one process of the application at a time.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::pause;
use crate::config::Retention;
use crate::error::Result;
use crate::executor::Executor;

/// How often there is a look.
const SWEEP: Duration = Duration::from_mins(1);

/// Looks at the start and again and again, if there is anything that is not kept for ever.
pub(crate) async fn run(executor: Arc<Executor>, retention: Retention) {
    if retention == Retention::for_ever() {
        return;
    }
    loop {
        match run_once(&executor, retention).await {
            Ok(0) => {}
            Ok(deleted) => tracing::info!(deleted, "deleted workflows that ended long ago"),
            Err(error) => tracing::warn!(%error, "could not delete workflows that ended long ago; trying again"),
        }
        tokio::select! {
            () = pause(SWEEP) => {}
            () = executor.closed() => return,
        }
    }
}

/// How many were deleted; none if another process is doing it.
async fn run_once(executor: &Executor, retention: Retention) -> Result<usize> {
    let now_ms = executor.clock.now_ms();
    let deleted = executor.store.delete_expired(&executor.application, retention, now_ms).await?;
    Ok(deleted.unwrap_or_default())
}
