//! What ought to happen: the workflows as plain values, without a database, a process or time.

use std::collections::{BTreeMap, VecDeque};

use super::script::{Call, Event, History, Whom, child_name, letter};

/// What is got wrong on purpose, to see that it is noticed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Flaw {
    ResumeIsRefused,
}

/// All workflows that were ever started, by id.
pub(super) struct Reference {
    history: History,
    flaw: Option<Flaw>,
    pub(super) workflows: BTreeMap<String, Workflow>,
}

#[derive(Default)]
pub(super) struct Workflow {
    program: Vec<Call>,
    pub(super) state: State,
    /// What its calls gave so far, and the ids of the steps that are recorded for them.
    pub(super) trace: Vec<u8>,
    pub(super) steps: Vec<u32>,
    /// The id before that of the next call.
    taken: u32,
    mailbox: VecDeque<u8>,
    pub(super) orders: Vec<u8>,
    pub(super) published: Option<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum State {
    #[default]
    Open,
    Cancelled,
    Ended,
}

/// How an operation answers.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    Done,
    Nobody,
    StillRunning,
}

/// What a parent notes of a child that was cancelled.
pub(super) const CANCELLED: u8 = u8::MAX;

impl Reference {
    pub(super) fn new(history: &History, flaw: Option<Flaw>) -> Self {
        Self { history: history.clone(), flaw, workflows: BTreeMap::new() }
    }

    pub(super) fn name(&self, whom: Whom) -> String {
        self.history.name(whom)
    }

    /// The event happens, and all go as far as they can.
    pub(super) fn live_through(&mut self, event: &Event) -> Answer {
        let answer = self.happen(event);
        while self.workflows.keys().cloned().collect::<Vec<_>>().iter().any(|name| self.advance(name)) {}
        answer
    }

    fn happen(&mut self, event: &Event) -> Answer {
        match event {
            Event::Start(index) => {
                let program = self.history.programs[*index].clone();
                self.workflows.entry(letter(*index)).or_insert_with(|| Workflow::doing(program));
                Answer::Done
            }
            Event::Send(whom, number) => self.with(*whom, |workflow| {
                workflow.mailbox.push_back(*number);
                Answer::Done
            }),
            Event::Cancel(whom) => self.with(*whom, |workflow| {
                if workflow.state == State::Open {
                    workflow.state = State::Cancelled;
                }
                Answer::Done
            }),
            Event::Resume(whom) => {
                let flawed = self.flaw == Some(Flaw::ResumeIsRefused);
                self.with(*whom, |workflow| match workflow.state {
                    State::Cancelled if flawed => Answer::StillRunning,
                    State::Cancelled => {
                        workflow.state = State::Open;
                        Answer::Done
                    }
                    State::Open => Answer::StillRunning,
                    State::Ended => Answer::Done,
                })
            }
            Event::Crash => Answer::Done,
            Event::Interrupted(_, event) => self.happen(event),
        }
    }

    fn with(&mut self, whom: Whom, act: impl FnOnce(&mut Workflow) -> Answer) -> Answer {
        let name = self.name(whom);
        self.workflows.get_mut(&name).map_or(Answer::Nobody, act)
    }

    /// Whether `name` came further by one call.
    fn advance(&mut self, name: &str) -> bool {
        let workflow = &self.workflows[name];
        if workflow.state != State::Open {
            return false;
        }
        let Some(Call::Child(program)) = workflow.next().cloned() else {
            return self.workflows.get_mut(name).is_some_and(Workflow::advance_alone);
        };
        let child = child_name(name, workflow.taken + 1);
        let Some(found) = self.workflows.get(&child) else {
            self.workflows.insert(child, Workflow::doing(program));
            let parent = self.workflows.get_mut(name).unwrap();
            parent.steps.push(parent.taken + 1);
            return true;
        };
        let given = match found.state {
            State::Open => return false,
            State::Cancelled => CANCELLED,
            State::Ended => u8::try_from(found.trace.len()).unwrap(),
        };
        let parent = self.workflows.get_mut(name).unwrap();
        parent.steps.push(parent.taken + 2);
        parent.take(2, given);
        true
    }
}

impl Workflow {
    fn doing(program: Vec<Call>) -> Self {
        Self { program, ..Self::default() }
    }

    /// How many plain steps came to their end.
    pub(super) fn steps_that_ran(&self) -> u32 {
        let done = self.program.iter().take(self.trace.len());
        u32::try_from(done.filter(|call| matches!(call, Call::Step(_))).count()).unwrap()
    }

    fn next(&self) -> Option<&Call> {
        self.program.get(self.trace.len())
    }

    /// A call took so many ids, and gave this.
    fn take(&mut self, ids: u32, given: u8) {
        self.taken += ids;
        self.trace.push(given);
    }

    fn advance_alone(&mut self) -> bool {
        let first = self.taken + 1;
        match self.next().cloned() {
            None => self.state = State::Ended,
            Some(Call::Step(number)) => {
                self.steps.push(first);
                self.take(1, number);
            }
            Some(Call::Order(number)) => {
                self.steps.push(first);
                self.orders.push(number);
                self.take(1, number);
            }
            Some(Call::Publish(number)) => {
                self.steps.push(first);
                self.published = Some(number);
                self.take(1, number);
            }
            Some(Call::Receive) => {
                // Its timer, which has the second of its two ids, is recorded before it waits.
                if self.steps.last() != Some(&(first + 1)) {
                    self.steps.push(first + 1);
                }
                let Some(number) = self.mailbox.pop_front() else { return false };
                self.steps.push(first);
                self.take(2, number);
            }
            Some(Call::Child(_)) => unreachable!("children concern others"),
        }
        true
    }
}
