//! Starts the program again when it dies.
//!
//! The supervisor touches no database and answers no request, so there is little it could die of.
//! The two are tied by a pipe: the child ends when the supervisor's end closes, so that nothing is
//! left of either when the supervisor is killed.

use std::ffi::OsString;
use std::process::{ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tokio::process::{Child, ChildStdin, Command};

use super::shutdown::INTERRUPTED;
use super::{Application, UNUSABLE, cannot};
use crate::platform::Signals;
use crate::{Result, clock};

/// Tells a child that it has a supervisor, and how often it was restarted.
const SUPERVISED: &str = "DBOS__SUPERVISED";

/// A child that lives less than this died of its start.
const SHORT_LIFE: Duration = Duration::from_secs(1);

/// The pause doubles from the first to the second.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Whether this process has a supervisor.
pub(super) fn is_supervised() -> bool {
    std::env::var_os(SUPERVISED).is_some()
}

/// How often this process's supervisor has had to restart it.
pub(super) fn restarts() -> u32 {
    std::env::var(SUPERVISED).ok().and_then(|count| count.parse().ok()).unwrap_or(0)
}

/// Runs this program as a child until it ends well, or is asked to.
pub(super) fn run(application: &Application) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| cannot("start", &error))?.block_on(supervise(application))
}

async fn supervise(application: &Application) -> Result<ExitCode> {
    let mut signals = Signals::listen().map_err(|error| cannot("listen for signals", &error))?;
    let program = std::env::current_exe().map_err(|error| cannot("find this program's file", &error))?.into_os_string();
    let mut short_lives = 0;
    for restarts in 0_u32.. {
        let started = Instant::now();
        let (mut child, pipe) = spawn(&program, restarts)?;
        let process = child.id().unwrap_or_default();
        let ended = tokio::select! {
            ended = child.wait() => ended.map_err(|error| cannot("watch the program", &error))?,
            () = signals.next() => return Ok(stop(child, pipe, &mut signals).await),
        };
        if let Some(code) = last_word(ended) {
            return Ok(code);
        }
        short_lives = if started.elapsed() < SHORT_LIFE { short_lives + 1 } else { 0 };
        let wait = pause(short_lives);
        tracing::warn!("{} (process {process}) died: {ended}; restarting it{}", application.name, after(wait));
        tokio::select! {
            () = clock::pause(wait) => {}
            () = signals.next() => return Ok(ExitCode::SUCCESS),
        }
    }
    unreachable!("four thousand million restarts take longer than any process lives")
}

/// The child, and the pipe that keeps it going. The pipe is taken out because waiting would close it.
fn spawn(program: &OsString, restarts: u32) -> Result<(Child, ChildStdin)> {
    let mut child = Command::new(program)
        .args(std::env::args_os().skip(1))
        .arg("--no-supervise")
        .env(SUPERVISED, restarts.to_string())
        .stdin(Stdio::piped())
        .spawn()
        .map_err(|error| cannot("start the program under supervision", &error))?;
    let pipe = child.stdin.take().expect("standard input is piped");
    Ok((child, pipe))
}

/// Asks the child to end and waits for it, unless asked again.
async fn stop(mut child: Child, pipe: ChildStdin, signals: &mut Signals) -> ExitCode {
    drop(pipe);
    tokio::select! {
        ended = child.wait() => {
            let well = ended.is_ok_and(|ended| ended.success());
            if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        () = signals.next() => {
            // It may have ended meanwhile, which is what is wanted.
            let _ = child.kill().await;
            ExitCode::from(INTERRUPTED)
        }
    }
}

/// The exit code to pass on, if the child ended because it meant to or cannot run at all.
fn last_word(ended: ExitStatus) -> Option<ExitCode> {
    match ended.code() {
        Some(0) => Some(ExitCode::SUCCESS),
        Some(code) if code == i32::from(UNUSABLE) => Some(ExitCode::from(UNUSABLE)),
        _ => None,
    }
}

/// None after a life of some length or the first short one, so that a crash goes unnoticed.
fn pause(short_lives: u32) -> Duration {
    match short_lives.checked_sub(2) {
        None => Duration::ZERO,
        Some(doublings) => SHORTEST_PAUSE.saturating_mul(2_u32.saturating_pow(doublings)).min(LONGEST_PAUSE),
    }
}

fn after(pause: Duration) -> String {
    if pause.is_zero() { String::new() } else { format!(" in {pause:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_repeated_short_lives_are_waited_for() {
        let pauses: Vec<_> = (0..6).map(|short_lives| pause(short_lives).as_millis()).collect();
        assert_eq!(pauses, [0, 0, 100, 200, 400, 800]);
        assert_eq!(pause(u32::MAX), LONGEST_PAUSE);
    }
}
