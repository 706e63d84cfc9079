//! Events: the latest value under a key, for whoever waits.

use std::time::Duration;

use dbos::{Clock, DBOS, Error, Event, Result, Tx, step, transaction, workflow};
use dbos_testkit::board::{open, pass, reached, unique};
use dbos_testkit::{App, Database, behaviours};
use futures_util::future::join_all;

use crate::app::{config, rewind, steps};

behaviours! { events:
    an_event_arrives_although_it_was_waited_for_first,
    waiters_with_different_timeouts_leave_each_other_alone,
    the_latest_value_counts,
    values_set_at_once_are_all_recorded,
    a_published_null_is_not_a_timeout,
    an_event_that_never_came_is_known_when_the_workflow_ends,
    a_workflow_that_does_not_exist_is_waited_for,
    a_timeout_of_a_workflow_is_not_extended_by_a_crash,
    a_workflow_sees_the_event_it_saw_the_first_time,
    an_event_set_in_a_transaction_commits_with_it,
    an_event_set_in_a_transaction_that_fails_is_not_set,
    an_event_outside_a_workflow_is_refused,
    an_unusable_key_is_refused,
}

const STATE: Event<String> = Event::new("state");
const LINK: Event<Option<String>> = Event::new("link");
const HOUR: Duration = Duration::from_secs(3600);

#[step]
async fn events_wait(gate: String) {
    pass(&gate).await;
}

#[workflow]
async fn publishes(gate: String, values: Vec<String>) -> Result<()> {
    events_wait(gate.clone()).await;
    for value in values {
        DBOS::set_event(STATE, value).await?;
    }
    events_wait(format!("{gate}-end")).await;
    Ok(())
}

async fn an_event_arrives_although_it_was_waited_for_first(database: Database) {
    let app = App::launch(config(&database)).await;
    let gate = unique("publishes");

    let value = app
        .run(async {
            DBOS::start_workflow(publishes(gate.clone(), vec!["paid".to_owned()])).workflow_id("p").await.unwrap();
            reached(&gate).await;
            let (value, ()) = tokio::join!(DBOS::get_event("p", STATE).into_future(), async { open(&gate) });
            value.unwrap()
        })
        .await;

    assert_eq!(value.as_deref(), Some("paid"));
}

/// Those who give up early neither wake the others with nothing nor keep the news from them.
async fn waiters_with_different_timeouts_leave_each_other_alone(database: Database) {
    let app = App::launch(config(&database)).await;
    let gate = unique("publishes");
    let wait = |timeout| DBOS::get_event("p", STATE).timeout(timeout).into_future();

    let (early, late) = app
        .run(async {
            DBOS::start_workflow(publishes(gate.clone(), vec!["paid".to_owned()])).workflow_id("p").await.unwrap();
            let early = join_all((1..=4).map(|number| wait(Duration::from_millis(30 * number))));
            let late = join_all((1..=4).map(|number| wait(HOUR * number)));
            tokio::join!(
                async {
                    let early = early.await;
                    open(&gate);
                    early
                },
                late
            )
        })
        .await;

    assert!(early.iter().all(|value| matches!(value, Ok(None))), "{early:?}");
    assert!(late.iter().all(|value| value.as_ref().unwrap().as_deref() == Some("paid")), "{late:?}");
}

async fn the_latest_value_counts(database: Database) {
    let app = App::launch(config(&database)).await;
    let gate = unique("publishes");
    open(&gate);

    let value = app
        .run(async {
            let values = ["pending", "paid", "dispatched"].map(str::to_owned).to_vec();
            DBOS::start_workflow(publishes(gate.clone(), values)).workflow_id("p").await.unwrap();
            reached(&format!("{gate}-end")).await;
            DBOS::get_event("p", STATE).await.unwrap()
        })
        .await;

    assert_eq!(value.as_deref(), Some("dispatched"));
    assert_eq!(database.count("SELECT count(*) FROM dbos.workflow_events_history").await, 3);
}

#[workflow]
async fn publishes_at_once() -> Result<()> {
    let (one, two, three) =
        tokio::join!(DBOS::set_event(STATE, "1"), DBOS::set_event(STATE, "2"), DBOS::set_event(STATE, "3"));
    one.and(two).and(three)
}

