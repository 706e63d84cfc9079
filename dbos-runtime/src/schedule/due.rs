//! Which ticks are due, and which of those that are late still run.

use std::time::Duration;

use super::{Cron, Late};
use crate::clock::millis;

/// For so long after its instant a tick is on time.
const ON_TIME: Duration = Duration::from_secs(10);

/// How many late ticks run at most.
const MOST: usize = 1000;

/// The first span that is searched for the newest ticks.
const LOOK_BACK_MS: i64 = 60_000;

/// The ticks after `after_ms` and up to `now_ms` that are to run, the oldest first.
pub(crate) fn due(cron: &Cron, after_ms: i64, now_ms: i64, late: Late) -> Vec<i64> {
    let late_before_ms = now_ms - millis(ON_TIME);
    let on_time = ticks(cron, after_ms.max(late_before_ms), now_ms);
    let newest_late = |most| newest(cron, after_ms, late_before_ms, most);
    match late {
        Late::RunLast if on_time.is_empty() => newest_late(1),
        Late::Skip | Late::RunLast => on_time,
        Late::RunAll => [newest_late(MOST), on_time].concat(),
    }
}

fn ticks(cron: &Cron, after_ms: i64, until_ms: i64) -> Vec<i64> {
    let next = |instant_ms: &i64| cron.next_after(*instant_ms).filter(|next_ms| *next_ms <= until_ms);
    std::iter::successors(next(&after_ms), next).collect()
}

/// The newest `most` of the ticks, found without counting through all of a long time.
fn newest(cron: &Cron, after_ms: i64, until_ms: i64, most: usize) -> Vec<i64> {
    let mut span_ms = LOOK_BACK_MS;
    loop {
        let from_ms = after_ms.max(until_ms.saturating_sub(span_ms));
        let mut found = ticks(cron, from_ms, until_ms);
        if found.len() >= most || from_ms == after_ms {
            return found.split_off(found.len().saturating_sub(most));
        }
        span_ms = span_ms.saturating_mul(4);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;
    const NONE: [i64; 0] = [];

    /// In seconds since noon of an ordinary day.
    fn due_of(pattern: &str, after: i64, now: i64, late: Late) -> Vec<i64> {
        let noon = 1_767_268_800_000;
        let cron = Cron::parse(pattern, None).unwrap();
        due(&cron, noon + after * 1000, noon + now * 1000, late).iter().map(|tick| (tick - noon) / 1000).collect()
    }

    #[test]
    fn a_tick_on_time_runs_whatever_the_policy() {
        for late in [Late::Skip, Late::RunLast, Late::RunAll] {
            assert_eq!(due_of("*/5 * * * * *", 0, 9, late), [5], "{late}");
            assert_eq!(due_of("*/5 * * * * *", 5, 9, late), NONE, "{late}");
        }
    }

    #[test]
    fn late_ticks_run_as_the_policy_says() {
        assert_eq!(due_of("0 * * * * *", 0, 200, Late::Skip), NONE);
        assert_eq!(due_of("0 * * * * *", 0, 200, Late::RunLast), [180]);
        assert_eq!(due_of("0 * * * * *", 0, 200, Late::RunAll), [60, 120, 180]);
        assert_eq!(due_of("0 * * * * *", 0, 185, Late::Skip), [180]);
        assert_eq!(due_of("0 * * * * *", 0, 185, Late::RunLast), [180]);
        assert_eq!(due_of("0 * * * * *", 0, 185, Late::RunAll), [60, 120, 180]);
    }

    #[test]
    fn of_many_late_ticks_the_newest_run() {
        let late = due_of("* * * * * *", 0, 30 * 24 * HOUR / 1000, Late::RunAll);

        assert_eq!(late.len(), MOST + 10);
        assert!(late.windows(2).all(|two| two[1] == two[0] + 1));
        assert_eq!(late.last(), Some(&(30 * 24 * HOUR / 1000)));
    }

    #[test]
    fn a_clock_that_went_back_makes_nothing_due() {
        assert_eq!(due_of("* * * * * *", 3600, 0, Late::RunAll), NONE);
    }
}
