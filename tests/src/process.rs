//! Real processes, to be watched, stopped and killed.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::sync::watch;

/// How long to wait for a line before the output is shown instead.
const PATIENCE: Duration = Duration::from_secs(30);

/// The processes that this one has started and that still exist.
pub(crate) fn children_of(process: Pid) -> Vec<Pid> {
    let process = process.as_raw_nonzero();
    fs::read_to_string(format!("/proc/{process}/task/{process}/children"))
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|child| Pid::from_raw(child.parse().ok()?))
        .collect()
}

/// A program about to be started.
#[derive(Debug)]
#[must_use = "a program runs only once it is started"]
pub struct Program {
    path: PathBuf,
    command: Command,
}

impl Program {
    /// The program in this file, or of this name. For a binary of the same package,
    /// `env!("CARGO_BIN_EXE_name")`.
    ///
    /// It inherits the environment except for what would configure an application: `DBOS_*`, `HOST`, `PORT`.
    pub fn new(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        let mut command = mortal(path);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("DBOS_") || name == "HOST" || name == "PORT" {
                command.env_remove(name);
            }
        }
        Self { path: path.to_owned(), command }
    }

    /// Adds an argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// Sets a variable of its environment.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Removes a variable of its environment.
    pub fn env_remove(mut self, name: impl AsRef<OsStr>) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Sets its working directory.
    pub fn directory(mut self, path: impl AsRef<Path>) -> Self {
        self.command.current_dir(path);
        self
    }

    /// Starts it, in a process group of its own.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    #[must_use = "a process is killed when it is dropped"]
    pub fn start(mut self) -> Process {
        self.command.process_group(0);
        self.command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child =
            spawn(self.command).unwrap_or_else(|error| panic!("cannot start {}: {error}", self.path.display()));
        let output = Output::default();
        output.collect(child.stdout.take().expect("standard output is piped"));
        output.collect(child.stderr.take().expect("standard error is piped"));
        let pid = Pid::from_child(&child);
        Process { pid, end: end_of(child), output }
    }
}

/// A running process. Dropping it kills it and every process of its group.
#[derive(Debug)]
pub struct Process {
    pid: Pid,
    end: watch::Receiver<Option<ExitStatus>>,
    output: Output,
}

impl Process {
    /// Its number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// The numbers of the processes it has started itself.
    #[must_use]
    pub fn children(&self) -> Vec<u32> {
        children_of(self.pid).into_iter().map(|child| child.as_raw_nonzero().get().unsigned_abs()).collect()
    }

    /// What it has printed so far on both outputs, line by line.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.output.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All that it has printed on both outputs, once it has closed them: the end of a process may be known before its
    /// last line is.
    ///
    /// # Panics
    ///
    /// Never: the count of open outputs lives in the process.
    pub async fn all_lines(&self) -> Vec<String> {
        let mut open = self.output.open.subscribe();
        open.wait_for(|open| *open == 0).await.expect("the sender lives in self");
        self.lines()
    }

    /// The first line that contains the text, once it has been printed.
    ///
    /// # Panics
    ///
    /// If the process ends without printing it, or half a minute goes by; shows what it did print.
    pub async fn wait_for_line(&self, text: &str) -> String {
        self.wait_for_line_number(1, text).await
    }

    /// The n-th line that contains the text, counted from 1.
    ///
    /// # Panics
    ///
    /// As [`Process::wait_for_line`].
    pub async fn wait_for_line_number(&self, number: usize, text: &str) -> String {
        let mut open = self.output.open.subscribe();
        let find = async {
            loop {
                let ended = *open.borrow_and_update() == 0;
                let found = self.lines().into_iter().filter(|line| line.contains(text)).nth(number - 1);
                if found.is_some() || ended {
                    return found;
                }
                open.changed().await.expect("the sender lives in self");
            }
        };
        let found = tokio::time::timeout(PATIENCE, find).await.ok().flatten();
        found.unwrap_or_else(|| panic!("no line {number} with `{text}`; it printed:\n{}", self.lines().join("\n")))
    }

    /// Kills it (SIGKILL) and waits until it is gone. The processes it has started live on.
    pub async fn kill(&self) -> ExitStatus {
        self.signal(Signal::KILL);
        self.wait().await
    }

    /// Asks it to end (SIGTERM).
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Interrupts it, as Ctrl-C does (SIGINT).
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// Stops it in its tracks (SIGSTOP).
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on after [`Process::pause`] (SIGCONT).
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Waits for its end.
    ///
    /// # Panics
    ///
    /// If the operating system cannot tell.
    pub async fn wait(&self) -> ExitStatus {
        let mut end = self.end.clone();
        let status = end.wait_for(Option::is_some).await.expect("the end of a process is told");
        status.expect("it was waited for")
    }

    /// How it ended, if it has.
    #[must_use]
    pub fn status(&self) -> Option<ExitStatus> {
        *self.end.borrow()
    }

    fn signal(&self, signal: Signal) {
        // Once the end is known the number may belong to somebody else.
        if self.status().is_none() {
            let _ = kill_process(self.pid, signal);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = kill_process_group(self.pid, Signal::KILL);
        if std::thread::panicking() {
            eprintln!("process {} printed:\n{}", self.id(), self.lines().join("\n"));
        }
    }
}

/// Both outputs of a process; `open` counts those still open and changes with each line.
#[derive(Clone, Debug)]
struct Output {
    lines: Arc<Mutex<Vec<String>>>,
    open: watch::Sender<usize>,
}

impl Default for Output {
    fn default() -> Self {
        Self { lines: Arc::default(), open: watch::Sender::new(0) }
    }
}

impl Output {
    fn collect(&self, source: impl Read + Send + 'static) {
        let output = self.clone();
        output.open.send_modify(|open| *open += 1);
        std::thread::spawn(move || {
            for line in BufReader::new(source).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                output.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                output.open.send_modify(|_| ());
            }
            output.open.send_modify(|open| *open -= 1);
        });
    }
}

fn end_of(mut child: Child) -> watch::Receiver<Option<ExitStatus>> {
    let (sender, end) = watch::channel(None);
    std::thread::spawn(move || {
        let status = child.wait().expect("a child can be waited for");
        sender.send_replace(Some(status));
    });
    end
}

/// The command, made to die with us even if we are killed, where the system has a way to say so.
fn mortal(path: &Path) -> Command {
    static SETPRIV: OnceLock<bool> = OnceLock::new();
    let setpriv = *SETPRIV.get_or_init(|| {
        let probe = Command::new("setpriv").args(["--pdeathsig", "KILL", "true"]).stderr(Stdio::null()).status();
        probe.is_ok_and(|status| status.success())
    });
    if !setpriv {
        return Command::new(path);
    }
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(path);
    command
}

type Job = (Command, Sender<std::io::Result<Child>>);

/// Starts a process from a thread that never ends: "dies with its parent" means the parent's thread.
fn spawn(command: Command) -> std::io::Result<Child> {
    static SPAWNER: OnceLock<Mutex<Sender<Job>>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, jobs) = channel::<Job>();
        std::thread::spawn(move || {
            for (mut command, reply) in jobs {
                let _ = reply.send(command.spawn());
            }
        });
        Mutex::new(sender)
    });
    let (reply, child) = channel();
    let job = spawner.lock().unwrap_or_else(PoisonError::into_inner).send((command, reply));
    job.expect("the spawner never ends");
    child.recv().expect("the spawner answers every job")
}