async fn values_set_at_once_are_all_recorded(database: Database) {
    let app = App::launch(config(&database)).await;

    let value = app
        .run(async {
            publishes_at_once().workflow_id("p").await.unwrap();
            DBOS::get_event("p", STATE).await.unwrap()
        })
        .await;

    assert_eq!(value.as_deref(), Some("3"));
    assert_eq!(database.count("SELECT count(*) FROM dbos.workflow_events_history").await, 3);
}

#[workflow]
async fn publishes_null() -> Result<()> {
    DBOS::set_event(LINK, None).await
}

#[workflow]
async fn looks_for_a_link(id: String) -> Result<bool> {
    // A workflow's own result cannot hold `Some(None)`.
    Ok(DBOS::get_event(id, LINK).await? == Some(None))
}

async fn a_published_null_is_not_a_timeout(database: Database) {
    let mut app = App::launch(config(&database)).await;

    let (outside, inside) = app
        .run(async {
            publishes_null().workflow_id("p").await.unwrap();
            let outside = DBOS::get_event("p", LINK).await.unwrap();
            (outside, looks_for_a_link("p".to_owned()).workflow_id("l").await.unwrap())
        })
        .await;
    app.crash().await;
    rewind(&database, "l", "1 = 1").await;
    app.relaunch().await;
    let replayed = app.result::<Result<bool>>("l").await.unwrap();

    assert_eq!(outside, Some(None));
    assert!(inside && replayed);
}

#[workflow]
async fn publishes_nothing(gate: String) -> Result<()> {
    events_wait(gate).await;
    Ok(())
}

async fn an_event_that_never_came_is_known_when_the_workflow_ends(database: Database) {
    let app = App::launch(config(&database)).await;
    let gate = unique("nothing");

    let (while_it_ends, afterwards) = app
        .run(async {
            DBOS::start_workflow(publishes_nothing(gate.clone())).workflow_id("n").await.unwrap();
            reached(&gate).await;
            let wait = DBOS::get_event("n", STATE).timeout(HOUR).into_future();
            let (first, ()) = tokio::join!(wait, async { open(&gate) });
            (first.unwrap(), DBOS::get_event("n", STATE).timeout(HOUR).await.unwrap())
        })
        .await;

    assert_eq!((while_it_ends, afterwards), (None, None));
}

async fn a_workflow_that_does_not_exist_is_waited_for(database: Database) {
    let clock = Clock::manual();
    let mut settings = config(&database);
    settings.clock = Some(clock.clone());
    let app = App::launch(settings).await;

    app.run(async {
        let wait = DBOS::get_event("later", STATE).timeout(HOUR).into_future();
        let mut wait = tokio::spawn(app.engine.scope(wait));
        tokio::select! {
            value = &mut wait => panic!("it did not wait: {value:?}"),
            () = async { while database.try_query("SELECT 1").await.is_err() {} } => {}
        }
        let gate = unique("later");
        open(&gate);
        DBOS::start_workflow(publishes(gate, vec!["come".to_owned()])).workflow_id("later").await.unwrap();
        assert_eq!(wait.await.unwrap().unwrap().as_deref(), Some("come"));

        let wait = tokio::spawn(app.engine.scope(DBOS::get_event("never", STATE).timeout(HOUR).into_future()));
        clock.advance(2 * HOUR);
        // The wait may begin after the clock has moved, so it moves until the wait is over.
        while !wait.is_finished() {
            clock.advance(HOUR);
            tokio::task::yield_now().await;
        }
        assert_eq!(wait.await.unwrap().unwrap(), None);
    })
    .await;
}

#[workflow]
async fn looks_for_a_state(id: String) -> Result<Option<String>> {
    DBOS::get_event(id, STATE).timeout(HOUR).await
}

