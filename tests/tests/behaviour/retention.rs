//! What ended long ago is deleted, and nothing that somebody may still need.

use std::time::Duration;

use dbos::{Clock, DBOS, Result, Retention, step, workflow};
use dbos_testkit::board::{open, pass, reached, unique};
use dbos_testkit::{App, Database, behaviours};

use crate::app::config;

behaviours! { retention:
    what_ended_long_ago_is_deleted_at_the_next_look,
    the_last_ones_are_kept,
    what_has_not_ended_is_kept_with_all_that_it_started,
    what_a_workflow_that_may_be_resumed_has_started_is_kept,
    another_applications_workflows_are_its_own,
    many_are_deleted_in_turns,
}

const DAY: Duration = Duration::from_hours(24);

#[step]
async fn retained_waits(gate: &str) {
    pass(gate).await;
}

#[workflow]
async fn retained(number: u32) -> Result<u32> {
    Ok(number)
}

#[workflow]
async fn retained_mother(gate: String) -> Result<u32> {
    let child = DBOS::start_workflow(retained(1)).workflow_id("child").await?;
    let number = child.result().await?;
    retained_waits(&gate).await;
    Ok(number)
}

async fn launched(database: &Database, clock: &Clock, retention: Retention) -> App {
    App::launch(config(database).clock(clock.clone()).retention(retention)).await
}

async fn ids(database: &Database) -> Vec<String> {
    let rows = database.query("SELECT workflow_uuid FROM dbos.workflow_status ORDER BY workflow_uuid").await;
    rows.into_iter().map(|mut row| row.remove(0).unwrap()).collect()
}

async fn run(app: &App, id: &str) {
    app.run(async { retained(1).workflow_id(id).await.unwrap() }).await;
}

async fn what_ended_long_ago_is_deleted_at_the_next_look(database: Database) {
    let clock = Clock::manual();
    let mut app = launched(&database, &clock, Retention::for_ever().days(30)).await;
    run(&app, "old").await;
    clock.advance(29 * DAY);
    run(&app, "young").await;

    app.crash_and_relaunch().await;
    run(&app, "after").await;
    assert_eq!(ids(&database).await, ["after", "old", "young"]);
    clock.advance(2 * DAY);
    app.crash_and_relaunch().await;

    let rest = "SELECT count(*) FROM dbos.workflow_status WHERE workflow_uuid = 'old'";
    database.until_count(rest, 0).await;
    assert_eq!(ids(&database).await, ["after", "young"]);
    for table in ["workflow_input", "workflow_output"] {
        assert_eq!(database.count(&format!("SELECT count(*) FROM dbos.{table}")).await, 2);
    }
}

async fn the_last_ones_are_kept(database: Database) {
    let clock = Clock::manual();
    let app = launched(&database, &clock, Retention::for_ever()).await;
    for id in ["a", "b", "c", "d"] {
        run(&app, id).await;
        clock.advance(DAY);
    }

    for (retention, deleted, left) in [
        (Retention::for_ever(), 0, ["a", "b", "c", "d"].as_slice()),
        (Retention::for_ever().rows(4), 0, &["a", "b", "c", "d"]),
        (Retention::for_ever().rows(3), 1, &["b", "c", "d"]),
        (Retention::for_ever().rows(3).days(2), 1, &["c", "d"]),
        (Retention::for_ever().rows(1).days(30), 1, &["d"]),
    ] {
        assert_eq!(app.run(async { DBOS::garbage_collect(retention).await.unwrap() }).await, deleted);
        assert_eq!(ids(&database).await, left, "{retention:?}");
    }
}

