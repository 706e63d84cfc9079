//! An application for tests that need real processes: workflows that walk past a gate.
//!
//! It starts a workflow for each file that appears in the folder `INBOX`, named like the file; writes
//! what its bodies do into the ledger `LEDGER`, with its process number; and holds every workflow at
//! the gate until the file `GATE` exists.
//!
//! With arguments it is a generated program with that command line.

#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests are not replayed, and panic when they fail")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use dbos::{Config, DBOS, Error, Result, Tx, step, transaction, workflow};
use dbos_testkit::{Ledger, tool_or};

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("the variable {name} is needed"))
}

fn note(what: &str) -> Result<()> {
    let line = format!("{what} {} {}", DBOS::workflow_id(), std::process::id());
    Ledger::at(variable("LEDGER")).append(&line).map_err(|error| Error::new(error.to_string()))
}

#[step]
async fn set_out() -> Result<()> {
    note("set-out")
}

#[step]
async fn wait_at_the_gate() -> Result<()> {
    note("at-gate")?;
    let gate = PathBuf::from(variable("GATE"));
    while !gate.exists() {
        pause(10).await;
    }
    Ok(())
}

#[transaction]
async fn pass(tx: &mut Tx) -> Result<()> {
    let workflow = DBOS::workflow_id();
    let process = i64::from(std::process::id());
    tx.query("INSERT INTO passed (workflow, process) VALUES ($1, $2)").bind(workflow).bind(process).execute().await?;
    Ok(())
}

#[step]
async fn arrive() -> Result<()> {
    note("arrived")
}

#[workflow]
async fn walk() -> Result<String> {
    set_out().await?;
    wait_at_the_gate().await?;
    pass().await?;
    arrive().await?;
    Ok("arrived".to_owned())
}

#[expect(clippy::disallowed_methods, reason = "a test's own waiting, outside the engine")]
async fn pause(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

/// Starts what the inbox asks for; each file goes to whoever removes it first.
async fn empty(inbox: &Path) -> Result<()> {
    for entry in std::fs::read_dir(inbox).expect("the inbox is a folder").flatten() {
        if std::fs::remove_file(entry.path()).is_ok() {
            let id = entry.file_name().to_string_lossy().into_owned();
            DBOS::start_workflow(walk()).workflow_id(&id).await?;
            println!("started {id}");
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    tool_or("walker", wait_for_work)
}

#[tokio::main]
async fn wait_for_work() -> Result<()> {
    let mut config = Config::new("walker").database_url(variable("DATABASE"));
    if let Ok(lease) = std::env::var("LEASE_MS") {
        config.lease = Duration::from_millis(lease.parse().expect("a number of milliseconds"));
    }
    let engine = DBOS::launch(config).await?;
    let inbox = PathBuf::from(variable("INBOX"));
    let mut known = String::new();
    loop {
        let executor = engine.executor_id();
        if executor != known {
            println!("executor {executor}");
            known = executor;
        }
        empty(&inbox).await?;
        pause(10).await;
    }
}
