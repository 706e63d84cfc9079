//! Workflows that wait for long leave memory, and come back by replay.

use std::time::Duration;

use dbos::{Config, DBOS, Error, Event, Result, Topic, step, workflow};
use dbos_testkit::board::{open, pass, ran, ran_times, reached, runs_of, unique};
use dbos_testkit::{App, Backend, CrashTest, Database, behaviours};

behaviours! { parked:
    a_sleeper_comes_back_at_its_instant,
    a_receiver_comes_back_with_its_message,
    a_message_that_nobody_told_is_found,
    who_waits_for_an_event_comes_back_with_it,
    a_parent_comes_back_with_the_end_of_its_children,
    news_on_the_way_out_is_not_lost within 120,
    where_too_many_wait_the_last_leave_at_once,
    who_waits_for_something_else_stays,
    a_deadline_brings_it_back_to_end,
    a_cancelled_one_does_not_come_back,
    what_was_away_goes_on_after_a_crash,
    what_was_away_goes_on_elsewhere_after_a_shutdown,
    waits_end_once_wherever_it_crashes within 240,
}

const WORD: Topic<String> = Topic::new("word");
const STAGE: Event<u32> = Event::new("stage");
const LONG: Duration = Duration::from_hours(1);
/// Longer than what makes a workflow leave, and short.
const SHORT: Duration = Duration::from_millis(300);

fn config(database: &Database) -> Config {
    let mut config = crate::app::config(database);
    config.park_after = Duration::from_millis(20);
    if database.backend() == Backend::Sqlite {
        config.poll_interval = Duration::from_millis(20);
    }
    config
}

/// Notes that a run is gone.
struct Leaving(String);

impl Drop for Leaving {
    fn drop(&mut self) {
        ran(&self.0);
    }
}

fn away(name: &str) -> String {
    format!("{name} is away")
}

/// Completes when the run called `name` has left memory so many times.
async fn left(name: &str, times: u32) {
    ran_times(&away(name), times).await;
}

#[workflow]
async fn sleeper(name: String, nap: u64) -> Result<u32> {
    ran(&name);
    let _leaving = Leaving(away(&name));
    DBOS::sleep(Duration::from_millis(nap)).await;
    Ok(parked_count(&name).await)
}

#[step]
async fn parked_count(name: &str) -> u32 {
    ran(&format!("{name} went on"))
}

#[workflow]
async fn receiver(name: String) -> Result<Option<String>> {
    ran(&name);
    let _leaving = Leaving(away(&name));
    DBOS::recv(WORD, LONG).await
}

#[workflow]
async fn announcer(gate: String) -> Result<()> {
    ran(&gate);
    parked_gate(&gate).await;
    DBOS::set_event(STAGE, 7_u32).await?;
    parked_gate(&format!("{gate} end")).await;
    Ok(())
}

#[step]
async fn parked_gate(gate: &str) {
    pass(gate).await;
}

#[workflow]
async fn watcher(name: String, other: String) -> Result<Option<u32>> {
    let _leaving = Leaving(away(&name));
    DBOS::get_event(other, STAGE).timeout(LONG).await
}

#[workflow]
async fn parked_parent(name: String) -> Result<String> {
    let _leaving = Leaving(away(&name));
    let one = DBOS::start_workflow(receiver(format!("{name} one"))).workflow_id(format!("{name}-one")).await?;
    let two = DBOS::start_workflow(receiver(format!("{name} two"))).workflow_id(format!("{name}-two")).await?;
    let first = one.result().await?.unwrap_or_default();
    let both = DBOS::wait_all(&[one, two]).await.into_iter().collect::<Result<Vec<_>>>()?;
    Ok(format!("{first} {}", both.into_iter().flatten().collect::<Vec<_>>().join(" ")))
}

const ATTEMPTS: &str = "SELECT max(recovery_attempts) FROM dbos.workflow_status";

async fn a_sleeper_comes_back_at_its_instant(database: Database) {
    let app = App::launch(config(&database)).await;
    let name = unique("sleeper");

    let handle = app.run(async { DBOS::start_workflow(sleeper(name.clone(), 300)).await }).await.unwrap();
    left(&name, 1).await;
    app.engine.idle().await;

    assert_eq!(handle.result().await.unwrap(), 1);
    assert_eq!((runs_of(&name), runs_of(&format!("{name} went on"))), (2, 1));
    assert_eq!(database.count(ATTEMPTS).await, 1);
}

async fn a_receiver_comes_back_with_its_message(database: Database) {
    let app = App::launch(config(&database)).await;
    let name = unique("receiver");

    let handle = app.run(async { DBOS::start_workflow(receiver(name.clone())).workflow_id("r").await }).await.unwrap();
    left(&name, 1).await;
    app.run(async { DBOS::send("r", "hello", WORD).await }).await.unwrap();

    assert_eq!(handle.result().await.unwrap().as_deref(), Some("hello"));
    assert_eq!((runs_of(&name), database.count(ATTEMPTS).await), (2, 1));
}

