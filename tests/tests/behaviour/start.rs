//! Starting, awaiting, attaching, replaying.

use dbos::{DBOS, Error, IdReuse, Result, step, workflow};
use dbos_testkit::board::{open, pass, ran, reached, runs_of, unique};
use dbos_testkit::{App, Database, behaviours};

use crate::app::{config, rewind};

behaviours! { start:
    a_workflow_runs_and_gives_its_result,
    the_same_id_runs_once,
    another_function_under_the_same_id_is_refused,
    a_start_that_wants_an_id_of_its_own_is_refused,
    a_child_that_wants_an_id_of_its_own_is_refused_on_replay_too,
    an_unusable_id_is_refused_before_anything_happens,
    nobody_can_be_awaited_who_does_not_exist,
    a_finished_step_is_not_run_again_after_a_crash,
    a_panic_is_the_workflows_error,
    a_fresh_run_of_n_steps_leaves_n_rows,
    a_caller_that_goes_away_leaves_a_running_workflow,
    a_waiter_is_told_when_the_engine_stops,
}

#[step]
async fn double(name: &str, n: i64) -> Result<i64> {
    ran(name);
    Ok(n * 2)
}

#[workflow]
async fn doubled(name: String, n: i64) -> Result<i64> {
    double(&name, n).await
}

#[workflow]
async fn other(n: i64) -> Result<i64> {
    Ok(n)
}

async fn a_workflow_runs_and_gives_its_result(database: Database) {
    let app = App::launch(config(&database)).await;
    let name = unique("double");

    let result = app.run(async { doubled(name.clone(), 21).await }).await;

    assert_eq!(result.unwrap(), 42);
    assert_eq!(runs_of(&name), 1);
    assert_eq!(database.count("SELECT count(*) FROM dbos.workflow_status WHERE status = 'SUCCESS'").await, 1);
}

async fn the_same_id_runs_once(database: Database) {
    let app = App::launch(config(&database)).await;
    let name = unique("double");

    app.run(async {
        let first = DBOS::start_workflow(doubled(name.clone(), 1)).workflow_id("same").await.unwrap();
        let second = DBOS::start_workflow(doubled(name.clone(), 5)).workflow_id("same").await.unwrap();
        assert_eq!(first.result().await.unwrap(), 2);
        assert_eq!(second.result().await.unwrap(), 2);
    })
    .await;

    assert_eq!(runs_of(&name), 1);
}

async fn another_function_under_the_same_id_is_refused(database: Database) {
    let app = App::launch(config(&database)).await;

    app.run(async {
        other(1).workflow_id("taken").await.unwrap();
        let refused = doubled(unique("never"), 1).workflow_id("taken").await.unwrap_err();
        assert!(matches!(refused, Error::ConflictingWorkflow { .. }), "{refused}");
    })
    .await;
}

async fn a_start_that_wants_an_id_of_its_own_is_refused(database: Database) {
    let app = App::launch(config(&database)).await;
    let name = unique("double");

    app.run(async {
        let first = doubled(name.clone(), 1).workflow_id("own").id_reuse(IdReuse::Reject).await;
        let start = DBOS::start_workflow(doubled(name.clone(), 1)).workflow_id("own");
        let second = start.id_reuse(IdReuse::Reject).await.unwrap_err();

        assert_eq!(first.unwrap(), 2);
        assert!(matches!(&second, Error::AlreadyStarted { workflow } if workflow == "own"), "{second}");
    })
    .await;
    assert_eq!(runs_of(&name), 1);
}

#[workflow]
async fn insists_on_a_child_of_its_own(name: String) -> Result<i64> {
    let refused = doubled(name.clone(), 1).workflow_id("own").id_reuse(IdReuse::Reject).await;
    assert!(matches!(refused, Err(Error::AlreadyStarted { .. })), "{refused:?}");
    pass(&name).await;
    doubled(name, 2).await
}

async fn a_child_that_wants_an_id_of_its_own_is_refused_on_replay_too(database: Database) {
    let mut app = App::launch(config(&database)).await;
    let name = unique("double");
    app.run(async {
        doubled(name.clone(), 1).workflow_id("own").await.unwrap();
        DBOS::start_workflow(insists_on_a_child_of_its_own(name.clone())).workflow_id("parent").await.unwrap();
    })
    .await;
    reached(&name).await;

    app.crash_and_relaunch().await;
    open(&name);

    assert_eq!(app.result::<Result<i64>>("parent").await.unwrap(), 4);
    assert_eq!(runs_of(&name), 2);
}

