//! Looks now and then for workflows that are ours and that nobody runs.
//!
//! None should be there. A claim may have been committed long after its answer was given up, by a server that stood still
//! meanwhile; then the row names this executor, which is alive, so no other will ever look for it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::recovery::recover;
use crate::clock::pause;
use crate::error::Result;
use crate::executor::Executor;
use crate::id::random_id;
use crate::wakeup::Fact;

/// Looks every `interval` until the engine ends.
pub(crate) async fn run(executor: Arc<Executor>, interval: Duration) {
    let mut suspects = HashSet::new();
    executor.takes_over().await;
    loop {
        pause(interval).await;
        match look(&executor, &suspects).await {
            Ok(unattended) => suspects = unattended,
            Err(error) => tracing::warn!(%error, "could not look for forgotten workflows"),
        }
    }
}

/// Takes up what nobody ran when it was looked at the last time either, for a start or a claim may be half-way; and gives
/// what nobody runs now.
async fn look(executor: &Arc<Executor>, suspects: &HashSet<(String, String)>) -> Result<HashSet<(String, String)>> {
    let Ok(_permit) = executor.start_permit().await else { return Ok(HashSet::new()) };
    let waiting = executor.wakeups.parked().runs();
    let open: HashSet<_> = executor.store.open_runs(&executor.id()).await?.into_iter().collect();
    for (workflow, owner) in waiting.iter().filter(|run| !open.contains(*run)) {
        // It was cancelled or taken over, and nobody told us.
        executor.forget_parked(|parked| parked.forget_run(workflow, owner));
    }
    let attended: HashSet<_> = executor.active_runs().into_iter().chain(waiting).collect();
    let is_unattended = |run: &(String, String)| !attended.contains(run) && executor.stuck(&run.0).is_none();
    let unattended: HashSet<_> = open.into_iter().filter(is_unattended).collect();
    for (workflow, from) in unattended.intersection(suspects) {
        let (owner, now_ms) = (random_id(), executor.clock.now_ms());
        if let Some(queue) = executor.store.put_back_one(workflow, from, now_ms).await? {
            tracing::warn!(workflow, queue, "a workflow of this process was not running; it is back in its queue");
            executor.notifier.told(&Fact::Enqueued { queue });
            continue;
        }
        if let Some(claimed) = executor.store.claim_again(workflow, from, &owner, now_ms).await? {
            tracing::warn!(workflow, "a workflow of this process was not running; taking it up");
            recover(executor, claimed, &owner, "nobody").await;
        }
    }
    Ok(unattended)
}
