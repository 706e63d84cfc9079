//! What an operator may change, read once per process.
//!
//! Both values may differ from one start to the next: a wait that has begun keeps the instant recorded
//! for its end, so a changed value only touches waits that are still to come.

use std::{sync::LazyLock, time::Duration};

use shop_app::settings::milliseconds;

/// How long a customer may take to pay: `WIDGET_STORE_PAYMENT_TIMEOUT_MS`, two minutes by default.
pub(crate) fn payment_timeout() -> Duration {
    static TIMEOUT: LazyLock<Duration> = LazyLock::new(|| milliseconds("WIDGET_STORE_PAYMENT_TIMEOUT_MS", 120_000));
    *TIMEOUT
}

/// The time between two steps of a dispatch: `WIDGET_STORE_DISPATCH_INTERVAL_MS`, one second by default.
pub(crate) fn dispatch_interval() -> Duration {
    static INTERVAL: LazyLock<Duration> = LazyLock::new(|| milliseconds("WIDGET_STORE_DISPATCH_INTERVAL_MS", 1_000));
    *INTERVAL
}
