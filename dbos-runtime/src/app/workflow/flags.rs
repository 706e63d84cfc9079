//! The words after `workflow`.

use std::path::PathBuf;

use clap::Subcommand;
use jiff::{Span, SpanRelativeTo, Timestamp};

use crate::store::listing::WorkflowFilter;
use crate::store::workflow_row::WorkflowStatus;
use crate::{Status, clock};

/// What is to be done, and for whom.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub(in crate::app) struct WorkflowFlags {
    #[command(subcommand)]
    pub(super) command: Command,
    /// Print JSON for programs
    #[arg(long, global = true)]
    pub(super) json: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub(super) enum Command {
    /// List workflows, the newest first
    List(Box<ListFlags>),
    /// Show one workflow, with its input and its result
    Get {
        /// Its id
        workflow_id: String,
    },
    /// List the recorded steps of a workflow, with their results
    Steps {
        /// Its id
        workflow_id: String,
    },
    /// Cancel workflows that have not ended
    Cancel {
        /// Their ids
        #[arg(required = true)]
        workflow_ids: Vec<String>,
        /// Cancel the workflows that they started too, and those that these started
        #[arg(long)]
        children: bool,
    },
    /// Print everything recorded of workflows, for `verify --file` and for tests
    Export {
        /// Their ids
        #[arg(required = true)]
        workflow_ids: Vec<String>,
        /// The workflows that they started too, and those that these started
        #[arg(long)]
        children: bool,
    },
    /// Replay recorded workflows with the code of this program, without any effect: does it fit?
    Verify(VerifyFlags),
    /// Let workflows go on after their last step, in any program with their code that runs
    Resume {
        /// Their ids
        #[arg(required = true)]
        workflow_ids: Vec<String>,
    },
}

/// Which workflows are verified.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
#[group(required = true, multiple = true)]
pub(super) struct VerifyFlags {
    /// Their ids
    pub(super) workflow_ids: Vec<String>,
    /// The newest that stand here, for example PENDING; several with commas
    #[arg(long, value_delimiter = ',', value_parser = status)]
    pub(super) status: Vec<Status>,
    /// Those in a file that `workflow export` has printed; needs no database
    #[arg(long, value_name = "FILE", conflicts_with_all = ["workflow_ids", "status"])]
    pub(super) file: Option<PathBuf>,
    /// With --status, at most so many
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(super) limit: u32,
}

/// Which workflows a list has.
#[allow(clippy::doc_markdown)] // these comments are the help text
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub(super) struct ListFlags {
    /// Only the workflow with this id; may be repeated
    #[arg(long)]
    id: Vec<String>,
    /// Only workflows whose id begins so
    #[arg(long, value_name = "TEXT")]
    id_prefix: Option<String>,
    /// Only runs of this function; may be repeated
    #[arg(long)]
    name: Vec<String>,
    /// Only workflows that stand here, for example PENDING; may be repeated, or several with commas
    #[arg(long, value_delimiter = ',', value_parser = status)]
    status: Vec<Status>,
    /// Only workflows of this application
    #[arg(long, value_name = "NAME")]
    application: Option<String>,
    /// Only workflows that were started under this version
    #[arg(long, value_name = "VERSION")]
    application_version: Option<String>,
    /// Only workflows that this executor runs or ran last
    #[arg(long, value_name = "ID")]
    executor: Option<String>,
    /// Only workflows that wait in this queue or were taken out of it
    #[arg(long, value_name = "NAME")]
    queue: Option<String>,
    /// Only the children of this workflow
    #[arg(long, value_name = "ID")]
    parent: Option<String>,
    /// Only workflows started since then: 2h, 7d, or 2026-11-22T08:00:00Z
    #[arg(long, value_name = "TIME", value_parser = instant)]
    since: Option<Instant>,
    /// Only workflows started before: 2h, 7d, or 2026-11-22T08:00:00Z
    #[arg(long, value_name = "TIME", value_parser = instant)]
    until: Option<Instant>,
    /// The oldest first
    #[arg(long)]
    oldest_first: bool,
    /// Go on after this workflow, the last one of the list before
    #[arg(long, value_name = "ID")]
    pub(super) after: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(super) limit: u32,
}

/// A time as people say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Instant {
    At(i64),
    Ago(i64),
}

impl Instant {
    fn before(self, now_ms: i64) -> i64 {
        match self {
            Self::At(instant_ms) => instant_ms,
            Self::Ago(ms) => now_ms.saturating_sub(ms),
        }
    }
}

impl ListFlags {
    pub(super) fn filter(self, now_ms: i64, after: Option<&WorkflowStatus>) -> WorkflowFilter {
        let filter = WorkflowFilter::new().limit(self.limit);
        let filter = self.id.into_iter().fold(filter, WorkflowFilter::id);
        let filter = self.name.into_iter().fold(filter, WorkflowFilter::name);
        let filter = self.status.into_iter().fold(filter, WorkflowFilter::status);
        let filter = self.id_prefix.into_iter().fold(filter, WorkflowFilter::id_prefix);
        let filter = self.application.into_iter().fold(filter, WorkflowFilter::application_name);
        let filter = self.application_version.into_iter().fold(filter, WorkflowFilter::application_version);
        let filter = self.executor.into_iter().fold(filter, WorkflowFilter::executor_id);
        let filter = self.queue.into_iter().fold(filter, WorkflowFilter::queue);
        let filter = self.parent.into_iter().fold(filter, WorkflowFilter::parent);
        let filter = self.since.into_iter().fold(filter, |filter, at| filter.created_from_ms(at.before(now_ms)));
        let filter = self.until.into_iter().fold(filter, |filter, at| filter.created_before_ms(at.before(now_ms)));
        let filter = after.into_iter().fold(filter, WorkflowFilter::after);
        if self.oldest_first { filter.oldest_first() } else { filter }
    }
}

fn status(text: &str) -> Result<Status, String> {
    Status::parse(&text.to_ascii_uppercase()).ok_or_else(|| {
        let known: Vec<_> = Status::ALL.iter().map(|status| status.as_str()).collect();
        format!("it is none of {}", known.join(", "))
    })
}

fn instant(text: &str) -> Result<Instant, String> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(Instant::At(time.as_millisecond()));
    }
    let refused = |_| "write a time such as 2026-11-22T08:00:00Z, or how long ago it was, such as 2h or 7d".to_owned();
    let span: Span = text.parse().map_err(refused)?;
    let ago = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(refused)?;
    Ok(Instant::Ago(clock::millis(ago.unsigned_abs())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        assert_eq!(instant("90s"), Ok(Instant::Ago(90_000)));
        assert_eq!(instant("2h 30m"), Ok(Instant::Ago(9_000_000)));
        assert_eq!(instant("7d"), Ok(Instant::Ago(604_800_000)));
        assert_eq!(instant("1970-01-01T00:00:01Z"), Ok(Instant::At(1000)));
        assert_eq!(Instant::Ago(5).before(7), 2);
        for bad in ["", "yesterday", "12", "2026-11-22"] {
            assert!(instant(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn statuses_are_read_in_either_case() {
        assert_eq!(status("pending"), Ok(Status::Pending));
        assert!(status("PAUSED").expect_err("nobody knows it").contains("PENDING, SUCCESS"));
    }
}
