//! What is logged, and how: to standard error, for people in text and in colour, for programs in JSON.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;

use super::settings::Settings;
use crate::{Error, Result};

/// Everything that matters, and of the libraries below only what is wrong.
const DEFAULT: &str = "info,sqlx=warn,hyper=warn,hyper_util=warn,tower=warn,axum=warn";

/// Whatever is to be seen, with the spans of `telemetry` on it.
const SPANS: &str = "dbos::telemetry=error";

/// What is logged, and how.
#[derive(Clone, Debug)]
pub(super) struct LogOptions {
    pub(super) filter: String,
    pub(super) format: LogFormat,
}

/// What a line of the log looks like.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum LogFormat {
    /// For people.
    Text,
    /// An object a line.
    Json,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self { filter: DEFAULT.to_owned(), format: LogFormat::Text }
    }
}

impl LogFormat {
    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::Text, Self::Json].into_iter().find(|format| format.name() == name)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

/// Begins logging; a program that logs already keeps its own way.
pub(super) fn begin(settings: &Settings) -> Result<()> {
    let filter = EnvFilter::try_new(&settings.log.filter).map_err(|error| {
        Error::Configuration(format!("{} is no choice of what to log: {error}", settings.place("log")))
    })?;
    let filter = filter.add_directive(SPANS.parse().expect("a directive"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
    // An error means that a subscriber is set already.
    let _ = match settings.log.format {
        LogFormat::Text => {
            let colours = stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            log.with_ansi(colours).try_init()
        }
        LogFormat::Json => {
            std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "a thread panicked")));
            log.json().flatten_event(true).with_current_span(false).try_init()
        }
    };
    Ok(())
}
