//! What is acknowledged is on the disk: flushes are counted by the operating system's own witness.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use dbos_testkit::{Database, Program, Server, behaviours};

use crate::two_processes::{Place, WALKER};

behaviours! { durability:
    every_acknowledgement_is_flushed_on_sqlite on sqlite within 120 using "strace",
    every_acknowledgement_is_flushed_on_postgres on durable within 120 using "strace",
}

/// Run one after the other, so that no two commits share a flush.
const WORKFLOWS: usize = 10;
/// A start, a step, the gate, a transaction, a step, an outcome.
const COMMITS: usize = 6;

/// What a trace is asked to note, and how.
fn tracing(program: Program, trace: &Path) -> Program {
    program.arg("-f").arg("-y").arg("-e").arg("trace=fdatasync,fsync").arg("-o").arg(trace)
}

async fn walk_one_by_one(place: &Place) {
    place.open_gate();
    for number in 0..WORKFLOWS {
        place.ask("traced", &format!("walk-{number}"));
        let ended = "SELECT count(*) FROM dbos.workflow_status WHERE status = 'SUCCESS'";
        place.database.until_count(ended, number as i64 + 1).await;
    }
}

/// How many completed flushes of a file whose path contains `file` the trace holds.
fn flushes(trace: &Path, file: &str) -> usize {
    let trace = fs::read_to_string(trace).unwrap_or_default();
    trace.lines().filter(|line| line.contains("sync(") && line.contains(file)).count()
}

fn end(process: u32) {
    Command::new("kill").arg(process.to_string()).status().expect("a process can be ended");
}

async fn every_acknowledgement_is_flushed_on_sqlite(database: Database) {
    let place = Place::new(database).await;
    let trace = place.folder.path().join("trace");
    let program = tracing(Program::new("strace"), &trace).arg(WALKER).env("DATABASE", place.database.url());
    let process = place.launch_as(program, "traced", Duration::from_secs(5)).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let before = flushes(&trace, "-wal");

    walk_one_by_one(&place).await;

    // The trace is complete once the tracer has ended, which it does after the traced.
    process.children().into_iter().for_each(end);
    process.wait().await;
    let flushed = flushes(&trace, "-wal") - before;
    println!("sqlite: {flushed} flushes of the log for {} acknowledgements", WORKFLOWS * COMMITS);
    assert!(flushed >= WORKFLOWS * COMMITS, "{flushed}");
}

async fn every_acknowledgement_is_flushed_on_postgres(server: Server) {
    let place = Place::new(Database::on_server(&server).await).await;
    let trace = place.folder.path().join("trace");
    let tracer =
        tracing(Program::new("strace"), &trace).arg("-p").arg(postmaster(&place.database).await.to_string()).start();
    tracer.wait_for_line("attached").await;
    // The sessions of this process are new, so the tracer follows them.
    let _process = place.launch_as(place.walker(), "traced", Duration::from_secs(5)).await;
    let before = flushes(&trace, "pg_wal");

    walk_one_by_one(&place).await;

    end(tracer.id());
    tracer.wait().await;
    let flushed = flushes(&trace, "pg_wal") - before;
    println!("postgres: {flushed} flushes of the log for {} acknowledgements", WORKFLOWS * COMMITS);
    assert!(flushed >= WORKFLOWS * COMMITS, "{flushed}");
}

/// The parent of every session.
async fn postmaster(database: &Database) -> u32 {
    let path = database.value("SHOW data_directory").await.expect("a folder");
    let file = fs::read_to_string(Path::new(&path).join("postmaster.pid")).expect("the server runs");
    file.lines().next().expect("its number").trim().parse().expect("a number")
}
