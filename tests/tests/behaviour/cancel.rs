//! Cancelling, by hand and by the clock.

use std::time::Duration;

use dbos::{Clock, DBOS, Error, Result, Status, step, workflow};
use dbos_testkit::board::{open, pass, ran, reached, runs_of, unique};
use dbos_testkit::{App, Database, behaviours};

use crate::app::{config, steps};

behaviours! { cancel:
    a_cancelled_workflow_stops_at_once,
    a_workflow_that_blocks_stops_at_its_next_durable_call,
    an_ended_workflow_cannot_be_cancelled,
    nobody_cannot_be_cancelled,
    a_cancelled_workflow_is_not_recovered,
    another_engine_can_cancel,
    a_timeout_cancels,
    a_timeout_is_not_extended_by_a_crash,
    a_timeout_that_passed_while_nobody_ran_cancels_at_once,
    a_timeout_of_the_function_holds_unless_another_is_given,
    a_workflow_in_time_is_not_cancelled,
}

const HOUR: Duration = Duration::from_secs(3600);

#[step]
async fn cancel_note(name: &str) {
    ran(name);
}

#[step]
async fn cancel_waits(gate: &str) {
    pass(gate).await;
}

#[workflow]
async fn cancellable(name: String) -> Result<()> {
    cancel_note(&name).await;
    cancel_waits(&name).await;
    cancel_note(&name).await;
    Ok(())
}

async fn a_cancelled_workflow_stops_at_once(database: Database) {
    let app = App::launch(config(&database)).await;
    let name = unique("cancel");
    let handle =
        app.run(async { DBOS::start_workflow(cancellable(name.clone())).workflow_id("c").await.unwrap() }).await;
    reached(&name).await;

    app.run(async { DBOS::cancel_workflow("c").await.unwrap() }).await;

    let error = handle.result().await.unwrap_err();
    assert!(matches!(&error, Error::Cancelled { workflow } if workflow == "c"), "{error}");
    open(&name);
    assert_eq!(handle.status().await.unwrap().unwrap().status, Some(Status::Cancelled));
    assert_eq!((runs_of(&name), steps(&database, "c").await.len()), (1, 1));
}

#[workflow]
async fn cancel_blocks(name: String) -> Result<()> {
    pass(&name).await;
    // What the run does between two durable calls is its own affair; the next call is the end of it.
    let freed = format!("{name}-freed");
    tokio::task::block_in_place(|| {
        while runs_of(&freed) == 0 {
            std::thread::yield_now();
        }
    });
    cancel_note(&name).await;
    ran(&name);
    Ok(())
}

async fn a_workflow_that_blocks_stops_at_its_next_durable_call(database: Database) {
    let app = App::launch(config(&database)).await;
    let name = unique("blocks");
    open(&name);
    let handle =
        app.run(async { DBOS::start_workflow(cancel_blocks(name.clone())).workflow_id("b").await.unwrap() }).await;
    reached(&name).await;

    app.run(async { DBOS::cancel_workflow("b").await.unwrap() }).await;
    ran(&format!("{name}-freed"));

    assert!(matches!(handle.result().await, Err(Error::Cancelled { .. })));
    app.engine.shutdown().await;
    assert_eq!((runs_of(&name), steps(&database, "b").await), (0, Vec::new()));
}

async fn an_ended_workflow_cannot_be_cancelled(database: Database) {
    let app = App::launch(config(&database)).await;
    let name = unique("cancel");
    open(&name);

    app.run(async {
        cancellable(name.clone()).workflow_id("c").await.unwrap();
        DBOS::cancel_workflow("c").await.unwrap();
        cancellable(name.clone()).workflow_id("c").await.unwrap();
    })
    .await;

    assert_eq!(database.value("SELECT status FROM dbos.workflow_status").await.as_deref(), Some("SUCCESS"));
}

async fn nobody_cannot_be_cancelled(database: Database) {
    let app = App::launch(config(&database)).await;

    let error = app.run(async { DBOS::cancel_workflow("nobody").await.unwrap_err() }).await;

    assert!(matches!(error, Error::NonExistentWorkflow { .. }), "{error}");
}

async fn a_cancelled_workflow_is_not_recovered(database: Database) {
    let mut app = App::launch(config(&database)).await;
    let name = unique("cancel");
    app.run(async { DBOS::start_workflow(cancellable(name.clone())).workflow_id("c").await.unwrap() }).await;
    reached(&name).await;
    app.run(async { DBOS::cancel_workflow("c").await.unwrap() }).await;

    app.crash_and_relaunch().await;
    open(&name);

    assert!(matches!(app.result::<Result<()>>("c").await, Err(Error::Cancelled { .. })));
    assert_eq!(runs_of(&name), 1);
}

