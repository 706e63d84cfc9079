//! Workflows that fail and are tried again as new runs.

use std::time::Duration;

use dbos::{Clock, Config, DBOS, Error, Event, Result, StreamKey, Topic, step, workflow};
use dbos_testkit::board::{ran, ran_times, runs_of, unique};
use dbos_testkit::{App, CrashTest, Database, behaviours};

use crate::app::config;

behaviours! { retried:
    each_attempt_is_a_run_of_its_own,
    the_failure_of_the_last_attempt_is_the_outcome,
    only_what_is_worth_it_is_tried_again,
    a_panic_is_not_tried_again,
    arguments_that_cannot_be_read_are_not_tried_again,
    what_a_failed_attempt_did_to_its_workflow_is_undone,
    a_pause_ends_when_it_was_to_whoever_died_meanwhile,
    a_workflow_that_pauses_can_be_cancelled,
    one_deadline_holds_for_all_attempts,
    attempts_count_anew_when_it_goes_on_as_new,
    attempts_are_counted_wherever_it_crashes within 300,
    what_the_last_attempt_recorded_can_be_replayed,
}

const DAY: Duration = Duration::from_hours(24);
const STAGE: Event<u32> = Event::new("stage");
const WORD: Topic<String> = Topic::new("word");
const WORDS: StreamKey<u32> = StreamKey::new("words");
const PAUSES: &str = "SELECT count(*) FROM dbos.operation_outputs WHERE function_name = 'DBOS.retryWorkflow'";
const STEPS: &str = "SELECT CAST(function_id AS BIGINT), function_name FROM dbos.operation_outputs
                      WHERE workflow_uuid = 'w' ORDER BY function_id";

async fn steps(database: &Database) -> Vec<String> {
    let rows = database.query(STEPS).await.into_iter();
    rows.map(|row| row.into_iter().flatten().collect::<Vec<_>>().join(" ")).collect()
}

#[step]
async fn retried_key(name: &str) -> String {
    ran(name);
    DBOS::step_key()
}

#[workflow]
async fn retried_child(key: String) -> Result<String> {
    Ok(key)
}

/// Succeeds in its attempt number `until`, after a step and a child. Gives what it gave to the outside world.
#[workflow(retries = 3, interval = "1ms")]
async fn fails_until(name: String, until: u32) -> Result<(String, String)> {
    let key = retried_key(&name).await;
    let child = DBOS::start_workflow(retried_child(key.clone())).await?;
    let echo = child.result().await?;
    assert_eq!(key, echo);
    if DBOS::attempt() < until { Err(Error::new(format!("attempt {}", DBOS::attempt()))) } else { Ok((key, echo)) }
}

async fn each_attempt_is_a_run_of_its_own(database: Database) {
    let app = App::launch(config(&database)).await;
    let name = unique("fails");

    let (key, _) = app.run(async { fails_until(name.clone(), 3).workflow_id("w").await.unwrap() }).await;

    assert_eq!((key.as_str(), runs_of(&name)), ("w-9", 3), "step ids go on counting");
    let expected =
        ["4 DBOS.retryWorkflow", "8 DBOS.retryWorkflow", "9 retried_key", "10 retried_child", "11 DBOS.getResult"];
    assert_eq!(steps(&database).await, expected);
    let failures = "SELECT output FROM dbos.operation_outputs WHERE function_name = 'DBOS.retryWorkflow'";
    let failures = format!("{:?}", database.query(failures).await);
    assert!(failures.contains("attempt 1") && failures.contains("attempt 2"), "{failures}");
    let children = "SELECT count(*) FROM dbos.workflow_status WHERE parent_workflow_id = 'w'";
    assert_eq!(database.count(children).await, 3);
    assert_eq!(database.count("SELECT recovery_attempts FROM dbos.workflow_status WHERE workflow_uuid = 'w'").await, 1);
}

