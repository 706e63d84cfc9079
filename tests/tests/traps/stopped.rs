//! Processes that stand still (SIGSTOP) for longer than their lease, wherever that finds them, and go on.

use std::time::{Duration, Instant};

use dbos_testkit::{Database, Fault, Process, Program, Proxy, behaviours, report};
use sqlx::{Connection, PgConnection};

use crate::two_processes::{ENDED, Place, SHORT, WALKER};

behaviours! { stopped:
    one_that_was_idle_goes_on_under_a_new_name on postgres,
    one_that_was_in_a_transaction_commits_none_of_it on postgres,
    one_whose_commit_had_arrived_has_committed_once on postgres,
    one_whose_commit_is_on_its_way_commits_none_of_it on postgres within 120,
}

/// As long as a server lets a transaction be in which nothing happens.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(30);

/// Time for a look and a claim on a busy machine.
const SLACK: Duration = Duration::from_secs(5);

async fn one_that_was_idle_goes_on_under_a_new_name(database: Database) {
    let place = Place::new(database).await;
    place.open_gate();
    let (sleeper, _other) = two(&place, place.walker()).await;

    sleeper.pause();
    place.database.until_count("SELECT count(*) FROM dbos_rust.executors", 1).await;
    sleeper.resume();
    sleeper.wait_for_line_number(2, "executor").await;

    place.ask("sleeper", "walk");
    place.database.until_count(ENDED, 1).await;
    place.assert_each_passed_once(1).await;
}

/// It waits for a lock with its transaction open when it is stopped, and gets it while it is.
async fn one_that_was_in_a_transaction_commits_none_of_it(database: Database) {
    let place = Place::new(database).await;
    place.open_gate();
    let (sleeper, other) = two(&place, place.walker()).await;
    let mut lock = PgConnection::connect(place.database.url()).await.unwrap();
    sqlx::raw_sql("BEGIN; LOCK TABLE passed").execute(&mut lock).await.unwrap();
    place.ask("sleeper", "walk");
    let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = CAST('passed' AS regclass)";
    place.database.until_count(waiting, 1).await;

    let stopped = Instant::now();
    sleeper.pause();
    sqlx::raw_sql("COMMIT").execute(&mut lock).await.unwrap();
    place.database.until_count(ENDED, 1).await;
    taken_over(stopped, SHORT);
    wakes(&place, &sleeper).await;

    assert_eq!(place.database.count(&passed_by(&other)).await, 1);
}

/// Its commit is done, and it does not know.
async fn one_whose_commit_had_arrived_has_committed_once(database: Database) {
    let proxy = Proxy::before(database.url()).await;
    let place = Place::new(database).await;
    let (sleeper, _other) = two(&place, Program::new(WALKER).env("DATABASE", proxy.url())).await;
    place.ask("sleeper", "walk");
    place.until_times("at-gate", 1).await;
    proxy.arm(Fault::at("COMMIT").silencing_the_reply());
    place.open_gate();
    place.database.until_count("SELECT count(*) FROM passed", 1).await;

    let stopped = Instant::now();
    sleeper.pause();
    place.database.until_count(ENDED, 1).await;
    taken_over(stopped, SHORT);
    wakes(&place, &sleeper).await;

    assert_eq!(place.database.count(&passed_by(&sleeper)).await, 1);
}

/// Its transaction holds the row of its workflow, so nobody can take it over before the server ends it.
async fn one_whose_commit_is_on_its_way_commits_none_of_it(database: Database) {
    let proxy = Proxy::before(database.url()).await;
    let place = Place::new(database).await;
    let (sleeper, other) = two(&place, Program::new(WALKER).env("DATABASE", proxy.url())).await;
    place.ask("sleeper", "walk");
    place.until_times("at-gate", 1).await;
    proxy.arm(Fault::at("COMMIT").holding());
    place.open_gate();
    proxy.struck(1).await;

    let stopped = Instant::now();
    sleeper.pause();
    place.database.until_count(ENDED, 1).await;
    taken_over(stopped, IDLE_IN_TRANSACTION);
    proxy.pass();
    wakes(&place, &sleeper).await;

    assert_eq!(place.database.count(&passed_by(&other)).await, 1);
}

/// One to be stopped, run as `sleeper`, and one that is there to take over.
async fn two(place: &Place, sleeper: Program) -> (Process, Process) {
    (place.launch_as(sleeper, "sleeper", SHORT).await, place.launch("other", SHORT).await)
}

fn taken_over(stopped: Instant, latest: Duration) {
    let took = stopped.elapsed();
    report("postgres", format!("SIGSTOP with a lease of {SHORT:?}, until another has finished"), 1, Some(0), &[took]);
    assert!(took < latest + SLACK, "it was taken over and ended after {took:?}");
}

/// It wakes, finds out, works again, and has changed nothing.
async fn wakes(place: &Place, sleeper: &Process) {
    let history = "SELECT workflow_uuid, function_id, output, completed_at_epoch_ms FROM dbos.operation_outputs
                    WHERE workflow_uuid = 'walk' ORDER BY 2";
    let before = place.database.query(history).await;
    sleeper.resume();
    sleeper.wait_for_line_number(2, "executor").await;
    place.ask("sleeper", "walk-after");
    place.database.until_count(ENDED, 2).await;
    assert_eq!(place.database.query(history).await, before);
    place.assert_each_passed_once(2).await;
}

fn passed_by(process: &Process) -> String {
    format!("SELECT count(*) FROM passed WHERE workflow = 'walk' AND process = {}", process.id())
}
