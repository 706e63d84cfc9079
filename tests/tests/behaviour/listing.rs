//! Lists of workflows: every filter, and what a row shows.

use dbos::{DBOS, Result, Status, WorkflowFilter, WorkflowStatus, workflow};
use dbos_testkit::{App, Database, behaviours};
use serde_json::json;

use crate::app::config;

behaviours! { listing:
    each_filter_has_what_it_asks_for_and_nothing_else,
    attributes_are_found_as_they_are_written,
    payloads_are_read_where_they_are_asked_for,
    a_row_shows_all_that_is_known_of_its_workflow,
    pages_within_a_window_have_every_workflow_once,
}

#[workflow]
async fn listed(number: u32) -> Result<u32> {
    Ok(number)
}

/// Four of them, `w-1` to `w-4`, created at 1001 to 1004.
async fn four(database: &Database) -> App {
    let app = App::launch(config(database)).await;
    for number in 1..=4 {
        app.run(async { listed(number).workflow_id(format!("w-{number}")).await.unwrap() }).await;
        let at = 1000 + number;
        set(database, &format!("w-{number}"), &format!("created_at = {at}, completed_at = {at}0")).await;
    }
    app
}

async fn set(database: &Database, workflow: &str, what: &str) {
    database.execute(&format!("UPDATE dbos.workflow_status SET {what} WHERE workflow_uuid = '{workflow}'")).await;
}

async fn list(app: &App, filter: WorkflowFilter) -> Vec<WorkflowStatus> {
    app.run(async { DBOS::list_workflows(filter).await.unwrap() }).await
}

async fn ids(app: &App, filter: WorkflowFilter) -> Vec<String> {
    list(app, filter).await.into_iter().map(|workflow| workflow.workflow_id).collect()
}

async fn each_filter_has_what_it_asks_for_and_nothing_else(database: Database) {
    let app = four(&database).await;
    set(&database, "w-1", "authenticated_user = 'ann', forked_from = 'w-4', schedule_name = 'nightly'").await;
    set(&database, "w-2", "queue_name = 'q', deduplication_id = 'only', started_at_epoch_ms = 50, status = 'DELAYED'")
        .await;
    set(&database, "w-3", "queue_name = 'q', started_at_epoch_ms = 60, parent_workflow_id = 'w-1'").await;
    set(&database, "w-4", "was_forked_from = TRUE, status = 'CANCELLED'").await;
    let filter = WorkflowFilter::new;

    for (asked, found) in [
        (filter().user("ann"), ["w-1"].as_slice()),
        (filter().forked_from("w-4"), &["w-1"]),
        (filter().was_forked(true), &["w-4"]),
        (filter().was_forked(false), &["w-3", "w-2", "w-1"]),
        (filter().schedule_name("nightly"), &["w-1"]),
        (filter().queue("q"), &["w-3", "w-2"]),
        (filter().queued(), &["w-2"]),
        (filter().deduplication_id("only"), &["w-2"]),
        (filter().deduplication_id("other"), &[]),
        (filter().has_parent(true), &["w-3"]),
        (filter().has_parent(false), &["w-4", "w-2", "w-1"]),
        (filter().parent("w-1"), &["w-3"]),
        (filter().dequeued_from_ms(51), &["w-3"]),
        (filter().dequeued_before_ms(60), &["w-2"]),
        (filter().completed_from_ms(10_020).completed_before_ms(10_040), &["w-3", "w-2"]),
        (filter().created_from_ms(1002).created_before_ms(1004).oldest_first(), &["w-2", "w-3"]),
        (filter().created_before_ms(i64::MIN), &[]),
        (filter().status(Status::Delayed), &["w-2"]),
        (filter().status(Status::Cancelled).status(Status::Error), &["w-4"]),
        (filter().status(Status::Pending).status(Status::Enqueued), &[]),
        (filter().id("w-1").id("w-2").user("ann").status(Status::Success), &["w-1"]),
    ] {
        assert_eq!(ids(&app, asked.clone()).await, found, "{asked:?}");
    }
}

