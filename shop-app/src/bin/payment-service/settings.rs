//! What an operator may change, read once per process.

use std::sync::LazyLock;
use std::time::Duration;

use dbos::Result;
use shop_app::settings::{milliseconds, text};
use shop_app::webhook::Secrets;

const SECRETS: &str = "PAYMENT_SERVICE_WEBHOOK_SECRETS";

/// The address under which customers find the service: `PAYMENT_SERVICE_HOST`.
pub(crate) fn own_host() -> &'static str {
    static HOST: LazyLock<String> = LazyLock::new(|| text("PAYMENT_SERVICE_HOST", "http://localhost:8086"));
    &HOST
}

/// How long a customer may take to pay: `PAYMENT_SERVICE_SESSION_TIMEOUT_MS`, one minute by default.
pub(crate) fn session_timeout() -> Duration {
    static TIMEOUT: LazyLock<Duration> = LazyLock::new(|| milliseconds("PAYMENT_SERVICE_SESSION_TIMEOUT_MS", 60_000));
    *TIMEOUT
}

/// What webhooks are signed with: `PAYMENT_SERVICE_WEBHOOK_SECRETS`, with commas between.
pub(crate) fn secrets() -> &'static Secrets {
    static KNOWN: LazyLock<Secrets> = LazyLock::new(|| Secrets::of_variable(SECRETS).expect("checked at start"));
    &KNOWN
}

/// Refuses to start with settings that cannot work.
pub(crate) fn check() -> Result<()> {
    Secrets::of_variable(SECRETS).map(drop)
}