async fn the_failure_of_the_last_attempt_is_the_outcome(database: Database) {
    let app = App::launch(config(&database)).await;
    let name = unique("fails");

    let failure = app.run(async { fails_until(name.clone(), 9).workflow_id("w").await.unwrap_err() }).await;

    assert_eq!((failure.to_string().as_str(), runs_of(&name)), ("attempt 4", 4));
    assert_eq!(database.count("SELECT count(*) FROM dbos.workflow_status WHERE status = 'ERROR'").await, 1);
}

fn is_worth_it(error: &Error) -> bool {
    error.to_string() == "busy"
}

#[workflow(retries = "unlimited", interval = "1ms", max_interval = "2ms", retry_if = is_worth_it)]
async fn is_busy_for(name: String, times: u32) -> Result<()> {
    Err(Error::new(if ran(&name) <= times { "busy" } else { "broken" }))
}

async fn only_what_is_worth_it_is_tried_again(database: Database) {
    let app = App::launch(config(&database)).await;
    let name = unique("busy");

    let failure = app.run(async { is_busy_for(name.clone(), 5).await.unwrap_err() }).await;

    assert_eq!((failure.to_string().as_str(), runs_of(&name)), ("broken", 6));
}

#[workflow(retries = 3, interval = "1ms")]
async fn panics_once(name: String) -> Result<()> {
    assert!(ran(&name) > 1, "at first");
    Ok(())
}

async fn a_panic_is_not_tried_again(database: Database) {
    let app = App::launch(config(&database)).await;
    let name = unique("panics");

    let failure = app.run(async { panics_once(name.clone()).await.unwrap_err() }).await;

    assert!(matches!(failure, Error::Panicked { .. }), "{failure:?}");
    assert_eq!(runs_of(&name), 1);
}

async fn arguments_that_cannot_be_read_are_not_tried_again(database: Database) {
    let mut app = App::launch(config(&database)).await;
    let name = unique("paused");
    app.run(async { DBOS::start_workflow(pauses_for_a_day(name.clone())).workflow_id("w").await.unwrap() }).await;
    database.until_count(PAUSES, 1).await;
    app.crash().await;
    database.execute("UPDATE dbos.workflow_input SET inputs = '[]'").await;

    app.relaunch().await;

    let failure = app.result::<Result<()>>("w").await.unwrap_err();
    assert!(matches!(failure, Error::Unreadable { .. }), "{failure:?}");
}

#[workflow(retries = 1, interval = "1ms")]
async fn hears_and_tells(name: String) -> Result<String> {
    let word = DBOS::recv(WORD, DAY).await?.unwrap_or_default();
    if DBOS::attempt() == 1 {
        DBOS::set_event(STAGE, 1_u32).await?;
    }
    DBOS::write_stream(WORDS, DBOS::attempt()).await?;
    if ran(&name) == 1 { Err(Error::new("heard, and failed")) } else { Ok(word) }
}

async fn what_a_failed_attempt_did_to_its_workflow_is_undone(database: Database) {
    let app = App::launch(config(&database)).await;
    let name = unique("hears");

    let word = app
        .run(async {
            let handle = DBOS::start_workflow(hears_and_tells(name.clone())).workflow_id("w").await.unwrap();
            DBOS::send("w", "hello".to_owned(), WORD).await.unwrap();
            handle.result().await.unwrap()
        })
        .await;

    assert_eq!((word.as_str(), runs_of(&name)), ("hello", 2));
    let stage = app.run(async { DBOS::get_event("w", STAGE).await.unwrap() }).await;
    assert_eq!(stage, None);
    assert_eq!(database.query("SELECT value FROM dbos.streams").await, [[Some("2".to_owned())]]);
}

#[workflow(retries = 1, interval = "1d")]
async fn pauses_for_a_day(name: String) -> Result<()> {
    if ran(&name) == 1 { Err(Error::new("not today")) } else { Ok(()) }
}

fn by(clock: &Clock, database: &Database) -> Config {
    let mut config = config(database);
    config.clock = Some(clock.clone());
    config
}

