//! The `queue` commands: look at queues, pause them, resume them. They have nothing but the database.

use std::process::ExitCode;

use clap::Subcommand;

use super::settings::Settings;
use super::workflow::table::{lines, plain, table, text};
use super::workflow::{patiently, show};
use super::{print, runtime};
use crate::Result;
use crate::management::Manager;
use crate::queue::{Limits, RateLimit};
use crate::store::Store;
use crate::store::queue_rows::QueueStatus;

/// What is to be done, and how it is shown.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub(super) struct QueueFlags {
    #[command(subcommand)]
    command: Command,
    /// Print JSON for programs
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
enum Command {
    /// List the queues of the database, their limits and how full they are
    List,
    /// Let nothing out of a queue until it is resumed; what runs goes on
    Pause {
        /// Its name
        queue: String,
    },
    /// Let what waits in a queue go on
    Resume {
        /// Its name
        queue: String,
    },
}

/// Does what the flags ask for.
pub(super) fn run(settings: &Settings, flags: QueueFlags) -> Result<ExitCode> {
    runtime()?.block_on(async {
        let manager = Manager::Database(Store::open_existing(&settings.engine, 1).await?);
        obey(&manager, flags).await?;
        Ok(ExitCode::SUCCESS)
    })
}

async fn obey(manager: &Manager, QueueFlags { command, json }: QueueFlags) -> Result<()> {
    match command {
        Command::List => {
            let found = patiently(manager.list_queues(None)).await?;
            show(json, &found, || queues(&found));
        }
        Command::Pause { queue } => {
            patiently(manager.pause_queue(&queue)).await?;
            say(json, &queue, "paused");
        }
        Command::Resume { queue } => {
            patiently(manager.resume_queue(&queue)).await?;
            say(json, &queue, "resumed");
        }
    }
    Ok(())
}

fn say(json: bool, queue: &str, outcome: &str) {
    if json {
        print(&serde_json::json!({ "queue": queue, "outcome": outcome }).to_string());
    } else {
        print(&format!("{}: {outcome}", plain(queue)));
    }
}

fn queues(queues: &[QueueStatus]) -> String {
    let mut table = table(&["QUEUE", "STATE", "WAITING", "RUNNING", "LIMITS", "OF EACH PARTITION", "APPLICATION"]);
    for queue in queues {
        let unreadable = queue.unreadable.as_deref().map(plain);
        table.add_row([
            plain(&queue.name),
            if queue.is_paused { "paused".to_owned() } else { "open".to_owned() },
            queue.waiting.to_string(),
            queue.running.to_string(),
            unreadable.unwrap_or_else(|| limits(&queue.limits)),
            limits(&queue.partition_limits),
            text(queue.application_name.as_deref()),
        ]);
    }
    lines(&table)
}

fn limits(limits: &Limits) -> String {
    let all = limits.concurrency.map(|most| format!("{most} at once"));
    let one = limits.worker_concurrency.map(|most| format!("{most} in a process"));
    let rate = limits.rate_limit.map(|RateLimit { starts, period_ms }| format!("{starts} in {period_ms} ms"));
    all.into_iter().chain(one).chain(rate).collect::<Vec<_>>().join(", ")
}
