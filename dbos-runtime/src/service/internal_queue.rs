//! Takes up what was resumed: by this program, from a terminal, or with another DBOS library's tools.

use std::sync::Arc;

use crate::clock::pause;
use crate::error::{Error, Result};
use crate::executor::Executor;
use crate::service::recovery::{Source, take_up};
use crate::store::internal_queue::INTERNAL_QUEUE;
use crate::wakeup::Fact;

/// Claims what waits in the internal queue until the engine closes: when told, and else with each
/// poll, because other libraries tell nobody.
pub(crate) async fn run(executor: Arc<Executor>) {
    executor.takes_over().await;
    let enqueued = executor.wakeups.subscribe(Fact::Enqueued { queue: INTERNAL_QUEUE.to_owned() });
    loop {
        let next = enqueued.next();
        match run_once(&executor).await {
            Ok(()) => {}
            Err(Error::ShuttingDown) => return,
            Err(error) => tracing::warn!(%error, "could not go on with resumed workflows; trying again"),
        }
        tokio::select! {
            () = next => {}
            () = pause(executor.poll_interval) => {}
            () = executor.closed() => return,
        }
    }
}

/// Claims everything in the queue that this code can run, unless another executor is faster.
pub(crate) async fn run_once(executor: &Arc<Executor>) -> Result<()> {
    while executor.store.anything_enqueued(&executor.claimant()).await?
        && !take_up(executor, Source::InternalQueue).await?.is_empty()
    {}
    Ok(())
}
