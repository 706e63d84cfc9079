//! The one clock. It runs on monotonic time and is set by the database, so that all executors of a
//! cluster agree and nobody's wall clock matters.

mod skipping;

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;

use skipping::{Due, Skipping};

pub(crate) use skipping::Activity;
pub use skipping::Held;

/// Longest single wait; a longer one is made of several, which keeps timers within their range.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// Tells the time in milliseconds since 1970 and waits for instants. Clones share their time.
#[derive(Clone)]
pub struct Clock(Arc<Inner>);

struct Inner {
    source: Source,
    /// The last instant given out by [`Clock::unique_ms`].
    last_unique: Mutex<i64>,
}

enum Source {
    /// Monotonic time since `start`, plus what the database's clock said, in microseconds.
    Database { start: Instant, offset_us: AtomicI64 },
    /// Moved by hand.
    Manual { now_ms: AtomicI64, moved: Notify, skipping: Option<Skipping> },
}

impl Clock {
    /// A clock that starts at this machine's time, until [`set`](Self::set) by the database.
    pub(crate) fn new() -> Self {
        Self::with(Source::Database { start: Instant::now(), offset_us: AtomicI64::new(system_now_us()) })
    }

    /// A clock that stands still until it is [advanced](Self::advance): a test's month takes no time.
    #[must_use]
    pub fn manual() -> Self {
        Self::by_hand(None)
    }

    /// A [manual](Self::manual) clock that goes on by itself: as soon as every workflow waits, for an instant or for what
    /// another one does, to the next instant that one of them waits for. So a test's month takes no time and needs no
    /// hand, and things happen in the order in which they are due.
    ///
    /// It stands still while a step, a commit, or anything else of a workflow is under way. It does not know what a test
    /// is about to do to a workflow that waits: [`hold`](Self::hold) it meanwhile.
    #[must_use]
    pub fn skipping_waits() -> Self {
        Self::by_hand(Some(Skipping::default()))
    }

    /// A clock on which every instant has passed.
    pub(crate) fn at_the_end() -> Self {
        let now_ms = AtomicI64::new(i64::MAX / 2);
        Self::with(Source::Manual { now_ms, moved: Notify::new(), skipping: None })
    }

    fn by_hand(skipping: Option<Skipping>) -> Self {
        Self::with(Source::Manual { now_ms: AtomicI64::new(system_now_us() / 1000), moved: Notify::new(), skipping })
    }

    /// Keeps a clock that [skips waits](Self::skipping_waits) from doing so; no effect on any other.
    pub fn hold(&self) -> Held {
        Held::new(self)
    }

    /// A run that goes by this clock.
    pub(crate) fn activity(&self) -> Arc<Activity> {
        Activity::new(self)
    }

    fn skipping(&self) -> Option<&Skipping> {
        match &self.0.source {
            Source::Manual { skipping, .. } => skipping.as_ref(),
            Source::Database { .. } => None,
        }
    }

    /// Goes on to the next instant that somebody waits for, if nobody does anything else.
    fn skip(&self) {
        if let Source::Manual { now_ms, moved, skipping: Some(skipping) } = &self.0.source
            && let Some(next_ms) = skipping.next(now_ms.load(Ordering::SeqCst))
        {
            now_ms.fetch_max(next_ms, Ordering::SeqCst);
            moved.notify_waiters();
        }
    }

    fn with(source: Source) -> Self {
        Self(Arc::new(Inner { source, last_unique: Mutex::new(0) }))
    }

