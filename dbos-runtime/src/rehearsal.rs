//! A run without an engine: each durable call gets what is recorded, and nothing else happens.
//!
//! Where the code asks for another step than the recorded one, the rehearsal looks for the step it asks for elsewhere in
//! the record and goes on with that, so that one edit is reported as what it is and not as everything that follows.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::Location;
use std::sync::{Mutex, MutexGuard};

use crate::store::steps::{History, RecordedStep};

/// What a timer is recorded as, which some operations have right behind themselves.
const TIMER: &str = "DBOS.sleep";

/// The record that a run is rehearsed with, and what the run has asked of it.
#[derive(Debug)]
pub(crate) struct Rehearsal {
    record: BTreeMap<u32, RecordedStep>,
    asked: Mutex<Asked>,
}

#[derive(Debug, Default)]
struct Asked {
    /// The calls that were written, whether awaited or not.
    written: BTreeMap<u32, Call>,
    /// The calls that were awaited, and which recorded step each got.
    given: BTreeMap<u32, u32>,
    /// The calls that were awaited and are not recorded.
    beyond: BTreeSet<u32>,
}

/// One durable call of the code.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) step: u32,
    pub(crate) name: String,
    pub(crate) place: &'static Location<'static>,
}

/// How a rehearsal came to its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reached {
    /// The code has returned.
    Return,
    /// It has come to a call that is not recorded, of a workflow that had not ended.
    OpenEnd,
    /// The same, of one that had.
    NoEnd,
}

/// Where code and record part.
#[derive(Clone, Debug)]
pub(crate) enum Parting {
    /// The code asks for a step that is not recorded. In its place there is `recorded`, or nothing.
    Unrecorded { call: Call, recorded: Option<RecordedStep> },
    /// A step is recorded for which the code does not ask; at its place it asks for `call`, or for nothing.
    Unasked { step: u32, recorded: String, call: Option<Call> },
    /// The code asks for a recorded step at another place in the order.
    Moved { call: Call, recorded: Option<String> },
}

impl Rehearsal {
    pub(crate) fn new(record: History) -> Self {
        Self { record: record.into_iter().collect(), asked: Mutex::default() }
    }

    /// Notes a call where it is written.
    pub(crate) fn write(&self, step: u32, name: &str, place: &'static Location<'static>) {
        self.asked().written.insert(step, Call { step, name: name.to_owned(), place });
    }

    /// Forgets the call that was written last: it needs no step.
    pub(crate) fn give_back(&self, step: u32) {
        self.asked().written.remove(&step);
    }

    /// What is recorded of the call `name` at `step`; `None` if nothing is, and the call has to wait for ever.
    pub(crate) fn outcome(&self, step: u32, name: &str) -> Option<RecordedStep> {
        let mut asked = self.asked();
        let found = asked.given.get(&step).copied().or_else(|| self.find(&asked, step, name));
        match found {
            Some(recorded) => {
                asked.given.insert(step, recorded);
                self.record.get(&recorded).cloned()
            }
            None => {
                asked.beyond.insert(step);
                None
            }
        }
    }

    /// The name of what is recorded at `step`.
    pub(crate) fn recorded_name(&self, step: u32) -> Option<String> {
        self.record.get(&step).map(|recorded| recorded.name.clone())
    }

    /// Whether the run has come to a call that is not recorded.
    pub(crate) fn is_beyond(&self) -> bool {
        !self.asked().beyond.is_empty()
    }

    /// The step at the place of the call, else the first of that name that no other call has got or has its place at.
    fn find(&self, asked: &Asked, step: u32, name: &str) -> Option<u32> {
        if self.record.get(&step).is_some_and(|recorded| recorded.name == name) && !asked.is_given(step) {
            return Some(step);
        }
        let mut others = self.record.iter().filter(|(_, recorded)| recorded.name == name).map(|(id, _)| *id);
        let is_taken = |id: u32| asked.is_given(id) || (id < step && asked.writes(id, name));
        others.find(|id| !is_taken(*id))
    }

    /// Where code and record part.
    pub(crate) fn partings(&self, reached: Reached) -> Vec<Parting> {
        let asked = self.asked();
        let unasked = self.unasked(&asked);
        let added = asked.beyond.iter().find(|step| match reached {
            // A call that was given up before its end is not recorded either.
            Reached::Return => false,
            Reached::OpenEnd => unasked.iter().any(|id| id >= *step),
            Reached::NoEnd => true,
        });
        if let Some(call) = added.and_then(|step| asked.written.get(step)) {
            let recorded = self.record.get(&call.step).cloned();
            return vec![Parting::Unrecorded { call: call.clone(), recorded }];
        }
        let mut partings: Vec<_> = unasked
            .iter()
            .map(|step| Parting::Unasked {
                step: *step,
                recorded: self.record[step].name.clone(),
                call: asked.written.get(step).cloned(),
            })
            .collect();
        // A step that is missing in the code lets all later ones move up.
        let missing_before = |id: u32| unasked.range(..id).count();
        let moved = asked.given.iter().filter(|(step, id)| **step as usize + missing_before(**id) != **id as usize);
        let mut moved = moved.filter_map(|(step, _)| asked.written.get(step));
        partings.extend(moved.next().map(|call| Parting::Moved {
            call: call.clone(),
            recorded: self.record.get(&call.step).map(|recorded| recorded.name.clone()),
        }));
        partings
    }

