//! The `schedule` commands. Like the `workflow` commands they have nothing but the database.

use std::process::ExitCode;

use clap::Subcommand;

use super::settings::Settings;
use super::workflow::flags::{Instant, instant};
use super::workflow::table::{lines, plain, table, text, time};
use super::workflow::{patiently, show};
use super::{print, runtime};
use crate::Result;
use crate::management::{Manager, ScheduleFilter};
use crate::store::Store;
use crate::store::schedules::ScheduleStatus;

/// What is to be done, and with which schedules.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub(super) struct ScheduleFlags {
    #[command(subcommand)]
    command: Command,
    /// Print JSON for programs
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
enum Command {
    /// List schedules, by name
    List {
        /// Only those whose name begins so
        #[arg(long, value_name = "TEXT")]
        name_prefix: Option<String>,
        /// Only those that start this workflow
        #[arg(long, value_name = "NAME")]
        workflow: Option<String>,
    },
    /// Let schedules start nothing more
    Pause {
        /// Their names
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Let schedules go on with their next tick
    Resume {
        /// Their names
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Start the workflow of a schedule now, and print its id
    Trigger {
        /// Its name
        name: String,
    },
    /// Start the ticks of a schedule that were not started, and print their ids
    Backfill {
        /// Its name
        name: String,
        /// From then on: 2h, 7d, or 2026-11-22T08:00:00Z
        #[arg(long, value_name = "TIME", value_parser = instant)]
        since: Instant,
        /// To before then; now, if nothing is said
        #[arg(long, value_name = "TIME", value_parser = instant)]
        until: Option<Instant>,
    },
    /// Delete schedules; what they have started goes on
    Delete {
        /// Their names
        #[arg(required = true)]
        names: Vec<String>,
    },
}

/// Does what the flags ask for.
pub(super) fn run(settings: &Settings, flags: ScheduleFlags) -> Result<ExitCode> {
    runtime()?.block_on(async {
        let store = Store::open_existing(&settings.engine, 1).await?;
        obey(&Manager::Database(store), flags).await?;
        Ok(ExitCode::SUCCESS)
    })
}

async fn obey(manager: &Manager, flags: ScheduleFlags) -> Result<()> {
    let ScheduleFlags { command, json } = flags;
    match command {
        Command::List { name_prefix, workflow } => {
            let filter = name_prefix.into_iter().fold(ScheduleFilter::new(), ScheduleFilter::name_prefix);
            let filter = workflow.into_iter().fold(filter, ScheduleFilter::workflow_name);
            let found = patiently(manager.schedules(&filter)).await?;
            show(json, &found, || schedules(&found));
        }
        Command::Pause { names } => {
            for name in names {
                patiently(manager.pause_schedule(&name)).await?;
                report(json, manager, &name, "paused").await?;
            }
        }
        Command::Resume { names } => {
            for name in names {
                patiently(manager.resume_schedule(&name)).await?;
                report(json, manager, &name, "resumed").await?;
            }
        }
        Command::Trigger { name } => {
            let started = vec![patiently(manager.trigger_schedule(&name, None)).await?];
            show(json, &started, || ids(&started));
        }
        Command::Backfill { name, since, until } => {
            let now_ms = patiently(manager.now_ms()).await?;
            let until_ms = until.map_or(now_ms, |until| until.before(now_ms));
            let started = patiently(manager.backfill_schedule(&name, since.before(now_ms), until_ms)).await?;
            show(json, &started, || ids(&started));
        }
        Command::Delete { names } => {
            for name in names {
                let was_there = patiently(manager.delete_schedule(&name)).await?;
                let what = if was_there { "deleted" } else { "unchanged, there is none" };
                show(json, &was_there, || plain(&format!("{name}: {what}")));
            }
        }
    }
    Ok(())
}

/// For programs, the schedule as it is now; for people, what was done.
async fn report(json: bool, manager: &Manager, name: &str, what: &str) -> Result<()> {
    if json {
        let schedule = patiently(manager.schedule(name)).await?;
        show(true, &schedule, String::new);
    } else {
        print(&plain(&format!("{name}: {what}")));
    }
    Ok(())
}

fn schedules(schedules: &[ScheduleStatus]) -> String {
    let mut table = table(&["NAME", "WORKFLOW", "CRON", "ZONE", "STATUS", "LATE", "LAST TICK", "QUEUE", "APPLICATION"]);
    for schedule in schedules {
        table.add_row([
            plain(&schedule.name),
            plain(&schedule.workflow_name),
            plain(&schedule.cron),
            schedule.timezone.as_deref().map_or_else(|| "UTC".to_owned(), plain),
            if schedule.is_paused { "PAUSED" } else { "ACTIVE" }.to_owned(),
            schedule.late.to_string(),
            time(schedule.last_tick_at_ms),
            text(schedule.queue_name.as_deref()),
            text(schedule.application_name.as_deref()),
        ]);
    }
    lines(&table)
}

fn ids(workflows: &[String]) -> String {
    workflows.iter().map(|workflow| plain(workflow)).collect::<Vec<_>>().join("\n")
}