async fn attributes_are_found_as_they_are_written(database: Database) {
    let app = four(&database).await;
    set(&database, "w-1", r#"attributes = '{"customer": "ann", "tries": 3, "vip": true}'"#).await;
    set(&database, "w-2", r#"attributes = '{"customer": "bob", "tries": "3", "vip": null}'"#).await;
    set(&database, "w-3", "attributes = 'null'").await;
    let filter = WorkflowFilter::new;

    for (asked, found) in [
        (filter().attribute("customer", "ann"), ["w-1"].as_slice()),
        (filter().attribute("customer", "ann").attribute("tries", 3), &["w-1"]),
        (filter().attribute("customer", "bob").attribute("tries", 3), &[]),
        (filter().attribute("tries", "3"), &["w-2"]),
        (filter().attribute("vip", true), &["w-1"]),
        (filter().attribute("vip", json!(null)), &["w-2"]),
        (filter().attribute("vip", 1), &[]),
        (filter().attribute("nothing", "'; DROP TABLE"), &[]),
    ] {
        assert_eq!(ids(&app, asked.clone()).await, found, "{asked:?}");
    }
}

async fn payloads_are_read_where_they_are_asked_for(database: Database) {
    let app = four(&database).await;
    let one = || WorkflowFilter::new().id("w-3");
    let payloads = async |filter: WorkflowFilter| {
        let found = list(&app, filter).await.remove(0);
        (found.inputs, found.output, found.error)
    };

    assert_eq!(payloads(one()).await, (None, None, None));
    let (inputs, output, _) = payloads(one().with_inputs()).await;
    assert_eq!(output, None);
    assert!(inputs.unwrap().contains(r#""number":3"#));
    assert_eq!(payloads(one().with_outputs()).await, (None, Some("3".to_owned()), None));
}

async fn a_row_shows_all_that_is_known_of_its_workflow(database: Database) {
    let app = four(&database).await;
    set(
        &database,
        "w-1",
        r#"authenticated_user = 'ann', authenticated_roles = '["a", "b"]', assumed_role = 'b', priority = 7,
           attributes = '{"n": [1]}', forked_from = 'w-0', was_forked_from = TRUE, deduplication_id = 'd',
           queue_name = 'q', queue_partition_key = 'p', delay_until_epoch_ms = 5, schedule_name = 's'"#,
    )
    .await;
    set(&database, "w-2", "authenticated_roles = 'neither'").await;

    let found = list(&app, WorkflowFilter::new().oldest_first()).await;

    let [first, second, third, _] = found.as_slice() else { panic!("{found:#?}") };
    assert_eq!(first.authenticated_user.as_deref(), Some("ann"));
    assert_eq!(first.authenticated_roles, ["a", "b"]);
    assert_eq!(first.assumed_role.as_deref(), Some("b"));
    assert_eq!((first.priority, first.was_forked), (7, true));
    assert_eq!(first.attributes, Some(json!({ "n": [1] })));
    assert_eq!((first.forked_from.as_deref(), first.schedule_name.as_deref()), (Some("w-0"), Some("s")));
    assert_eq!((first.deduplication_id.as_deref(), first.partition_key.as_deref()), (Some("d"), Some("p")));
    assert_eq!((first.delayed_until_ms, first.unreadable.len()), (Some(5), 0));
    assert!(second.unreadable[0].starts_with("authenticated_roles: "), "{second:?}");
    assert_eq!((third.attributes.as_ref(), third.forked_from.as_ref(), third.was_forked), (None, None, false));
}

async fn pages_within_a_window_have_every_workflow_once(database: Database) {
    let app = four(&database).await;
    database.execute("UPDATE dbos.workflow_status SET created_at = 1002 WHERE workflow_uuid = 'w-3'").await;
    let window = WorkflowFilter::new().created_from_ms(1002).created_before_ms(1004).limit(1);

    for (filter, expected) in [(window.clone(), ["w-3", "w-2"]), (window.oldest_first(), ["w-2", "w-3"])] {
        let first = list(&app, filter.clone()).await.remove(0);
        let second = list(&app, filter.clone().after(&first)).await.remove(0);

        assert!(list(&app, filter.after(&second)).await.is_empty());
        assert_eq!([first.workflow_id, second.workflow_id], expected);
    }
}
