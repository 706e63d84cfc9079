//! Puts delayed workflows into their queues when they are due, whichever process delayed them.

use std::sync::Arc;

use crate::error::Result;
use crate::executor::Executor;
use crate::wakeup::Fact;

/// How many are put there at once.
const DUE: i64 = 1000;

/// Sleeps until the next delay passes. What others have delayed is found with each poll of the queues, which wakes it.
pub(crate) async fn run(executor: Arc<Executor>) {
    let delayed = executor.wakeups.subscribe(Fact::Delayed);
    loop {
        let next = delayed.next();
        let due_ms = run_once(&executor).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "could not enqueue workflows whose delay has passed; trying again");
            None
        });
        tokio::select! {
            () = next => {}
            () = executor.clock.reach(due_ms) => {}
            () = executor.closed() => return,
        }
    }
}

/// Enqueues what is due, and gives the instant of the next.
async fn run_once(executor: &Executor) -> Result<Option<i64>> {
    loop {
        let now_ms = executor.clock.now_ms();
        let due_ms = executor.store.next_due_ms(&executor.application).await?;
        if due_ms.is_none_or(|due_ms| due_ms > now_ms) {
            return Ok(due_ms);
        }
        let queues = executor.store.enqueue_due(&executor.application, now_ms, DUE).await?;
        if queues.is_empty() {
            // Another process is just doing it.
            return Ok(None);
        }
        for queue in queues {
            executor.notifier.told(&Fact::Enqueued { queue });
        }
    }
}