async fn a_pause_ends_when_it_was_to_whoever_died_meanwhile(database: Database) {
    let clock = Clock::manual();
    let mut app = App::launch(by(&clock, &database)).await;
    let name = unique("paused");
    app.run(async { DBOS::start_workflow(pauses_for_a_day(name.clone())).workflow_id("w").await.unwrap() }).await;
    database.until_count(PAUSES, 1).await;
    clock.advance(DAY / 2);

    app.crash_and_relaunch().await;
    app.engine.idle().await;
    assert_eq!(runs_of(&name), 1);
    // With up to a tenth of jitter.
    clock.advance(DAY * 6 / 10);

    app.result::<Result<()>>("w").await.unwrap();
    assert_eq!(runs_of(&name), 2);
}

async fn a_workflow_that_pauses_can_be_cancelled(database: Database) {
    let app = App::launch(config(&database)).await;
    let name = unique("paused");

    app.run(async {
        let handle = DBOS::start_workflow(pauses_for_a_day(name.clone())).workflow_id("w").await.unwrap();
        database.until_count(PAUSES, 1).await;
        DBOS::cancel_workflow("w").await.unwrap();
        assert!(matches!(handle.result().await, Err(Error::Cancelled { .. })));
    })
    .await;

    app.engine.idle().await;
    assert_eq!(runs_of(&name), 1);
}

async fn one_deadline_holds_for_all_attempts(database: Database) {
    let clock = Clock::manual();
    let app = App::launch(by(&clock, &database)).await;
    let name = unique("paused");
    let handle = app
        .run(async { DBOS::start_workflow(pauses_for_a_day(name.clone())).timeout(DAY / 2).workflow_id("w").await })
        .await;
    database.until_count(PAUSES, 1).await;

    clock.advance(DAY * 6 / 10);

    assert!(matches!(handle.unwrap().result().await, Err(Error::Cancelled { .. })));
    assert_eq!(runs_of(&name), 1);
}

/// Fails in the first attempt of each round.
#[workflow(retries = 1, interval = "1ms")]
async fn fails_in_each_round(name: String, left: u32) -> Result<u32> {
    retried_key(&name).await;
    if DBOS::attempt() == 1 {
        return Err(Error::new("at first"));
    }
    if left > 0 { fails_in_each_round(name, left - 1).continue_as_new().await } else { Ok(left) }
}

async fn attempts_count_anew_when_it_goes_on_as_new(database: Database) {
    let app = App::launch(config(&database)).await;
    let name = unique("rounds");

    app.run(async { fails_in_each_round(name.clone(), 2).workflow_id("w").await.unwrap() }).await;

    assert_eq!(runs_of(&name), 6);
    assert_eq!(steps(&database).await, ["8 DBOS.continueAsNew", "10 DBOS.retryWorkflow", "11 retried_key"]);
}

async fn attempts_are_counted_wherever_it_crashes(database: Database) {
    let test = CrashTest::on(database.backend()).with_config(config(&database));
    let crash = move || {
        let crashes = test.run(
            async |_| fails_until("crashed".to_owned(), 3).workflow_id("w").await,
            async |database, gave| {
                assert_eq!(gave.unwrap(), ("w-9".to_owned(), "w-9".to_owned()));
                assert_eq!(database.count(PAUSES).await, 2);
            },
        );
        // The row; in each of three attempts a step, and a child with its row, its outcome and the step that awaits it;
        // the two failures and the outcome.
        assert!(crashes.writes >= 16, "{crashes}");
    };
    tokio::task::spawn_blocking(crash).await.unwrap();
}

async fn what_the_last_attempt_recorded_can_be_replayed(database: Database) {
    let app = App::launch(config(&database)).await;
    let name = unique("rounds");
    let exported = app
        .run(async {
            is_seen_twice(name.clone()).workflow_id("w").await.unwrap();
            DBOS::export_workflow("w").await.unwrap()
        })
        .await;
    ran_times(&name, 2).await;

    let replayed = dbos::replay::check(&exported).await;

    assert!(replayed.is_ok(), "{replayed:?}");
}

#[workflow(retries = 1, interval = "1ms")]
async fn is_seen_twice(name: String) -> Result<String> {
    let key = retried_key(&name).await;
    if DBOS::attempt() == 1 { Err(Error::new("at first")) } else { Ok(key) }
}
