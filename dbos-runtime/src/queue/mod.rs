//! Queues: what they are called and how much may leave them at once.

mod limits;

use std::time::Duration;

use crate::error::{Error, Result};
pub(crate) use limits::{KnownQueues, QueueLimits};
pub use limits::{Limits, RateLimit};

/// The queue that every DBOS library puts resumed workflows into, and takes them from. It has no row in `queues`, and no
/// limits.
pub(crate) const INTERNAL_QUEUE: &str = "_dbos_internal_queue";

/// Names that begin so belong to the DBOS libraries.
const RESERVED_PREFIX: &str = "_dbos_";
const MAX_NAME_BYTES: usize = 255;

/// A queue: workflows wait in it until a process of the application has room for them.
///
/// Declare it with [`#[dbos::queue]`](macro@crate::queue), and put workflows into it with
/// [`WorkflowCall::enqueue`](crate::WorkflowCall::enqueue). A mistake in a declaration is an error at compile time. A
/// queue whose name is not known before the program runs is made with [`DBOS::create_queue`](crate::DBOS::create_queue).
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
///
/// /// A hundred mails at a time, but one for each customer.
/// #[dbos::queue]
/// static MAILS: Queue = Queue::new("mails").concurrency(100).partition_concurrency(1);
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
    limits: QueueLimits,
    keeps_places: bool,
}

impl Queue {
    /// A queue without limits, whose name is unique in the database.
    ///
    /// # Panics
    ///
    /// While it is compiled: if the name is empty, longer than 255 bytes, has a control character, or begins with
    /// `_dbos_`.
    pub const fn new(name: &'static str) -> Self {
        if let Some(mistake) = mistake_in_name(name) {
            panic!("{}", mistake)
        }
        Self { name, limits: QueueLimits::NONE, keeps_places: false }
    }

    /// At most so many of its workflows run at any moment, in all processes together.
    ///
    /// # Panics
    ///
    /// While it is compiled: if it is 0, or less than the limit of one process.
    pub const fn concurrency(mut self, most: u32) -> Self {
        self.limits.whole.concurrency = Some(most);
        self.checked()
    }

    /// At most so many of its workflows run at any moment in each process.
    ///
    /// # Panics
    ///
    /// While it is compiled: if it is 0, or more than the limit of all processes.
    pub const fn worker_concurrency(mut self, most: u32) -> Self {
        self.limits.whole.worker_concurrency = Some(most);
        self.checked()
    }

    /// At most so many of its workflows are started in any `period`, by all processes together.
    ///
    /// # Panics
    ///
    /// While it is compiled: if there are no starts, or the period is shorter than a millisecond or longer than
    /// a year.
    pub const fn rate_limit(mut self, starts: u32, period: Duration) -> Self {
        self.limits.whole.rate_limit = Some(RateLimit::new(starts, period));
        self.checked()
    }

    /// At most so many workflows of each partition run at any moment, in all processes together. A partition is what is
    /// enqueued under one [`partition_key`](crate::Start::partition_key); a queue with a limit for partitions asks for
    /// one each time.
    ///
    /// # Panics
    ///
    /// While it is compiled: as [`concurrency`](Self::concurrency).
    pub const fn partition_concurrency(mut self, most: u32) -> Self {
        self.limits.partition.concurrency = Some(most);
        self.checked()
    }

    /// At most so many workflows of each partition run at any moment in each process.
    ///
    /// # Panics
    ///
    /// While it is compiled: as [`worker_concurrency`](Self::worker_concurrency).
    pub const fn partition_worker_concurrency(mut self, most: u32) -> Self {
        self.limits.partition.worker_concurrency = Some(most);
        self.checked()
    }

    /// At most so many workflows of each partition are started in any `period`, by all processes together.
    ///
    /// # Panics
    ///
    /// While it is compiled: as [`rate_limit`](Self::rate_limit).
    pub const fn partition_rate_limit(mut self, starts: u32, period: Duration) -> Self {
        self.limits.partition.rate_limit = Some(RateLimit::new(starts, period));
        self.checked()
    }

