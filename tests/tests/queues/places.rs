//! Places in a queue that workflows give up while they wait.

use std::time::Duration;

use dbos::{Config, DBOS, Queue, Result, Topic, workflow};
use dbos_testkit::board::{open, ran, ran_times, reached, runs_of, unique};
use dbos_testkit::{App, CrashTest, Database, behaviours};

use crate::app::{ENDED, ONE, ONE_EACH, RUNNING, ids, queued};

behaviours! { places:
    a_parent_gives_its_place_to_its_child,
    a_worker_has_room_while_its_workflow_waits,
    a_sleeper_takes_a_place_again_when_it_wakes,
    a_queue_may_keep_the_places_of_those_who_wait,
    a_start_that_waits_counts_once_in_a_rate,
    what_gave_up_its_place_goes_on_after_a_crash,
    what_gave_up_its_place_can_be_cancelled,
    places_are_given_up_and_taken_wherever_it_crashes within 240,
}

#[dbos::queue]
static KEPT: Queue = Queue::new("kept").concurrency(1).keep_places();

#[dbos::queue]
static FOUR_AN_HOUR: Queue = Queue::new("four-an-hour").concurrency(1).rate_limit(4, Duration::from_hours(1));

const WORD: Topic<String> = Topic::new("word");
const LONG: Duration = Duration::from_hours(1);
const DELAYED: &str = "SELECT count(*) FROM dbos.workflow_status WHERE status = 'DELAYED'";

fn config(database: &Database) -> Config {
    let mut config = crate::app::config_of_several(database);
    config.park_after = Duration::from_millis(20);
    config
}

#[workflow]
async fn delegating(queue: String, name: String) -> Result<String> {
    ran(&name);
    queued(name).enqueue(queue).workflow_id(format!("{}-child", DBOS::workflow_id())).await?.result().await
}

#[workflow]
async fn listening(name: String) -> Result<Option<String>> {
    ran(&name);
    DBOS::recv(WORD, LONG).await
}

#[workflow]
async fn napping(name: String, nap: u64) -> Result<()> {
    ran(&name);
    DBOS::sleep(Duration::from_millis(nap)).await;
    Ok(())
}

async fn a_parent_gives_its_place_to_its_child(database: Database) {
    let app = App::launch(config(&database)).await;
    let name = unique("parent");
    open(&name);

    let handle =
        app.run(async { delegating("one".to_owned(), name.clone()).enqueue(&ONE).workflow_id("p").await }).await;

    assert_eq!(handle.unwrap().result().await.unwrap(), "p-child");
    let attempts = "SELECT max(recovery_attempts) FROM dbos.workflow_status";
    assert_eq!(database.count(attempts).await, 1);
}

async fn a_worker_has_room_while_its_workflow_waits(database: Database) {
    let app = App::launch(config(&database)).await;
    let (name, gate) = (unique("listening"), unique("queued"));

    let handle = app.run(async { listening(name.clone()).enqueue(&ONE_EACH).workflow_id("l").await.unwrap() }).await;
    ran_times(&name, 1).await;
    app.run(async { queued(gate.clone()).enqueue(&ONE_EACH).await.unwrap() }).await;
    reached(&gate).await;
    database.until_count(DELAYED, 1).await;
    app.run(async { DBOS::send("l", "hello", WORD).await.unwrap() }).await;

    database.until_count("SELECT count(*) FROM dbos.workflow_status WHERE status = 'ENQUEUED'", 1).await;
    assert_eq!(runs_of(&name), 1, "there is no room for it");
    open(&gate);
    assert_eq!(handle.result().await.unwrap().as_deref(), Some("hello"));
}

async fn a_sleeper_takes_a_place_again_when_it_wakes(database: Database) {
    let app = App::launch(config(&database)).await;
    let name = unique("napping");

    app.run(async {
        for _ in 0..5 {
            napping(name.clone(), 2000).enqueue(&ONE).await.unwrap();
        }
    })
    .await;
    // One after the other they would sleep for long; all of them sleep at the same time.
    database.until_count(DELAYED, 5).await;
    database.until_count(ENDED, 5).await;

    assert_eq!(runs_of(&name), 10);
    let starts = "SELECT count(*) FROM dbos.workflow_status WHERE started_at_epoch_ms IS NULL";
    assert_eq!(database.count(starts).await, 0);
}

async fn a_queue_may_keep_the_places_of_those_who_wait(database: Database) {
    let app = App::launch(config(&database)).await;
    let (name, other) = (unique("listening"), unique("listening"));

    app.run(async {
        listening(name.clone()).enqueue(&KEPT).workflow_id("l").await.unwrap();
        listening(other.clone()).workflow_id("o").enqueue(&KEPT).await.unwrap();
    })
    .await;
    ran_times(&name, 1).await;
    app.run(async { DBOS::send("l", "hello", WORD).await.unwrap() }).await;
    ran_times(&other, 1).await;

    assert_eq!(ids(&database, "kept", "SUCCESS").await, ["l"]);
    assert_eq!((database.count(DELAYED).await, database.count(RUNNING).await), (0, 1));
}

async fn a_start_that_waits_counts_once_in_a_rate(database: Database) {
    let app = App::launch(config(&database)).await;
    let name = unique("napping");

    app.run(async {
        for _ in 0..3 {
            napping(name.clone(), 200).enqueue(&FOUR_AN_HOUR).await.unwrap();
        }
    })
    .await;
    database.until_count(ENDED, 3).await;
    app.run(async { napping(name.clone(), 0).enqueue(&FOUR_AN_HOUR).await.unwrap() }).await;

    database.until_count(ENDED, 4).await;
}

async fn what_gave_up_its_place_goes_on_after_a_crash(database: Database) {
    let mut app = App::launch(config(&database)).await;
    let name = unique("listening");

    app.run(async { listening(name.clone()).enqueue(&ONE).workflow_id("l").await.unwrap() }).await;
    database.until_count(DELAYED, 1).await;
    app.crash_and_relaunch().await;
    ran_times(&name, 2).await;
    app.run(async { DBOS::send("l", "hello", WORD).await.unwrap() }).await;

    assert_eq!(app.result::<Result<Option<String>>>("l").await.unwrap().as_deref(), Some("hello"));
}

async fn what_gave_up_its_place_can_be_cancelled(database: Database) {
    let app = App::launch(config(&database)).await;
    let name = unique("listening");

    app.run(async { listening(name.clone()).enqueue(&ONE).workflow_id("l").await.unwrap() }).await;
    database.until_count(DELAYED, 1).await;
    app.run(async { DBOS::cancel_workflow("l").await.unwrap() }).await;
    app.engine.idle().await;

    assert_eq!(database.count(DELAYED).await, 0);
    assert_eq!(runs_of(&name), 1);
}

async fn places_are_given_up_and_taken_wherever_it_crashes(database: Database) {
    let mut config = config(&database);
    config.park_after = Duration::from_millis(5);
    let test = CrashTest::on(database.backend()).with_config(config);

    let crashes = tokio::task::spawn_blocking(move || {
        test.run(
            async |database| {
                let name = database.url().to_owned();
                open(&name);
                let parent = delegating("one".to_owned(), name).enqueue(&ONE).workflow_id("p").await?;
                parent.result().await
            },
            async |_, ended| assert_eq!(ended.unwrap(), "p-child"),
        )
    });

    assert!(crashes.await.unwrap().writes >= 5);
}
