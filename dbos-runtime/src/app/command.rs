//! The command line of every program.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use super::Application;

/// What was asked for, and how.
#[derive(Debug)]
pub(super) struct CommandLine {
    pub(super) command: Command,
    pub(super) flags: Flags,
}

/// The commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub(super) enum Command {
    /// Run the workflows and answer requests (the default)
    Start,
    /// Bring the database up to date, and end
    Migrate,
    /// List the HTTP endpoints
    Routes,
    /// List the workflows, steps and transactions
    Functions,
}

#[allow(clippy::doc_markdown)] // these comments are the help text
/// The flags, which every command takes.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Flags {
    /// Port to listen on [env: PORT] [default: 3000]
    #[arg(long, global = true)]
    pub(super) port: Option<u16>,
    /// Name or address to listen on [env: HOST] [default: 127.0.0.1]
    #[arg(long, global = true)]
    pub(super) host: Option<String>,
    /// postgres://… or sqlite:… [env: DBOS_DATABASE_URL] [default: a SQLite file in this folder]
    #[arg(long, global = true, value_name = "URL")]
    pub(super) database_url: Option<String>,
    /// Settings file [default: dbos.toml, if there is one]
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Stay dead after a crash
    #[arg(long, global = true)]
    pub(super) no_supervise: bool,
}

#[derive(Debug, Parser)]
struct Line {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    flags: Flags,
}

impl CommandLine {
    /// Reads the words after the program's name; help and mistakes are printed, and end the program.
    pub(super) fn read(application: &Application, words: impl IntoIterator<Item = OsString>) -> Result<Self, ExitCode> {
        let parser = Line::command()
            .name(application.name)
            .bin_name(application.name)
            .version(application.version)
            .about("Runs durable workflows and answers requests");
        let line = parser.try_get_matches_from(words).and_then(|matches| Line::from_arg_matches(&matches));
        match line {
            Ok(Line { command, flags }) => Ok(Self { command: command.unwrap_or(Command::Start), flags }),
            Err(answer) => {
                // Whoever closed the terminal has no use for the text.
                let _ = answer.print();
                Err(if answer.use_stderr() { ExitCode::from(super::UNUSABLE) } else { ExitCode::SUCCESS })
            }
        }
    }
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
            assert_eq!((line.command, line.flags.port), (Command::Start, Some(4000)), "{words}");
        }
        assert_eq!(read("shop migrate").expect("a command").command, Command::Migrate);
    }

    #[test]
    fn mistakes_end_the_program() {
        for words in ["shop strat", "shop --port 99999", "shop --prot 1", "shop --help", "shop --version"] {
            assert!(read(words).is_none(), "{words}");
        }
    }
}
