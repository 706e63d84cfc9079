//! What an operator may change, read once per process.

use std::sync::LazyLock;
use std::time::Duration;

use dbos::Result;
use shop_app::settings::{milliseconds, text};
use shop_app::webhook::Secrets;

const SECRETS: &str = "SHOP_GUIDE_WEBHOOK_SECRETS";

/// Where the payment service answers: `SHOP_GUIDE_PAYMENT_HOST`.
pub(crate) fn payment_host() -> &'static str {
    static HOST: LazyLock<String> = LazyLock::new(|| text("SHOP_GUIDE_PAYMENT_HOST", "http://localhost:8086"));
    &HOST
}

/// Where the payment service, and customers, find this shop: `SHOP_GUIDE_SHOP_HOST`.
pub(crate) fn shop_host() -> &'static str {
    static HOST: LazyLock<String> = LazyLock::new(|| text("SHOP_GUIDE_SHOP_HOST", "http://localhost:8082"));
    &HOST
}

/// How long a checkout waits for news of its payment: `SHOP_GUIDE_PAYMENT_TIMEOUT_MS`, one minute by default.
pub(crate) fn payment_timeout() -> Duration {
    static TIMEOUT: LazyLock<Duration> = LazyLock::new(|| milliseconds("SHOP_GUIDE_PAYMENT_TIMEOUT_MS", 60_000));
    *TIMEOUT
}

/// What the payment service signs its webhooks with: `SHOP_GUIDE_WEBHOOK_SECRETS`, with commas between.
pub(crate) fn secrets() -> &'static Secrets {
    static KNOWN: LazyLock<Secrets> = LazyLock::new(|| Secrets::of_variable(SECRETS).expect("checked at start"));
    &KNOWN
}

/// Refuses to start with settings that cannot work.
pub(crate) fn check() -> Result<()> {
    Secrets::of_variable(SECRETS).map(drop)
}
