//! What an operator may change, from variables of the environment.

use std::env;
use std::time::Duration;

use dbos::tracing;

/// The number of milliseconds in the variable `name`, or the default.
pub fn milliseconds(name: &str, default_ms: u64) -> Duration {
    let given = env::var(name).ok();
    let ms = given.as_deref().map_or(Ok(default_ms), str::parse).unwrap_or_else(|_| {
        // Orders are recovered before anybody could be asked again, so a typing error must not stop them.
        tracing::warn!("{name} is not a number of milliseconds; using {default_ms}");
        default_ms
    });
    Duration::from_millis(ms)
}

/// The words in the variable `name`, or the default.
pub fn text(name: &str, default: &str) -> String {
    env::var(name).ok().filter(|text| !text.is_empty()).unwrap_or_else(|| default.to_owned())
}
