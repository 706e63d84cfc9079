//! Brings workflows back that left memory while they waited: when their instant comes, or when there is news for them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::recovery::recover;
use crate::clock::pause;
use crate::error::{Error, Result};
use crate::executor::Executor;
use crate::wakeup::{Due, Fact};

/// How many are brought back at once.
const BATCH: usize = 100;
/// Looks for news that nobody told may take one part in so many of the time.
const SHARE_OF_LOOKS: u32 = 20;
/// How long nobody looks where the database tells all news by itself.
const LISTENING: Duration = Duration::from_secs(60);

/// Brings them back until the engine closes.
pub(crate) async fn run(executor: Arc<Executor>) {
    let parked = executor.wakeups.parked();
    let mut looks = Looks::new(&executor);
    loop {
        let due = parked.take_due(executor.clock.now_ms(), BATCH);
        if !due.is_empty() {
            match bring_back(&executor, &due).await {
                Ok(()) => {}
                Err(Error::ShuttingDown) => return,
                Err(error) => {
                    tracing::warn!(%error, "could not go on with workflows that waited; trying again");
                    parked.put_back(&due);
                    pause(executor.poll_interval).await;
                }
            }
            continue;
        }
        tokio::select! {
            () = parked.changed() => {}
            () = executor.clock.reach(parked.next_ms()) => {}
            () = parked.missed() => looks.look(&executor).await,
            () = looks.due(), if parked.awaits_news() => looks.look(&executor).await,
            () = executor.closed() => return,
        }
    }
}

/// Lets them go on here; those that gave up their places in queues, when there is room for them, here or elsewhere.
async fn bring_back(executor: &Arc<Executor>, due: &[Due]) -> Result<()> {
    let _permit = executor.start_permit().await?;
    let (queued, here): (Vec<_>, Vec<_>) = due.iter().cloned().partition(|due| due.place.is_given_up());
    if !queued.is_empty() {
        for queue in executor.store.return_to_queues(&queued, executor.clock.now_ms()).await? {
            executor.notifier.told(&Fact::Enqueued { queue });
        }
    }
    if !here.is_empty() {
        let claimed = executor.store.still_ours(&here).await?;
        let mut here: HashMap<_, _> = here.into_iter().map(|due| (due.workflow.clone(), due)).collect();
        for mut claimed in claimed {
            let Some(Due { owner, place, .. }) = here.remove(&claimed.workflow) else { continue };
            tracing::debug!(workflow = claimed.workflow, "workflow comes back to memory");
            claimed.queue = place.kept();
            recover(executor, claimed, &owner, "its wait").await;
        }
    }
    executor.forget_parked(|parked| parked.returned(due));
    Ok(())
}

/// Looks for news that nobody told: what other processes do is not told by SQLite, nor by a line that is down.
struct Looks {
    interval: Duration,
    next: Instant,
}

impl Looks {
    fn new(executor: &Executor) -> Self {
        let interval = if executor.listens { LISTENING.max(executor.poll_interval) } else { executor.poll_interval };
        Self { interval, next: Instant::now() + interval }
    }

    /// Completes when it is time for one.
    async fn due(&self) {
        pause(self.next.saturating_duration_since(Instant::now())).await;
    }

    async fn look(&mut self, executor: &Executor) {
        let begun = Instant::now();
        if let Err(error) = look(executor).await {
            tracing::warn!(%error, "could not look for what workflows wait for; trying again");
        }
        self.next = Instant::now() + self.interval.max(begun.elapsed() * SHARE_OF_LOOKS);
    }
}

async fn look(executor: &Executor) -> Result<()> {
    let mut facts = executor.store.untaken_messages(&executor.id()).await?;
    facts.extend(executor.store.what_came_of(&executor.wakeups.parked().watched()).await?);
    for fact in &facts {
        executor.wakeups.wake(fact);
    }
    Ok(())
}
