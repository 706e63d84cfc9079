//! A run that does nothing but wait leaves memory: what it waits for is kept, and it comes back by replay.
//!
//! Whoever waits for something else besides, which is not recorded and so cannot be brought back, stays.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::task::coop::unconstrained;

use super::run::End;
use crate::clock::{millis, pause};
use crate::config::Parking;
use crate::context::Run;
use crate::executor::Executor;
use crate::waits::CountedWaker;
use crate::wakeup::Wait;

/// Runs `body` to its end, or until nothing is left of it but a wait that is better spent elsewhere.
pub(super) async fn unless_it_waits<F: Future<Output = End>>(run: &Run, body: F) -> End {
    let Some(parking) = run.executor.parking.filter(|_| run.may_leave) else { return body.await };
    let mut body = pin!(body);
    let mut rest = Rest { run, parking, waker: Arc::default(), progress: 0, timer: Timer::Unset };
    poll_fn(|task| rest.poll(body.as_mut(), task)).await
}

/// How long one stays that waits where too many do: as long as it takes to be woken by what is there already.
const IN_A_CROWD: Duration = Duration::from_millis(100);

struct Rest<'a> {
    run: &'a Run,
    parking: Parking,
    waker: Arc<CountedWaker>,
    /// How far the run had come when the timer was set.
    progress: u32,
    timer: Timer<'a>,
}

enum Timer<'a> {
    Unset,
    Runs { timer: BoxFuture<'static, ()>, _counted: Waiting<'a> },
    IsOver,
}

/// One of those that wait in memory.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn among(executor: &'a Executor) -> Self {
        executor.waiting.fetch_add(1, Ordering::Relaxed);
        Self(&executor.waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Rest<'_> {
    fn poll<F: Future<Output = End>>(&mut self, mut body: Pin<&mut F>, task: &mut Context<'_>) -> Poll<End> {
        if let Poll::Ready(end) = self.waker.poll(body.as_mut(), task) {
            return Poll::Ready(end);
        }
        if !self.wait().is_some_and(|wait| self.is_sure(&wait)) && self.poll_timer(task).is_pending() {
            return Poll::Pending;
        }
        let Some(wait) = self.wait().filter(|wait| self.is_long(wait)) else { return Poll::Pending };
        // News is kept from here on; what came before makes the body go on now.
        let parked = self.run.executor.wakeups.parked();
        parked.enter(&self.run.workflow, &self.run.owner, &self.with_deadline(wait.clone()));
        let again = poll_fn(|task| self.waker.poll(body.as_mut(), task));
        match pin!(unconstrained(again)).poll(task) {
            Poll::Pending if self.wait() == Some(wait) => Poll::Ready(End::Parked),
            polled => {
                parked.forget(&self.run.workflow);
                polled
            }
        }
    }

    fn wait(&self) -> Option<Wait> {
        self.run.only_wait(self.waker.clones())
    }

    fn is_long(&self, wait: &Wait) -> bool {
        let now_ms = self.run.executor.clock.now_ms();
        wait.until_ms.is_none_or(|until_ms| until_ms - now_ms > millis(self.parking.after))
    }

    /// Whether it will take long: what others do may come at any moment, unless the run has come back only to wait for
    /// it once more.
    fn is_sure(&self, wait: &Wait) -> bool {
        self.is_long(wait) && (wait.news.is_empty() || self.run.progress() == 0)
    }

    /// How long it stays, by how many there are.
    fn patience(&self) -> Duration {
        let is_crowded = self.run.executor.waiting.load(Ordering::Relaxed) > self.parking.most_waiting;
        if is_crowded { self.parking.after.min(IN_A_CROWD) } else { self.parking.after }
    }

    /// Whoever has just woken the run may still have a clone of its waker, so to look once is not enough.
    fn poll_timer(&mut self, task: &mut Context<'_>) -> Poll<()> {
        if self.progress != self.run.progress() {
            (self.progress, self.timer) = (self.run.progress(), Timer::Unset);
        }
        if matches!(self.timer, Timer::Unset) && self.run.is_at_rest() {
            let waiting = Waiting::among(&self.run.executor);
            self.timer = Timer::Runs { timer: Box::pin(pause(self.patience())), _counted: waiting };
        }
        match &mut self.timer {
            Timer::Unset => Poll::Pending,
            Timer::IsOver => Poll::Ready(()),
            Timer::Runs { timer, .. } => {
                ready!(timer.as_mut().poll(task));
                self.timer = Timer::IsOver;
                Poll::Ready(())
            }
        }
    }

    /// The end of its time is something that it waits for too.
    fn with_deadline(&self, wait: Wait) -> Wait {
        match self.run.deadline_ms {
            Some(deadline_ms) => wait.or(Wait::until(deadline_ms)),
            None => wait,
        }
    }
}
