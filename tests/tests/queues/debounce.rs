//! Of many calls with one key, the last one runs.

use std::time::Duration;

use dbos::{Clock, DBOS, Error, Result, Status, workflow};
use dbos_testkit::board::{ran, runs_of, unique};
use dbos_testkit::{App, CrashTest, Database, behaviours};

use crate::app::{ALMOST_A_MINUTE, MINUTE, PLAIN, config, config_of_several, config_with, row, text};

behaviours! { debounce:
    the_last_call_runs_once_no_more_have_come,
    calls_put_a_workflow_off_no_longer_than_they_say,
    each_key_and_each_workflow_is_debounced_by_itself,
    engines_debounce_one_workflow_together,
    a_crash_loses_neither_the_call_nor_its_time,
    what_is_due_is_not_put_off_again,
    a_workflow_debounces_once_wherever_it_crashes within 240,
    a_deduplication_id_of_another_is_not_taken,
    a_debounced_workflow_can_be_cancelled,
}

#[workflow]
async fn queues_last(text: String) -> Result<String> {
    ran(&text);
    Ok(text)
}

#[workflow]
async fn queues_other(text: String) -> Result<String> {
    Ok(text)
}

async fn the_last_call_runs_once_no_more_have_come(database: Database) {
    let clock = Clock::manual();
    let app = App::launch(config_with(&database, &clock)).await;
    let (early, late) = (unique("early"), unique("late"));

    let (first, last) = app
        .run(async {
            let first = queues_last(early.clone()).debounce("k", MINUTE).await.unwrap();
            clock.advance(ALMOST_A_MINUTE);
            (first, queues_last(late.clone()).debounce("k", MINUTE).await.unwrap())
        })
        .await;
    clock.advance(ALMOST_A_MINUTE);
    assert_eq!(last.status().await.unwrap().unwrap().status, Some(Status::Delayed));
    clock.advance(Duration::from_millis(1));

    assert_eq!(first.workflow_id(), last.workflow_id());
    assert_eq!(first.result().await.unwrap(), late);
    assert_eq!((runs_of(&early), runs_of(&late)), (0, 1));
    let columns = "queue_name, deduplication_id, CAST(is_debounced AS INTEGER)";
    let ended = row(&database, columns, last.workflow_id()).await;
    assert_eq!(ended, [text("_dbos_internal_queue"), None, text("1")]);
}

async fn calls_put_a_workflow_off_no_longer_than_they_say(database: Database) {
    let clock = Clock::manual();
    let app = App::launch(config_with(&database, &clock)).await;

    let handle = app
        .run(async {
            let call = |text: &str| queues_last(text.to_owned()).debounce("k", MINUTE).at_most(MINUTE * 3 / 2);
            call("1").await.unwrap();
            clock.advance(ALMOST_A_MINUTE);
            call("2").await.unwrap()
        })
        .await;
    clock.advance(MINUTE / 2 + Duration::from_millis(1));

    assert_eq!(handle.result().await.unwrap(), "2");
}

async fn each_key_and_each_workflow_is_debounced_by_itself(database: Database) {
    let clock = Clock::manual();
    let app = App::launch(config_with(&database, &clock)).await;

    let handles = app
        .run(async {
            let one = queues_last("one".to_owned()).debounce("k", MINUTE).await.unwrap();
            let two = queues_last("two".to_owned()).debounce("k-2", MINUTE).await.unwrap();
            let other = queues_other("other".to_owned()).debounce("k", MINUTE).queue(&PLAIN).await.unwrap();
            [one, two, other]
        })
        .await;
    clock.advance(MINUTE);

    for (handle, text) in handles.into_iter().zip(["one", "two", "other"]) {
        assert_eq!(handle.result().await.unwrap(), text);
    }
}

async fn engines_debounce_one_workflow_together(database: Database) {
    let (mut config, clock) = (config_of_several(&database), Clock::manual());
    config.clock = Some(clock.clone());
    let first = App::launch(config.clone()).await;
    let second = App::launch(config).await;

    let mut ids = Vec::new();
    for (app, text) in [(&first, "1"), (&second, "2"), (&first, "3"), (&second, "4")] {
        let handle = app.run(async { queues_last(text.to_owned()).debounce("k", MINUTE).await.unwrap() }).await;
        ids.push(handle.workflow_id().to_owned());
    }
    clock.advance(MINUTE);

    assert!(ids.iter().all(|id| *id == ids[0]));
    assert_eq!(first.result::<Result<String>>(&ids[0]).await.unwrap(), "4");
}

