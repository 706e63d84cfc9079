//! Several real processes at the same thing at the same time.

use std::time::Duration;

use dbos_testkit::{Database, Process, behaviours};

use crate::two_processes::{ENDED, Place};

behaviours! { many_processes:
    four_processes_that_start_the_same_ids_run_each_once within 180,
    four_recoverers_of_one_dead_process_run_each_of_its_workflows_once within 180,
    what_is_started_while_a_launch_recovers_runs_once within 180,
    a_process_stays_as_small_as_it_was within 3600,
}

const LEASE: Duration = Duration::from_secs(5);

/// More than one claim takes.
const WALKS: usize = 120;

/// How many ids are started by several processes.
const STARTS: usize = 40;

fn id(number: usize) -> String {
    format!("walk-{number}")
}

async fn launch_four(place: &Place) -> Vec<Process> {
    let mut processes = Vec::new();
    for name in ["one", "two", "three", "four"] {
        processes.push(place.launch(name, LEASE).await);
    }
    processes
}

async fn assert_each_ended_once(place: &Place, walks: usize) {
    place.database.until_count(ENDED, i64::try_from(walks).unwrap()).await;
    place.assert_each_passed_once(i64::try_from(walks).unwrap()).await;
    assert_eq!(place.times("set-out"), walks);
    assert_eq!(place.times("arrived"), walks);
}

async fn four_processes_that_start_the_same_ids_run_each_once(database: Database) {
    let place = Place::new(database).await;
    place.open_gate();
    let processes = launch_four(&place).await;

    for number in 0..STARTS {
        for name in ["one", "two", "three", "four"] {
            place.ask(name, &id(number));
        }
    }

    assert_each_ended_once(&place, STARTS).await;
    for process in &processes {
        process.wait_for_line_number(STARTS, "started ").await;
    }
    assert_eq!(place.times("at-gate"), STARTS);
    assert_eq!(place.database.count("SELECT count(*) FROM dbos.workflow_status").await, STARTS as i64);
}

/// Leaves workflows at the gate, of a process that is dead.
async fn leave_behind(place: &Place) {
    let first = place.launch("first", LEASE).await;
    for number in 0..WALKS {
        place.ask("first", &id(number));
    }
    place.until_times("at-gate", WALKS).await;
    first.kill().await;
}

async fn four_recoverers_of_one_dead_process_run_each_of_its_workflows_once(database: Database) {
    let place = Place::new(database).await;
    leave_behind(&place).await;

    let _processes = tokio::join!(
        place.launch("one", LEASE),
        place.launch("two", LEASE),
        place.launch("three", LEASE),
        place.launch("four", LEASE)
    );
    place.until_times("at-gate", 2 * WALKS).await;
    place.open_gate();

    assert_each_ended_once(&place, WALKS).await;
    assert_eq!(place.times("at-gate"), 2 * WALKS);
    let twice = "SELECT count(*) FROM dbos.workflow_status WHERE recovery_attempts = 2";
    assert_eq!(place.database.count(twice).await, WALKS as i64);
}

async fn what_is_started_while_a_launch_recovers_runs_once(database: Database) {
    let place = Place::new(database).await;
    leave_behind(&place).await;
    place.open_gate();
    // What is being recovered is asked for again, between what is new.
    for number in 0..WALKS + STARTS {
        place.ask("second", &id(number));
    }

    let second = place.launch("second", LEASE).await;

    assert_each_ended_once(&place, WALKS + STARTS).await;
    second.wait_for_line_number(WALKS + STARTS, "started ").await;
    assert_eq!(
        place.times("at-gate"),
        WALKS + STARTS + WALKS,
        "once each, and those that were left behind once before"
    );
}

/// What a process has in memory, in kB, and how many files it has open.
pub(crate) fn size(process: &Process) -> (u64, usize) {
    let of = |name: &str| format!("/proc/{}/{name}", process.id());
    let status = std::fs::read_to_string(of("status")).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("every process has one");
    let kilobytes = resident.trim().trim_end_matches(" kB").parse().unwrap();
    (kilobytes, std::fs::read_dir(of("fd")).unwrap().count())
}

/// `DBOS_TEST_WALKS` sets how many workflows go by between two looks.
async fn a_process_stays_as_small_as_it_was(database: Database) {
    let walks = std::env::var("DBOS_TEST_WALKS").map_or(150, |walks| walks.parse().unwrap());
    let place = Place::new(database).await;
    place.open_gate();
    let process = place.launch("one", LEASE).await;
    let mut sizes = Vec::new();
    for part in 0..4 {
        for number in part * walks..(part + 1) * walks {
            place.ask("one", &id(number));
        }
        place.database.until_count(ENDED, i64::try_from((part + 1) * walks).unwrap()).await;
        sizes.push(size(&process));
    }

    let backend = place.database.backend();
    println!("{backend}: {} workflows; kB in memory and open files after each quarter: {sizes:?}", 4 * walks);
    let ((memory, files), (memory_after, files_after)) = (sizes[1], sizes[3]);
    assert!(memory_after < memory + memory / 4, "{sizes:?}");
    assert!(files_after <= files + 4, "{sizes:?}");
}
