//! Real processes on one database: killed, stopped, woken, and launched beside each other.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use dbos_testkit::{Backend, Database, Ledger, Process, Program, behaviours};
use tempfile::TempDir;

behaviours! { two_processes:
    the_workflows_of_a_killed_one_go_on_at_once_in_the_other,
    a_stopped_one_is_taken_over_and_changes_nothing_when_it_wakes on postgres within 120,
    a_stopped_one_that_nobody_replaced_goes_on_with_its_own_work on postgres within 120,
    a_second_one_leaves_the_work_of_the_first_alone,
    killed_again_and_again_all_workflows_end_once within 120,
}

pub(crate) const ENDED: &str = "SELECT count(*) FROM dbos.workflow_status WHERE status = 'SUCCESS'";
const PASSED: &str = "SELECT count(*) FROM passed";

pub(crate) const WALKER: &str = env!("CARGO_BIN_EXE_walker");

/// What the processes share besides the database.
pub(crate) struct Place {
    pub(crate) folder: TempDir,
    ledger: Ledger,
    pub(crate) database: Database,
}

impl Place {
    pub(crate) async fn new(database: Database) -> Self {
        let place = Self::with_no_tables(database);
        place.create_passed().await;
        place
    }

    /// A place for processes that are the first to use the database.
    pub(crate) fn with_no_tables(database: Database) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::at(folder.path().join("ledger"));
        Self { folder, ledger, database }
    }

    /// Creates the table that the walkers write.
    pub(crate) async fn create_passed(&self) {
        self.database.execute("CREATE TABLE passed (workflow TEXT NOT NULL, process BIGINT NOT NULL)").await;
    }

    /// Launches a process with an inbox of its own.
    pub(crate) async fn launch(&self, name: &str, lease: Duration) -> Process {
        self.launch_as(self.walker(), name, lease).await
    }

    /// The walker, which finds its database without a detour.
    pub(crate) fn walker(&self) -> Program {
        Program::new(WALKER).env("DATABASE", self.database.url())
    }

    /// The same, with the database under another name.
    pub(crate) async fn launch_on(&self, url: &str, program: Program, name: &str, lease: Duration) -> Process {
        self.launch_as(program.env("DATABASE", url), name, lease).await
    }

    /// The same, run in another way, on the database that `program` names.
    pub(crate) async fn launch_as(&self, program: Program, name: &str, lease: Duration) -> Process {
        let inbox = self.folder.path().join(name);
        fs::create_dir_all(&inbox).unwrap();
        let process = program
            .env("LEDGER", self.ledger.path())
            .env("GATE", self.folder.path().join("gate"))
            .env("INBOX", inbox)
            .env("LEASE_MS", lease.as_millis().to_string())
            .start();
        process.wait_for_line("executor").await;
        process
    }

    pub(crate) fn ask(&self, name: &str, workflow: &str) {
        let inbox = self.folder.path().join(name);
        fs::create_dir_all(&inbox).unwrap();
        fs::write(inbox.join(workflow), "").unwrap();
    }

    pub(crate) fn open_gate(&self) {
        fs::write(self.folder.path().join("gate"), "").unwrap();
    }

    pub(crate) fn times(&self, what: &str) -> usize {
        self.ledger.lines().unwrap().iter().filter(|line| line.starts_with(what)).count()
    }

    /// The process numbers in the ledger.
    pub(crate) fn processes(&self) -> BTreeSet<String> {
        self.ledger.lines().unwrap().iter().filter_map(|line| line.rsplit(' ').next().map(str::to_owned)).collect()
    }

    pub(crate) async fn until_times(&self, what: &str, times: usize) {
        let mut looks = tokio::time::interval(Duration::from_millis(10));
        while self.times(what) < times {
            looks.tick().await;
        }
    }

    pub(crate) async fn assert_each_passed_once(&self, workflows: i64) {
        assert_eq!(self.database.count("SELECT count(DISTINCT workflow) FROM passed").await, workflows);
        assert_eq!(self.database.count(PASSED).await, workflows);
    }
}

/// Long enough that only the lock file can have told.
const LONG: Duration = Duration::from_secs(60);
pub(crate) const SHORT: Duration = Duration::from_secs(2);

async fn the_workflows_of_a_killed_one_go_on_at_once_in_the_other(database: Database) {
    let place = Place::new(database).await;
    // The lease is renewed, and the others looked at, five times per lease.
    let lease = if place.database.backend() == Backend::Postgres { Duration::from_secs(10) } else { SHORT };
    let first = place.launch("first", lease).await;
    let second = place.launch("second", lease).await;
    for number in 0..20 {
        place.ask("first", &format!("walk-{number}"));
    }
    place.until_times("at-gate", 20).await;

    first.kill().await;
    let killed = Instant::now();
    place.until_times("at-gate", 40).await;
    let taken_over = killed.elapsed();
    place.open_gate();

    place.database.until_count(ENDED, 20).await;
    println!("{}: 20 workflows of a killed process taken over after {taken_over:?}", place.database.backend());
    assert!(taken_over < Duration::from_secs(8), "{taken_over:?}");
    place.assert_each_passed_once(20).await;
    assert_eq!(place.times("set-out"), 20, "a recorded step does not run again");
    assert_eq!(place.database.count(&format!("SELECT count(*) FROM passed WHERE process = {}", second.id())).await, 20);
}

