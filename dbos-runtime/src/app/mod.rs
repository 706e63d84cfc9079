//! The program around an application: its command line, settings, logs, start and end.

mod admin;
mod application;
mod command;
mod listing;
mod logging;
mod queue;
mod schedule;
mod settings;
mod shutdown;
mod start;
mod supervise;
mod workflow;

use std::any::Any;
use std::error::Error as StdError;
use std::fmt::{self, Debug};
use std::future::Future;
use std::io::Write;
use std::pin::Pin;
use std::process::ExitCode;

use crate::{Engine, Error, Migrations};
use command::{Command, CommandLine, Flags};
use logging::LogFormat;
use settings::Settings;
use shutdown::Shutdown;

#[cfg(feature = "fuzzing")]
pub use settings::fuzz::fuzz_settings;
pub use start::serve;

/// The exit code of a command that could not do what it was asked to, or not all of it.
const NOT_DONE: u8 = 1;

/// The exit code of a program that cannot run as it is set up. Its supervisor does not try again.
const UNUSABLE: u8 = 2;

/// What a program's main function does once the engine runs.
pub(crate) type Started = Pin<Box<dyn Future<Output = crate::Result<()>> + Send>>;

/// An error that the body of a main function may end with.
#[diagnostic::on_unimplemented(
    message = "`main` cannot end with the error `{Self}`",
    label = "this error ends the program, and has to say why",
    note = "implement `std::fmt::Display` for it, or write `async fn main() -> dbos::Result<()>`"
)]
pub trait EndsProgram {
    /// The error as the one that ends the program.
    fn into_error(self) -> Error;
}

impl<E: fmt::Display + 'static> EndsProgram for E {
    fn into_error(self) -> Error {
        let words = format!("{self:#}");
        let error: Box<dyn Any> = Box::new(self);
        error.downcast::<Error>().map_or_else(|_| Error::Configuration(words), |error| *error)
    }
}

/// What the body of a main function ended with.
///
/// # Errors
///
/// Its error.
pub fn main_outcome<T, E: EndsProgram>(outcome: Result<T, E>) -> crate::Result<()> {
    outcome.map(drop).map_err(E::into_error)
}

/// A program, as its `#[dbos::main]` describes it.
#[derive(Clone, Copy)]
pub struct Application {
    /// The name, which names its workflows' owner and its SQLite file.
    pub name: &'static str,
    /// The version of its package.
    pub version: &'static str,
    /// The statements that make its own tables.
    pub migrations: Migrations,
    /// Where it answers unless a setting says otherwise.
    pub port: Option<u16>,
    /// Where its admin server answers unless a setting says otherwise.
    pub admin_port: Option<u16>,
    /// Whether a process that dies is started again.
    pub supervise: bool,
    /// The body of its main function: runs once the engine runs, before requests are answered.
    pub started: fn() -> Started,
}

impl Debug for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Application").field("name", &self.name).field("version", &self.version).finish_non_exhaustive()
    }
}

/// Does what the command line asks for.
#[must_use]
pub fn run(application: Application) -> ExitCode {
    let CommandLine { command, flags } = match CommandLine::read(&application, std::env::args_os()) {
        Ok(command_line) => command_line,
        Err(code) => return code,
    };
    let mut format = LogFormat::Text;
    let done = prepare(&application, &flags).and_then(|settings| {
        format = settings.log.format;
        obey(command, &application, &flags, settings)
    });
    done.unwrap_or_else(|error| {
        say(&format!("{}: {error}", application.name), format);
        ExitCode::from(exit_code(&error))
    })
}

fn obey(command: Command, application: &Application, flags: &Flags, settings: Settings) -> crate::Result<ExitCode> {
    match command {
        Command::Start if application.supervise && !flags.no_supervise => supervise::run(application),
        Command::Start => start::run(application, settings),
        Command::Migrate => migrate(&settings),
        Command::Routes => listing::routes(),
        Command::Functions => listing::functions(),
        Command::Workflow(flags) => workflow::run(&settings, flags),
        Command::Queue(flags) => queue::run(&settings, flags),
        Command::Schedule(flags) => schedule::run(&settings, flags),
        Command::Application(flags) => application::run(&settings, flags),
        Command::Config { json } => {
            settings::print(&settings, json);
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Reads the settings and begins logging.
fn prepare(application: &Application, flags: &Flags) -> crate::Result<Settings> {
    let environment = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let settings = Settings::read(application, flags, environment)?;
    logging::begin(&settings)?;
    if supervise::is_supervised() {
        // The supervisor has said the rest.
        return Ok(settings);
    }
    let variables = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    for suspicion in settings::misspelt(variables) {
        tracing::warn!("{suspicion}");
    }
    Ok(settings)
}

fn exit_code(error: &Error) -> u8 {
    match error {
        Error::NonExistentWorkflow { .. } | Error::NonExistentQueue { .. } | Error::NonExistentSchedule { .. } => {
            NOT_DONE
        }
        Error::ApplicationInUse { .. } => NOT_DONE,
        // A supervised program that had already run once may find its database back on the next try.
        Error::Database { .. } if supervise::restarts() > 0 => NOT_DONE,
        _ => UNUSABLE,
    }
}

fn migrate(settings: &Settings) -> crate::Result<ExitCode> {
    runtime()?.block_on(Engine::migrate_only(&settings.engine))?;
    print("The database is up to date");
    Ok(ExitCode::SUCCESS)
}

fn runtime() -> crate::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| cannot("start threads", &error))
}

fn cannot(what: &str, error: &dyn StdError) -> Error {
    Error::Configuration(format!("cannot {what}: {error}"))
}

/// One line for whoever started the program. Nobody may be reading, which is no reason to end.
fn print(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// One sentence about why the program ends, whatever line breaks its parts have.
fn say(sentence: &str, format: LogFormat) {
    let words: Vec<_> = sentence.split_whitespace().collect();
    match format {
        LogFormat::Text => drop(writeln!(std::io::stderr(), "{}", words.join(" "))),
        LogFormat::Json => tracing::error!("{}", words.join(" ")),
    }
}
