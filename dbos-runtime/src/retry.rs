//! How often what failed is tried again, and how long after.

use std::time::Duration;

use crate::random::random_fraction;

/// When a step or a workflow that failed is tried again.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    /// Further attempts after the first; `u32::MAX` for as many as it takes.
    pub retries: u32,
    /// The pause before the first retry.
    pub interval: Duration,
    /// What the pause is multiplied by from retry to retry.
    pub backoff: f64,
    /// The longest pause, unless the first is longer.
    pub max_interval: Duration,
}

impl RetryPolicy {
    /// One attempt; if retries are asked for, 1 s before the first, doubling up to one hour.
    pub const DEFAULT: Self =
        Self { retries: 0, interval: Duration::from_secs(1), backoff: 2.0, max_interval: Duration::from_secs(3600) };

    /// Whether another attempt may follow number `attempt`.
    pub(crate) fn allows_retry(&self, attempt: u32) -> bool {
        self.retries == u32::MAX || attempt <= self.retries
    }

    /// The pause after attempt number `attempt` (1 is the first), with up to a tenth of jitter, so that many who failed
    /// together do not come back together.
    pub(crate) fn pause_after(&self, attempt: u32) -> Duration {
        self.bare_pause_after(attempt).mul_f64(1.0 + random_fraction() / 10.0)
    }

    fn bare_pause_after(&self, attempt: u32) -> Duration {
        let exponent = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
        let seconds = self.interval.as_secs_f64() * self.backoff.max(1.0).powi(exponent);
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX).min(self.max_interval.max(self.interval))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_limit() {
        let policy = RetryPolicy { max_interval: Duration::from_secs(5), ..RetryPolicy::DEFAULT };
        let pauses: Vec<u64> = (1..6).map(|attempt| policy.bare_pause_after(attempt).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 5, 5]);
        assert_eq!(policy.bare_pause_after(u32::MAX), Duration::from_secs(5));
        let daily = RetryPolicy { interval: Duration::from_hours(24), ..RetryPolicy::DEFAULT };
        assert_eq!([1, 2].map(|attempt| daily.bare_pause_after(attempt)), [Duration::from_hours(24); 2]);
    }

    #[test]
    fn retries_end_where_they_should_or_never() {
        let limited = RetryPolicy { retries: 2, ..RetryPolicy::DEFAULT };
        assert_eq!([1, 2, 3].map(|attempt| limited.allows_retry(attempt)), [true, true, false]);
        let unlimited = RetryPolicy { retries: u32::MAX, ..RetryPolicy::DEFAULT };
        // The count starts over after its end.
        assert!([1, u32::MAX, 0].iter().all(|attempt| unlimited.allows_retry(*attempt)));
    }
}
