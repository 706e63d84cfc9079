//! Runs every behaviour on both databases, in parallel, under the command line of `cargo test`.

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use crate::database::{Backend, Database};
use crate::disk::{Disk, NotMounted, is_inside, run_where_disks_may_be_mounted};
use crate::postgres::{Server, Unavailable, shared_url};

/// How long a behaviour may take unless it says otherwise.
const LIMIT: Duration = Duration::from_mins(1);

/// Room for a few thousand workflows.
const SQLITE_DISK: u64 = 64 << 20;
/// Room for a server and a few thousand workflows.
const SERVER_DISK: u64 = 256 << 20;
/// To see whether there can be any.
const SMALLEST_DISK: u64 = 1 << 20;

/// A behaviour under way.
pub type Running = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// What a behaviour is run on.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Needs {
    /// Both databases, a fresh one each: two trials.
    Each(fn(Database) -> Running),
    /// A fresh SQLite file only.
    Sqlite(fn(Database) -> Running),
    /// A fresh Postgres database only.
    Postgres(fn(Database) -> Running),
    /// A Postgres server of its own, to be stopped and started.
    Server(fn(Server) -> Running),
    /// The same, flushing at each commit.
    Durable(fn(Server) -> Running),
    /// A SQLite file on a small disk of its own.
    SqliteDisk(fn(Disk, Database) -> Running),
    /// A Postgres server with all it has on a small disk of its own.
    ServerDisk(fn(Disk, Server) -> Running),
    /// No database.
    Nothing(fn() -> Running),
}

/// One behaviour, as [`behaviours!`](crate::behaviours) lists them.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    group: &'static str,
    name: &'static str,
    needs: Needs,
    limit: Duration,
    /// A program it cannot do without, to be had from the package of the same name.
    tool: Option<&'static str>,
    /// Why it cannot be done here, if it cannot.
    obstacle: fn() -> Option<String>,
}

impl Case {
    /// A behaviour that may take a minute.
    #[must_use]
    pub const fn new(group: &'static str, name: &'static str, needs: Needs) -> Self {
        Self { group, name, needs, limit: LIMIT, tool: None, obstacle: || None }
    }

    /// Says that it needs the program `tool`.
    #[must_use]
    pub const fn using(self, tool: &'static str) -> Self {
        Self { tool: Some(tool), ..self }
    }

    /// Says what may stand in its way, besides databases and programs: the reason for which it cannot be done here.
    #[must_use]
    pub const fn unless(self, obstacle: fn() -> Option<String>) -> Self {
        Self { obstacle, ..self }
    }

    /// Gives it another limit.
    #[must_use]
    pub const fn within(self, seconds: u64) -> Self {
        Self { limit: Duration::from_secs(seconds), ..self }
    }
}

/// How a behaviour tells that it failed, besides panicking.
pub trait Verdict {
    /// `Err` is the reason.
    ///
    /// # Errors
    ///
    /// If it failed.
    fn verdict(self) -> Result<(), String>;
}

impl Verdict for () {
    fn verdict(self) -> Result<(), String> {
        Ok(())
    }
}

impl<E: Display> Verdict for Result<(), E> {
    fn verdict(self) -> Result<(), String> {
        // The alternate form of an `anyhow::Error` is its whole chain.
        self.map_err(|error| format!("{error:#}"))
    }
}

/// Boxes a behaviour; [`behaviours!`](crate::behaviours) calls it.
pub fn running<V: Verdict>(behaviour: impl Future<Output = V> + Send + 'static) -> Running {
    Box::pin(async move { behaviour.await.verdict() })
}

