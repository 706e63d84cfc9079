//! Tests that leave something to chance: how much, and which. Print both, so that a run can be repeated.

use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

/// The variable that repeats a run.
pub const SEED_VARIABLE: &str = "DBOS_TEST_SEED";

/// The number in this variable of the environment, if it is there.
///
/// # Panics
///
/// If it holds no such number.
#[must_use]
pub fn given<T: FromStr>(variable: &str) -> Option<T> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is `{text}`, which is no number")))
}

/// The number in this variable of the environment, else `default`.
///
/// # Panics
///
/// As [`given`].
#[must_use]
pub fn setting<T: FromStr>(variable: &str, default: T) -> T {
    given(variable).unwrap_or(default)
}

/// The seed of this run: what `DBOS_TEST_SEED` says, else the time.
#[must_use]
pub fn seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("later than 1970");
    setting(SEED_VARIABLE, now.as_secs())
}
