//! When a clock may skip a wait: as long as some run is at work, or somebody holds the clock, time stands still.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};

use super::Clock;

/// Who is at work, and who waits for when.
#[derive(Default)]
pub(super) struct Skipping(Mutex<State>);

#[derive(Default)]
struct State {
    /// Runs that are at work, and those who hold the clock.
    at_work: usize,
    /// Runs that wait for an instant, or for what others do.
    at_rest: usize,
    /// The instants that are waited for, and by how many.
    due: BTreeMap<i64, usize>,
}

impl Skipping {
    /// The instant to go on to from `now_ms`, if there is nothing else to do. One that has come and was not noticed yet is
    /// somebody's work.
    pub(super) fn next(&self, now_ms: i64) -> Option<i64> {
        let state = self.state();
        let (first, _) = state.due.first_key_value()?;
        (state.at_work == 0 && state.at_rest > 0 && *first > now_ms).then_some(*first)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no panic while held")
    }
}

/// A wait for an instant, known to the clock until it is dropped.
pub(super) struct Due {
    clock: Clock,
    instant_ms: i64,
}

impl Due {
    pub(super) fn at(clock: &Clock, instant_ms: i64) -> Self {
        if let Some(skipping) = clock.skipping() {
            *skipping.state().due.entry(instant_ms).or_default() += 1;
        }
        clock.skip();
        Self { clock: clock.clone(), instant_ms }
    }
}

impl Drop for Due {
    fn drop(&mut self) {
        let Some(skipping) = self.clock.skipping() else { return };
        let mut state = skipping.state();
        if let Some(waiters) = state.due.get_mut(&self.instant_ms) {
            *waiters -= 1;
            if *waiters == 0 {
                state.due.remove(&self.instant_ms);
            }
        }
    }
}

/// Keeps a clock from skipping anything until it is dropped; made by [`Clock::hold`].
#[derive(Debug)]
#[must_use = "the clock is held for as long as this lives"]
pub struct Held(Clock);

impl Held {
    pub(super) fn new(clock: &Clock) -> Self {
        if let Some(skipping) = clock.skipping() {
            skipping.state().at_work += 1;
        }
        Self(clock.clone())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(skipping) = self.0.skipping() {
            skipping.state().at_work -= 1;
            self.0.skip();
        }
    }
}

/// One run, as its clock sees it. On a clock that skips nothing nobody looks.
#[derive(Debug)]
pub(crate) struct Activity {
    clock: Clock,
    /// Durable calls under way that do something.
    working: AtomicUsize,
    /// Durable calls under way that wait.
    resting: AtomicUsize,
    position: Mutex<Position>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Position {
    /// Being polled, or about to be.
    AtWork,
    /// Being polled, and woken meanwhile.
    Woken,
    AtRest,
}

impl Activity {
    pub(super) fn new(clock: &Clock) -> Arc<Self> {
        if let Some(skipping) = clock.skipping() {
            skipping.state().at_work += 1;
        }
        Arc::new(Self {
            clock: clock.clone(),
            working: AtomicUsize::new(0),
            resting: AtomicUsize::new(0),
            position: Mutex::new(Position::AtWork),
        })
    }

    /// A durable call, from its first poll to its end.
    pub(crate) async fn at_work<F: Future>(self: Arc<Self>, call: F) -> F::Output {
        let _counted = Counted::new(&self.working);
        call.await
    }

    /// The part of a durable call that waits for an instant, or for what others do.
    pub(crate) async fn at_rest<F: Future>(self: Arc<Self>, wait: F) -> F::Output {
        let _counted = Counted::new(&self.resting);
        wait.await
    }

    /// In how many durable calls the run waits, if it does nothing else.
    pub(crate) fn at_rest_in(&self) -> Option<usize> {
        let (working, resting) = (self.working.load(Ordering::SeqCst), self.resting.load(Ordering::SeqCst));
        // Each wait is a part of a call.
        (resting > 0 && working == resting).then_some(resting)
    }

    /// Polls the whole run as its clock wants it done.
    pub(crate) async fn watch<F: Future>(self: Arc<Self>, run: F) -> F::Output {
        if self.clock.skipping().is_none() {
            return run.await;
        }
        let mut run = Box::pin(run);
        std::future::poll_fn(|task| self.poll(run.as_mut(), task)).await
    }

