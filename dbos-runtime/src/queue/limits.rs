//! How much may leave a queue: as a whole, and of each of its partitions.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What the columns of `queues` hold.
const MOST: u32 = i32::MAX.unsigned_abs();
const LONGEST_PERIOD_MS: u64 = 366 * 24 * 3600 * 1000;

/// So many starts in any period so long.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RateLimit {
    /// How many are started.
    pub starts: u32,
    /// The length of the period, in milliseconds.
    pub period_ms: u64,
}

impl RateLimit {
    pub(crate) const fn new(starts: u32, period: Duration) -> Self {
        let ms = period.as_millis();
        #[allow(clippy::cast_possible_truncation)] // what is too long is refused, however long
        let period_ms = if ms > LONGEST_PERIOD_MS as u128 { LONGEST_PERIOD_MS + 1 } else { ms as u64 };
        Self { starts, period_ms }
    }
}

/// The limits of one scope: of a whole queue, or of each of its partitions.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Limits {
    /// How many run at any moment in all processes together.
    pub concurrency: Option<u32>,
    /// How many run at any moment in each process.
    pub worker_concurrency: Option<u32>,
    /// How many are started in a stretch of time.
    pub rate_limit: Option<RateLimit>,
}

impl Limits {
    pub(crate) const NONE: Self = Self { concurrency: None, worker_concurrency: None, rate_limit: None };

    pub(crate) const fn are_none(&self) -> bool {
        self.concurrency.is_none() && self.worker_concurrency.is_none() && self.rate_limit.is_none()
    }

    /// Why nothing could run under these, or more in one process than in all.
    const fn mistake(&self) -> Option<&'static str> {
        if let Some(all) = self.concurrency
            && !is_possible(all)
        {
            return Some("a `concurrency` is from 1 to 2147483647");
        }
        if let Some(one) = self.worker_concurrency
            && !is_possible(one)
        {
            return Some("a `worker_concurrency` is from 1 to 2147483647");
        }
        if let (Some(all), Some(one)) = (self.concurrency, self.worker_concurrency)
            && one > all
        {
            return Some("a `worker_concurrency` is not above the `concurrency`");
        }
        match self.rate_limit {
            Some(rate) if !is_possible(rate.starts) => Some("a rate limit allows from 1 to 2147483647 starts"),
            Some(rate) if rate.period_ms == 0 || rate.period_ms > LONGEST_PERIOD_MS => {
                Some("the period of a rate limit is from a millisecond to a year")
            }
            _ => None,
        }
    }
}

const fn is_possible(most: u32) -> bool {
    0 < most && most <= MOST
}

/// All limits of a queue.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct QueueLimits {
    pub(crate) whole: Limits,
    pub(crate) partition: Limits,
}

impl QueueLimits {
    pub(crate) const NONE: Self = Self { whole: Limits::NONE, partition: Limits::NONE };

    /// Whether what waits is told apart by its partition key.
    pub(crate) const fn are_partitioned(&self) -> bool {
        !self.partition.are_none()
    }

    /// Whether processes have to agree on who takes what.
    pub(crate) const fn are_shared(&self) -> bool {
        self.whole.concurrency.is_some() || self.whole.rate_limit.is_some() || self.are_partitioned()
    }

    /// Whether there is a limit to what runs at a time.
    pub(crate) const fn have_places(&self) -> bool {
        self.have_shared_places()
            || self.whole.worker_concurrency.is_some()
            || self.partition.worker_concurrency.is_some()
    }

    /// Whether a place that becomes free in one process may be taken by another.
    pub(crate) const fn have_shared_places(&self) -> bool {
        self.whole.concurrency.is_some() || self.partition.concurrency.is_some()
    }

    pub(crate) const fn mistake(&self) -> Option<&'static str> {
        match self.whole.mistake() {
            Some(mistake) => Some(mistake),
            None => self.partition.mistake(),
        }
    }
}

/// The queues of the application, as this process saw them last.
#[derive(Debug, Default)]
pub(crate) struct KnownQueues(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    limits: BTreeMap<String, QueueLimits>,
    changes: u64,
}

/// How often this process had changed a queue when it began to look: what it then saw may be older than the last change.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Since(u64);

impl KnownQueues {
    /// Before a look at the database.
    pub(crate) fn about_to_look(&self) -> Since {
        Since(self.lock().changes)
    }

    pub(crate) fn note(&self, queue: &str, limits: QueueLimits, since: Since) {
        let mut known = self.lock();
        if since == Since(known.changes) {
            known.limits.insert(queue.to_owned(), limits);
        }
    }

    /// It was changed: whoever wants to know its limits has to look.
    pub(crate) fn forget(&self, queue: &str) {
        let mut known = self.lock();
        known.limits.remove(queue);
        known.changes += 1;
    }

    pub(crate) fn replace(&self, queues: impl IntoIterator<Item = (String, QueueLimits)>, since: Since) {
        let mut known = self.lock();
        if since == Since(known.changes) {
            known.limits = queues.into_iter().collect();
        }
    }

    pub(crate) fn limits(&self, queue: &str) -> Option<QueueLimits> {
        self.lock().limits.get(queue).copied()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().expect("no panic while held")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_before_a_change_does_not_count_after_it() {
        let known = KnownQueues::default();
        let before = known.about_to_look();
        known.forget("q");
        known.note("q", QueueLimits::NONE, before);
        assert_eq!(known.limits("q"), None);
        known.replace([("q".to_owned(), QueueLimits::NONE)], before);
        assert_eq!(known.limits("q"), None);

        known.note("q", QueueLimits::NONE, known.about_to_look());
        assert_eq!(known.limits("q"), Some(QueueLimits::NONE));
    }
}
