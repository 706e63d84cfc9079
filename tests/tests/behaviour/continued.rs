//! Workflows that go on under their id with other arguments, and forget what was before.

use std::sync::Mutex;
use std::time::Duration;

use dbos::{DBOS, Error, Event, Result, Topic, step, workflow};
use dbos_testkit::board::{open, pass, ran, reached, unique};
use dbos_testkit::{App, CrashTest, Database, behaviours};

use crate::app::config;

behaviours! { continued:
    it_goes_on_with_other_arguments_and_an_empty_history,
    no_step_key_and_no_child_comes_twice,
    messages_and_events_stay,
    it_can_be_cancelled_after_it_went_on,
    after_a_crash_it_goes_on_from_where_it_went_on_last,
    each_round_runs_once_wherever_it_crashes within 300,
    a_mistake_is_an_error,
    what_it_recorded_last_can_be_replayed,
}

const STAGE: Event<u32> = Event::new("stage");
const NEWS: Topic<u32> = Topic::new("news");
const STEPS: &str = "SELECT CAST(function_id AS BIGINT), function_name FROM dbos.operation_outputs
                      WHERE workflow_uuid = 'w' ORDER BY function_id";

static KEYS: Mutex<Vec<String>> = Mutex::new(Vec::new());

#[step]
async fn continued_step(name: &str) -> String {
    ran(name);
    DBOS::step_key()
}

#[workflow]
async fn counts_down(name: String, left: u32) -> Result<u32> {
    continued_step(&name).await;
    continued_step(&name).await;
    if left > 0 {
        return counts_down(name, left - 1).continue_as_new().await;
    }
    Ok(left)
}

async fn steps(database: &Database) -> Vec<String> {
    let rows = database.query(STEPS).await.into_iter();
    rows.map(|row| row.into_iter().flatten().collect::<Vec<_>>().join(" ")).collect()
}

async fn it_goes_on_with_other_arguments_and_an_empty_history(database: Database) {
    let app = App::launch(config(&database)).await;

    let left = app.run(async { counts_down(unique("count"), 3).workflow_id("w").await.unwrap() }).await;

    assert_eq!(left, 0);
    assert_eq!(steps(&database).await, ["9 DBOS.continueAsNew", "10 continued_step", "11 continued_step"]);
    assert_eq!(database.count("SELECT count(*) FROM dbos.workflow_status").await, 1);
}

#[workflow]
async fn continued_child(key: String) -> Result<String> {
    Ok(key)
}

#[workflow]
async fn collects(left: u32) -> Result<()> {
    let key = continued_step("collects").await;
    continued_child(key.clone()).await?;
    KEYS.lock().unwrap().push(key);
    if left > 0 { collects(left - 1).continue_as_new().await } else { Ok(()) }
}

async fn no_step_key_and_no_child_comes_twice(database: Database) {
    let app = App::launch(config(&database)).await;
    let id = unique("collects");

    app.run(async { collects(2).workflow_id(&id).await.unwrap() }).await;

    let keys: Vec<_> = KEYS.lock().unwrap().iter().filter(|key| key.starts_with(&id)).cloned().collect();
    assert_eq!(keys, [1, 5, 9].map(|step| format!("{id}-{step}")));
    let children = format!("SELECT workflow_uuid FROM dbos.workflow_status WHERE parent_workflow_id = '{id}'");
    let mut children: Vec<_> = database.query(&children).await.into_iter().flatten().flatten().collect();
    children.sort();
    let mut expected = [2, 6, 10].map(|step| format!("{id}-{step}"));
    expected.sort();
    assert_eq!(children, expected);
}

#[workflow]
async fn receives(sum: u32, left: u32) -> Result<u32> {
    let more = DBOS::recv(NEWS, Duration::from_secs(60)).await?.unwrap_or_default();
    DBOS::set_event(STAGE, left).await?;
    if left > 0 { receives(sum + more, left - 1).continue_as_new().await } else { Ok(sum + more) }
}

