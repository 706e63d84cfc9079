//! How often a step's body is tried, and how long between the tries.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::call::BodyOutcome;
use crate::clock::{millis, pause};
use crate::context::StepContext;
use crate::error::{Error, Result};
use crate::store::retry::random_fraction;

/// The options of a `#[step]`.
#[derive(Clone, Copy, Debug)]
pub struct StepOptions {
    /// Further attempts after the first; `u32::MAX` for as many as it takes.
    pub retries: u32,
    /// The pause before the first retry.
    pub interval: Duration,
    /// What the pause is multiplied by from retry to retry.
    pub backoff: f64,
    /// The longest pause.
    pub max_interval: Duration,
    /// The longest attempt.
    pub timeout: Option<Duration>,
}

impl StepOptions {
    /// One attempt; if retries are asked for, 1 s before the first, doubling up to one hour.
    pub const DEFAULT: Self = Self {
        retries: 0,
        interval: Duration::from_secs(1),
        backoff: 2.0,
        max_interval: Duration::from_secs(3600),
        timeout: None,
    };

    /// Whether another attempt may follow number `attempt`.
    fn allow_retry(&self, attempt: u32) -> bool {
        self.retries == u32::MAX || attempt <= self.retries
    }

    /// The pause before retry number `retry` (1 is the first), without jitter.
    fn pause_before(&self, retry: u32) -> Duration {
        let exponent = i32::try_from(retry.saturating_sub(1)).unwrap_or(i32::MAX);
        let seconds = self.interval.as_secs_f64() * self.backoff.max(1.0).powi(exponent);
        Duration::try_from_secs_f64(seconds).unwrap_or(self.max_interval).min(self.max_interval)
    }
}

/// The attempts of one call.
#[derive(Debug)]
pub struct Attempts {
    context: Arc<StepContext>,
    options: StepOptions,
}

impl Attempts {
    pub(super) fn new(context: Arc<StepContext>, options: StepOptions) -> Self {
        Self { context, options }
    }

    /// Counts an attempt; `DBOS::attempt()` tells its number.
    pub fn begin(&self) {
        self.context.attempt.fetch_add(1, Ordering::SeqCst);
    }

    /// Runs one attempt for no longer than the step's `timeout`.
    ///
    /// # Errors
    ///
    /// [`Error::StepTimedOut`] if it takes longer.
    pub async fn limit<F: Future>(&self, attempt: F) -> Result<F::Output> {
        let Some(limit) = self.options.timeout else { return Ok(attempt.await) };
        tokio::time::timeout(limit, attempt).await.map_err(|_| Error::StepTimedOut {
            step: self.context.name.to_owned(),
            after_ms: u64::try_from(millis(limit)).unwrap_or(u64::MAX),
        })
    }

    /// Whether this outcome is the last word. If not, waits until the next attempt is due.
    pub async fn finish(&self, outcome: BodyOutcome, worth_retrying: bool) -> Option<BodyOutcome> {
        let failed = matches!(&outcome, Ok(encoded) if encoded.is_error());
        let attempt = self.context.attempt.load(Ordering::SeqCst);
        if !failed || !worth_retrying || !self.options.allow_retry(attempt) {
            return Some(outcome);
        }
        let wait = self.options.pause_before(attempt);
        tracing::warn!(attempt, "step failed; next attempt in {} ms", wait.as_millis());
        // Up to a tenth of jitter, so that many who failed together do not come back together.
        pause(wait.mul_f64(1.0 + random_fraction() / 10.0)).await;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_limit() {
        let options = StepOptions { max_interval: Duration::from_secs(5), ..StepOptions::DEFAULT };
        let pauses: Vec<u64> = (1..6).map(|retry| options.pause_before(retry).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 5, 5]);
        assert_eq!(options.pause_before(u32::MAX), Duration::from_secs(5));
    }

    #[test]
    fn retries_end_where_they_should_or_never() {
        let limited = StepOptions { retries: 2, ..StepOptions::DEFAULT };
        assert_eq!([1, 2, 3].map(|attempt| limited.allow_retry(attempt)), [true, true, false]);
        let unlimited = StepOptions { retries: u32::MAX, ..StepOptions::DEFAULT };
        // The count starts over after its end.
        assert!([1, u32::MAX, 0].iter().all(|attempt| unlimited.allow_retry(*attempt)));
    }
}
