//! The command line of every program.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};

use super::Application;
use super::application::ApplicationFlags;
use super::queue::QueueFlags;
use super::schedule::ScheduleFlags;
use super::settings::{KEYS, Key, Settings};
use super::workflow::WorkflowFlags;

/// What was asked for, and how.
pub(super) struct CommandLine {
    pub(super) command: Command,
    pub(super) flags: Flags,
}

/// The commands.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub(super) enum Command {
    /// Run the workflows and answer requests (the default)
    Start,
    /// Bring the database up to date, and end
    Migrate,
    /// List the HTTP endpoints
    Routes,
    /// List the workflows, steps and transactions
    Functions,
    /// Show the settings in force, and where each comes from
    Config {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Look at workflows in the database, and cancel, resume, fork, rewind or delete them
    Workflow(WorkflowFlags),
    /// Look at queues in the database, pause and resume them
    Queue(QueueFlags),
    /// Look at schedules in the database, pause, resume, trigger and backfill them
    Schedule(ScheduleFlags),
    /// Give all that belongs to an application another name
    Application(ApplicationFlags),
}

/// The flags, which every command takes.
#[derive(Clone, Default, clap::Args)]
pub(super) struct Flags {
    /// Settings file [default: dbos.toml, if there is one]
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Stay dead after a crash
    #[arg(long, global = true)]
    pub(super) no_supervise: bool,
    /// What the settings are given, by their names
    #[arg(skip)]
    pub(super) values: BTreeMap<&'static str, String>,
}

#[derive(Parser)]
struct Line {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    flags: Flags,
}

impl CommandLine {
    /// Reads the words after the program's name; help and mistakes are printed, and end the program.
    pub(super) fn read(application: &Application, words: impl IntoIterator<Item = OsString>) -> Result<Self, ExitCode> {
        let defaults = Settings::new(application);
        let parser = Line::command()
            .name(application.name)
            .bin_name(application.name)
            .version(application.version)
            .about("Runs durable workflows and answers requests")
            .args(KEYS.iter().map(|key| flag(key, &defaults)));
        let line = parser.try_get_matches_from(words).and_then(|matches| {
            let Line { command, mut flags } = Line::from_arg_matches(&matches)?;
            flags.values = values(&matches);
            Ok(Self { command: command.unwrap_or(Command::Start), flags })
        });
        match line {
            Ok(line) => Ok(line),
            Err(answer) => {
                // Whoever closed the terminal has no use for the text.
                let _ = answer.print();
                Err(if answer.use_stderr() { ExitCode::from(super::UNUSABLE) } else { ExitCode::SUCCESS })
            }
        }
    }
}

/// The flag of a setting. What it is given is read later, as what the environment and the file say is.
fn flag(key: &Key, defaults: &Settings) -> Arg {
    let flag = Arg::new(key.name).long(key.flag()).help(key.help(defaults)).global(true).help_heading("Settings");
    if key.is_switch() {
        // Alone it stands for `true`, so its value has to be tied to it.
        return flag.value_name("BOOL").num_args(0..=1).require_equals(true).default_missing_value("true");
    }
    flag.value_name("VALUE")
}

fn values(matches: &ArgMatches) -> BTreeMap<&'static str, String> {
    let given = KEYS.iter().filter_map(|key| Some((key.name, matches.get_one::<String>(key.name)?.clone())));
    given.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Migrations;

    fn read(words: &str) -> Option<CommandLine> {
        let application = Application {
            name: "shop",
            version: "1.0.0",
            migrations: Migrations::default(),
            port: None,
            admin_port: None,
            supervise: false,
            started: || Box::pin(async { Ok(()) }),
        };
        CommandLine::read(&application, words.split(' ').map(OsString::from)).ok()
    }

    #[test]
    fn starting_is_the_default_and_flags_go_anywhere() {
        let bare = read("shop").expect("no words are fine");
        assert_eq!(bare.command, Command::Start);
        for words in ["shop --port 4000 start", "shop start --port 4000", "shop --port 4000"] {
            let line = read(words).expect(words);
            assert_eq!(line.command, Command::Start, "{words}");
            assert_eq!(line.flags.values.get("port").map(String::as_str), Some("4000"), "{words}");
        }
        assert_eq!(read("shop migrate").expect("a command").command, Command::Migrate);
        assert_eq!(read("shop config --json").expect("a command").command, Command::Config { json: true });
    }

    #[test]
    fn a_switch_may_stand_alone() {
        for (words, expected) in
            [("shop start", None), ("shop --listen start", Some("true")), ("shop --listen=false start", Some("false"))]
        {
            let line = read(words).expect(words);
            assert_eq!(line.command, Command::Start, "{words}");
            assert_eq!(line.flags.values.get("listen").map(String::as_str), expected, "{words}");
        }
    }

    #[test]
    fn mistakes_end_the_program() {
        for words in [
            "shop workflow",
            "shop queue",
            "shop queue pause",
            "shop workflow cancel",
            "shop workflow list --limit 0",
            "shop workflow list --status PAUSED",
            "shop workflow list --since yesterday",
            "shop schedule trigger",
            "shop application rename shop",
            "shop schedule backfill nightly",
        ] {
            assert!(read(words).is_none(), "{words}");
        }
        for words in ["shop strat", "shop --port", "shop --prot 1", "shop --help", "shop --version"] {
            assert!(read(words).is_none(), "{words}");
        }
    }
}
