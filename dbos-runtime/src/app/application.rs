//! The `application` commands: what concerns all that belongs to an application. They have nothing but the database.

use std::process::ExitCode;

use clap::Subcommand;

use super::runtime;
use super::settings::Settings;
use super::workflow::show;
use super::workflow::table::plain;
use crate::Result;
use crate::management::Manager;
use crate::store::Store;

/// What is to be done, and how it is shown.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub(super) struct ApplicationFlags {
    #[command(subcommand)]
    command: Command,
    /// Print JSON for programs
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
enum Command {
    /// Give all that belongs to an application to another name; none of its processes may be running
    Rename {
        /// The name that it had
        old: String,
        /// The name that it has from now on
        new: String,
    },
}

/// Does what the flags ask for.
pub(super) fn run(settings: &Settings, flags: ApplicationFlags) -> Result<ExitCode> {
    let ApplicationFlags { command: Command::Rename { old, new }, json } = flags;
    runtime()?.block_on(async {
        let manager = Manager::Database(Store::open_existing(&settings.engine, 1).await?);
        let renamed = manager.rename_application(&old, &new).await?;
        show(json, &renamed, || {
            plain(&format!(
                "{old} is {new} now: {} workflows, {} queues, {} schedules, {} versions",
                renamed.workflows, renamed.queues, renamed.schedules, renamed.versions
            ))
        });
        Ok(ExitCode::SUCCESS)
    })
}
