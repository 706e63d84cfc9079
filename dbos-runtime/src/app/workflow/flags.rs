//! The words after `workflow`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;
use jiff::{Span, SpanRelativeTo, Timestamp};
use serde_json::Value;

use super::stats::StatsFlags;
use crate::management::{Rerun, StartFrom};
use crate::store::filter::WorkflowFilter;
use crate::store::queues::Target;
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
    /// Cancel all workflows of the application that were started before a time and have not ended
    CancelBefore {
        /// The time: 2h, 7d, or 2026-11-22T08:00:00Z
        #[arg(value_name = "TIME", value_parser = instant)]
        instant: Instant,
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
    /// Put workflows that `export` has printed, and that had ended, into this database
    Import {
        /// The file
        file: PathBuf,
    },
    /// Delete workflows that ended long ago
    Prune {
        /// Keep those that ended in the last so many days
        #[arg(long, value_name = "NUMBER", required_unless_present = "rows")]
        days: Option<u32>,
        /// Keep the last so many that ended
        #[arg(long, value_name = "NUMBER")]
        rows: Option<u32>,
    },
    /// Replay recorded workflows with the code of this program, without any effect: does it fit?
    Verify(VerifyFlags),
    /// Make new workflows that begin with what these have recorded before a step
    Fork {
        /// Their ids
        #[arg(required = true)]
        workflow_ids: Vec<String>,
        #[command(flatten)]
        rerun: RerunFlags,
        /// The id of the new workflow
        #[arg(long, value_name = "ID")]
        new_id: Option<String>,
    },
    /// Make new workflows with the arguments of these, from the beginning
    Restart {
        /// Their ids
        #[arg(required = true)]
        workflow_ids: Vec<String>,
    },
    /// Let workflows that have ended run again from a step on, under their own ids
    Rewind {
        /// Their ids
        #[arg(required = true)]
        workflow_ids: Vec<String>,
        #[command(flatten)]
        rerun: RerunFlags,
    },
    /// Delete workflows that have ended, with all that is recorded of them
    Delete {
        /// Their ids
        #[arg(required = true)]
        workflow_ids: Vec<String>,
        /// The workflows that they started too, and those that these started
        #[arg(long)]
        children: bool,
    },
    /// Count workflows, or steps, of each kind
    Stats(StatsFlags),
    /// List the versions of the application, with the workflows that wait for them
    Versions {
        /// Make this one the latest
        #[arg(long, value_name = "VERSION")]
        set_latest: Option<String>,
    },
    /// Let workflows go on after their last step, in any program with their code that runs
    Resume {
        /// Their ids
        #[arg(required = true)]
        workflow_ids: Vec<String>,
    },
}

/// Where workflows begin again, from the beginning unless it is said, and how.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub(super) struct RerunFlags {
    /// The number of the first step that runs again
    #[arg(long, value_name = "NUMBER", group = "from")]
    step: Option<u32>,
    /// From the last step of this name
    #[arg(long, value_name = "NAME", group = "from")]
    step_named: Option<String>,
    /// From the last step
    #[arg(long, group = "from")]
    last_step: bool,
    /// From the last step that gave an error, or from the last step if none did
    #[arg(long, group = "from")]
    last_failure: bool,
    /// Under this version of the application
    #[arg(long, value_name = "VERSION")]
    application_version: Option<String>,
    /// In this queue
    #[arg(long, value_name = "NAME")]
    queue: Option<String>,
    /// In this partition of the queue
    #[arg(long, value_name = "KEY", requires = "queue")]
    partition_key: Option<String>,
}

