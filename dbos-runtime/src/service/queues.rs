//! Takes workflows out of the queues of the application: those that the program declares, those that were made while it
//! ran, and the one into which every DBOS library puts what is resumed.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use tokio::task::{AbortHandle, JoinSet};

use crate::clock::pause;
use crate::error::{Error, Result};
use crate::executor::Executor;
use crate::queue::INTERNAL_QUEUE;
use crate::service::recovery::{Source, TakenUp, take_up};
use crate::wakeup::Fact;

/// How many workflows are claimed at once.
const CLAIM: usize = 100;

/// Serves the queues that `listened` names, or all of them if it names none, until the engine closes.
///
/// It looks at all of them together, with each poll and when told that there are others now: one read, however many
/// queues there are. Each has a loop of its own, which is woken by what that finds, so no queue waits for another.
pub(crate) async fn run(executor: Arc<Executor>, listened: Vec<String>) {
    executor.takes_over().await;
    let mut served = Served { listened, loops: JoinSet::new(), handles: HashMap::new(), complaints: BTreeSet::new() };
    let changed = executor.wakeups.subscribe(Fact::Queues);
    loop {
        let next = changed.next();
        if let Err(error) = served.look(&executor).await {
            tracing::warn!(%error, "could not look for queues; trying again");
        }
        tokio::select! {
            () = next => {}
            () = pause(executor.poll_interval) => {}
            () = executor.closed() => return,
        }
    }
}

/// The queues that are served, and their loops.
struct Served {
    listened: Vec<String>,
    loops: JoinSet<()>,
    handles: HashMap<String, AbortHandle>,
    /// What has been said of them; once is enough.
    complaints: BTreeSet<String>,
}

impl Served {
    async fn look(&mut self, executor: &Arc<Executor>) -> Result<()> {
        let since = executor.queues.about_to_look();
        let now = executor.store.queues_now(&executor.claimant()).await?;
        for (queue, reason) in &now.unreadable {
            self.complain(format!("the queue `{queue}` is not served: {reason}"));
        }
        for queue in self.listened.clone() {
            if now.names().all(|name| *name != queue) {
                self.complain(format!("this process is to serve the queue `{queue}`, and there is none of that name"));
            }
        }
        executor.queues.replace(now.queues.iter().map(|queue| (queue.name.clone(), queue.limits)), since);
        self.serve_all(executor, now.names().filter(|queue| serves(&self.listened, queue)).cloned().collect());
        for queue in now.queues.into_iter().filter(|queue| queue.is_waiting) {
            executor.wakeups.wake(&Fact::Enqueued { queue: queue.name });
        }
        if now.anything_delayed {
            executor.wakeups.wake(&Fact::Delayed);
        }
        Ok(())
    }

    /// A loop for each of them, and for no other. One that has ended, which only a panic brings about, is begun again.
    fn serve_all(&mut self, executor: &Arc<Executor>, queues: BTreeSet<String>) {
        while self.loops.try_join_next().is_some() {}
        self.handles.retain(|served, handle| {
            let is_there = queues.contains(served);
            if !is_there {
                // It was deleted, so nothing was in it.
                handle.abort();
            }
            is_there && !handle.is_finished()
        });
        for queue in queues {
            self.handles.entry(queue.clone()).or_insert_with(|| self.loops.spawn(serve(Arc::clone(executor), queue)));
        }
    }

    fn complain(&mut self, complaint: String) {
        if !self.complaints.contains(&complaint) {
            tracing::warn!("{complaint}");
            self.complaints.insert(complaint);
        }
    }
}

/// What is resumed is everybody's business.
fn serves(listened: &[String], queue: &str) -> bool {
    listened.is_empty() || queue == INTERNAL_QUEUE || listened.iter().any(|name| name == queue)
}

/// Claims what waits in `queue`: when told that something was put into it or that there is room, and when the rate limit
/// allows another start.
async fn serve(executor: Arc<Executor>, queue: String) {
    let enqueued = executor.wakeups.subscribe(Fact::Enqueued { queue: queue.clone() });
    loop {
        let next = enqueued.next();
        let room_at_ms = match run_once(&executor, &queue).await {
            Ok(room_at_ms) => room_at_ms,
            Err(Error::ShuttingDown) => return,
            Err(error) => {
                tracing::warn!(%error, queue, "could not take workflows out of a queue; trying again");
                None
            }
        };
        tokio::select! {
            () = next => {}
            () = executor.clock.reach(room_at_ms) => {}
            () = executor.closed() => return,
        }
    }
}

/// Claims everything in the queue that this code can run and that its limits allow, unless another executor is faster.
/// Its limits are read each time, so whoever changes them is obeyed at once. Gives the instant at which the rate limit
/// allows more.
async fn run_once(executor: &Arc<Executor>, queue: &str) -> Result<Option<i64>> {
    loop {
        let since = executor.queues.about_to_look();
        let Some(now) = executor.store.queue_now(queue, &executor.claimant()).await? else { return Ok(None) };
        executor.queues.note(queue, now.limits, since);
        let worker = now.limits.whole.worker_concurrency;
        let most = worker.map_or(CLAIM, |most| executor.room_for(queue, most).min(CLAIM));
        if most == 0 || !now.is_waiting {
            return Ok(None);
        }
        match take_up(executor, Source::Queue { queue, limits: &now.limits, most }).await? {
            TakenUp::Some(_) => {}
            TakenUp::None { room_at_ms } => return Ok(room_at_ms),
        }
    }
}