    fn poll<F: Future>(self: &Arc<Self>, run: Pin<&mut F>, task: &Context<'_>) -> Poll<F::Output> {
        self.go(Position::AtWork);
        let waker = Waker::from(Arc::new(Noting { activity: Arc::clone(self), waker: task.waker().clone() }));
        let polled = run.poll(&mut Context::from_waker(&waker));
        if polled.is_pending() && self.at_rest_in().is_some() {
            self.go(Position::AtRest);
            self.clock.skip();
        }
        polled
    }

    fn go(&self, to: Position) {
        let mut position = self.position.lock().expect("no panic while held");
        let Some(skipping) = self.clock.skipping() else { return };
        if (*position, to) == (Position::Woken, Position::AtRest) {
            // It will be polled again.
            return;
        }
        let mut state = skipping.state();
        match (*position == Position::AtRest, to == Position::AtRest) {
            (false, true) => (state.at_work, state.at_rest) = (state.at_work - 1, state.at_rest + 1),
            (true, false) => (state.at_work, state.at_rest) = (state.at_work + 1, state.at_rest - 1),
            (true, true) | (false, false) => {}
        }
        *position = to;
    }
}

impl Drop for Activity {
    fn drop(&mut self) {
        self.go(Position::AtWork);
        if let Some(skipping) = self.clock.skipping() {
            skipping.state().at_work -= 1;
            self.clock.skip();
        }
    }
}

struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A run that is woken is at work from that moment, though it may be polled much later.
struct Noting {
    activity: Arc<Activity>,
    waker: Waker,
}

impl Wake for Noting {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.activity.go(Position::Woken);
        self.waker.wake_by_ref();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A run that does nothing but `work`.
    fn run<F: Future>(clock: &Clock, work: impl FnOnce(Arc<Activity>) -> F) -> impl Future<Output = F::Output> {
        let activity = clock.activity();
        let work = work(Arc::clone(&activity));
        activity.watch(work)
    }

    async fn sleep(clock: &Clock, activity: &Arc<Activity>, days: u32) {
        let wait = clock.sleep_until(clock.after(days * DAY));
        Arc::clone(activity).at_work(Arc::clone(activity).at_rest(wait)).await;
    }

    const DAY: Duration = Duration::from_secs(24 * 3600);

    #[tokio::test]
    async fn waits_pass_in_the_order_of_their_ends() {
        let clock = Clock::skipping_waits();
        let begin = clock.now_ms();
        let ends = Mutex::new(Vec::new());
        let one = async |activity: Arc<Activity>, days: u32| {
            sleep(&clock, &activity, days).await;
            ends.lock().unwrap().push((days, clock.now_ms() - begin));
        };

        tokio::join!(run(&clock, |a| one(a, 30)), run(&clock, |a| one(a, 7)), run(&clock, |a| one(a, 10)));

        let day = i64::try_from(DAY.as_millis()).unwrap();
        assert_eq!(*ends.lock().unwrap(), [(7, 7 * day), (10, 10 * day), (30, 30 * day)]);
    }

    #[tokio::test]
    async fn time_stands_still_while_anybody_is_at_work() {
        let clock = Clock::skipping_waits();
        let begin = clock.now_ms();
        let (open, gate) = tokio::sync::oneshot::channel();
        let asleep = run(&clock, async |activity| sleep(&clock, &activity, 1).await);
        let busy = run(&clock, async |activity: Arc<Activity>| activity.at_work(gate).await.unwrap());
        let watch = async {
            for _ in 0..100 {
                tokio::task::yield_now().await;
                assert_eq!(clock.now_ms(), begin);
            }
            open.send(()).unwrap();
        };

        tokio::join!(asleep, busy, watch);

        assert_eq!(clock.now_ms() - begin, i64::try_from(DAY.as_millis()).unwrap());
    }

    #[tokio::test]
    async fn a_clock_that_is_held_skips_nothing() {
        let clock = Clock::skipping_waits();
        let begin = clock.now_ms();
        let held = clock.hold();
        let asleep = run(&clock, async |activity| sleep(&clock, &activity, 1).await);
        let watch = async {
            for _ in 0..100 {
                tokio::task::yield_now().await;
                assert_eq!(clock.now_ms(), begin);
            }
            drop(held);
        };

        tokio::join!(asleep, watch);

        assert!(clock.now_ms() > begin);
    }

    #[tokio::test]
    async fn who_is_dropped_is_waited_for_no_longer() {
        let clock = Clock::skipping_waits();
        let busy = clock.activity();
        let asleep = run(&clock, async |activity| sleep(&clock, &activity, 1).await);
        let ends = async {
            tokio::task::yield_now().await;
            drop(busy);
        };

        tokio::join!(asleep, ends);
    }
}
