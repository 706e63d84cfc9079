//! Children: workflows that workflows start.

use std::time::Duration;

use dbos::{Clock, DBOS, Error, Result, step, workflow};
use dbos_testkit::board::{open, pass, ran, reached, runs_of, unique};
use dbos_testkit::{App, Database, behaviours};
use serde::{Deserialize, Serialize};

use crate::app::{config, launched_with, steps};

behaviours! { children:
    a_child_is_named_after_its_parents_step,
    an_awaited_child_takes_two_steps_and_a_started_one_takes_one,
    a_stranger_with_the_childs_id_never_stops_it within 120,
    a_sibling_with_the_childs_id_never_stops_it,
    a_child_with_a_given_id_attaches_to_who_has_it,
    another_function_under_a_given_id_is_refused_and_recorded,
    a_childs_typed_error_comes_through,
    a_childs_panic_is_the_parents_error_to_handle,
    a_crash_recovers_parent_and_child,
    a_finished_child_is_not_run_again,
    a_child_inherits_its_parents_deadline,
    a_child_may_have_less_time_than_its_parent,
}

#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
enum ChildError {
    #[error("only {left} left")]
    SoldOut { left: u32 },
    #[error(transparent)]
    Dbos(#[from] Error),
}

#[step]
async fn child_step(name: &str) {
    ran(name);
}

#[step]
async fn child_waits(gate: &str) {
    pass(gate).await;
}

#[workflow]
async fn child_of(name: String) -> Result<String> {
    child_step(&name).await;
    Ok(DBOS::workflow_id())
}

#[workflow]
async fn parent_at(name: String, before: u32) -> Result<String> {
    for _ in 0..before {
        child_step("before").await;
    }
    child_of(name).await
}

async fn a_child_is_named_after_its_parents_step(database: Database) {
    let app = App::launch(config(&database)).await;

    let id = app.run(async { parent_at(unique("child"), 6).workflow_id("KEY").await.unwrap() }).await;

    assert_eq!(id, "KEY-7");
    let parent =
        database.value("SELECT parent_workflow_id FROM dbos.workflow_status WHERE workflow_uuid = 'KEY-7'").await;
    assert_eq!(parent.as_deref(), Some("KEY"));
}

#[workflow]
async fn parent_of_three(name: String) -> Result<Vec<String>> {
    let awaited = child_of(name.clone()).await?;
    let started = DBOS::start_workflow(child_of(name.clone())).await?;
    let also = child_of(name.clone()).start().await?;
    child_step("between").await;
    Ok(vec![awaited, started.result().await?, also.result().await?])
}

async fn an_awaited_child_takes_two_steps_and_a_started_one_takes_one(database: Database) {
    let app = App::launch(config(&database)).await;

    let ids = app.run(async { parent_of_three(unique("child")).workflow_id("p").await.unwrap() }).await;

    assert_eq!(ids, ["p-1", "p-3", "p-4"]);
    let names =
        ["child_of", "DBOS.getResult", "child_of", "child_of", "child_step", "DBOS.getResult", "DBOS.getResult"];
    let expected: Vec<_> = (1..).zip(names.map(str::to_owned)).collect();
    assert_eq!(steps(&database, "p").await, expected);
}

#[workflow]
async fn stranger() -> Result<()> {
    Ok(())
}

async fn a_stranger_with_the_childs_id_never_stops_it(database: Database) {
    let app = App::launch(config(&database)).await;
    let name = unique("child");

    app.run(async {
        for n in 0..=11 {
            stranger().workflow_id(format!("KEY-{n}")).await.unwrap();
        }
        // The stranger may also be a run of the very same function.
        child_of(unique("stranger")).workflow_id("SAME-1").await.unwrap();

        for before in 0..=10 {
            // One parent after the other under the same key: a checkout that is asked for again attaches.
            let key = if before == 0 { "KEY".to_owned() } else { format!("KEY{before}") };
            for n in 0..=11 {
                stranger().workflow_id(format!("{key}-{n}")).await.unwrap();
            }
            let id = parent_at(name.clone(), before).workflow_id(key.clone()).await.unwrap();
            assert!(id.starts_with(&format!("{key}-{}-", before + 1)), "{id}");
        }
        let id = parent_at(name.clone(), 0).workflow_id("SAME").await.unwrap();
        assert!(id.starts_with("SAME-1-"), "{id}");
    })
    .await;

    assert_eq!(runs_of(&name), 12);
}

#[workflow]
async fn parent_of_siblings(name: String) -> Result<Vec<String>> {
    let own = DBOS::workflow_id();
    let first = child_of(name.clone()).workflow_id(format!("{own}-3")).await?;
    Ok(vec![first, child_of(name.clone()).await?])
}

async fn a_sibling_with_the_childs_id_never_stops_it(database: Database) {
    let app = App::launch(config(&database)).await;
    let name = unique("child");

    let ids = app.run(async { parent_of_siblings(name.clone()).workflow_id("p").await.unwrap() }).await;

    assert_eq!(ids[0], "p-3");
    assert!(ids[1].starts_with("p-3-"), "{ids:?}");
    assert_eq!(runs_of(&name), 2);
}

#[workflow]
async fn parent_of_named(name: String) -> Result<String> {
    child_of(name).workflow_id("shared").await
}

async fn a_child_with_a_given_id_attaches_to_who_has_it(database: Database) {
    let app = App::launch(config(&database)).await;
    let name = unique("child");

    app.run(async {
        assert_eq!(parent_of_named(name.clone()).await.unwrap(), "shared");
        assert_eq!(parent_of_named(name.clone()).await.unwrap(), "shared");
    })
    .await;

    assert_eq!(runs_of(&name), 1);
}

async fn another_function_under_a_given_id_is_refused_and_recorded(database: Database) {
    let app = App::launch(config(&database)).await;

    let error = app
        .run(async {
            stranger().workflow_id("shared").await.unwrap();
            parent_of_named(unique("child")).workflow_id("p").await.unwrap_err()
        })
        .await;

    assert!(matches!(&error, Error::ConflictingWorkflow { recorded, .. } if recorded == "stranger"), "{error}");
    assert_eq!(database.count("SELECT count(*) FROM dbos.operation_outputs WHERE error IS NOT NULL").await, 1);
}

#[workflow]
async fn sells(left: u32) -> Result<(), ChildError> {
    Err(ChildError::SoldOut { left })
}

#[workflow]
async fn asks_to_sell() -> Result<String, ChildError> {
    match sells(3).await {
        Err(ChildError::SoldOut { left }) => Ok(format!("{left} left")),
        other => other.map(|()| String::new()),
    }
}

async fn a_childs_typed_error_comes_through(database: Database) {
    let app = App::launch(config(&database)).await;

    let said = app.run(async { asks_to_sell().await.unwrap() }).await;

    assert_eq!(said, "3 left");
}

#[workflow]
async fn child_panics() -> Result<(), ChildError> {
    panic!("the shelf fell")
}

#[workflow]
async fn parent_of_panic() -> Result<String, ChildError> {
    match child_panics().await {
        Err(ChildError::Dbos(Error::Panicked { workflow, message })) => Ok(format!("{workflow}: {message}")),
        other => other.map(|()| String::new()),
    }
}

async fn a_childs_panic_is_the_parents_error_to_handle(database: Database) {
    let app = App::launch(config(&database)).await;

    let said = app.run(async { parent_of_panic().workflow_id("p").await.unwrap() }).await;

    assert!(said.starts_with("p-1: the shelf fell, at "), "{said}");
}

#[workflow]
async fn child_at_gate(gate: String) -> Result<u32> {
    let runs = ran(&gate);
    child_waits(&gate).await;
    Ok(runs)
}

#[workflow]
async fn parent_of_waiting(gate: String) -> Result<u32> {
    ran(&format!("{gate}-parent"));
    child_at_gate(gate).await
}

async fn a_crash_recovers_parent_and_child(database: Database) {
    let mut config = config(&database);
    // A parent that left memory would be counted once more.
    config.park_after = Duration::ZERO;
    let mut app = App::launch(config).await;
    let gate = unique("gate");
    app.run(async { DBOS::start_workflow(parent_of_waiting(gate.clone())).workflow_id("p").await.unwrap() }).await;
    reached(&gate).await;

    app.crash_and_relaunch().await;
    open(&gate);

    assert_eq!(app.result::<Result<u32>>("p").await.unwrap(), 2);
    assert_eq!(runs_of(&format!("{gate}-parent")), 2);
    assert_eq!(database.count("SELECT count(*) FROM dbos.workflow_status").await, 2);
}

#[workflow]
async fn parent_that_goes_on(name: String, gate: String) -> Result<String> {
    let id = child_of(name).await?;
    child_waits(&gate).await;
    Ok(id)
}

async fn a_finished_child_is_not_run_again(database: Database) {
    let mut app = App::launch(config(&database)).await;
    let (name, gate) = (unique("child"), unique("gate"));
    app.run(async {
        DBOS::start_workflow(parent_that_goes_on(name.clone(), gate.clone())).workflow_id("p").await.unwrap()
    })
    .await;
    reached(&gate).await;

    app.crash_and_relaunch().await;
    open(&gate);

    assert_eq!(app.result::<Result<String>>("p").await.unwrap(), "p-1");
    assert_eq!(runs_of(&name), 1);
}

async fn a_child_inherits_its_parents_deadline(database: Database) {
    let clock = Clock::manual();
    let app = launched_with(&clock, &database).await;
    let gate = unique("gate");
    let handle = app
        .run(async {
            let hour = Duration::from_secs(3600);
            DBOS::start_workflow(parent_of_waiting(gate.clone())).workflow_id("p").timeout(hour).await.unwrap()
        })
        .await;
    reached(&gate).await;

    clock.advance(Duration::from_secs(3601));

    assert!(matches!(handle.result().await, Err(Error::Cancelled { .. })));
    let child = app.result::<Result<u32>>("p-1").await;
    assert!(matches!(&child, Err(Error::Cancelled { workflow }) if workflow == "p-1"), "{child:?}");
    let deadlines = "SELECT count(DISTINCT workflow_deadline_epoch_ms) FROM dbos.workflow_status";
    assert_eq!(database.count(deadlines).await, 1);
}

#[workflow]
async fn parent_in_a_hurry(gate: String) -> Result<String> {
    match child_at_gate(gate).timeout(Duration::from_secs(60)).await {
        Ok(_) => Ok("done".to_owned()),
        Err(error) => Ok(error.to_string()),
    }
}

async fn a_child_may_have_less_time_than_its_parent(database: Database) {
    let clock = Clock::manual();
    let app = launched_with(&clock, &database).await;
    let gate = unique("gate");
    let handle = app
        .run(async {
            let hour = Duration::from_secs(3600);
            DBOS::start_workflow(parent_in_a_hurry(gate.clone())).workflow_id("p").timeout(hour).await.unwrap()
        })
        .await;
    reached(&gate).await;

    clock.advance(Duration::from_secs(61));

    assert_eq!(handle.result().await.unwrap(), "workflow `p-1` was cancelled");
}
