//! What the long tests tell `.ci/soak`, a line for each figure.

use std::fmt::Display;
use std::time::Duration;

/// A kind of fault: how often it struck, what was wrong afterwards (unless that is told for several kinds together), and
/// how long it took each time until all went on.
pub fn report(
    database: impl Display,
    kind: impl Display,
    faults: u64,
    violations: Option<usize>,
    resumed: &[Duration],
) {
    let mut sorted: Vec<_> = resumed.iter().map(Duration::as_millis).collect();
    sorted.sort_unstable();
    let at = |index: usize| sorted.get(index).map_or_else(|| "-".to_owned(), u128::to_string);
    let (median, longest) = (at(sorted.len() / 2), at(sorted.len().saturating_sub(1)));
    let violations = violations.map_or_else(|| "-".to_owned(), |number| number.to_string());
    println!("soak: {database} | {kind} | {faults} | {violations} | {median} | {longest}");
}