async fn messages_and_events_stay(database: Database) {
    let app = App::launch(config(&database)).await;

    let (sum, stage) = app
        .run(async {
            let handle = DBOS::start_workflow(receives(0, 2)).workflow_id("w").await.unwrap();
            for news in [1, 10, 100_u32] {
                DBOS::send("w", news, NEWS).await.unwrap();
            }
            (handle.result().await.unwrap(), DBOS::get_event("w", STAGE).await.unwrap())
        })
        .await;

    assert_eq!((sum, stage), (111, Some(0)));
    assert!(database.count("SELECT count(*) FROM dbos.workflow_events_history").await <= 2);
}

#[step]
async fn continued_waits(gate: &str) {
    pass(gate).await;
}

#[workflow]
async fn waits_later(gate: String, left: u32) -> Result<u32> {
    if left > 0 {
        return waits_later(gate, left - 1).continue_as_new().await;
    }
    continued_step(&gate).await;
    continued_waits(&gate).await;
    Ok(left)
}

async fn it_can_be_cancelled_after_it_went_on(database: Database) {
    let app = App::launch(config(&database)).await;
    let gate = unique("continued");

    app.run(async {
        let handle = DBOS::start_workflow(waits_later(gate.clone(), 2)).workflow_id("w").await.unwrap();
        reached(&gate).await;
        DBOS::cancel_workflow("w").await.unwrap();
        assert!(matches!(handle.result().await, Err(Error::Cancelled { .. })));
    })
    .await;

    app.engine.idle().await;
}

async fn after_a_crash_it_goes_on_from_where_it_went_on_last(database: Database) {
    let mut app = App::launch(config(&database)).await;
    let gate = unique("continued");
    app.run(async { DBOS::start_workflow(waits_later(gate.clone(), 2)).workflow_id("w").await.unwrap() }).await;
    reached(&gate).await;

    app.crash_and_relaunch().await;
    open(&gate);

    assert_eq!(app.result::<Result<u32>>("w").await.unwrap(), 0);
    assert_eq!(dbos_testkit::board::runs_of(&gate), 1, "a recorded step does not run again");
    assert_eq!(steps(&database).await, ["2 DBOS.continueAsNew", "3 continued_step", "4 continued_waits"]);
}

async fn each_round_runs_once_wherever_it_crashes(database: Database) {
    let backend = database.backend();
    let crash = move || {
        let crashes = CrashTest::on(backend).run(
            async |_| counts_down("crashed".to_owned(), 2).workflow_id("w").await,
            async |database, left| {
                assert_eq!(left.unwrap(), 0);
                let expected = ["6 DBOS.continueAsNew", "7 continued_step", "8 continued_step"];
                assert_eq!(steps(database).await, expected);
            },
        );
        // The row, six steps, twice the going on, the outcome.
        assert!(crashes.writes >= 10, "{crashes}");
    };
    tokio::task::spawn_blocking(crash).await.unwrap();
}

#[workflow]
async fn mistakes_itself() -> Result<u32> {
    counts_down("other".to_owned(), 1).continue_as_new().await
}

async fn a_mistake_is_an_error(database: Database) {
    let app = App::launch(config(&database)).await;

    app.run(async {
        let outside = counts_down("outside".to_owned(), 1).continue_as_new().await;
        assert!(matches!(outside, Err(Error::OutsideWorkflow { .. })), "{outside:?}");
        let other = mistakes_itself().await.unwrap_err();
        assert!(other.to_string().contains("cannot go on as `counts_down`"), "{other}");
    })
    .await;
}

async fn what_it_recorded_last_can_be_replayed(database: Database) {
    let app = App::launch(config(&database)).await;
    let exported = app
        .run(async {
            counts_down(unique("count"), 2).workflow_id("w").await.unwrap();
            DBOS::export_workflow("w").await.unwrap()
        })
        .await;

    let replayed = dbos::replay::check(&exported).await;

    assert!(replayed.is_ok(), "{replayed:?}");
}
