//! Takes workflows out of a queue: one that the program declares, or the one into which every DBOS library puts what is
//! resumed.

use std::sync::Arc;

use crate::clock::pause;
use crate::error::{Error, Result};
use crate::executor::Executor;
use crate::queue::Queue;
use crate::service::recovery::{Source, TakenUp, take_up};
use crate::wakeup::Fact;

/// How many workflows are claimed at once.
const CLAIM: usize = 100;

/// Claims what waits in `queue` until the engine closes: when told that something was put into it or that there is
/// room, when the rate limit allows another start, and else with each poll, because other libraries tell nobody. Each
/// queue has a loop of its own, so no queue waits for another.
pub(crate) async fn run(executor: Arc<Executor>, queue: &'static Queue) {
    executor.takes_over().await;
    let enqueued = executor.wakeups.subscribe(Fact::Enqueued { queue: queue.name().to_owned() });
    loop {
        let next = enqueued.next();
        let room_at_ms = match run_once(&executor, queue).await {
            Ok(room_at_ms) => room_at_ms,
            Err(Error::ShuttingDown) => return,
            Err(error) => {
                tracing::warn!(%error, queue = queue.name(), "could not take workflows out of a queue; trying again");
                None
            }
        };
        tokio::select! {
            () = next => {}
            () = executor.clock.reach(room_at_ms) => {}
            () = pause(executor.poll_interval) => {}
            () = executor.closed() => return,
        }
    }
}

/// Claims everything in the queue that this code can run and that its limits allow, unless another executor is faster.
/// Gives the instant at which the rate limit allows more.
async fn run_once(executor: &Arc<Executor>, queue: &'static Queue) -> Result<Option<i64>> {
    loop {
        let most = executor.room_for(queue).map_or(CLAIM, |room| room.min(CLAIM));
        if most == 0 || !executor.store.anything_enqueued(queue, &executor.claimant()).await? {
            return Ok(None);
        }
        match take_up(executor, Source::Queue { queue, most }).await? {
            TakenUp::Some(_) => {}
            TakenUp::None { room_at_ms } => return Ok(room_at_ms),
        }
    }
}