struct TellsItsEnd(String);

impl Drop for TellsItsEnd {
    fn drop(&mut self) {
        open(&self.0);
    }
}

#[workflow]
async fn cancellable_with_guard(name: String) -> Result<()> {
    let _guard = TellsItsEnd(format!("{name}-dropped"));
    cancel_waits(&name).await;
    cancel_note(&name).await;
    Ok(())
}

async fn another_engine_can_cancel(database: Database) {
    let app = App::launch(config(&database)).await;
    let other = App::launch(config(&database)).await;
    let name = unique("cancel");
    app.run(async { DBOS::start_workflow(cancellable_with_guard(name.clone())).workflow_id("c").await.unwrap() }).await;
    reached(&name).await;

    other.run(async { DBOS::cancel_workflow("c").await.unwrap() }).await;

    // The gate stays closed: only being cancelled ends the run.
    pass(&format!("{name}-dropped")).await;
    assert_eq!((runs_of(&name), steps(&database, "c").await.len()), (0, 0));
}

async fn launch(database: &Database) -> (App, Clock) {
    let clock = Clock::manual();
    let mut settings = config(database);
    settings.clock = Some(clock.clone());
    (App::launch(settings).await, clock)
}

async fn a_timeout_cancels(database: Database) {
    let (app, clock) = launch(&database).await;
    let name = unique("timeout");
    let handle = app
        .run(async { DBOS::start_workflow(cancellable(name.clone())).workflow_id("t").timeout(HOUR).await.unwrap() })
        .await;
    reached(&name).await;

    clock.advance(HOUR);

    assert!(matches!(handle.result().await, Err(Error::Cancelled { .. })));
    let row = database.query("SELECT status, owner_xid FROM dbos.workflow_status").await;
    assert_eq!(row, [[Some("CANCELLED".to_owned()), None]]);
}

async fn a_timeout_is_not_extended_by_a_crash(database: Database) {
    let (mut app, clock) = launch(&database).await;
    let name = unique("timeout");
    app.run(async { DBOS::start_workflow(cancellable(name.clone())).workflow_id("t").timeout(HOUR).await.unwrap() })
        .await;
    reached(&name).await;
    clock.advance(HOUR / 2);

    app.crash_and_relaunch().await;
    clock.advance(HOUR / 2);

    assert!(matches!(app.result::<Result<()>>("t").await, Err(Error::Cancelled { .. })));
    assert_eq!(runs_of(&name), 1);
}

async fn a_timeout_that_passed_while_nobody_ran_cancels_at_once(database: Database) {
    let (mut app, clock) = launch(&database).await;
    let name = unique("timeout");
    app.run(async { DBOS::start_workflow(cancellable(name.clone())).workflow_id("t").timeout(HOUR).await.unwrap() })
        .await;
    reached(&name).await;

    app.crash().await;
    clock.advance(2 * HOUR);
    open(&name);
    app.relaunch().await;

    assert!(matches!(app.result::<Result<()>>("t").await, Err(Error::Cancelled { .. })));
    assert_eq!(runs_of(&name), 1);
}

#[workflow(timeout = "1h")]
async fn cancel_in_an_hour(name: String) -> Result<()> {
    cancel_waits(&name).await;
    Ok(())
}

async fn a_timeout_of_the_function_holds_unless_another_is_given(database: Database) {
    let (app, clock) = launch(&database).await;
    let name = unique("timeout");
    let (short, long) = app
        .run(async {
            let long = DBOS::start_workflow(cancel_in_an_hour(name.clone())).timeout(3 * HOUR).await.unwrap();
            (DBOS::start_workflow(cancel_in_an_hour(name.clone())).await.unwrap(), long)
        })
        .await;
    reached(&name).await;

    clock.advance(2 * HOUR);
    assert!(matches!(short.result().await, Err(Error::Cancelled { .. })));
    open(&name);

    long.result().await.unwrap();
}

async fn a_workflow_in_time_is_not_cancelled(database: Database) {
    let (app, clock) = launch(&database).await;
    let name = unique("timeout");
    open(&name);

    let result = app.run(async { cancellable(name.clone()).timeout(HOUR).await }).await;
    clock.advance(2 * HOUR);

    result.unwrap();
    assert_eq!(database.value("SELECT status FROM dbos.workflow_status").await.as_deref(), Some("SUCCESS"));
}