    /// Milliseconds since 1970, UTC.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        match &self.0.source {
            Source::Database { start, offset_us } => {
                (offset_us.load(Ordering::Relaxed) + micros(start.elapsed())) / 1000
            }
            Source::Manual { now_ms, .. } => now_ms.load(Ordering::SeqCst),
        }
    }

    /// Like [`now_ms`](Self::now_ms), but never the same instant twice: messages keep their order.
    pub(crate) fn unique_ms(&self) -> i64 {
        let mut last = self.0.last_unique.lock().expect("no panic while held");
        *last = self.now_ms().max(*last + 1);
        *last
    }

    /// Takes over the database's time, which was `database_now_ms` at some instant since `asked`. What may have been the
    /// database's time already is kept, so an answer that was long under way moves nothing. A manual clock obeys its hand
    /// only.
    pub(crate) fn set(&self, database_now_ms: i64, asked: Instant) {
        if let Source::Database { start, offset_us } = &self.0.source {
            let told_us = database_now_ms.saturating_mul(1000);
            let least = told_us - 1000 - micros(start.elapsed());
            let most = told_us + 1000 - micros(asked.saturating_duration_since(*start));
            offset_us.store(offset_us.load(Ordering::Relaxed).clamp(least, most), Ordering::Relaxed);
        }
    }

    /// Moves a [manual](Self::manual) clock on; no effect on any other.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual { now_ms, moved, .. } = &self.0.source {
            now_ms.fetch_add(millis(by), Ordering::SeqCst);
            moved.notify_waiters();
        }
    }

    /// Waits until `instant_ms`; returns at once if it has passed.
    #[expect(clippy::disallowed_methods, reason = "the one place that sleeps")]
    pub(crate) async fn sleep_until(&self, instant_ms: i64) {
        loop {
            let moved = match &self.0.source {
                Source::Manual { moved, .. } => Some(moved.notified()),
                Source::Database { .. } => None,
            };
            let Ok(left) = u64::try_from(instant_ms - self.now_ms()) else { return };
            if left == 0 {
                return;
            }
            match moved {
                Some(moved) => {
                    let _due = Due::at(self, instant_ms);
                    moved.await;
                }
                None => tokio::time::sleep(Duration::from_millis(left).min(LONGEST_WAIT)).await,
            }
        }
    }

    /// Waits until `instant_ms`; for ever without one.
    pub(crate) async fn reach(&self, instant_ms: Option<i64>) {
        match instant_ms {
            Some(instant_ms) => self.sleep_until(instant_ms).await,
            None => std::future::pending().await,
        }
    }

    /// The instant `duration` from now.
    pub(crate) fn after(&self, duration: Duration) -> i64 {
        self.now_ms().saturating_add(millis(duration))
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Clock").field(&self.now_ms()).finish()
    }
}

/// A duration in whole milliseconds.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4).min(i64::MAX / 4)
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX / 4)
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
fn system_now_us() -> i64 {
    micros(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// A pause that is no business of a workflow: between polls, before another try.
#[expect(clippy::disallowed_methods, reason = "the one place that sleeps")]
pub(crate) async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How far a clock that says 100 s moves when the database, asked `seconds` ago, says `told_ms`.
    fn moved_ms(told_ms: i64, seconds: u64) -> i64 {
        let now = Instant::now();
        let ago = |seconds| now.checked_sub(Duration::from_secs(seconds)).expect("this machine runs for longer");
        let clock = Clock::with(Source::Database { start: ago(100), offset_us: AtomicI64::new(0) });
        clock.set(told_ms, ago(seconds));
        clock.now_ms() - 100_000
    }

    #[test]
    fn the_database_sets_it() {
        assert!((3_599_999..3_601_000).contains(&moved_ms(3_700_000, 0)));
        assert!((-90_001..-89_000).contains(&moved_ms(10_000, 0)));
    }

    #[test]
    fn an_answer_that_was_long_under_way_moves_nothing() {
        assert!((0..1000).contains(&moved_ms(96_000, 5)));
    }

    #[test]
    fn an_answer_that_was_long_under_way_moves_it_as_far_as_it_proves() {
        assert!((19_999..21_000).contains(&moved_ms(120_000, 5)), "it was 120 s when the answer came, at the least");
        assert!((-25_000..-24_000).contains(&moved_ms(70_000, 5)), "it was 70 s when it was asked, at the most");
    }
}
