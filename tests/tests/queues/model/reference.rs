//! What a queue does, said in plain code.

use super::{Allowed, PERIOD};

/// A mistake in the reference, to see that it would be found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Flaw {
    PartitionsHaveNoLimits,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Waiting,
    Running {
        since_ms: u128,
    },
    /// It has ended, and its start counts still.
    Ended {
        started_ms: u128,
    },
    /// It has left the queue.
    Cancelled,
}

struct Job {
    partition: usize,
    priority: u32,
    state: State,
}

/// The workflows of a queue that one process serves, by the order in which they were put there.
pub(super) struct Reference {
    allowed: Allowed,
    flaw: Option<Flaw>,
    jobs: Vec<Job>,
    now_ms: u128,
    is_paused: bool,
}

impl Reference {
    pub(super) fn new(allowed: Allowed, flaw: Option<Flaw>) -> Self {
        Self { allowed, flaw, jobs: Vec::new(), now_ms: 1, is_paused: false }
    }

    /// The numbers of those that run.
    pub(super) fn running(&self) -> Vec<usize> {
        self.numbers(|state| matches!(state, State::Running { .. }))
    }

    pub(super) fn open(&self) -> Vec<usize> {
        self.numbers(|state| matches!(state, State::Running { .. } | State::Waiting))
    }

    fn numbers(&self, are: impl Fn(&State) -> bool) -> Vec<usize> {
        self.jobs.iter().enumerate().filter(|(_, job)| are(&job.state)).map(|(number, _)| number).collect()
    }

    /// Gives its number.
    pub(super) fn put(&mut self, partition: usize, priority: u32) -> usize {
        self.jobs.push(Job { partition, priority, state: State::Waiting });
        self.settle();
        self.jobs.len() - 1
    }

    pub(super) fn end(&mut self, number: usize) {
        let State::Running { since_ms } = self.jobs[number].state else { panic!("it runs") };
        self.jobs[number].state = State::Ended { started_ms: since_ms };
        self.settle();
    }

    pub(super) fn cancel(&mut self, number: usize) {
        self.jobs[number].state = State::Cancelled;
        self.settle();
    }

    pub(super) fn change(&mut self, allowed: Allowed) {
        self.allowed = allowed;
        self.settle();
    }

    pub(super) fn is_paused(&self) -> bool {
        self.is_paused
    }

    pub(super) fn pause(&mut self) {
        self.is_paused = true;
    }

    pub(super) fn resume(&mut self) {
        self.is_paused = false;
        self.settle();
    }

    pub(super) fn wait(&mut self, quarters: u32) {
        self.now_ms += u128::from(quarters) * PERIOD.as_millis() / 4;
        self.settle();
    }

    /// What ran goes back to its place, and its start is forgotten.
    pub(super) fn crash(&mut self) {
        for job in &mut self.jobs {
            if matches!(job.state, State::Running { .. }) {
                job.state = State::Waiting;
            }
        }
        self.settle();
    }

    /// Starts what there is room for: the lower priorities first, and of equals the older.
    fn settle(&mut self) {
        while let Some(next) = self.next() {
            self.jobs[next].state = State::Running { since_ms: self.now_ms };
        }
    }

    fn next(&self) -> Option<usize> {
        if self.is_paused || !self.has_room(|_| true, self.allowed.concurrency, self.allowed.starts) {
            return None;
        }
        let one_process = self.allowed.worker_concurrency;
        if !self.has_room(|_| true, one_process, u32::MAX) {
            return None;
        }
        let waiting = self.numbers(|state| *state == State::Waiting).into_iter().filter(|number| {
            let partition = self.jobs[*number].partition;
            let (at_once, starts) = (self.allowed.partition_concurrency, self.allowed.partition_starts);
            self.flaw.is_some() || self.has_room(|job| job.partition == partition, at_once, starts)
        });
        waiting.min_by_key(|number| (self.jobs[*number].priority, *number))
    }

    fn has_room(&self, counts: impl Fn(&Job) -> bool, at_once: Option<u32>, starts: u32) -> bool {
        let jobs = || self.jobs.iter().filter(|job| counts(job));
        let running = jobs().filter(|job| matches!(job.state, State::Running { .. })).count();
        let started = jobs().filter(|job| self.counts_as_start(job.state)).count();
        at_once.is_none_or(|most| running < most as usize) && started < starts as usize
    }

    fn counts_as_start(&self, state: State) -> bool {
        match state {
            State::Running { since_ms: at_ms } | State::Ended { started_ms: at_ms } => {
                at_ms + PERIOD.as_millis() > self.now_ms
            }
            State::Waiting | State::Cancelled => false,
        }
    }
}