/// Lists the behaviours of a file in `CASES`.
///
/// A behaviour is an `async fn(Database)`, run on both databases. `on` gives it something else:
/// `on sqlite`, `on postgres` (a [`Database`](crate::Database)), `on server`, `on durable` (a
/// [`Server`](crate::Server)), `on sqlite_disk`, `on server_disk` (the same behind the [`Disk`](crate::Disk) they are on),
/// `on nothing` (no argument). `within` is its time limit in seconds.
/// `using` names a program that it needs, and `unless` a function that gives the reason for which it cannot be done
/// on this machine.
///
/// ```
/// dbos_testkit::behaviours! { wakeups:
///     a_message_wakes_its_receiver,
///     a_stopped_server_is_waited_for on server within 120,
/// }
/// # async fn a_message_wakes_its_receiver(_: dbos_testkit::Database) {}
/// # async fn a_stopped_server_is_waited_for(_: dbos_testkit::Server) {}
/// ```
#[macro_export]
macro_rules! behaviours {
    ($group:ident: $($name:ident $(on $needs:ident)? $(within $seconds:literal)? $(using $tool:literal)?
        $(unless $obstacle:path)?),+ $(,)?) => {
        /// The behaviours of this file.
        pub(crate) const CASES: &[$crate::Case] = &[$(
            $crate::Case::new(
                ::core::stringify!($group),
                ::core::stringify!($name),
                $crate::behaviours!(@needs $name $($needs)?),
            )
            $(.within($seconds))?
            $(.using($tool))?
            $(.unless($obstacle))?
        ),+];
    };
    (@needs $name:ident) => { $crate::Needs::Each(|database| $crate::running($name(database))) };
    (@needs $name:ident sqlite) => { $crate::Needs::Sqlite(|database| $crate::running($name(database))) };
    (@needs $name:ident postgres) => { $crate::Needs::Postgres(|database| $crate::running($name(database))) };
    (@needs $name:ident server) => { $crate::Needs::Server(|server| $crate::running($name(server))) };
    (@needs $name:ident durable) => { $crate::Needs::Durable(|server| $crate::running($name(server))) };
    (@needs $name:ident sqlite_disk) => { $crate::Needs::SqliteDisk(|disk, file| $crate::running($name(disk, file))) };
    (@needs $name:ident server_disk) => { $crate::Needs::ServerDisk(|disk, server| $crate::running($name(disk, server))) };
    (@needs $name:ident nothing) => { $crate::Needs::Nothing(|| $crate::running($name())) };
}

/// Runs the behaviours; the whole `main` of a test binary with `harness = false`.
///
/// Without Postgres its trials are reported as ignored, and as failed where `CI` is set.
#[must_use = "the exit code is how cargo learns that a test failed"]
pub fn main(groups: &[&[Case]]) -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Tests mostly wait for a database, so there may be more of them than processors.
    arguments.test_threads.get_or_insert_with(|| 4 * std::thread::available_parallelism().map_or(2, usize::from));
    let trials = groups.iter().copied().flatten().flat_map(trials).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trials(case: &Case) -> Vec<Trial> {
    let backends: &[&str] = match case.needs {
        Needs::Each(_) => &["sqlite::", "postgres::"],
        Needs::Sqlite(_) | Needs::SqliteDisk(_) => &["sqlite::"],
        Needs::Postgres(_) | Needs::Server(_) | Needs::Durable(_) | Needs::ServerDisk(_) => &["postgres::"],
        Needs::Nothing(_) => &[""],
    };
    backends.iter().map(|backend| trial(*case, backend)).collect()
}

fn trial(case: Case, backend: &str) -> Trial {
    let name = format!("{backend}{}::{}", case.group, case.name);
    let on_postgres = backend == "postgres::";
    Trial::ignorable_test(name.clone(), move || {
        if let Some(missing) = case.tool.filter(|tool| !is_installed(tool)) {
            return ignored(format!("it needs {missing}: `apt-get install {missing}`"));
        }
        if let Some(obstacle) = (case.obstacle)() {
            return ignored(obstacle);
        }
        if matches!(case.needs, Needs::SqliteDisk(_) | Needs::ServerDisk(_))
            && let Err(not_mounted) = Disk::of(SMALLEST_DISK)
        {
            return run_elsewhere(&name, &not_mounted);
        }
        match prepare(case.needs, on_postgres) {
            Ok(behaviour) => run_within(case.limit, &name, behaviour).map(|()| Completion::Completed),
            Err(Unavailable::Missing) => ignored(Unavailable::Missing.to_string()),
            Err(unavailable) => Err(unavailable.into()),
        }
    })
}