async fn a_message_that_nobody_told_is_found(database: Database) {
    let mut config = config(&database);
    config.listen = database.backend() == Backend::Sqlite;
    config.poll_interval = Duration::from_millis(20);
    let app = App::launch(config).await;
    let name = unique("receiver");

    let handle = app.run(async { DBOS::start_workflow(receiver(name.clone())).workflow_id("r").await }).await.unwrap();
    left(&name, 1).await;
    let message = "INSERT INTO dbos.notifications
                          (message_uuid, destination_uuid, topic, message, created_at_epoch_ms, serialization)
                   VALUES ('m', 'r', 'word', '\"hello\"', 1, 'portable_json')";
    database.execute(message).await;

    assert_eq!(handle.result().await.unwrap().as_deref(), Some("hello"));
}

async fn who_waits_for_an_event_comes_back_with_it(database: Database) {
    let app = App::launch(config(&database)).await;
    let (name, gate) = (unique("watcher"), unique("announcer"));

    let announcer =
        app.run(async { DBOS::start_workflow(announcer(gate.clone())).workflow_id("a").await }).await.unwrap();
    let handle = app.run(async { DBOS::start_workflow(watcher(name.clone(), "a".to_owned())).await }).await.unwrap();
    left(&name, 1).await;
    open(&gate);

    assert_eq!(handle.result().await.unwrap(), Some(7));
    open(&format!("{gate} end"));
    announcer.result().await.unwrap();
    assert_eq!(runs_of(&gate), 1, "a workflow in a step stays");
}

async fn a_parent_comes_back_with_the_end_of_its_children(database: Database) {
    let app = App::launch(config(&database)).await;
    let name = unique("parent");

    let handle = app.run(async { DBOS::start_workflow(parked_parent(name.clone())).await }).await.unwrap();
    left(&name, 1).await;
    for child in ["one", "two"] {
        left(&format!("{name} {child}"), 1).await;
    }
    app.run(async { DBOS::send(format!("{name}-one"), "1", WORD).await }).await.unwrap();
    left(&name, 2).await;
    app.run(async { DBOS::send(format!("{name}-two"), "2", WORD).await }).await.unwrap();

    assert_eq!(handle.result().await.unwrap(), "1 1 2");
    assert_eq!(database.count(ATTEMPTS).await, 1);
}

/// Gets thirty messages, one after the other.
#[workflow]
async fn counter(name: String) -> Result<u32> {
    let _leaving = Leaving(away(&name));
    for number in 0..30_u32 {
        let word = DBOS::recv(WORD, LONG).await?;
        assert_eq!(word, Some(number.to_string()));
        DBOS::set_event(STAGE, number).await?;
    }
    Ok(30)
}

async fn news_on_the_way_out_is_not_lost(database: Database) {
    let mut config = config(&database);
    config.park_after = Duration::from_millis(1);
    // Nothing that is missed is found later.
    config.poll_interval = LONG;
    let app = App::launch(config).await;
    let name = unique("counter");
    let mut handles = Vec::new();
    for number in 0..10 {
        let id = format!("c{number}");
        handles
            .push(app.run(async { DBOS::start_workflow(counter(name.clone())).workflow_id(id).await }).await.unwrap());
    }

    let talk = |number: usize| {
        let app = &app;
        async move {
            let id = format!("c{number}");
            for word in 0..30_u32 {
                app.run(async { DBOS::send(id.clone(), word.to_string(), WORD).await }).await.unwrap();
                if word % 3 == 0 {
                    // About as long as it takes to leave.
                    tokio::time::sleep(Duration::from_micros(500 * (u64::from(word) % 7 + number as u64 % 4))).await;
                }
            }
        }
    };
    futures_util::future::join_all((0..10).map(talk)).await;

    for handle in handles {
        assert_eq!(handle.result().await.unwrap(), 30);
    }
    assert!(runs_of(&away(&name)) > 10, "nobody ever left");
}

