//! What workflows are marked with, and their place in a queue.

use dbos::{DBOS, Error, Result, WorkflowFilter, WorkflowStatus, workflow};
use dbos_testkit::{App, Database, behaviours};
use serde_json::{Value, json};

use crate::app::{config, rewind, steps};

behaviours! { attributes:
    a_workflow_is_started_with_attributes,
    attributes_are_replaced_and_merged,
    attributes_that_cannot_be_are_refused,
    a_workflow_marks_others_once,
    another_place_in_the_queue_is_for_what_waits_there,
}

#[workflow]
async fn marked(number: u32) -> Result<u32> {
    Ok(number)
}

#[workflow]
async fn marks_its_child() -> Result<u32> {
    marked(1).attributes(json!({ "child": true })).await
}

async fn row(app: &App, id: &str) -> WorkflowStatus {
    app.run(async { DBOS::list_workflows(WorkflowFilter::new().id(id)).await.unwrap() }).await.remove(0)
}

async fn a_workflow_is_started_with_attributes(database: Database) {
    let app = App::launch(config(&database)).await;

    app.run(async {
        marked(1).attributes(json!({ "customer": "ann" })).workflow_id("awaited").await.unwrap();
        let started = DBOS::start_workflow(marked(2)).attributes(json!({ "customer": "bob" })).workflow_id("started");
        started.await.unwrap().result().await.unwrap();
        marks_its_child().workflow_id("mother").await.unwrap();
    })
    .await;

    assert_eq!(row(&app, "awaited").await.attributes, Some(json!({ "customer": "ann" })));
    assert_eq!(row(&app, "started").await.attributes, Some(json!({ "customer": "bob" })));
    assert_eq!(row(&app, "mother-1").await.attributes, Some(json!({ "child": true })));
    assert_eq!(row(&app, "mother").await.attributes, None);
    let filter = WorkflowFilter::new().attribute("customer", "bob");
    let found = app.run(async { DBOS::list_workflows(filter).await.unwrap() }).await;
    assert_eq!(found.iter().map(|row| row.workflow_id.as_str()).collect::<Vec<_>>(), ["started"]);
}

async fn attributes_are_replaced_and_merged(database: Database) {
    let app = App::launch(config(&database)).await;
    app.run(async { marked(1).workflow_id("w").await.unwrap() }).await;
    let attributes = async || row(&app, "w").await.attributes;

    app.run(async { DBOS::merge_attributes("w", json!({ "a": 1, "b": { "x": 1 } })).await.unwrap() }).await;
    assert_eq!(attributes().await, Some(json!({ "a": 1, "b": { "x": 1 } })));
    app.run(async { DBOS::merge_attributes("w", json!({ "b": { "y": null }, "c": "é'" })).await.unwrap() }).await;
    assert_eq!(attributes().await, Some(json!({ "a": 1, "b": { "y": null }, "c": "é'" })));
    app.run(async { DBOS::set_attributes("w", json!({ "d": 2 })).await.unwrap() }).await;
    assert_eq!(attributes().await, Some(json!({ "d": 2 })));
    database.execute("UPDATE dbos.workflow_status SET attributes = 'null'").await;
    app.run(async { DBOS::merge_attributes("w", json!({ "e": 3 })).await.unwrap() }).await;
    assert_eq!(attributes().await, Some(json!({ "e": 3 })));
}

async fn attributes_that_cannot_be_are_refused(database: Database) {
    let app = App::launch(config(&database)).await;
    app.run(async { marked(1).workflow_id("w").await.unwrap() }).await;

    for bad in [json!(null), json!([1]), json!("text"), json!({ "nul": "\0" })] {
        let refused = app.run(async { DBOS::set_attributes("w", &bad).await.unwrap_err() }).await;
        assert!(matches!(refused, Error::InvalidKey { .. }), "{refused}");
        let refused = app.run(async { marked(1).attributes(&bad).workflow_id("never").await.unwrap_err() }).await;
        assert!(matches!(refused, Error::InvalidKey { .. }), "{refused}");
    }
    let nobody = app.run(async { DBOS::set_attributes("nobody", json!({})).await.unwrap_err() }).await;
    assert!(matches!(nobody, Error::NonExistentWorkflow { .. }), "{nobody}");
    assert_eq!(database.count("SELECT count(*) FROM dbos.workflow_status").await, 1);
}

#[workflow]
async fn marks_another(customer: String) -> Result<()> {
    DBOS::merge_attributes("w", json!({ "customer": customer })).await?;
    DBOS::set_priority("w", 3).await
}

async fn a_workflow_marks_others_once(database: Database) {
    let mut app = App::launch(config(&database)).await;
    app.run(async { marked(1).workflow_id("w").await.unwrap() }).await;
    app.run(async { marks_another("ann".to_owned()).workflow_id("m").await.unwrap() }).await;
    let recorded = ["DBOS.updateWorkflowAttributes", "DBOS.setWorkflowPriority"].map(str::to_owned);
    assert_eq!(steps(&database, "m").await, (1..).zip(recorded).collect::<Vec<_>>());

    app.run(async { DBOS::set_attributes("w", json!({ "customer": "bob" })).await.unwrap() }).await;
    app.crash().await;
    rewind(&database, "m", "TRUE").await;
    app.relaunch().await;

    app.result::<Result<()>>("m").await.unwrap();
    assert_eq!(row(&app, "w").await.attributes.unwrap()["customer"], Value::from("bob"));
}

async fn another_place_in_the_queue_is_for_what_waits_there(database: Database) {
    let app = App::launch(config(&database)).await;
    for id in ["waits", "ended"] {
        app.run(async { marked(1).workflow_id(id).await.unwrap() }).await;
    }
    let wait = "UPDATE dbos.workflow_status SET status = 'ENQUEUED', queue_name = 'nobody-serves-it'";
    database.execute(&format!("{wait} WHERE workflow_uuid = 'waits'")).await;

    for id in ["waits", "ended"] {
        app.run(async { DBOS::set_priority(id, 7).await.unwrap() }).await;
    }
    let refused = app.run(async { DBOS::set_priority("waits", u32::MAX).await.unwrap_err() }).await;

    assert_eq!((row(&app, "waits").await.priority, row(&app, "ended").await.priority), (7, 0));
    assert!(refused.to_string().contains("more than 2147483647"), "{refused}");
    let nobody = app.run(async { DBOS::set_priority("nobody", 1).await.unwrap_err() }).await;
    assert!(matches!(nobody, Error::NonExistentWorkflow { .. }), "{nobody}");
}