async fn a_stopped_one_is_taken_over_and_changes_nothing_when_it_wakes(database: Database) {
    let place = Place::new(database).await;
    let sleeper = place.launch("sleeper", SHORT).await;
    let other = place.launch("other", SHORT).await;
    for number in 0..5 {
        place.ask("sleeper", &format!("walk-{number}"));
    }
    place.until_times("at-gate", 5).await;

    sleeper.pause();
    place.until_times("at-gate", 10).await;
    place.open_gate();
    place.database.until_count(ENDED, 5).await;
    let history =
        "SELECT workflow_uuid, function_id, output, completed_at_epoch_ms FROM dbos.operation_outputs ORDER BY 1, 2";
    let outcomes = "SELECT workflow_uuid, status, recovery_attempts, updated_at FROM dbos.workflow_status ORDER BY 1";
    let before = (place.database.query(history).await, place.database.query(outcomes).await);
    sleeper.resume();
    sleeper.wait_for_line_number(2, "executor").await;

    place.ask("sleeper", "walk-after");
    place.database.until_count(ENDED, 6).await;
    let after = (
        place.database.query(&history.replace(" ORDER", " WHERE workflow_uuid <> 'walk-after' ORDER")).await,
        place.database.query(&outcomes.replace(" ORDER", " WHERE workflow_uuid <> 'walk-after' ORDER")).await,
    );
    assert_eq!(before, after);
    place.assert_each_passed_once(6).await;
    let by_other = format!("SELECT count(*) FROM passed WHERE process = {}", other.id());
    assert_eq!(place.database.count(&by_other).await, 5);
    assert_eq!(place.times("arrived"), 6);
}

async fn a_stopped_one_that_nobody_replaced_goes_on_with_its_own_work(database: Database) {
    let place = Place::new(database).await;
    let sleeper = place.launch("sleeper", SHORT).await;
    for number in 0..5 {
        place.ask("sleeper", &format!("walk-{number}"));
    }
    place.until_times("at-gate", 5).await;

    sleeper.pause();
    let expired =
        "SELECT count(*) FROM dbos_rust.executors WHERE expires_at_ms < EXTRACT(epoch FROM clock_timestamp()) * 1000";
    place.database.until_count(expired, 1).await;
    sleeper.resume();
    sleeper.wait_for_line_number(2, "executor").await;
    place.until_times("at-gate", 10).await;
    place.open_gate();

    place.database.until_count(ENDED, 5).await;
    place.assert_each_passed_once(5).await;
}

async fn a_second_one_leaves_the_work_of_the_first_alone(database: Database) {
    let place = Place::new(database).await;
    let first = place.launch("first", SHORT).await;
    for number in 0..20 {
        place.ask("first", &format!("walk-{number}"));
    }
    place.until_times("at-gate", 20).await;

    let _second = place.launch("second", SHORT).await;
    // More than one lease: time enough to do wrong.
    tokio::time::sleep(SHORT * 2).await;
    place.open_gate();

    place.database.until_count(ENDED, 20).await;
    place.assert_each_passed_once(20).await;
    assert_eq!(place.times("at-gate"), 20);
    assert_eq!(place.database.count(&format!("SELECT count(*) FROM passed WHERE process = {}", first.id())).await, 20);
    assert_eq!(place.database.count("SELECT count(*) FROM dbos.workflow_status WHERE recovery_attempts = 1").await, 20);
}

async fn killed_again_and_again_all_workflows_end_once(database: Database) {
    let place = Place::new(database).await;
    place.open_gate();
    let mut processes = vec![place.launch("one", LONG / 30).await, place.launch("two", LONG / 30).await];

    let mut asked = 0;
    for round in 0..8 {
        for _ in 0..10 {
            place.ask(if asked % 2 == 0 { "one" } else { "two" }, &format!("walk-{asked}"));
            asked += 1;
        }
        tokio::time::sleep(Duration::from_millis(20 + 37 * round)).await;
        processes.remove(0).kill().await;
        let name = if round % 2 == 0 { "one" } else { "two" };
        processes.push(place.launch(name, LONG / 30).await);
    }

    let open = "SELECT count(*) FROM dbos.workflow_status WHERE status <> 'SUCCESS'";
    place.database.until_count(open, 0).await;
    // A kill between taking a file out of the inbox and the row loses that file's workflow only.
    let started = place.database.count("SELECT count(*) FROM dbos.workflow_status").await;
    assert!(started > 40, "{started}");
    place.assert_each_passed_once(started).await;
}
