//! What workflows do and what befalls them, as data that can be drawn at random, made smaller, and read.

use std::fmt;

use dbos::Side;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

/// Three workflows, and what happens to them one after the other.
#[derive(Clone, Debug)]
pub(super) struct History {
    pub(super) programs: [Vec<Call>; 3],
    pub(super) events: Vec<Event>,
}

/// One durable call of a workflow; the number is what it gives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Call {
    Step(u8),
    Order(u8),
    Publish(u8),
    Receive,
    Child(Vec<Call>),
}

#[derive(Clone, Debug)]
pub(super) enum Event {
    Start(usize),
    Send(Whom, u8),
    Cancel(Whom),
    Resume(Whom),
    Crash,
    /// The process dies at this side of so manieth write of what happens, and is started again.
    Interrupted(Interruption, Box<Event>),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Interruption {
    pub(super) side: Side,
    pub(super) write: u64,
}

/// One of the three, or the first child in its program, if there is one.
#[derive(Clone, Copy, Debug)]
pub(super) enum Whom {
    Itself(usize),
    Child(usize),
}

impl Call {
    /// How many step ids it takes.
    pub(super) fn ids(&self) -> u32 {
        match self {
            Self::Step(_) | Self::Order(_) | Self::Publish(_) => 1,
            Self::Receive | Self::Child(_) => 2,
        }
    }
}

impl History {
    /// The id of a workflow within the history.
    pub(super) fn name(&self, whom: Whom) -> String {
        let (Whom::Itself(index) | Whom::Child(index)) = whom;
        let parent = letter(index);
        let mut before = 0;
        for call in &self.programs[index] {
            if matches!((whom, call), (Whom::Child(_), Call::Child(_))) {
                return child_name(&parent, before + 1);
            }
            before += call.ids();
        }
        parent
    }
}

pub(super) fn letter(index: usize) -> String {
    ["a", "b", "c"][index].to_owned()
}

pub(super) fn child_name(parent: &str, step: u32) -> String {
    format!("{parent}-{step}")
}

pub(super) fn histories() -> impl Strategy<Value = History> {
    let program = || prop::collection::vec(calls(), 0..5);
    ([program(), program(), program()], prop::collection::vec(events(), 1..16))
        .prop_map(|(programs, events)| History { programs, events })
}

fn calls() -> impl Strategy<Value = Call> {
    let call = prop_oneof![
        3 => Just(Call::Receive),
        1 => (0..100_u8).prop_map(Call::Step),
        1 => (0..100_u8).prop_map(Call::Order),
        1 => (0..100_u8).prop_map(Call::Publish),
    ];
    call.prop_recursive(2, 6, 3, |inner| prop::collection::vec(inner, 0..4).prop_map(Call::Child))
}

fn events() -> impl Strategy<Value = Event> {
    let whom = || prop_oneof![3 => (0..3_usize).prop_map(Whom::Itself), 1 => (0..3_usize).prop_map(Whom::Child)];
    let event = prop_oneof![
        4 => (0..3_usize).prop_map(Event::Start),
        4 => (whom(), 0..100_u8).prop_map(|(whom, number)| Event::Send(whom, number)),
        2 => whom().prop_map(Event::Cancel),
        3 => whom().prop_map(Event::Resume),
        1 => Just(Event::Crash),
    ];
    let interruption = (prop_oneof![Just(Side::Before), Just(Side::After)], 1..9_u64)
        .prop_map(|(side, write)| Interruption { side, write });
    (event, prop::option::weighted(0.3, interruption)).prop_map(|(event, interruption)| match interruption {
        Some(interruption) if !matches!(event, Event::Crash) => Event::Interrupted(interruption, Box::new(event)),
        _ => event,
    })
}

impl fmt::Display for History {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, program) in self.programs.iter().enumerate().filter(|(_, program)| !program.is_empty()) {
            writeln!(text, "{} does: {}", letter(index), Calls(program))?;
        }
        self.events.iter().try_for_each(|event| writeln!(text, "{event}"))
    }
}

struct Calls<'a>(&'a [Call]);

impl fmt::Display for Calls<'_> {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, call) in self.0.iter().enumerate() {
            text.write_str(if position == 0 { "" } else { ", " })?;
            match call {
                Call::Step(number) => write!(text, "step {number}"),
                Call::Order(number) => write!(text, "order {number}"),
                Call::Publish(number) => write!(text, "publish {number}"),
                Call::Receive => write!(text, "receive"),
                Call::Child(program) => write!(text, "child [{}]", Calls(program)),
            }?;
        }
        Ok(())
    }
}

impl fmt::Display for Event {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(index) => write!(text, "start {}", letter(*index)),
            Self::Send(whom, number) => write!(text, "send {number} to {whom}"),
            Self::Cancel(whom) => write!(text, "cancel {whom}"),
            Self::Resume(whom) => write!(text, "resume {whom}"),
            Self::Crash => text.write_str("crash"),
            Self::Interrupted(Interruption { side, write }, event) => {
                write!(text, "{event}, and crash {side:?} write {write}")
            }
        }
    }
}

impl fmt::Display for Whom {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Itself(index) => write!(text, "{}", letter(*index)),
            Self::Child(index) => write!(text, "the child of {}", letter(*index)),
        }
    }
}
