//! Workflows that move from one database to another.

use std::time::Duration;

use dbos::{DBOS, Error, Event, Result, Topic, step, workflow};
use dbos_testkit::{App, Database, behaviours};
use serde_json::json;

use crate::app::config;

behaviours! { import:
    an_imported_workflow_is_as_it_was,
    a_cancelled_workflow_goes_on_in_another_database,
    what_is_imported_takes_no_id_that_is_taken,
    what_has_not_ended_is_not_imported,
}

const WORD: Topic<String> = Topic::new("word");
const STATE: Event<String> = Event::new("state");

#[step]
async fn imported_step(fails: bool) -> Result<String> {
    if fails { Err(Error::new("it was to fail")) } else { Ok("done".to_owned()) }
}

#[workflow]
async fn imported_child() -> Result<u32> {
    Ok(7)
}

#[workflow]
async fn imported(name: String) -> Result<String> {
    imported_step(true).await.ok();
    imported_step(false).await?;
    DBOS::set_event(STATE, "waits").await?;
    let word = DBOS::recv(WORD, Duration::from_hours(1)).await?;
    DBOS::set_event(STATE, "ends").await?;
    let number = imported_child().await?;
    Ok(format!("{name} {} {number}", word.unwrap_or_default()))
}

/// What a database has of its workflows, but for what tells of the execution and of the import.
const EVERYTHING: [&str; 7] = [
    "SELECT workflow_uuid, status, name, authenticated_user, assumed_role, authenticated_roles, request, executor_id,
            created_at, updated_at, application_version, application_id, class_name, config_name, recovery_attempts,
            queue_name, workflow_timeout_ms, workflow_deadline_epoch_ms, started_at_epoch_ms, priority,
            queue_partition_key, forked_from, was_forked_from, owner_xid, parent_workflow_id, serialization,
            completed_at, CAST(attributes AS TEXT), schedule_name, application_name
       FROM dbos.workflow_status ORDER BY workflow_uuid",
    "SELECT workflow_uuid, inputs FROM dbos.workflow_input ORDER BY workflow_uuid",
    "SELECT workflow_uuid, output, error FROM dbos.workflow_output ORDER BY workflow_uuid",
    "SELECT workflow_uuid, function_id, function_name, output, error, child_workflow_id, started_at_epoch_ms,
            completed_at_epoch_ms, serialization, application_name
       FROM dbos.operation_outputs ORDER BY workflow_uuid, function_id",
    "SELECT * FROM dbos.workflow_events ORDER BY workflow_uuid, key",
    "SELECT * FROM dbos.workflow_events_history ORDER BY workflow_uuid, function_id",
    "SELECT * FROM dbos.notifications ORDER BY message_uuid",
];

async fn everything(database: &Database) -> Vec<Vec<Vec<Option<String>>>> {
    let mut rows = Vec::new();
    for query in EVERYTHING {
        rows.push(database.query(query).await);
    }
    rows
}

async fn ended(app: &App, id: &str) {
    let started = imported("ann".to_owned()).attributes(json!({ "customer": "ann" })).workflow_id(id).start();
    let handle = app.run(async { started.await.unwrap() }).await;
    app.run(async { DBOS::send(id, "hello", WORD).await.unwrap() }).await;
    assert_eq!(handle.result().await.unwrap(), "ann hello 7");
}

async fn exported(app: &App, id: &str) -> String {
    app.run(async { DBOS::export_workflow(id).await.unwrap() }).await
}

async fn an_imported_workflow_is_as_it_was(database: Database) {
    let app = App::launch(config(&database)).await;
    ended(&app, "w").await;
    let elsewhere = Database::fresh(database.backend()).await;
    let other = App::launch(config(&elsewhere)).await;

    let export = exported(&app, "w").await;
    let ids = other.run(async { DBOS::import_workflows(export.clone()).await.unwrap() }).await;

    assert_eq!(ids, ["w", "w-7"]);
    assert_eq!(everything(&elsewhere).await, everything(&database).await);
    assert_eq!(other.result::<Result<String>>("w").await.unwrap(), "ann hello 7");
    assert_eq!(exported(&other, "w").await, export);
    other.run(async { DBOS::rewind_workflow("w", 4).await.unwrap() }).await;
    assert_eq!(other.result::<Result<String>>("w").await.unwrap(), "ann hello 7");
}

async fn a_cancelled_workflow_goes_on_in_another_database(database: Database) {
    let app = App::launch(config(&database)).await;
    app.run(async { DBOS::start_workflow(imported("bob".to_owned())).workflow_id("w").await.unwrap() }).await;
    assert_eq!(app.run(async { DBOS::get_event("w", STATE).await.unwrap() }).await.as_deref(), Some("waits"));
    app.run(async { DBOS::cancel_workflow("w").await.unwrap() }).await;
    let elsewhere = Database::fresh(database.backend()).await;
    let other = App::launch(config(&elsewhere)).await;

    let export = exported(&app, "w").await;
    other.run(async { DBOS::import_workflows(export).await.unwrap() }).await;
    other.run(async { DBOS::resume_workflow("w").await.unwrap() }).await;
    other.run(async { DBOS::send("w", "again", WORD).await.unwrap() }).await;

    assert_eq!(other.result::<Result<String>>("w").await.unwrap(), "bob again 7");
}

async fn what_is_imported_takes_no_id_that_is_taken(database: Database) {
    let app = App::launch(config(&database)).await;
    ended(&app, "w").await;
    let export = exported(&app, "w").await;
    app.run(async { DBOS::delete_workflow("w").await.unwrap() }).await;
    let before = everything(&database).await;

    let refused = app.run(async { DBOS::import_workflows(export).await.unwrap_err() }).await;

    assert_eq!(refused.to_string(), "workflow `w-7` was started before; use another id, or attach to it");
    assert_eq!(everything(&database).await, before, "all or none");
    let refused = app.run(async { DBOS::import_workflows("{}").await.unwrap_err() }).await;
    assert!(refused.to_string().contains("no file of `workflow export`"), "{refused}");
}

async fn what_has_not_ended_is_not_imported(database: Database) {
    let app = App::launch(config(&database)).await;
    app.run(async { DBOS::start_workflow(imported("eve".to_owned())).workflow_id("w").await.unwrap() }).await;
    app.run(async { DBOS::get_event("w", STATE).await.unwrap() }).await;
    let export = exported(&app, "w").await;
    let elsewhere = Database::fresh(database.backend()).await;
    let other = App::launch(config(&elsewhere)).await;

    let refused = other.run(async { DBOS::import_workflows(export).await.unwrap_err() }).await;

    assert_eq!(refused.to_string(), "workflow `w` has not ended, it is PENDING; cancel it first");
    assert_eq!(elsewhere.count("SELECT count(*) FROM dbos.workflow_status").await, 0);
}
