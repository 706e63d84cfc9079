//! Very many workflows that wait cost next to nothing.
//!
//! `DBOS_TEST_WAITING` says how many. In every run they are few, and the bound on their memory allows for what a process
//! needs in any case.

use std::collections::BTreeMap;
use std::time::Duration;

use dbos_testkit::{Database, Process, Program, Proxy, behaviours};

use crate::many_processes::size;

behaviours! { waiting:
    sleepers_take_no_room within 1800,
    receivers_take_no_room within 1800,
    those_who_wait_ask_two_questions_a_second on postgres within 1800,
    those_due_at_the_same_time_end_once_and_hold_nobody_up within 1800,
}

const WAITING: &str = "SELECT count(*) FROM dbos.workflow_status WHERE status = 'PENDING'";
const TIMERS: &str = "SELECT count(*) FROM dbos.operation_outputs WHERE function_name = 'DBOS.sleep'";
const ENDED: &str = "SELECT count(*) FROM dbos.workflow_status WHERE status = 'SUCCESS' AND name LIKE '%asleep%'";
const TAKEN_OVER: &str = "SELECT count(*) FROM dbos.workflow_status WHERE recovery_attempts = 2";
/// What a process may have grown by, in kB, however few wait.
const SLACK: u64 = 50_000;

fn how_many() -> i64 {
    std::env::var("DBOS_TEST_WAITING").map_or(2_000, |number| number.parse().expect("a number"))
}

fn program(url: &str, wait: &str, count: i64) -> Program {
    let program = Program::new(env!("CARGO_BIN_EXE_waiting_room")).env("DATABASE", url).env("WAIT", wait);
    program.env("WAITING", count.to_string())
}

fn launch(database: &Database, wait: &str, count: i64) -> Process {
    program(database.url(), wait, count).start()
}

/// What it has in memory, in kB, once that has not changed for a while.
async fn settled(process: &Process) -> u64 {
    let (mut last, mut same) = (0, 0);
    while same < 10 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let (now, _) = size(process);
        same = if now.abs_diff(last) < 200 { same + 1 } else { 0 };
        last = now;
    }
    last
}

async fn sleepers_take_no_room(database: Database) {
    take_no_room(&database, "86400", 2_000).await;
}

async fn receivers_take_no_room(database: Database) {
    take_no_room(&database, "recv", 3_000).await;
}

/// Each takes at most so many bytes, when it has begun to wait and after a `kill -9`.
async fn take_no_room(database: &Database, wait: &str, bytes: u64) {
    let empty = launch(database, wait, 0);
    empty.wait_for_line("all are started").await;
    let before = settled(&empty).await;
    empty.kill().await;

    let count = how_many();
    let most = before + SLACK + u64::try_from(count).unwrap() * bytes / 1024;
    let first = launch(database, wait, count);
    all_wait(database, &first, count).await;
    let waiting = settled(&first).await;
    report(database, wait, "waiting", count, before, waiting);
    first.kill().await;

    let second = launch(database, wait, 0);
    println!("after kill -9: {}", second.wait_for_line("a fresh one ended").await);
    while database.count(TAKEN_OVER).await < count {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let (after, descriptors) = (settled(&second).await, size(&second).1);
    report(database, wait, "after kill -9", count, before, after);

    assert_eq!(database.count(WAITING).await, count);
    assert!(waiting <= most && after <= most, "{waiting} kB and {after} kB, and {most} kB are allowed");
    assert!(descriptors < 60, "{descriptors} open files");
}

/// However long it takes until the last has begun to wait.
async fn all_wait(database: &Database, process: &Process, count: i64) {
    process.wait_for_line("launched").await;
    while database.count(TIMERS).await < count {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn report(database: &Database, wait: &str, when: &str, count: i64, before: u64, now: u64) {
    let each = now.saturating_sub(before) * 1024 / u64::try_from(count).unwrap();
    println!(
        "{:?}, {wait}, {when}: {count} waiting, {before} kB before, {now} kB now, {each} B each",
        database.backend()
    );
}

/// All of them together, and all that the process does besides.
async fn those_who_wait_ask_two_questions_a_second(database: Database) {
    const WATCHED: Duration = Duration::from_secs(30);
    let count = how_many();
    let proxy = Proxy::before(database.url()).await;
    let process = program(proxy.url(), "recv", count).start();
    all_wait(&database, &process, count).await;
    settled(&process).await;

    let before = proxy.statements().len();
    tokio::time::sleep(WATCHED).await;
    let asked = proxy.statements().split_off(before);

    let a_second = asked.len() as f64 / WATCHED.as_secs_f64();
    println!("{count} in recv: {a_second:.2} statements/s");
    assert!(a_second <= 2.0, "{a_second:.2} statements/s:\n{}", tally(&asked));
}

/// How often each was asked.
fn tally(statements: &[String]) -> String {
    let mut times = BTreeMap::<&str, u32>::new();
    for statement in statements {
        *times.entry(statement).or_default() += 1;
    }
    times.iter().map(|(statement, times)| format!("{times} times {statement}")).collect::<Vec<_>>().join("\n")
}

async fn those_due_at_the_same_time_end_once_and_hold_nobody_up(database: Database) {
    let count = how_many();
    // All of them are asleep before the first is due.
    let seconds = 3 + count / 1_000;
    let process = program(database.url(), &seconds.to_string(), count).env("BUSY", "1").start();
    all_wait(&database, &process, count).await;
    let asleep = size(&process).0;
    while database.count(ENDED).await == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    let so_far = process.lines().len();
    while database.count(ENDED).await < count {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let slowest = slowest(&process.lines()[so_far..]);

    let attempts = "SELECT count(*) FROM dbos.workflow_status WHERE recovery_attempts > 1";
    assert_eq!(database.count(attempts).await, 0);
    let (backend, after) = (database.backend(), size(&process).0);
    println!(
        "{backend:?}: {count} due at once, {asleep} kB asleep, {after} kB afterwards, a fresh one within {slowest:?} ms"
    );
    assert!(slowest.is_none_or(|ms| ms < 10_000), "a fresh one took {slowest:?} ms");
}

/// How long the slowest of the fresh ones took that ended meanwhile.
fn slowest(lines: &[String]) -> Option<u64> {
    let took = |line: &String| line.strip_prefix("another ended after ")?.strip_suffix(" ms")?.parse().ok();
    lines.iter().filter_map(took).max()
}
