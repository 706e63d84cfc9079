//! Time: sleeps that outlive the process, and what a replay is told the time was.

use std::time::{Duration, SystemTime};

use dbos::{Clock, DBOS, Result, step, workflow};
use dbos_testkit::board::{open, pass, ran, reached, runs_of, unique};
use dbos_testkit::{App, Database, behaviours};
use uuid::Uuid;

use crate::app::{config, rewind, steps};

behaviours! { sleep:
    a_month_takes_no_time_on_a_manual_clock,
    a_crash_does_not_extend_a_sleep,
    a_sleep_that_is_over_returns_at_once_after_a_crash,
    time_ids_and_randomness_replay_equal,
    sleeps_run_side_by_side,
    a_sleep_in_a_step_is_not_recorded,
}

const DAY: Duration = Duration::from_secs(24 * 3600);

#[step]
async fn sleep_note(name: &str) {
    ran(name);
}

#[workflow]
async fn sleeps(name: String, days: u32) -> Result<()> {
    sleep_note(&name).await;
    DBOS::sleep(DAY * days).await;
    sleep_note(&name).await;
    Ok(())
}

async fn asleep(database: &Database, timers: i64) {
    let rows = "SELECT count(*) FROM dbos.operation_outputs WHERE function_name = 'DBOS.sleep'";
    while database.count(rows).await < timers {
        tokio::task::yield_now().await;
    }
}

async fn launch(database: &Database) -> (App, Clock) {
    let clock = Clock::manual();
    let mut settings = config(database);
    settings.clock = Some(clock.clone());
    (App::launch(settings).await, clock)
}

async fn a_month_takes_no_time_on_a_manual_clock(database: Database) {
    let (app, clock) = launch(&database).await;
    let name = unique("sleeps");
    let handle =
        app.run(async { DBOS::start_workflow(sleeps(name.clone(), 30)).workflow_id("s").await.unwrap() }).await;
    asleep(&database, 1).await;

    clock.advance(DAY * 29);
    assert_eq!(runs_of(&name), 1);
    clock.advance(DAY);

    handle.result().await.unwrap();
    assert_eq!(runs_of(&name), 2);
}

async fn a_crash_does_not_extend_a_sleep(database: Database) {
    let (mut app, clock) = launch(&database).await;
    let name = unique("sleeps");
    app.run(async { DBOS::start_workflow(sleeps(name.clone(), 30)).workflow_id("s").await.unwrap() }).await;
    asleep(&database, 1).await;
    let planned = database.value("SELECT output FROM dbos.operation_outputs WHERE function_id = 2").await;

    for _ in 0..3 {
        clock.advance(DAY * 10);
        app.crash_and_relaunch().await;
    }

    app.result::<Result<()>>("s").await.unwrap();
    assert_eq!(database.value("SELECT output FROM dbos.operation_outputs WHERE function_id = 2").await, planned);
    assert_eq!(runs_of(&name), 2);
}

async fn a_sleep_that_is_over_returns_at_once_after_a_crash(database: Database) {
    let (mut app, clock) = launch(&database).await;
    let name = unique("sleeps");
    app.run(async { DBOS::start_workflow(sleeps(name.clone(), 1)).workflow_id("s").await.unwrap() }).await;
    asleep(&database, 1).await;

    app.crash().await;
    clock.advance(DAY * 100);
    app.relaunch().await;

    app.result::<Result<()>>("s").await.unwrap();
}

#[workflow]
async fn sleep_looks_around() -> Result<(SystemTime, Uuid, f64)> {
    Ok((DBOS::now().await, DBOS::uuid().await, DBOS::random().await))
}

async fn time_ids_and_randomness_replay_equal(database: Database) {
    let (mut app, clock) = launch(&database).await;
    let first = app.run(async { sleep_looks_around().workflow_id("l").await.unwrap() }).await;

    app.crash().await;
    rewind(&database, "l", "1 = 1").await;
    clock.advance(DAY);
    app.relaunch().await;
    let replayed = app.result::<Result<(SystemTime, Uuid, f64)>>("l").await.unwrap();

    assert_eq!(replayed, first);
    let names = ["DBOS.now", "DBOS.randomUUID", "DBOS.random"];
    assert_eq!(steps(&database, "l").await, (1..).zip(names.map(str::to_owned)).collect::<Vec<_>>());
}

#[workflow]
async fn sleeps_twice() -> Result<()> {
    tokio::join!(DBOS::sleep(DAY * 2), DBOS::sleep(DAY * 2));
    Ok(())
}

async fn sleeps_run_side_by_side(database: Database) {
    let (app, clock) = launch(&database).await;
    let handle = app.run(async { DBOS::start_workflow(sleeps_twice()).workflow_id("s").await.unwrap() }).await;
    asleep(&database, 2).await;

    clock.advance(DAY * 2);

    handle.result().await.unwrap();
}

#[step]
async fn sleep_in_a_step(name: &str) {
    DBOS::sleep(Duration::from_millis(1)).await;
    pass(name).await;
}

#[workflow]
async fn sleep_in_steps(name: String) -> Result<()> {
    sleep_in_a_step(&name).await;
    Ok(())
}

async fn a_sleep_in_a_step_is_not_recorded(database: Database) {
    let app = App::launch(config(&database)).await;
    let name = unique("sleeps");

    app.run(async {
        let handle = DBOS::start_workflow(sleep_in_steps(name.clone())).workflow_id("s").await.unwrap();
        reached(&name).await;
        open(&name);
        handle.result().await.unwrap();
    })
    .await;

    assert_eq!(steps(&database, "s").await, [(1, "sleep_in_a_step".to_owned())]);
}
