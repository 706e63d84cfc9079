//! How often a step's body is tried, and how long between the tries.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::call::BodyOutcome;
use crate::clock::{millis, pause};
use crate::context::StepContext;
use crate::error::{Error, Result};
use crate::retry::RetryPolicy;

/// The options of a `#[step]`.
#[derive(Clone, Copy, Debug)]
pub struct StepOptions {
    /// When another attempt follows one that failed.
    pub retry: RetryPolicy,
    /// The longest attempt.
    pub timeout: Option<Duration>,
}

impl StepOptions {
    /// One attempt, however long it takes.
    pub const DEFAULT: Self = Self { retry: RetryPolicy::DEFAULT, timeout: None };
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
        if !failed || !worth_retrying || !self.options.retry.allows_retry(attempt) {
            return Some(outcome);
        }
        let wait = self.options.retry.pause_after(attempt);
        tracing::warn!(attempt, "step failed; next attempt in {} ms", wait.as_millis());
        pause(wait).await;
        None
    }
}
