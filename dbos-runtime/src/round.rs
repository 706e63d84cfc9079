//! The rounds of a workflow. One begins with it, another when it goes on as new, another when it is tried again after it
//! failed. What is recorded of a round begins behind the step that says why it began, and step ids go on counting, so
//! that no child and no key for the outside world comes twice.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::store::steps::{History, RecordedStep};

/// The name of the last step of a round before which the workflow went on as new.
pub(crate) const CONTINUE_AS_NEW: &str = "DBOS.continueAsNew";
/// The name of the step that stands for an attempt that failed.
pub(crate) const RETRY: &str = "DBOS.retryWorkflow";

/// The attempt that follows one that failed, as it is recorded.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Retry {
    /// Its number.
    pub(crate) attempt: u32,
    /// When it begins.
    pub(crate) due_ms: i64,
    /// What the one before it ended with.
    pub(crate) error: Box<RawValue>,
}

/// The round that is under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round {
    /// The id of its first step.
    pub(crate) first_step: u32,
    /// Which attempt it is, from 1.
    pub(crate) attempt: u32,
    /// When it begins, if that was to be later.
    pub(crate) due_ms: Option<i64>,
}

impl Round {
    /// The last of those that `history` tells of.
    pub(crate) fn last_of(history: &History) -> Self {
        let last = history.iter().filter(|(_, recorded)| begins_a_round(recorded)).max_by_key(|(step, _)| **step);
        let first_step = last.map_or(1, |(step, _)| step + 1);
        match last.and_then(|(_, recorded)| retry(recorded)) {
            Some(Retry { attempt, due_ms, .. }) => Self { first_step, attempt, due_ms: Some(due_ms) },
            None => Self { first_step, attempt: 1, due_ms: None },
        }
    }
}

/// Whether it stands between two rounds and is no call of either.
pub(crate) fn begins_a_round(recorded: &RecordedStep) -> bool {
    [CONTINUE_AS_NEW, RETRY].contains(&recorded.name.as_str())
}

fn retry(recorded: &RecordedStep) -> Option<Retry> {
    serde_json::from_str(recorded.output.as_deref().filter(|_| recorded.name == RETRY)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(name: &str, output: Option<&str>) -> RecordedStep {
        RecordedStep { name: name.to_owned(), output: output.map(str::to_owned), error: None, child: None }
    }

    #[test]
    fn a_round_begins_behind_the_last_step_that_says_so() {
        let retry = r#"{"attempt":3,"due_ms":170,"error":{"message":"no"}}"#;
        let mut history = History::from([(1, step("pay", Some("1")))]);
        let round = Round::last_of(&history);
        assert_eq!((round.first_step, round.attempt, round.due_ms), (1, 1, None));

        history.insert(2, step(RETRY, Some(retry)));
        history.insert(3, step("pay", None));
        let round = Round::last_of(&history);
        assert_eq!((round.first_step, round.attempt, round.due_ms), (3, 3, Some(170)));

        history.insert(4, step(CONTINUE_AS_NEW, None));
        let round = Round::last_of(&history);
        assert_eq!((round.first_step, round.attempt, round.due_ms), (5, 1, None), "attempts count anew");
    }
}
