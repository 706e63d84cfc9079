//! A program in a process of its own, and the outside world it meets.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit, test_kill_process};
use tempfile::TempDir;

/// Tells the test binary to be the program.
pub(crate) const PROGRAM: &str = "TEST_AS_PROGRAM";

/// Tells the body of its main function to take its time.
pub(crate) const SLOW_TO_START: &str = "TEST_SLOW_TO_START";

/// Tells the program to supervise itself.
pub(crate) const SUPERVISED: &str = "TEST_SUPERVISED";

/// Nothing takes this long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running program. It is killed when the test ends without ending it.
pub(crate) struct Program {
    child: Child,
    output: Receiver<String>,
    log: Receiver<String>,
    logged: Vec<String>,
    /// Kept for as long as any program in it, if nobody else keeps it.
    kept: Option<Arc<TempDir>>,
    folder: PathBuf,
}

/// What a program that has ended said.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    /// Its standard output.
    pub(crate) output: String,
    /// Its standard error.
    pub(crate) said: String,
}

impl Program {
    pub(crate) fn start(words: &[&str]) -> Self {
        Self::in_folder_of_its_own(words, &[])
    }

    /// With variables of its environment.
    pub(crate) fn start_with(words: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::in_folder_of_its_own(words, environment)
    }

    pub(crate) fn supervised(words: &[&str]) -> Self {
        Self::in_folder_of_its_own(words, &[(SUPERVISED, "1")])
    }

    /// Starts it in `folder`, with `variables` in its environment.
    pub(crate) fn start_in(folder: &Path, words: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::spawn(folder, words, variables)
    }

    fn in_folder_of_its_own(words: &[&str], variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut program = Self::spawn(folder.path(), words, variables);
        program.kept = Some(Arc::new(folder));
        program
    }

    /// Another one in the same folder, and so on the same database.
    pub(crate) fn beside(&self, words: &[&str]) -> Self {
        self.beside_with(words, &[])
    }

    /// The same with variables of its environment.
    pub(crate) fn beside_with(&self, words: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut program = Self::spawn(&self.folder, words, variables);
        program.kept.clone_from(&self.kept);
        program
    }

    /// The same for a command that prints and ends.
    pub(crate) fn command(&self, words: &[&str]) -> Ended {
        self.beside(words).ended()
    }

    /// Waits until it has ended.
    pub(crate) fn ended(mut self) -> Ended {
        let code = self.end();
        let output: Vec<_> = self.output.iter().collect();
        Ended { code, output: output.join("\n"), said: self.said() }
    }

    /// How many files it has made.
    pub(crate) fn files(&self) -> usize {
        std::fs::read_dir(&self.folder).expect("a folder").count()
    }

    fn spawn(folder: &Path, words: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this binary's path"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("DBOS_") || name == "PORT" || name == "HOST" || name == "RUST_LOG" {
                command.env_remove(name);
            }
        }
        command.args(words).current_dir(folder).env(PROGRAM, "1").stdin(Stdio::null());
        command.envs(variables.iter().copied());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let output = lines(child.stdout.take().expect("standard output is piped"));
        let log = lines(child.stderr.take().expect("standard error is piped"));
        Self { child, output, log, logged: Vec::new(), kept: None, folder: folder.to_owned() }
    }

    /// The next line of its output.
    pub(crate) fn line(&mut self) -> String {
        self.output.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no more output; it logged {}", self.said()))
    }

    pub(crate) fn wait_for(&mut self, expected: &str) {
        while self.line() != expected {}
    }

    /// The first line that it logs from now on with `part` in it.
    pub(crate) fn wait_for_log(&mut self, part: &str) -> String {
        loop {
            let line = self.log.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("`{part}` was never logged"));
            let found = line.contains(part);
            self.logged.push(line.clone());
            if found {
                return line;
            }
        }
    }

    /// The port of its admin server, once it has said it.
    pub(crate) fn admin_port(&mut self) -> u16 {
        loop {
            if let Some((_, port)) = self.line().split_once("DBOS Admin Server is running at http://localhost:") {
                return port.parse().expect("a port");
            }
        }
    }

    /// The port it serves, once it does.
    pub(crate) fn port(&mut self) -> u16 {
        loop {
            if let Some((_, port)) = self.line().split_once("DBOS Server is running at http://localhost:") {
                return port.parse().expect("a port");
            }
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(&self.child.id().to_string(), signal);
    }

    /// How many files and connections it has open.
    pub(crate) fn open_files(&self) -> u64 {
        let files = std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).expect("it runs");
        files.count() as u64
    }

    /// Lets it have as many files and connections open, and tells how many it might have had.
    pub(crate) fn allow_files(&self, most: u64) -> u64 {
        let process = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let now = getrlimit(Resource::Nofile);
        let limit = Rlimit { current: Some(most), maximum: now.maximum };
        prlimit(process, Resource::Nofile, limit).expect("it runs").current.expect("files are limited")
    }

    /// Its exit code; `None` if a signal killed it.
    pub(crate) fn end(&mut self) -> Option<i32> {
        wait_until(|| self.child.try_wait().expect("a child can be waited for").is_some());
        self.child.wait().expect("it has ended").code()
    }

    /// The rest of its output, once it has ended.
    pub(crate) fn rest(&mut self) -> String {
        self.output.iter().collect::<Vec<_>>().join("\n")
    }

    /// All that it has said on standard error.
    pub(crate) fn said(&mut self) -> String {
        if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
            self.logged.extend(self.log.iter());
        }
        self.logged.join("\n")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Most have ended by now.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(source: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(source).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

pub(crate) fn wait_until(mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "waited in vain");
        super::pause();
    }
}

/// Sends a request; the answer is read with [`answer`].
pub(crate) fn ask(port: u16, method: &str, path: &str) -> TcpStream {
    ask_with(port, method, path, "Host: localhost")
}

/// The same with these headers.
pub(crate) fn ask_with(port: u16, method: &str, path: &str, headers: &str) -> TcpStream {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).expect("the program listens");
    let request = format!("{method} {path} HTTP/1.1\r\n{headers}\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).expect("the program reads");
    socket
}

/// Sends a POST with a body, of whose length the headers tell.
pub(crate) fn ask_with_body(port: u16, path: &str, headers: &str, body: &str) -> TcpStream {
    let mut socket = ask_with(port, "POST", path, headers);
    socket.write_all(body.as_bytes()).expect("the program reads");
    socket
}

/// Everything the program answers, or `None` if it is cut off before it does.
pub(crate) fn answer(mut socket: TcpStream) -> Option<String> {
    socket.set_read_timeout(Some(PATIENCE)).expect("a time limit");
    let mut answer = String::new();
    let read = socket.read_to_string(&mut answer);
    read.ok().filter(|count| *count > 0).map(|_| answer)
}

/// The body of the page at `path`.
pub(crate) fn get(port: u16, path: &str) -> String {
    let answer = answer(ask(port, "GET", path)).expect("an answer");
    answer.split_once("\r\n\r\n").expect("a head and a body").1.to_owned()
}

pub(crate) fn kill(process: &str, signal: Signal) {
    kill_process(pid(process), signal).expect("the process is there");
}

pub(crate) fn is_gone(process: &str) -> bool {
    test_kill_process(pid(process)).is_err()
}

pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

fn pid(process: &str) -> Pid {
    process.parse().ok().and_then(Pid::from_raw).expect("a process id")
}