async fn what_has_not_ended_is_kept_with_all_that_it_started(database: Database) {
    let clock = Clock::manual();
    let app = launched(&database, &clock, Retention::for_ever()).await;
    let gate = unique("retained");
    app.run(async { DBOS::start_workflow(retained_mother(gate.clone())).workflow_id("mother").await.unwrap() }).await;
    reached(&gate).await;
    // A fork waits for the child of another workflow.
    database
        .execute(
            "INSERT INTO dbos.workflow_status (workflow_uuid, status, created_at, updated_at, priority,
                                               was_forked_from, rate_limited, is_debounced)
             VALUES ('fork', 'PENDING', 1, 1, 0, FALSE, FALSE, FALSE)",
        )
        .await;
    run(&app, "waited-for").await;
    database
        .execute(
            "INSERT INTO dbos.operation_outputs (workflow_uuid, function_id, function_name, child_workflow_id,
                                                 retention_timestamp)
             VALUES ('fork', 1, 'retained', 'waited-for', 1)",
        )
        .await;
    clock.advance(30 * DAY);
    let collect = || app.run(async { DBOS::garbage_collect(Retention::for_ever().days(1)).await.unwrap() });

    assert_eq!(collect().await, 0);
    open(&gate);
    assert_eq!(app.result::<Result<u32>>("mother").await.unwrap(), 1);

    assert_eq!(collect().await, 1);
    assert_eq!(ids(&database).await, ["fork", "mother", "waited-for"]);
}

async fn what_a_workflow_that_may_be_resumed_has_started_is_kept(database: Database) {
    let clock = Clock::manual();
    let app = launched(&database, &clock, Retention::for_ever()).await;
    let gate = unique("retained");
    app.run(async { DBOS::start_workflow(retained_mother(gate.clone())).workflow_id("mother").await.unwrap() }).await;
    reached(&gate).await;
    clock.advance(2 * DAY);
    app.run(async { DBOS::cancel_workflow("mother").await.unwrap() }).await;

    let collect = || app.run(async { DBOS::garbage_collect(Retention::for_ever().days(1)).await.unwrap() });
    assert_eq!(collect().await, 0);
    clock.advance(2 * DAY);

    assert_eq!((collect().await, ids(&database).await), (1, vec!["child".to_owned()]));
    assert_eq!(collect().await, 1);
}

async fn another_applications_workflows_are_its_own(database: Database) {
    let clock = Clock::manual();
    let app = launched(&database, &clock, Retention::for_ever()).await;
    run(&app, "theirs").await;
    run(&app, "nobodys").await;
    let belongs = "UPDATE dbos.workflow_status SET application_name";
    database.execute(&format!("{belongs} = 'theirs' WHERE workflow_uuid = 'theirs'")).await;
    database.execute(&format!("{belongs} = NULL WHERE workflow_uuid = 'nobodys'")).await;
    clock.advance(2 * DAY);

    app.run(async { DBOS::garbage_collect(Retention::for_ever().days(1)).await.unwrap() }).await;

    assert_eq!(ids(&database).await, ["theirs"]);
}

async fn many_are_deleted_in_turns(database: Database) {
    let clock = Clock::manual();
    let app = launched(&database, &clock, Retention::for_ever()).await;
    run(&app, "w").await;
    let many = match database.backend() {
        dbos_testkit::Backend::Postgres => "generate_series(1, 1999) AS number (value)",
        dbos_testkit::Backend::Sqlite => {
            "(WITH RECURSIVE number (value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM number WHERE value < 1999)
              SELECT value FROM number) AS number"
        }
    };
    database
        .execute(&format!(
            "INSERT INTO dbos.workflow_status (workflow_uuid, status, name, application_name, created_at, updated_at,
                                               completed_at, priority, was_forked_from, rate_limited, is_debounced)
             SELECT 'copy-' || number.value, status, name, application_name, created_at, updated_at, completed_at, 0,
                    FALSE, FALSE, FALSE
               FROM dbos.workflow_status CROSS JOIN {many}"
        ))
        .await;
    clock.advance(2 * DAY);

    let deleted = app.run(async { DBOS::garbage_collect(Retention::for_ever().days(1)).await.unwrap() }).await;

    assert_eq!((deleted, ids(&database).await.len()), (2000, 0));
}
