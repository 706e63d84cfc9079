//! What an operator may change, read once per process.
//!
//! Both values may differ from one start to the next: a wait that has begun keeps the instant recorded
//! for its end, so a changed value only touches waits that are still to come.

use std::{env, sync::LazyLock, time::Duration};

use dbos::tracing;

/// How long a customer may take to pay: `WIDGET_STORE_PAYMENT_TIMEOUT_MS`, two minutes by default.
pub(crate) fn payment_timeout() -> Duration {
    static TIMEOUT: LazyLock<Duration> = LazyLock::new(|| read("WIDGET_STORE_PAYMENT_TIMEOUT_MS", 120_000));
    *TIMEOUT
}

/// The time between two steps of a dispatch: `WIDGET_STORE_DISPATCH_INTERVAL_MS`, one second by default.
pub(crate) fn dispatch_interval() -> Duration {
    static INTERVAL: LazyLock<Duration> = LazyLock::new(|| read("WIDGET_STORE_DISPATCH_INTERVAL_MS", 1_000));
    *INTERVAL
}

fn read(name: &str, default_ms: u64) -> Duration {
    let given = env::var(name).ok();
    let ms = given.as_deref().map_or(Ok(default_ms), str::parse).unwrap_or_else(|_| {
        // Orders are recovered before anybody could be asked again, so a typing error must not stop them.
        tracing::warn!("{name} is not a number of milliseconds; using {default_ms}");
        default_ms
    });
    Duration::from_millis(ms)
}