    /// The recorded steps for which no call asks.
    fn unasked(&self, asked: &Asked) -> BTreeSet<u32> {
        let mut left: BTreeSet<u32> = self.record.keys().copied().collect();
        for id in asked.given.values() {
            left.remove(id);
            let timed = matches!(self.record[id].name.as_str(), "DBOS.recv" | "DBOS.getEvent");
            if timed && self.record.get(&(id + 1)).is_some_and(|timer| timer.name == TIMER) {
                left.remove(&(id + 1));
            }
        }
        // A call may be written and not awaited, as one that lost a race.
        for call in asked.written.values().filter(|call| !asked.given.contains_key(&call.step)) {
            let is_its = |id: &u32| self.record[id].name == call.name;
            let own = Some(call.step).filter(|id| left.contains(id) && is_its(id));
            if let Some(id) = own.or_else(|| left.iter().copied().find(is_its)) {
                left.remove(&id);
            }
        }
        left
    }

    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().expect("no panic while held")
    }
}

impl Asked {
    fn is_given(&self, id: u32) -> bool {
        self.given.values().any(|given| *given == id)
    }

    fn writes(&self, step: u32, name: &str) -> bool {
        self.written.get(&step).is_some_and(|call| call.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(names: &[&str]) -> Rehearsal {
        let step = |name: &&str| RecordedStep { name: (*name).to_owned(), output: None, error: None, child: None };
        Rehearsal::new((1..).zip(names.iter().map(step)).collect())
    }

    /// The code asks for these, one after the other, until one is not recorded.
    fn rehearsed(record: &[&str], code: &[&str], at_end: Reached) -> Vec<String> {
        let (rehearsal, mut reached) = (recorded(record), Reached::Return);
        for (step, name) in (1..).zip(code) {
            rehearsal.write(step, name, Location::caller());
            if rehearsal.outcome(step, name).is_none() {
                reached = at_end;
                break;
            }
        }
        let described = rehearsal.partings(reached).into_iter().map(|parting| match parting {
            Parting::Unrecorded { call, recorded } => {
                let instead = recorded.map_or_else(|| "nothing".to_owned(), |recorded| recorded.name);
                format!("+{} {} for {instead}", call.step, call.name)
            }
            Parting::Unasked { step, recorded, .. } => format!("-{step} {recorded}"),
            Parting::Moved { call, recorded } => {
                format!("{} {} for {}", call.step, call.name, recorded.unwrap_or_default())
            }
        });
        described.collect()
    }

    #[test]
    fn one_edit_is_reported_as_what_it_is() {
        for (record, code, expected) in [
            ("a b c", "a b c", &[][..]),
            ("a b c", "a c", &["-2 b"]),
            ("a b c", "b c", &["-1 a"]),
            ("a b c", "a b", &["-3 c"]),
            ("a b c d", "a d", &["-2 b", "-3 c"]),
            ("a b c", "a c b", &["2 c for b"]),
            ("a b c", "a x b c", &["+2 x for b"]),
            ("a b c", "a b c x", &["+4 x for nothing"]),
            ("a a a", "a a", &["-3 a"]),
            ("a DBOS.recv DBOS.sleep b", "a DBOS.recv DBOS.sleep b", &[]),
            ("a DBOS.recv DBOS.sleep b", "a b", &["-2 DBOS.recv", "-3 DBOS.sleep"]),
        ] {
            let words = |text: &'static str| text.split(' ').collect::<Vec<_>>();
            assert_eq!(rehearsed(&words(record), &words(code), Reached::NoEnd), expected, "{record}: {code}");
        }
    }

    #[test]
    fn a_record_that_ends_open_is_fine_up_to_its_end() {
        assert_eq!(rehearsed(&["a", "b"], &["a", "b", "c"], Reached::OpenEnd), [] as [&str; 0]);
        assert_eq!(rehearsed(&["a", "b"], &["a", "x", "b"], Reached::OpenEnd), ["+2 x for b"]);
        assert_eq!(rehearsed(&["a", "b", "c"], &["b", "c", "d"], Reached::OpenEnd), ["-1 a"]);
    }
}