#[workflow]
async fn awaits(id: String) -> Result<i64> {
    DBOS::retrieve_workflow::<Result<i64>>(id)?.result().await
}

async fn nobody_can_be_awaited_who_does_not_exist(database: Database) {
    let mut app = App::launch(config(&database)).await;
    let is_nobody =
        |result: Result<i64>| matches!(result, Err(Error::NonExistentWorkflow { workflow }) if workflow == "nobody");

    assert!(is_nobody(app.result("nobody").await));
    assert!(is_nobody(app.run(async { awaits("nobody".to_owned()).workflow_id("w").await }).await));

    // A replay sees what was seen, whoever exists now.
    app.run(async { other(1).workflow_id("nobody").await.unwrap() }).await;
    app.crash().await;
    rewind(&database, "w", "1 = 1").await;
    app.relaunch().await;
    assert!(is_nobody(app.result("w").await));
}

async fn an_unusable_id_is_refused_before_anything_happens(database: Database) {
    let app = App::launch(config(&database)).await;

    app.run(async {
        for id in ["", "a\0b", &"x".repeat(256)] {
            let refused = other(1).workflow_id(id).await.unwrap_err();
            assert!(matches!(refused, Error::InvalidKey { .. }), "{refused}");
        }
    })
    .await;

    assert_eq!(database.count("SELECT count(*) FROM dbos.workflow_status").await, 0);
}

#[workflow]
async fn gated(name: String) -> Result<i64> {
    let first = double(&name, 1).await?;
    at_gate(&name).await;
    double(&name, first).await
}

#[step]
async fn at_gate(name: &str) {
    pass(name).await;
}

async fn a_finished_step_is_not_run_again_after_a_crash(database: Database) {
    let mut app = App::launch(config(&database)).await;
    let name = unique("gated");
    app.run(async { DBOS::start_workflow(gated(name.clone())).workflow_id("g").await.unwrap() }).await;
    reached(&name).await;
    assert_eq!(runs_of(&name), 1);

    app.crash_and_relaunch().await;
    open(&name);

    let result = app.run(async { DBOS::retrieve_workflow::<Result<i64>>("g").unwrap().result().await }).await;
    assert_eq!(result.unwrap(), 4);
    assert_eq!(runs_of(&name), 2);
}

#[workflow]
async fn panics() -> Result<()> {
    panic!("out of widgets")
}

async fn a_panic_is_the_workflows_error(database: Database) {
    let app = App::launch(config(&database)).await;

    let error = app.run(async { panics().workflow_id("p").await.unwrap_err() }).await;

    assert!(
        matches!(&error, Error::Panicked { message, .. } if message.contains("out of widgets") && message.contains("start.rs")),
        "{error}"
    );
}

#[workflow]
async fn many(n: i64) -> Result<i64> {
    let mut sum = 0;
    for i in 0..n {
        sum += double("many", i).await?;
    }
    Ok(sum)
}

async fn a_fresh_run_of_n_steps_leaves_n_rows(database: Database) {
    let app = App::launch(config(&database)).await;

    let sum = app.run(async { many(10).workflow_id("m").await.unwrap() }).await;

    assert_eq!(sum, 90);
    let rows =
        database.query("SELECT function_id, function_name FROM dbos.operation_outputs ORDER BY function_id").await;
    let ids: Vec<_> = rows.iter().map(|row| row[0].clone().unwrap()).collect();
    assert_eq!(ids, (1..=10).map(|id| id.to_string()).collect::<Vec<_>>());
}

async fn a_caller_that_goes_away_leaves_a_running_workflow(database: Database) {
    let app = App::launch(config(&database)).await;
    let name = unique("left");

    for attempt in 0..20 {
        let start = DBOS::start_workflow(doubled(name.clone(), 1)).workflow_id(format!("left-{attempt}"));
        let polled_once = async {
            tokio::select! {
                biased;
                _ = start => {}
                () = tokio::task::yield_now() => {}
            }
        };
        app.run(polled_once).await;
    }

    database.until_count("SELECT count(*) FROM dbos.workflow_status WHERE status = 'SUCCESS'", 20).await;
}

async fn a_waiter_is_told_when_the_engine_stops(database: Database) {
    let app = App::launch(config(&database)).await;
    let name = unique("waiter");
    let handle = app.run(async { DBOS::start_workflow(gated(name.clone())).await.unwrap() }).await;
    reached(&name).await;

    let result = handle.result();
    app.engine.hand_back().await;

    assert!(matches!(result.await, Err(Error::ShuttingDown)));
    assert_eq!(database.count("SELECT count(*) FROM dbos.workflow_status WHERE owner_xid IS NULL").await, 1);
}
