//! The `workflow` commands: look at workflows, cancel, resume, fork, rewind and delete them. They have nothing but the
//! database: they run no workflow, recover none, and change no table.

mod change;
pub(super) mod flags;
mod stats;
pub(super) mod table;
mod verify;

use std::io::{Write, stderr};
use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;

use super::settings::Settings;
use super::{print, runtime};
use crate::config::Retention;
use crate::history::Histories;
use crate::management::{Forking, Manager, Reach, Scope, Verb};
use crate::store::Store;
use crate::store::filter::WorkflowFilter;
use crate::store::queues::Target;
use crate::{Error, Result};

use flags::{Command, ListFlags, VerifyFlags};

pub(super) use flags::WorkflowFlags;

/// How long one answer may take before the command gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Does what the flags ask for.
pub(super) fn run(settings: &Settings, flags: WorkflowFlags) -> Result<ExitCode> {
    runtime()?.block_on(async {
        if let Command::Verify(VerifyFlags { file: Some(file), .. }) = &flags.command {
            return verify::verify_file(file, flags.json).await;
        }
        let store = Store::open_existing(&settings.engine, 1).await?;
        obey(&Manager::Database(store), &settings.engine.application, flags).await
    })
}

async fn obey(manager: &Manager, application: &str, flags: WorkflowFlags) -> Result<ExitCode> {
    let WorkflowFlags { command, json } = flags;
    match command {
        Command::List(flags) => {
            let limit = flags.limit;
            let found = patiently(async { manager.list(&filter(manager, *flags).await?).await }).await?;
            show(json, &found, || table::workflows(&found));
            if let Some(last) = found.last().filter(|_| found.len() == limit as usize) {
                // Beside the list, so that what reads the list need not know it.
                let _ = writeln!(stderr(), "there may be more: add --after {}", table::plain(&last.workflow_id));
            }
        }
        Command::Get { workflow_id } => {
            let details = patiently(manager.details(&workflow_id)).await?;
            show(json, &details, || table::details(&details));
        }
        Command::Steps { workflow_id } => {
            let steps = patiently(manager.steps(&workflow_id)).await?;
            show(json, &steps, || table::steps(&steps));
        }
        Command::Stats(flags) => {
            let of_steps = flags.steps;
            let grouping = flags.grouping(patiently(manager.now_ms()).await?);
            let counted = async {
                if of_steps { manager.count_steps(&grouping).await } else { manager.count_workflows(&grouping).await }
            };
            let groups = patiently(counted).await?;
            show(json, &groups, || table::groups(&groups));
        }
        Command::Versions { set_latest } => {
            if let Some(version) = set_latest {
                patiently(manager.set_latest_version(application, &version)).await?;
            }
            let versions = patiently(manager.versions(application)).await?;
            show(json, &versions, || table::versions(&versions));
        }
        Command::Export { workflow_ids, children } => {
            let scope = if children { Scope::WithDescendants } else { Scope::Themselves };
            print(&patiently(manager.export(workflow_ids, scope)).await?.written());
        }
        Command::Import { file } => {
            let histories = Histories::of_file(&file)?;
            let ids = patiently(manager.import(&histories)).await?;
            show(json, &ids, || ids.iter().map(|id| table::plain(id)).collect::<Vec<_>>().join("\n"));
        }
        Command::Prune { days, rows } => {
            let retention = Retention::for_ever().days(days.unwrap_or_default()).rows(rows.unwrap_or_default());
            let deleted = manager.collect_garbage(application, retention).await?;
            show(json, &deleted, || format!("{deleted} deleted"));
        }
        Command::Verify(flags) => return verify::verify(manager, flags, json).await,
        Command::Cancel { workflow_ids, children } => {
            return Ok(change::all(manager, &Verb::Cancel(reach(children)), workflow_ids, json).await);
        }
        Command::CancelBefore { instant } => {
            let instant_ms = instant.before(patiently(manager.now_ms()).await?);
            let cancelled = manager.cancel_started_before(application, instant_ms, None).await?;
            show(json, &cancelled, || table::cancelled(&cancelled));
        }
        Command::Resume { workflow_ids } => {
            return Ok(change::all(manager, &Verb::Resume(Target::default()), workflow_ids, json).await);
        }
        Command::Fork { workflow_ids, rerun, new_id } => {
            if new_id.is_some() && workflow_ids.len() > 1 {
                return Err(Error::Configuration("--new-id names one workflow; fork one at a time".to_owned()));
            }
            let forking = Forking { rerun: rerun.rerun(), id: new_id, timeout: None };
            return Ok(change::all(manager, &Verb::Fork(forking), workflow_ids, json).await);
        }
        Command::Restart { workflow_ids } => {
            return Ok(change::all(manager, &Verb::Fork(Forking::default()), workflow_ids, json).await);
        }
        Command::Rewind { workflow_ids, rerun } => {
            return Ok(change::all(manager, &Verb::Rewind(rerun.rerun()), workflow_ids, json).await);
        }
        Command::Delete { workflow_ids, children } => {
            return Ok(change::all(manager, &Verb::Delete(reach(children)), workflow_ids, json).await);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn reach(children: bool) -> Reach {
    if children { Reach::Descendants } else { Reach::Itself }
}

/// The filter that the flags ask for; what they say of other workflows and of the time is looked up.
async fn filter(manager: &Manager, flags: ListFlags) -> Result<WorkflowFilter> {
    let after = match &flags.after {
        Some(workflow) => Some(manager.workflow(workflow).await?),
        None => None,
    };
    Ok(flags.filter(manager.now_ms().await?, after.as_ref()))
}

/// For programs, one JSON value; for people, a table.
pub(super) fn show(json: bool, value: &impl Serialize, table: impl FnOnce() -> String) {
    if json {
        print(&serde_json::to_string_pretty(value).expect("rows have text for keys"));
    } else {
        print(&table());
    }
}

/// The engine waits for a database for as long as it takes; a person does not.
pub(super) async fn patiently<T>(answer: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(PATIENCE, answer).await.unwrap_or_else(|_| {
        let seconds = PATIENCE.as_secs();
        Err(Error::Configuration(format!("the database did not answer within {seconds} s")))
    })
}