async fn where_too_many_wait_the_last_leave_at_once(database: Database) {
    let mut config = config(&database);
    (config.park_after, config.most_waiting) = (LONG / 2, 2);
    let app = App::launch(config).await;
    let (early, late) = (unique("early"), unique("late"));
    let start = async |name: &str, id: &str| {
        app.run(async { DBOS::start_workflow(receiver(name.to_owned())).workflow_id(id).await.unwrap() }).await
    };

    let mut handles = vec![start(&early, "r1").await, start(&early, "r2").await];
    // Whoever has recorded how long it waits, waits.
    let waits = "SELECT count(*) FROM dbos.operation_outputs WHERE function_name = 'DBOS.sleep'";
    database.until_count(waits, 2).await;
    for id in ["r3", "r4"] {
        handles.push(start(&late, id).await);
    }
    left(&late, 2).await;

    assert_eq!(runs_of(&away(&early)), 0, "who was there before stays");
    for handle in handles {
        let id = handle.workflow_id().to_owned();
        app.run(async { DBOS::send(&id, "hello", WORD).await.unwrap() }).await;
        assert_eq!(handle.result().await.unwrap().as_deref(), Some("hello"));
    }
    assert_eq!((runs_of(&early), runs_of(&late)), (2, 4));
}

/// Waits for a message and for something that no replay would see again.
#[workflow]
async fn distracted(name: String) -> Result<Option<String>> {
    ran(&name);
    let _leaving = Leaving(away(&name));
    let (word, ()) = tokio::join!(DBOS::recv(WORD, LONG), pass(&name));
    word
}

async fn who_waits_for_something_else_stays(database: Database) {
    let app = App::launch(config(&database)).await;
    let (name, other) = (unique("distracted"), unique("receiver"));

    let handle =
        app.run(async { DBOS::start_workflow(distracted(name.clone())).workflow_id("d").await }).await.unwrap();
    reached(&name).await;
    // It has had its chance when another one, that came later, has left.
    app.run(async { DBOS::start_workflow(receiver(other.clone())).await }).await.unwrap();
    left(&other, 1).await;
    assert_eq!(runs_of(&away(&name)), 0);
    app.run(async { DBOS::send("d", "hello", WORD).await }).await.unwrap();
    open(&name);

    assert_eq!(handle.result().await.unwrap().as_deref(), Some("hello"));
    assert_eq!(runs_of(&name), 1);
}

async fn a_deadline_brings_it_back_to_end(database: Database) {
    let app = App::launch(config(&database)).await;
    let name = unique("sleeper");

    let handle =
        app.run(async { DBOS::start_workflow(sleeper(name.clone(), 3_600_000)).timeout(SHORT).await }).await.unwrap();
    left(&name, 1).await;

    assert!(matches!(handle.result().await, Err(Error::Cancelled { .. })));
}

async fn a_cancelled_one_does_not_come_back(database: Database) {
    let app = App::launch(config(&database)).await;
    let name = unique("sleeper");

    let handle =
        app.run(async { DBOS::start_workflow(sleeper(name.clone(), 3_600_000)).workflow_id("s").await }).await.unwrap();
    left(&name, 1).await;
    app.run(async { DBOS::cancel_workflow("s").await }).await.unwrap();

    assert!(matches!(handle.result().await, Err(Error::Cancelled { .. })));
    app.engine.idle().await;
    assert_eq!(runs_of(&name), 1);
}

async fn what_was_away_goes_on_after_a_crash(database: Database) {
    let mut app = App::launch(config(&database)).await;
    let name = unique("receiver");

    app.run(async { DBOS::start_workflow(receiver(name.clone())).workflow_id("r").await }).await.unwrap();
    left(&name, 1).await;
    app.crash_and_relaunch().await;
    left(&name, 2).await;
    app.run(async { DBOS::send("r", "hello", WORD).await }).await.unwrap();

    assert_eq!(app.result::<Result<Option<String>>>("r").await.unwrap().as_deref(), Some("hello"));
}

async fn what_was_away_goes_on_elsewhere_after_a_shutdown(database: Database) {
    let first = App::launch(config(&database)).await;
    let name = unique("sleeper");
    first.run(async { DBOS::start_workflow(sleeper(name.clone(), 400)).workflow_id("s").await }).await.unwrap();
    left(&name, 1).await;

    first.engine.shutdown().await;
    let second = App::launch(config(&database)).await;

    assert_eq!(second.result::<Result<u32>>("s").await.unwrap(), 1);
    assert_eq!(database.count(ATTEMPTS).await, 1);
}

#[workflow]
async fn patient(name: String) -> Result<u32> {
    let child = DBOS::start_workflow(sleeper(format!("{name} child"), 60)).await?;
    DBOS::sleep(Duration::from_millis(60)).await;
    child.result().await
}

async fn waits_end_once_wherever_it_crashes(database: Database) {
    let test = CrashTest::on(database.backend()).with_config(config(&database));

    let crashes = tokio::task::spawn_blocking(move || {
        test.run(
            async |database| {
                let name = database.url().to_owned();
                DBOS::start_workflow(patient(name)).workflow_id("p").await?.result().await
            },
            async |_, times| assert!(matches!(times, Ok(1 | 2)), "{times:?}"),
        )
    });

    assert!(crashes.await.unwrap().writes >= 6);
}
