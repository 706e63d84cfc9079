//! Throwaway Postgres servers, started from the installed binaries.
//!
//! A small shell process, the guardian, starts and stops the server for us and reads its orders from
//! a pipe. The pipe closes when the test process ends, in whatever way, and the guardian then stops
//! the server and removes its files: a killed test leaves nothing behind.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::port::free_port;
use crate::process::children_of;

mod guardian;
mod installation;
use guardian::Guardian;
use installation::{Owner, binaries, initialize, settings};

/// The environment variable that names a running server, to be used instead of starting one.
pub const URL_VARIABLE: &str = "DBOS_TEST_POSTGRES_URL";

/// Why there is no Postgres to test on.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Unavailable {
    /// Nothing is installed and no URL was given.
    Missing,
    /// There is a server, but it does not come up. Holds what it said.
    Broken(String),
}

impl fmt::Display for Unavailable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => write!(
                formatter,
                "no Postgres: install its server (`apt-get install postgresql`), set PG_BIN to the folder of \
                 its binaries, or set {URL_VARIABLE} to a server that may be filled with test databases"
            ),
            Self::Broken(said) => write!(formatter, "Postgres does not start: {said}"),
        }
    }
}

impl std::error::Error for Unavailable {}

/// The server that all tests of this process share: `DBOS_TEST_POSTGRES_URL`, else one of our own.
///
/// # Errors
///
/// [`Unavailable`] if there is neither; the same answer at every call.
pub fn shared_url() -> Result<&'static str, Unavailable> {
    static URL: OnceLock<Result<String, Unavailable>> = OnceLock::new();
    static SERVER: OnceLock<Server> = OnceLock::new();

    URL.get_or_init(|| match std::env::var(URL_VARIABLE) {
        Ok(url) if !url.is_empty() => Ok(url),
        _ => Server::own().map(|server| SERVER.get_or_init(|| server).url()),
    })
    .as_deref()
    .map_err(Clone::clone)
}

/// A Postgres server of one's own, to be stopped, paused and started at will.
///
/// Dropping it stops it and removes its data.
#[derive(Debug)]
pub struct Server {
    guardian: Mutex<Guardian>,
    directory: PathBuf,
    port: u16,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flush {
    Never,
    AtCommit,
}

/// How much of the write-ahead log is kept: some tests count what was written to it, while others make it grow.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Log {
    Whole,
    Short,
}

impl Server {
    /// Starts a server that survives being killed, but not the loss of power: it never flushes.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if no binaries are installed, or they do not start.
    pub fn own() -> Result<Self, Unavailable> {
        Self::launch(Flush::Never, Log::Whole, &std::env::temp_dir())
    }

    /// Starts a server that flushes at every commit, as in production.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if no binaries are installed, or they do not start.
    pub fn durable() -> Result<Self, Unavailable> {
        Self::launch(Flush::AtCommit, Log::Whole, &std::env::temp_dir())
    }

    /// Starts a server that keeps all it has in this folder.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if no binaries are installed, or they do not start.
    pub(crate) fn on(place: &Path) -> Result<Self, Unavailable> {
        Self::launch(Flush::Never, Log::Short, place)
    }

    /// Whether it runs. It stops by itself when it cannot write its log any more.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.find_pid().is_some_and(|pid| test_kill_process(pid).is_ok())
    }

    /// Where to connect: user `postgres`, database `postgres`, no password.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Kills the server as a crash of its machine would: no farewell, recovery at the next start.
    ///
    /// # Panics
    ///
    /// If it does not stop.
    pub fn stop_immediate(&self) {
        assert!(self.order("stop"), "Postgres does not stop:\n{}", self.log());
    }

    /// Starts the server again after [`Server::stop_immediate`], on the same port with the same data.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn start(&self) {
        assert!(self.order(&format!("start {}", self.port)), "Postgres does not start:\n{}", self.log());
    }

    /// Stops every process of the server in its tracks (SIGSTOP): connections stay open, silent.
    ///
    /// # Panics
    ///
    /// If the server is not running.
    pub fn pause(&self) {
        let server = self.pid();
        // The postmaster first, so that no backend is forked behind our back.
        signal(server, Signal::STOP);
        for backend in children_of(server) {
            signal(backend, Signal::STOP);
        }
    }

    /// Lets the server go on after [`Server::pause`].
    ///
    /// # Panics
    ///
    /// If the server is not running.
    pub fn resume(&self) {
        let server = self.pid();
        for backend in children_of(server) {
            signal(backend, Signal::CONT);
        }
        signal(server, Signal::CONT);
    }

    fn launch(flush: Flush, log: Log, place: &Path) -> Result<Self, Unavailable> {
        let binaries = binaries().ok_or(Unavailable::Missing)?;
        let settings = settings(&binaries, flush, log);
        Self::create(&binaries, &settings, place).map_err(|error| Unavailable::Broken(error.to_string()))
    }

    fn create(binaries: &Path, settings: &str, place: &Path) -> std::io::Result<Self> {
        let owner = Owner::of_servers()?;
        let directory = tempfile::Builder::new().prefix("dbos-postgres-").tempdir_in(place)?;
        owner.give(directory.path())?;
        initialize(binaries, directory.path(), &owner, settings)?;

        let guardian = Guardian::spawn(binaries, directory.path(), &owner)?;
        let server = Self { guardian: Mutex::new(guardian), directory: directory.keep(), port: free_port() };
        let starts = server.order(&format!("start {}", server.port));
        if starts { Ok(server) } else { Err(std::io::Error::other(server.log())) }
    }

    fn order(&self, order: &str) -> bool {
        self.guardian.lock().unwrap_or_else(PoisonError::into_inner).order(order)
    }

    fn log(&self) -> String {
        let log = fs::read_to_string(self.directory.join("log")).unwrap_or_default();
        let start = log.len().saturating_sub(2_000);
        log.get(start..).unwrap_or(&log).to_owned()
    }

    fn pid(&self) -> Pid {
        self.find_pid().expect("the server is running")
    }

    fn find_pid(&self) -> Option<Pid> {
        let text = fs::read_to_string(self.directory.join("data/postmaster.pid")).ok()?;
        Pid::from_raw(text.lines().next()?.trim().parse().ok()?)
    }
}

fn signal(process: Pid, signal: Signal) {
    // A backend may have ended since it was listed.
    let _ = kill_process(process, signal);
}