impl RerunFlags {
    pub(super) fn rerun(self) -> Rerun {
        let from = match self {
            Self { step: Some(step), .. } => StartFrom::Step(step),
            Self { step_named: Some(name), .. } => StartFrom::StepNamed(name),
            Self { last_step: true, .. } => StartFrom::LastStep,
            Self { last_failure: true, .. } => StartFrom::LastFailure,
            _ => StartFrom::Beginning,
        };
        let target = Target { queue: self.queue, partition_key: self.partition_key };
        Rerun { from, version: self.application_version, target }
    }
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
#[allow(clippy::struct_excessive_bools)] // each is a flag
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
    /// Only workflows that run on behalf of this user
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Only workflows with this attribute: KEY=VALUE, where the value is JSON or else a text; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = attribute)]
    attribute: Vec<(String, Value)>,
    /// Only the forks of this workflow
    #[arg(long, value_name = "ID")]
    forked_from: Option<String>,
    /// Only workflows that have been forked
    #[arg(long)]
    was_forked: bool,
    /// Only workflows that no other one started
    #[arg(long, conflicts_with = "parent")]
    without_parent: bool,
    /// Only workflows that wait in any queue, or were taken out of one and have not ended
    #[arg(long)]
    queued: bool,
    /// Only workflows that this schedule started
    #[arg(long, value_name = "NAME")]
    schedule: Option<String>,
    /// Only the workflow that has this deduplication id in its queue
    #[arg(long, value_name = "ID")]
    deduplication_id: Option<String>,
    /// Only workflows that ended since then
    #[arg(long, value_name = "TIME", value_parser = instant)]
    ended_since: Option<Instant>,
    /// Only workflows that ended before
    #[arg(long, value_name = "TIME", value_parser = instant)]
    ended_until: Option<Instant>,
    /// Only workflows that left their queue since then
    #[arg(long, value_name = "TIME", value_parser = instant)]
    dequeued_since: Option<Instant>,
    /// Only workflows that left their queue before
    #[arg(long, value_name = "TIME", value_parser = instant)]
    dequeued_until: Option<Instant>,
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
pub(in crate::app) enum Instant {
    At(i64),
    Ago(i64),
}

impl Instant {
    pub(in crate::app) fn before(self, now_ms: i64) -> i64 {
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
        let filter = self.user.into_iter().fold(filter, WorkflowFilter::user);
        let filter = self.forked_from.into_iter().fold(filter, WorkflowFilter::forked_from);
        let filter = self.schedule.into_iter().fold(filter, WorkflowFilter::schedule_name);
        let filter = self.deduplication_id.into_iter().fold(filter, WorkflowFilter::deduplication_id);
        let filter = self.attribute.into_iter().fold(filter, |filter, (key, value)| filter.attribute(key, value));
        let at = |instant: Option<Instant>| instant.map(|instant| instant.before(now_ms)).into_iter();
        let filter = at(self.since).fold(filter, WorkflowFilter::created_from_ms);
        let filter = at(self.until).fold(filter, WorkflowFilter::created_before_ms);
        let filter = at(self.ended_since).fold(filter, WorkflowFilter::completed_from_ms);
        let filter = at(self.ended_until).fold(filter, WorkflowFilter::completed_before_ms);
        let filter = at(self.dequeued_since).fold(filter, WorkflowFilter::dequeued_from_ms);
        let filter = at(self.dequeued_until).fold(filter, WorkflowFilter::dequeued_before_ms);
        let filter = after.into_iter().fold(filter, WorkflowFilter::after);
        let filter = if self.was_forked { filter.was_forked(true) } else { filter };
        let filter = if self.without_parent { filter.has_parent(false) } else { filter };
        let filter = if self.queued { filter.queued() } else { filter };
        if self.oldest_first { filter.oldest_first() } else { filter }
    }
}

fn status(text: &str) -> Result<Status, String> {
    Status::parse(&text.to_ascii_uppercase()).ok_or_else(|| {
        let known: Vec<_> = Status::ALL.iter().map(|status| status.as_str()).collect();
        format!("it is none of {}", known.join(", "))
    })
}

fn attribute(text: &str) -> Result<(String, Value), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE, for example customer=ann or tries=3")?;
    Ok((key.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| Value::from(value))))
}

pub(in crate::app) fn instant(text: &str) -> Result<Instant, String> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(Instant::At(time.as_millisecond()));
    }
    let refused = |_| "write a time such as 2026-11-22T08:00:00Z, or how long ago it was, such as 2h or 7d".to_owned();
    length(text).map(|ago| Instant::Ago(clock::millis(ago))).map_err(refused)
}

pub(super) fn length(text: &str) -> Result<Duration, String> {
    let refused = |_| "write a length of time, such as 2h or 7d".to_owned();
    let span: Span = text.parse().map_err(refused)?;
    let length = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(refused)?;
    Ok(length.unsigned_abs())
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
    fn attributes_are_read_as_json_or_else_as_texts() {
        assert_eq!(attribute("tries=3"), Ok(("tries".to_owned(), Value::from(3))));
        assert_eq!(attribute("customer=ann=e"), Ok(("customer".to_owned(), Value::from("ann=e"))));
        assert!(attribute("customer").is_err());
    }

    #[test]
    fn statuses_are_read_in_either_case() {
        assert_eq!(status("pending"), Ok(Status::Pending));
        assert!(status("PAUSED").expect_err("nobody knows it").contains("PENDING, SUCCESS"));
    }
}