async fn a_timeout_of_a_workflow_is_not_extended_by_a_crash(database: Database) {
    let clock = Clock::manual();
    let mut settings = config(&database);
    settings.clock = Some(clock.clone());
    let mut app = App::launch(settings).await;
    app.run(async { DBOS::start_workflow(looks_for_a_state("x".to_owned())).workflow_id("l").await.unwrap() }).await;
    while steps(&database, "l").await.is_empty() {
        tokio::task::yield_now().await;
    }
    clock.advance(HOUR / 2);

    app.crash_and_relaunch().await;
    clock.advance(HOUR / 2);

    assert_eq!(app.result::<Result<Option<String>>>("l").await.unwrap(), None);
    assert_eq!(steps(&database, "l").await, [(1, "DBOS.getEvent".to_owned()), (2, "DBOS.sleep".to_owned())]);
}

#[workflow]
async fn looks_and_waits(id: String, gate: String) -> Result<Option<String>> {
    let state = DBOS::get_event(id, STATE).await?;
    events_wait(gate).await;
    Ok(state)
}

async fn a_workflow_sees_the_event_it_saw_the_first_time(database: Database) {
    let mut app = App::launch(config(&database)).await;
    let (gate, looks) = (unique("publishes"), unique("looks"));
    open(&gate);
    app.run(async {
        DBOS::start_workflow(publishes(gate.clone(), vec!["early".to_owned()])).workflow_id("p").await.unwrap();
        DBOS::start_workflow(looks_and_waits("p".to_owned(), looks.clone())).workflow_id("l").await.unwrap();
    })
    .await;
    reached(&looks).await;
    app.crash().await;

    database.execute("UPDATE dbos.workflow_events SET value = '\"late\"'").await;
    app.relaunch().await;
    open(&looks);

    assert_eq!(app.result::<Result<Option<String>>>("l").await.unwrap().as_deref(), Some("early"));
}

#[transaction]
async fn writes_and_publishes(tx: &mut Tx, fails: bool) -> Result<()> {
    tx.query("INSERT INTO states VALUES ($1)").bind("written").execute().await?;
    DBOS::set_event(STATE, "written").await?;
    if fails { Err(Error::new("torn up")) } else { Ok(()) }
}

#[workflow]
async fn writes_state(gate: String, fails: bool) -> Result<()> {
    events_wait(gate.clone()).await;
    let written = writes_and_publishes(fails).await;
    events_wait(format!("{gate}-end")).await;
    written
}

async fn an_event_set_in_a_transaction_commits_with_it(database: Database) {
    let app = App::launch(config(&database)).await;
    database.execute("CREATE TABLE states (text TEXT)").await;
    let gate = unique("writes");

    let value = app
        .run(async {
            DBOS::start_workflow(writes_state(gate.clone(), false)).workflow_id("w").await.unwrap();
            reached(&gate).await;
            let (value, ()) = tokio::join!(DBOS::get_event("w", STATE).into_future(), async { open(&gate) });
            value.unwrap()
        })
        .await;

    assert_eq!(value.as_deref(), Some("written"));
    assert_eq!(database.count("SELECT count(*) FROM states").await, 1);
    open(&format!("{gate}-end"));
}

async fn an_event_set_in_a_transaction_that_fails_is_not_set(database: Database) {
    let app = App::launch(config(&database)).await;
    database.execute("CREATE TABLE states (text TEXT)").await;
    let gate = unique("writes");
    open(&gate);
    open(&format!("{gate}-end"));

    app.run(async { writes_state(gate, true).workflow_id("w").await.unwrap_err() }).await;

    assert_eq!(app.run(async { DBOS::get_event("w", STATE).await.unwrap() }).await, None);
    assert_eq!(database.count("SELECT count(*) FROM dbos.workflow_events_history").await, 0);
}

async fn an_event_outside_a_workflow_is_refused(database: Database) {
    let app = App::launch(config(&database)).await;

    let error = app.run(async { DBOS::set_event(STATE, "x").await.unwrap_err() }).await;

    assert!(matches!(error, Error::OutsideWorkflow { .. }), "{error}");
}

async fn an_unusable_key_is_refused(database: Database) {
    const EMPTY: Event<String> = Event::new("");
    let app = App::launch(config(&database)).await;

    let error = app.run(async { DBOS::get_event("w", EMPTY).await.unwrap_err() }).await;

    assert!(matches!(error, Error::InvalidKey { .. }), "{error}");
}
