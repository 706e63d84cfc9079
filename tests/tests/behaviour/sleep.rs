//! Time: sleeps that outlive the process, and what a replay is told the time was.

use std::time::{Duration, SystemTime};

use dbos::{Clock, DBOS, Error, Result, Topic, step, workflow};
use dbos_testkit::board::{open, pass, ran, reached, runs_of, unique};
use dbos_testkit::{App, Database, behaviours};
use uuid::Uuid;

use crate::app::{config, launched_with, rewind, steps};

behaviours! { sleep:
    a_month_takes_no_time_on_a_manual_clock,
    on_a_clock_that_skips_waits_they_pass_in_their_order,
    on_a_clock_that_skips_waits_many_end_before_a_later_instant,
    a_message_comes_before_the_time_out_that_is_skipped,
    nothing_is_skipped_while_a_step_runs,
    a_clock_that_is_held_skips_nothing,
    a_deadline_comes_before_the_wait_that_it_cuts_short,
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
    (launched_with(&clock, database).await, clock)
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

const MAIL: Topic<String> = Topic::new("mail");

#[workflow]
async fn sleeps_for(days: u32) -> Result<SystemTime> {
    DBOS::sleep(DAY * days).await;
    Ok(DBOS::now().await)
}

/// Waits for itself, for a message and for a child, thirty days in all.
#[workflow]
async fn sleeps_in_turns() -> Result<[SystemTime; 4]> {
    let begin = DBOS::now().await;
    let child = DBOS::start_workflow(sleeps_for(5)).await?;
    DBOS::sleep(DAY * 3).await;
    let awake = DBOS::now().await;
    let child = child.result().await?;
    DBOS::recv(MAIL, DAY * 25).await?;
    Ok([begin, awake, child, DBOS::now().await])
}

async fn on_a_clock_that_skips_waits_they_pass_in_their_order(database: Database) {
    let app = launched_with(&Clock::skipping_waits(), &database).await;

    let [begin, awake, child, end] = app.run(sleeps_in_turns()).await.unwrap();

    let days = [awake, child, end].map(|instant| instant.duration_since(begin).unwrap().as_secs() / DAY.as_secs());
    assert_eq!(days, [3, 5, 30]);
}

#[workflow]
async fn waits_for_sleepers(sleepers: u32) -> Result<usize> {
    let mut asleep = Vec::new();
    for days in 1..=sleepers {
        asleep.push(DBOS::start_workflow(sleeps_for(days)).await?);
    }
    DBOS::race_all(&asleep).await?.1?;
    Ok(dbos::select! {
        awake = DBOS::wait_all(&asleep) => awake.len(),
        () = DBOS::sleep(DAY * (sleepers + 1)) => 0,
    })
}

async fn on_a_clock_that_skips_waits_many_end_before_a_later_instant(database: Database) {
    let app = launched_with(&Clock::skipping_waits(), &database).await;

    assert_eq!(app.run(waits_for_sleepers(30)).await.unwrap(), 30);
}

#[workflow]
async fn sleeps_until_mail() -> Result<(Option<String>, SystemTime)> {
    let mail = DBOS::recv(MAIL, DAY * 30).await?;
    Ok((mail, DBOS::now().await))
}

#[workflow]
async fn sleeps_and_writes() -> Result<SystemTime> {
    DBOS::sleep(DAY).await;
    let sent = DBOS::now().await;
    DBOS::send("reader", "hello", MAIL).await?;
    Ok(sent)
}

async fn a_message_comes_before_the_time_out_that_is_skipped(database: Database) {
    let clock = Clock::skipping_waits();
    let app = launched_with(&clock, &database).await;
    let held = clock.hold();

    let (reader, writer) = app
        .run(async {
            let reader = DBOS::start_workflow(sleeps_until_mail()).workflow_id("reader").await.unwrap();
            (reader, DBOS::start_workflow(sleeps_and_writes()).workflow_id("writer").await.unwrap())
        })
        .await;
    drop(held);

    let (mail, read) = reader.result().await.unwrap();
    assert_eq!(mail.as_deref(), Some("hello"));
    assert!(read.duration_since(writer.result().await.unwrap()).unwrap() < DAY);
}

#[step]
async fn sleep_step_at_gate(gate: String) {
    pass(&gate).await;
}

#[workflow]
async fn sleeps_not(gate: String) -> Result<SystemTime> {
    sleep_step_at_gate(gate).await;
    Ok(DBOS::now().await)
}

async fn nothing_is_skipped_while_a_step_runs(database: Database) {
    let clock = Clock::skipping_waits();
    let app = launched_with(&clock, &database).await;
    let (begin, gate) = (clock.now_ms(), unique("gate"));
    let busy = app.run(async { DBOS::start_workflow(sleeps_not(gate.clone())).await.unwrap() }).await;
    reached(&gate).await;
    let asleep_one = app.run(async { DBOS::start_workflow(sleeps_for(30)).await.unwrap() }).await;
    asleep(&database, 1).await;

    assert_eq!(clock.now_ms(), begin);
    open(&gate);

    let (busy, asleep) = (busy.result().await.unwrap(), asleep_one.result().await.unwrap());
    assert!(asleep.duration_since(busy).unwrap() >= DAY * 30);
}

async fn a_clock_that_is_held_skips_nothing(database: Database) {
    let clock = Clock::skipping_waits();
    let app = launched_with(&clock, &database).await;
    let held = clock.hold();
    let reader =
        app.run(async { DBOS::start_workflow(sleeps_until_mail()).workflow_id("reader").await.unwrap() }).await;
    asleep(&database, 1).await;

    app.run(async { DBOS::send("reader", "hello", MAIL).await.unwrap() }).await;
    assert_eq!(reader.result().await.unwrap().0.as_deref(), Some("hello"));
    drop(held);

    let late = app.run(sleeps_until_mail()).await.unwrap();
    assert_eq!(late.0, None, "nobody writes, and thirty days pass");
}

async fn a_deadline_comes_before_the_wait_that_it_cuts_short(database: Database) {
    let clock = Clock::skipping_waits();
    let app = launched_with(&clock, &database).await;
    let begin = clock.now_ms();

    let cut_short = app.run(sleeps_for(30).timeout(DAY)).await;

    assert!(matches!(cut_short, Err(Error::Cancelled { .. })), "{cut_short:?}");
    assert_eq!(clock.now_ms() - begin, i64::try_from(DAY.as_millis()).unwrap());
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