async fn a_crash_loses_neither_the_call_nor_its_time(database: Database) {
    let clock = Clock::manual();
    let mut app = App::launch(config_with(&database, &clock)).await;
    let handle = app.run(async { queues_last("kept".to_owned()).debounce("k", MINUTE).await.unwrap() }).await;
    let id = handle.workflow_id().to_owned();

    clock.advance(MINUTE / 2);
    app.crash_and_relaunch().await;
    clock.advance(MINUTE / 2);

    assert_eq!(app.result::<Result<String>>(&id).await.unwrap(), "kept");
}

async fn what_is_due_is_not_put_off_again(database: Database) {
    let clock = Clock::manual();
    let app = App::launch(config_with(&database, &clock)).await;
    let first = app.run(async { queues_last("1".to_owned()).debounce("k", MINUTE).await.unwrap() }).await;
    clock.advance(MINUTE);
    assert_eq!(first.result().await.unwrap(), "1");

    let second = app.run(async { queues_last("2".to_owned()).debounce("k", MINUTE).await.unwrap() }).await;
    clock.advance(MINUTE);

    assert_eq!(second.result().await.unwrap(), "2");
    assert_ne!(first.workflow_id(), second.workflow_id());
}

#[workflow]
async fn queues_debounces() -> Result<(String, String)> {
    let soon = Duration::from_millis(1);
    let first = queues_last("first".to_owned()).debounce("k", soon).await?.result().await?;
    let second = queues_last("second".to_owned()).debounce("k", soon).await?.result().await?;
    Ok((first, second))
}

/// A crash between a call and its record must not start a second run.
async fn a_workflow_debounces_once_wherever_it_crashes(database: Database) {
    let backend = database.backend();
    let crash = move || {
        let crashes = CrashTest::on(backend).run(
            async |_| queues_debounces().workflow_id("w").await,
            async |database, results| {
                assert_eq!(results.unwrap(), ("first".to_owned(), "second".to_owned()));
                assert_eq!(database.count("SELECT count(*) FROM dbos.workflow_status").await, 3);
                let steps = "SELECT function_name FROM dbos.operation_outputs ORDER BY function_id";
                let name = |name: &str| text(name);
                let names = [name("DBOS.debounceDelayedWorkflow"), name("DBOS.getResult")];
                assert_eq!(database.query(steps).await.concat(), [names.clone(), names].concat());
            },
        );
        // The row, and twice: the call, the claim, the outcome, the record of the result; and the outcome.
        assert!(crashes.writes >= 10, "{crashes}");
    };
    tokio::task::spawn_blocking(crash).await.unwrap();
}

async fn a_deduplication_id_of_another_is_not_taken(database: Database) {
    let clock = Clock::manual();
    let app = App::launch(config_with(&database, &clock)).await;

    app.run(async {
        let taken = queues_last("1".to_owned()).enqueue(&PLAIN).delay(MINUTE).deduplication_id("queues_last-k");
        taken.workflow_id("q").await.unwrap();
        let refused = queues_last("2".to_owned()).debounce("k", MINUTE).queue(&PLAIN).await.unwrap_err();
        assert!(matches!(&refused, Error::Deduplicated { workflow, .. } if workflow == "q"), "{refused}");
        let long = queues_last("3".to_owned()).debounce("k".repeat(250), MINUTE).await.unwrap_err();
        assert!(matches!(long, Error::InvalidKey { .. }), "{long}");
    })
    .await;
}

async fn a_debounced_workflow_can_be_cancelled(database: Database) {
    let app = App::launch(config(&database)).await;

    app.run(async {
        let first = queues_last("1".to_owned()).debounce("k", MINUTE).await.unwrap();
        DBOS::cancel_workflow(first.workflow_id()).await.unwrap();
        let second = queues_last("2".to_owned()).debounce("k", MINUTE).await.unwrap();
        assert_ne!(first.workflow_id(), second.workflow_id());
        assert!(matches!(first.result().await, Err(Error::Cancelled { .. })));
    })
    .await;
}
