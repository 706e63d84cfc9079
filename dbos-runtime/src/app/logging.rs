//! What is logged, and how: to standard error, in colour for people only.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::{Error, Result};

/// Everything that matters, and of the libraries below only what is wrong.
const DEFAULT: &str = "info,sqlx=warn,hyper=warn,hyper_util=warn,tower=warn,axum=warn";

/// Begins logging what `filter` selects; a program that logs already keeps its own way.
pub(super) fn begin(filter: Option<&str>) -> Result<()> {
    let filter = EnvFilter::try_new(filter.unwrap_or(DEFAULT))
        .map_err(|error| Error::Configuration(format!("the environment variable RUST_LOG is refused: {error}")))?;
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    // An error means that a subscriber is set already.
    let _ =
        tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr).try_init();
    Ok(())
}
