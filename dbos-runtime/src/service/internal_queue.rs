//! Takes up what was resumed: by this program, from a terminal, or with another DBOS library's tools.

use std::sync::Arc;

use crate::clock::pause;
use crate::error::{Error, Result};
use crate::executor::Executor;
use crate::id::random_id;
use crate::service::recovery::recover;
use crate::store::internal_queue::INTERNAL_QUEUE;
use crate::store::workflows::Claimed;
use crate::wakeup::Fact;

/// How many workflows are claimed at once.
const CLAIM: i64 = 100;

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

/// Claims everything in the queue that this code can run.
pub(crate) async fn run_once(executor: &Arc<Executor>) -> Result<()> {
    while executor.store.anything_enqueued(&executor.claimant()).await? {
        // Held until all that was claimed runs: a shutdown then hands it back.
        let permit = executor.start_permit().await?;
        let (owner, claimed) = claim(executor).await?;
        if claimed.is_empty() {
            // Another executor was faster.
            break;
        }
        for workflow in claimed {
            recover(executor, workflow, &owner, INTERNAL_QUEUE).await;
        }
        drop(permit);
    }
    Ok(())
}

async fn claim(executor: &Executor) -> Result<(String, Vec<Claimed>)> {
    let owner = random_id();
    let write = executor.store.durable_write("claim resumed workflows").await;
    let claimed =
        match executor.store.claim_enqueued(&executor.claimant(), &owner, executor.clock.now_ms(), CLAIM).await {
            Ok(claimed) => claimed,
            // The answer may be lost and the claim committed; our token finds what it took.
            Err(error) => {
                tracing::warn!(%error, "could not claim resumed workflows; looking whether it worked");
                executor.store.claimed_under(&owner).await?
            }
        };
    write.end().await;
    Ok((owner, claimed))
}