    /// A workflow keeps its place while it waits. By default one that does nothing but sleep, or wait for a message, an
    /// event or another workflow, gives its place to the next in the queue after
    /// [`park_after`](crate::Config::park_after), and waits for another one when it can go on, ahead of all of its
    /// priority that were enqueued later. Its row is `DELAYED` meanwhile. A rate limit counts it once.
    pub const fn keep_places(mut self) -> Self {
        self.keeps_places = true;
        self
    }

    const fn checked(self) -> Self {
        match self.limits.mistake() {
            Some(mistake) => panic!("{}", mistake),
            None => self,
        }
    }

    /// Its name in the database.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn limits(&self) -> QueueLimits {
        self.limits
    }

    pub(crate) fn keeps_places(&self) -> bool {
        self.keeps_places
    }
}

/// Why no queue can have this name.
pub(crate) const fn mistake_in_name(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("a queue needs a name");
    }
    if name.len() > MAX_NAME_BYTES {
        return Some("the name of a queue has at most 255 bytes");
    }
    if has_control_character(name) {
        return Some("the name of a queue cannot have a control character");
    }
    if begins_with(name, RESERVED_PREFIX) {
        return Some("names of queues that begin with `_dbos_` are reserved");
    }
    None
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

/// The name of a queue: of one that the program declares, `&QUEUE`, or of one that was made while it runs, as text.
pub trait QueueName {
    /// The name in the database.
    fn queue_name(self) -> String;
}

impl QueueName for &Queue {
    fn queue_name(self) -> String {
        self.name.to_owned()
    }
}

impl QueueName for &str {
    fn queue_name(self) -> String {
        self.to_owned()
    }
}

impl QueueName for String {
    fn queue_name(self) -> String {
        self
    }
}

impl QueueName for &String {
    fn queue_name(self) -> String {
        self.clone()
    }
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

/// Refuses what the column does not hold.
pub(crate) fn check_priority(priority: u32) -> Result<()> {
    if i32::try_from(priority).is_ok() {
        return Ok(());
    }
    let reason = format!("{priority} is more than {}; give a smaller number", i32::MAX);
    Err(Error::InvalidKey { what: "priority".to_owned(), reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declaration_that_makes_no_sense_is_refused() {
        type Declaration = fn() -> Queue;
        let refused: [(&str, Declaration); 13] = [
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
            ("no concurrency of partitions", || Queue::new("q").partition_concurrency(0)),
            ("a worker above a partition", || Queue::new("q").partition_concurrency(1).partition_worker_concurrency(2)),
            ("no starts of partitions", || Queue::new("q").partition_rate_limit(0, Duration::from_secs(1))),
        ];
        for (what, declaration) in refused {
            assert!(std::panic::catch_unwind(declaration).is_err(), "{what}");
        }
    }

    #[test]
    fn the_limits_are_those_of_the_declaration() {
        let queue = Queue::new("q").concurrency(10).worker_concurrency(2).rate_limit(50, Duration::from_secs(60));

        let rate_limit = Some(RateLimit { starts: 50, period_ms: 60_000 });
        let whole = Limits { concurrency: Some(10), worker_concurrency: Some(2), rate_limit };
        assert_eq!((queue.name(), queue.limits()), ("q", QueueLimits { whole, partition: Limits::NONE }));
    }

    #[test]
    fn processes_agree_where_a_limit_is_for_all_of_them() {
        assert!(!Queue::new("q").limits().are_shared());
        assert!(!Queue::new("q").worker_concurrency(1).limits().are_shared());
        assert!(Queue::new("q").concurrency(1).limits().are_shared());
        assert!(Queue::new("q").rate_limit(1, Duration::from_secs(1)).limits().are_shared());
        assert!(Queue::new("q").partition_worker_concurrency(1).limits().are_shared());
    }
}
