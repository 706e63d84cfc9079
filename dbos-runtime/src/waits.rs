//! What a run waits for, so that it need not wait in memory.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

use crate::wakeup::Wait;

/// The durable calls of one run that are at rest, and what each waits for; `None` if that cannot be said.
#[derive(Debug, Default)]
pub(crate) struct Waits(Mutex<Vec<(usize, Option<Wait>)>>);

impl Waits {
    /// Notes one more, until the guard is dropped.
    pub(crate) fn note(&self, wait: Option<Wait>) -> Noted<'_> {
        let mut waits = self.lock();
        let number = waits.last().map_or(0, |(number, _)| number + 1);
        waits.push((number, wait));
        Noted { waits: self, number }
    }

    /// All that is waited for, if it is known and is noted `count` times.
    pub(crate) fn all(&self, count: usize) -> Option<Wait> {
        let waits = self.lock();
        if waits.len() != count {
            return None;
        }
        waits.iter().try_fold(Wait::default(), |all, (_, wait)| Some(all.or(wait.clone()?)))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(usize, Option<Wait>)>> {
        self.0.lock().expect("no panic while held")
    }
}

#[derive(Debug)]
pub(crate) struct Noted<'a> {
    waits: &'a Waits,
    number: usize,
}

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        self.waits.lock().retain(|(number, _)| *number != self.number);
    }
}

/// A waker that knows how many have a clone of it.
#[derive(Debug, Default)]
pub(crate) struct CountedWaker(AtomicWaker);

impl CountedWaker {
    /// Polls `future` so that it wakes `task` through this.
    pub(crate) fn poll<F: Future>(
        self: &Arc<Self>,
        future: std::pin::Pin<&mut F>,
        task: &Context<'_>,
    ) -> Poll<F::Output> {
        self.0.register(task.waker());
        future.poll(&mut Context::from_waker(&Waker::from(Arc::clone(self))))
    }

    /// How many clones there are beside `self`.
    pub(crate) fn clones(self: &Arc<Self>) -> usize {
        Arc::strong_count(self) - 1
    }
}

impl Wake for CountedWaker {
    fn wake(self: Arc<Self>) {
        self.0.wake();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.wake();
    }
}

/// Keeps one clone of its task's waker while it waits, however many things `future` waits for.
pub(crate) async fn with_one_waker<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Arc::<CountedWaker>::default();
    poll_fn(|task| waker.poll(future.as_mut(), task)).await
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::sync::Notify;

    use super::*;

    fn clones_after_a_poll<F: Future>(future: F) -> usize {
        let waker = Arc::<CountedWaker>::default();
        let mut future = pin!(future);
        assert!(waker.poll(future.as_mut(), &Context::from_waker(Waker::noop())).is_pending());
        waker.clones()
    }

    #[test]
    fn who_else_would_wake_it_is_counted() {
        let (one, two) = (Notify::new(), Notify::new());
        let both = || async { tokio::join!(one.notified(), two.notified()) };

        assert_eq!(clones_after_a_poll(pending::<()>()), 0);
        assert_eq!(clones_after_a_poll(both()), 2);
        assert_eq!(clones_after_a_poll(with_one_waker(both())), 1);
        assert_eq!(clones_after_a_poll(async { tokio::join!(with_one_waker(both()), two.notified()) }), 2);
    }

    #[test]
    fn what_is_waited_for_is_known_until_it_is_dropped() {
        let waits = Waits::default();
        let one = waits.note(Some(Wait::until(5)));
        let two = waits.note(Some(Wait::until(3)));
        assert_eq!(waits.all(2).and_then(|wait| wait.until_ms), Some(3));
        assert!(waits.all(1).is_none());
        drop(two);
        assert_eq!(waits.all(1).and_then(|wait| wait.until_ms), Some(5));
        let unknown = waits.note(None);
        assert!(waits.all(2).is_none());
        drop((one, unknown));
    }
}