/// Runs a trial in a process of its own that may mount a disk.
fn run_elsewhere(name: &str, not_mounted: &NotMounted) -> Result<Completion, Failed> {
    let program = std::env::current_exe()?;
    let run = if is_inside() { None } else { run_where_disks_may_be_mounted(&program, &["--exact", name]) };
    let Some(output) = run.transpose()? else { return ignored(not_mounted.to_string()) };
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    if !output.status.success() {
        return Err(said.into_owned().into());
    }
    let is_ignored = said.contains("1 ignored");
    if is_ignored {
        ignored(format!("`{name}` was ignored where disks can be mounted"))
    } else {
        Ok(Completion::Completed)
    }
}

/// Not run, which is no success: where everything should be installed it is a failure.
fn ignored(reason: String) -> Result<Completion, Failed> {
    if std::env::var_os("CI").is_some() { Err(reason.into()) } else { Ok(Completion::ignored_with(reason)) }
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Starts what is slow to start, which does not count against the limit.
fn prepare(needs: Needs, on_postgres: bool) -> Result<Running, Unavailable> {
    Ok(match needs {
        Needs::Each(run) | Needs::Sqlite(run) | Needs::Postgres(run) => {
            if on_postgres {
                shared_url()?;
            }
            let backend = if on_postgres { Backend::Postgres } else { Backend::Sqlite };
            Box::pin(async move { run(Database::fresh(backend).await).await })
        }
        Needs::Server(run) => run(Server::own()?),
        Needs::Durable(run) => run(Server::durable()?),
        Needs::SqliteDisk(run) => {
            let disk = Disk::of(SQLITE_DISK).map_err(|error| Unavailable::Broken(error.to_string()))?;
            let database = Database::file_in(disk.path());
            run(disk, database)
        }
        Needs::ServerDisk(run) => {
            let disk = Disk::of(SERVER_DISK).map_err(|error| Unavailable::Broken(error.to_string()))?;
            let server = Server::on(disk.path())?;
            run(disk, server)
        }
        Needs::Nothing(run) => run(),
    })
}

/// Runs a behaviour on a runtime of its own, and gives up on it when its time is over.
///
/// The clock is on another thread: a behaviour that blocks its whole runtime is given up all the same.
fn run_within(limit: Duration, name: &str, behaviour: Running) -> Result<(), Failed> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_name(name).enable_all().build()?;
    let (sender, verdict) = mpsc::channel();
    std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        let outcome = catch_unwind(AssertUnwindSafe(|| runtime.block_on(behaviour)));
        // Whatever the behaviour left behind must not outlive it, nor hold up the next.
        runtime.shutdown_timeout(Duration::from_secs(1));
        let _ = sender.send(outcome);
    })?;
    match verdict.recv_timeout(limit) {
        Ok(Ok(outcome)) => outcome.map_err(Failed::from),
        Ok(Err(panic)) => Err(panic_message(panic.as_ref()).into()),
        Err(RecvTimeoutError::Timeout) => Err(format!("`{name}` did not end within {limit:?}").into()),
        Err(RecvTimeoutError::Disconnected) => Err(format!("`{name}` ended without a verdict").into()),
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("it panicked").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Not reached by what ends, not even where a panic prints its backtrace.
    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(200);

    fn verdict(limit: Duration, behaviour: impl Future<Output = ()> + Send + 'static) -> Option<String> {
        let verdict = run_within(limit, "a_name", running(behaviour));
        verdict.err().map(|failed| failed.message().unwrap().to_owned())
    }

    #[test]
    fn a_behaviour_that_ends_passes() {
        assert_eq!(verdict(LONG, async {}), None);
    }

    #[test]
    fn a_panic_is_the_reason() {
        assert_eq!(verdict(LONG, async { panic!("two orders") }), Some("two orders".to_owned()));
    }

    #[test]
    fn a_behaviour_that_waits_for_ever_is_named() {
        let message = verdict(SHORT, std::future::pending());

        assert_eq!(message, Some("`a_name` did not end within 200ms".to_owned()));
    }

    #[test]
    fn a_behaviour_that_blocks_its_threads_is_named() {
        let message = verdict(SHORT, async { std::thread::park() });

        assert_eq!(message, Some("`a_name` did not end within 200ms".to_owned()));
    }
}
