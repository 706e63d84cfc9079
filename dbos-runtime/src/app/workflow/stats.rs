//! How many workflows or steps there are of each kind.

use std::time::Duration;

use clap::ValueEnum;

use super::flags::{Instant, instant, length};
use crate::store::aggregates::Grouping;

/// What is counted, and how it is told apart.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub(super) struct StatsFlags {
    /// By what they are told apart; several with commas
    #[arg(long, value_delimiter = ',', value_enum, default_value = "name,status")]
    by: Vec<By>,
    /// And by pieces of time as long as this: 1h, 7d
    #[arg(long, value_name = "LENGTH", value_parser = length)]
    every: Option<Duration>,
    /// Count recorded steps, which have a name and a status only
    #[arg(long)]
    pub(super) steps: bool,
    /// Only workflows started, or steps that ended, since then: 2h, 7d, or 2026-11-22T08:00:00Z
    #[arg(long, value_name = "TIME", value_parser = instant)]
    since: Option<Instant>,
    /// Only those before: 2h, 7d, or 2026-11-22T08:00:00Z
    #[arg(long, value_name = "TIME", value_parser = instant)]
    until: Option<Instant>,
    /// Only those of this application
    #[arg(long, value_name = "NAME")]
    application: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum By {
    Name,
    Status,
    Queue,
    Version,
    Executor,
}

impl StatsFlags {
    pub(super) fn grouping(self, now_ms: i64) -> Grouping {
        let grouping = self.by.iter().fold(Grouping::new(), |grouping, by| match by {
            By::Name => grouping.by_name(),
            By::Status => grouping.by_status(),
            By::Queue => grouping.by_queue(),
            By::Version => grouping.by_version(),
            By::Executor => grouping.by_executor(),
        });
        let grouping = self.every.into_iter().fold(grouping, Grouping::by_time);
        let at = |instant: Option<Instant>| instant.map(|instant| instant.before(now_ms)).into_iter();
        let grouping = at(self.since).fold(grouping, Grouping::from_ms);
        let grouping = at(self.until).fold(grouping, Grouping::before_ms);
        self.application.into_iter().fold(grouping, Grouping::application_name)
    }
}
