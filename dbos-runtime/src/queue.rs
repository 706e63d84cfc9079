//! Queues: what they are called and how much may leave them at once.

use std::time::Duration;

/// The queue that every DBOS library puts resumed workflows into, and takes them from. It has no row in `queues`.
pub(crate) const INTERNAL_QUEUE: &str = "_dbos_internal_queue";

/// As this program serves it: without limits.
pub(crate) static INTERNAL: Queue =
    Queue { name: INTERNAL_QUEUE, concurrency: None, worker_concurrency: None, rate_limit: None };

/// Names that begin so belong to the DBOS libraries.
const RESERVED_PREFIX: &str = "_dbos_";
const MAX_NAME_BYTES: usize = 255;
/// What the columns of `queues` hold.
const MOST: u32 = i32::MAX.unsigned_abs();

/// A queue: workflows wait in it until a process of the application has room for them.
///
/// Declare it with [`#[dbos::queue]`](macro@crate::queue), and put workflows into it with
/// [`WorkflowCall::enqueue`](crate::WorkflowCall::enqueue). A mistake in a declaration is an error at compile time.
///
/// ```
/// use std::time::Duration;
///
/// use dbos::Queue;
///
/// /// Ten parcels at a time, two on each machine, and no more than fifty a minute.
/// #[dbos::queue]
/// static PARCELS: Queue =
///     Queue::new("parcels").concurrency(10).worker_concurrency(2).rate_limit(50, Duration::from_secs(60));
/// ```
///
/// ```compile_fail
/// # use dbos::Queue;
/// static NOBODY: Queue = Queue::new("nobody").concurrency(0); // would never run anything
/// ```
#[derive(Debug)]
#[must_use = "a queue is declared as a static under `#[dbos::queue]`"]
pub struct Queue {
    name: &'static str,
    concurrency: Option<u32>,
    worker_concurrency: Option<u32>,
    rate_limit: Option<RateLimit>,
}

/// So many starts in any period so long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RateLimit {
    pub(crate) starts: u32,
    pub(crate) period: Duration,
}

impl Queue {
    /// A queue without limits, whose name is unique in the database.
    ///
    /// # Panics
    ///
    /// While it is compiled: if the name is empty, longer than 255 bytes, has a control character, or begins with
    /// `_dbos_`.
    pub const fn new(name: &'static str) -> Self {
        assert!(!name.is_empty(), "a queue needs a name");
        assert!(name.len() <= MAX_NAME_BYTES, "the name of a queue has at most 255 bytes");
        assert!(!has_control_character(name), "the name of a queue cannot have a control character");
        assert!(!begins_with(name, RESERVED_PREFIX), "names of queues that begin with `_dbos_` are reserved");
        Self { name, concurrency: None, worker_concurrency: None, rate_limit: None }
    }

    /// At most so many of its workflows run at any moment, in all processes together.
    ///
    /// # Panics
    ///
    /// While it is compiled: if it is 0, or less than the limit of one process.
    pub const fn concurrency(mut self, most: u32) -> Self {
        assert!(0 < most && most <= MOST, "the concurrency of a queue is from 1 to 2147483647");
        self.concurrency = Some(most);
        self.checked()
    }

    /// At most so many of its workflows run at any moment in each process.
    ///
    /// # Panics
    ///
    /// While it is compiled: if it is 0, or more than the limit of all processes.
    pub const fn worker_concurrency(mut self, most: u32) -> Self {
        assert!(0 < most && most <= MOST, "the concurrency of a queue's worker is from 1 to 2147483647");
        self.worker_concurrency = Some(most);
        self.checked()
    }

    /// At most so many of its workflows are started in any `period`, by all processes together.
    ///
    /// # Panics
    ///
    /// While it is compiled: if there are no starts, or the period is shorter than a millisecond or longer than
    /// a year.
    pub const fn rate_limit(mut self, starts: u32, period: Duration) -> Self {
        assert!(0 < starts && starts <= MOST, "a rate limit allows from 1 to 2147483647 starts");
        assert!(period.as_millis() > 0, "the period of a rate limit is a millisecond or longer");
        assert!(period.as_secs() <= 366 * 24 * 3600, "the period of a rate limit is a year or shorter");
        self.rate_limit = Some(RateLimit { starts, period });
        self
    }

    const fn checked(self) -> Self {
        if let (Some(all), Some(one)) = (self.concurrency, self.worker_concurrency) {
            assert!(one <= all, "a queue's `worker_concurrency` is not above its `concurrency`");
        }
        self
    }

    /// Its name in the database.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// How many run at once in all processes.
    pub(crate) fn most(&self) -> Option<u32> {
        self.concurrency
    }

    /// How many run at once in one process.
    pub(crate) fn most_in_a_worker(&self) -> Option<u32> {
        self.worker_concurrency
    }

    pub(crate) fn rate(&self) -> Option<RateLimit> {
        self.rate_limit
    }

    /// Whether processes have to agree on who takes what.
    pub(crate) fn has_shared_limits(&self) -> bool {
        self.concurrency.is_some() || self.rate_limit.is_some()
    }
}

const fn has_control_character(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at].is_ascii_control() {
            return true;
        }
        at += 1;
    }
    false
}

const fn begins_with(text: &str, prefix: &str) -> bool {
    let (text, prefix) = (text.as_bytes(), prefix.as_bytes());
    let mut at = 0;
    while at < prefix.len() {
        if at >= text.len() || text[at] != prefix[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// What becomes of a workflow whose deduplication id another one of its queue has.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Deduplication {
    /// It is refused with [`Error::Deduplicated`](crate::Error::Deduplicated). The default.
    #[default]
    Reject,
    /// There is no second workflow: the handle is that of the first.
    ReturnExisting,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declaration_that_makes_no_sense_is_refused() {
        type Declaration = fn() -> Queue;
        let refused: [(&str, Declaration); 10] = [
            ("without a name", || Queue::new("")),
            ("a reserved name", || Queue::new("_dbos_mine")),
            ("a line break", || Queue::new("a\nb")),
            ("no concurrency", || Queue::new("q").concurrency(0)),
            ("no worker concurrency", || Queue::new("q").worker_concurrency(0)),
            ("a worker above all", || Queue::new("q").worker_concurrency(3).concurrency(2)),
            ("all below a worker", || Queue::new("q").concurrency(2).worker_concurrency(3)),
            ("no starts", || Queue::new("q").rate_limit(0, Duration::from_secs(1))),
            ("no period", || Queue::new("q").rate_limit(1, Duration::ZERO)),
            ("an endless period", || Queue::new("q").rate_limit(1, Duration::MAX)),
        ];
        for (what, declaration) in refused {
            assert!(std::panic::catch_unwind(declaration).is_err(), "{what}");
        }
    }

    #[test]
    fn the_limits_are_those_of_the_declaration() {
        let queue = Queue::new("q").concurrency(10).worker_concurrency(2).rate_limit(50, Duration::from_secs(60));

        assert_eq!((queue.name(), queue.most(), queue.most_in_a_worker()), ("q", Some(10), Some(2)));
        assert!(queue.rate().is_some_and(|rate| rate.starts == 50 && rate.period == Duration::from_secs(60)));
        assert!(queue.has_shared_limits() && !Queue::new("q").worker_concurrency(1).has_shared_limits());
    }
}
