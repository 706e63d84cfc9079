//! Queues that are made, changed and deleted while programs serve them.

use std::time::Duration;

use dbos::{DBOS, Error, Result, workflow};
use dbos_testkit::board::{open, reached, reached_times, unique};
use dbos_testkit::{App, CrashTest, Database, behaviours};

use crate::app::{ENDED, MINUTE, ONE, TWO, config, config_of_several, enqueue, ids, queued, row, text};

behaviours! { made:
    a_queue_is_made_and_served_at_once_by_every_process,
    a_process_serves_the_queues_it_is_told_to,
    changed_limits_hold_at_once_for_who_serves_the_queue,
    a_declared_queue_has_its_limits_again_after_a_launch,
    what_waits_without_a_key_is_a_partition_once_there_are_any,
    a_queue_that_is_in_use_is_not_deleted,
    a_queue_that_makes_no_sense_is_refused,
    half_a_rate_limit_is_said_and_serves_nobody,
    queues_are_listed_with_their_limits_and_how_full_they_are,
    a_workflow_that_makes_a_queue_ends_once_wherever_it_crashes within 240,
}

/// The first process puts workflows into queues that it does not serve.
async fn a_queue_is_made_and_served_at_once_by_every_process(database: Database) {
    let mut deaf = config_of_several(&database);
    deaf.queues = vec!["plain".to_owned()];
    let first = App::launch(deaf).await;
    let second = App::launch(config_of_several(&database)).await;
    let gate = unique("queued");

    first
        .run(async {
            DBOS::create_queue("made").concurrency(1).await.unwrap();
            for id in ["m-0", "m-1"] {
                queued(gate.clone()).enqueue("made").workflow_id(id).await.unwrap();
            }
        })
        .await;
    reached(&gate).await;

    let executor = row(&database, "executor_id", "m-0").await;
    assert_eq!(executor, [Some(second.engine.executor_id())]);
    assert_eq!(row(&database, "status", "m-1").await, [text("ENQUEUED")]);
    second.crash().await;
    let _third = App::launch(config_of_several(&database)).await;
    reached_times(&gate, 2).await;
    open(&gate);
    assert_eq!(first.result::<Result<String>>("m-1").await.unwrap(), "m-1");
}

async fn a_process_serves_the_queues_it_is_told_to(database: Database) {
    let mut config = config(&database);
    config.queues = vec!["two".to_owned()];
    let app = App::launch(config).await;
    let gate = unique("queued");
    open(&gate);

    enqueue(&app, &ONE, &format!("{gate}-lost"), 1).await;
    enqueue(&app, &TWO, &gate, 3).await;

    database.until_count(ENDED, 3).await;
    let lost = format!("{gate}-lost-0");
    assert_eq!(row(&database, "status", &lost).await, [text("ENQUEUED")]);
    // What is resumed is everybody's business.
    app.run(async {
        DBOS::cancel_workflow(&lost).await.unwrap();
        open(&format!("{gate}-lost"));
        database.execute("DELETE FROM dbos_rust.left_queues").await;
        DBOS::resume_workflow(&lost).await.unwrap();
    })
    .await;
    assert_eq!(app.result::<Result<String>>(&lost).await.unwrap(), lost);
}

async fn changed_limits_hold_at_once_for_who_serves_the_queue(database: Database) {
    let app = App::launch(config_of_several(&database)).await;
    let gate = unique("queued");
    enqueue(&app, &ONE, &gate, 5).await;
    reached(&gate).await;
    let mut deaf = config_of_several(&database);
    deaf.queues = vec!["none".to_owned()];
    let other = App::launch(deaf).await;

    other.run(async { DBOS::update_queue(&ONE).concurrency(3).await.unwrap() }).await;
    reached_times(&gate, 3).await;
    other.run(async { DBOS::update_queue(&ONE).concurrency(None).worker_concurrency(4).await.unwrap() }).await;
    reached_times(&gate, 4).await;
    assert_eq!(row(&database, "status", &format!("{gate}-4")).await, [text("ENQUEUED")]);

    open(&gate);
    database.until_count(ENDED, 5).await;
}

async fn a_declared_queue_has_its_limits_again_after_a_launch(database: Database) {
    let mut app = App::launch(config(&database)).await;
    app.run(async { DBOS::update_queue(&ONE).concurrency(7).await.unwrap() }).await;

    app.crash_and_relaunch().await;

    let found = app.run(async { DBOS::queue(&ONE).await.unwrap().unwrap() }).await;
    assert_eq!(found.limits.concurrency, Some(1));
}

async fn what_waits_without_a_key_is_a_partition_once_there_are_any(database: Database) {
    let app = App::launch(config(&database)).await;
    let gate = unique("queued");

    app.run(async {
        DBOS::create_queue("made").await.unwrap();
        DBOS::pause_queue("made").await.unwrap();
        for id in ["m-0", "m-1"] {
            queued(gate.clone()).enqueue("made").workflow_id(id).await.unwrap();
        }
        DBOS::update_queue("made").partition_concurrency(1).await.unwrap();
        queued(gate.clone()).enqueue("made").partition_key("k").workflow_id("m-2").await.unwrap();
        let refused = queued(gate.clone()).enqueue("made").await;
        assert!(matches!(refused, Err(Error::InvalidKey { .. })), "{refused:?}");
        DBOS::resume_queue("made").await.unwrap();
    })
    .await;

    reached_times(&gate, 2).await;
    assert_eq!(ids(&database, "made", "PENDING").await, ["m-0", "m-2"]);
    open(&gate);
    database.until_count(ENDED, 3).await;
}

async fn a_queue_that_is_in_use_is_not_deleted(database: Database) {
    let app = App::launch(config(&database)).await;
    let gate = unique("queued");

    app.run(async {
        DBOS::create_queue("made").await.unwrap();
        queued(gate.clone()).enqueue("made").workflow_id("m").await.unwrap();
        let refused = DBOS::delete_queue("made").await.unwrap_err();
        assert!(matches!(&refused, Error::QueueInUse { .. }), "{refused}");
        assert!(refused.to_string().contains("workflow `m` has not ended"), "{refused}");
        let declared = DBOS::delete_queue(&ONE).await.unwrap_err();
        assert!(declared.to_string().contains("this program declares it"), "{declared}");
    })
    .await;
    open(&gate);
    app.result::<Result<String>>("m").await.unwrap();

    app.run(async {
        DBOS::delete_queue("made").await.unwrap();
        DBOS::delete_queue("made").await.unwrap();
        assert!(DBOS::queue("made").await.unwrap().is_none());
        let refused = queued(gate.clone()).enqueue("made").await.unwrap_err();
        assert!(matches!(&refused, Error::NonExistentQueue { .. }), "{refused}");
        // It may come back, and is served again.
        DBOS::create_queue("made").await.unwrap();
        queued(gate.clone()).enqueue("made").workflow_id("again").await.unwrap();
    })
    .await;
    assert_eq!(app.result::<Result<String>>("again").await.unwrap(), "again");
}

async fn a_queue_that_makes_no_sense_is_refused(database: Database) {
    let app = App::launch(config(&database)).await;

    app.run(async {
        for refused in [
            DBOS::create_queue("_dbos_mine").await,
            DBOS::create_queue("").await,
            DBOS::create_queue("q").concurrency(0).await,
            DBOS::create_queue("q").rate_limit(1, Duration::ZERO).await,
            DBOS::create_queue("q").partition_worker_concurrency(3).partition_concurrency(2).await,
            DBOS::update_queue(&ONE).worker_concurrency(2).await,
        ] {
            assert!(matches!(refused, Err(Error::InvalidKey { .. })), "{refused:?}");
        }
        DBOS::create_queue("q").concurrency(2).await.unwrap();
        DBOS::create_queue("q").concurrency(2).await.unwrap();
        let refused = DBOS::create_queue("q").concurrency(3).await;
        assert!(matches!(refused, Err(Error::QueueExists { .. })), "{refused:?}");
        for refused in [
            DBOS::update_queue("nobody's").concurrency(3).await,
            DBOS::pause_queue("nobody's").await,
            DBOS::resume_queue("nobody's").await,
        ] {
            assert!(matches!(refused, Err(Error::NonExistentQueue { .. })), "{refused:?}");
        }
    })
    .await;

    assert_eq!(database.count("SELECT count(*) FROM dbos_rust.paused_queues").await, 0);
}

/// Such a row is another program's mistake, or that of a hand.
async fn half_a_rate_limit_is_said_and_serves_nobody(database: Database) {
    let app = App::launch(config(&database)).await;
    let gate = unique("queued");
    open(&gate);
    database.execute("UPDATE dbos.queues SET rate_limit_max = 5 WHERE name = 'one'").await;

    enqueue(&app, &ONE, &format!("{gate}-lost"), 1).await;
    enqueue(&app, &TWO, &gate, 1).await;

    database.until_count(ENDED, 1).await;
    let found = app.run(async { DBOS::queue(&ONE).await.unwrap().unwrap() }).await;
    let said = found.unreadable.unwrap();
    assert!(said.contains("half a rate limit: give both `rate_limit_max` and `rate_limit_period_sec`"), "{said}");
    assert_eq!((found.waiting, found.running), (1, 0));

    database.execute("UPDATE dbos.queues SET rate_limit_period_sec = 60 WHERE name = 'one'").await;
    open(&format!("{gate}-lost"));
    app.run(async { DBOS::resume_queue(&ONE).await.unwrap() }).await;
    database.until_count(ENDED, 2).await;
}

async fn queues_are_listed_with_their_limits_and_how_full_they_are(database: Database) {
    let app = App::launch(config(&database)).await;
    let gate = unique("queued");
    enqueue(&app, &TWO, &gate, 5).await;
    reached_times(&gate, 2).await;

    let listed = app
        .run(async {
            DBOS::create_queue("made").rate_limit(3, MINUTE).partition_concurrency(2).await.unwrap();
            DBOS::pause_queue("made").await.unwrap();
            DBOS::list_queues().await.unwrap()
        })
        .await;

    let names: Vec<_> = listed.iter().map(|queue| queue.name.as_str()).collect();
    let declared =
        ["customers", "flooded", "four-an-hour", "kept", "made", "one", "one-a-minute-of-a-customer", "one-each"];
    assert_eq!(names, [declared.as_slice(), &["one-each-of-a-customer", "plain", "two", "two-a-minute"]].concat());
    let two = &listed[10];
    assert_eq!((two.waiting, two.running, two.is_paused, two.limits.concurrency), (3, 2, false, Some(2)));
    let made = &listed[4];
    let rate = made.limits.rate_limit.unwrap();
    assert_eq!((rate.starts, rate.period_ms, made.partition_limits.concurrency), (3, 60_000, Some(2)));
    assert!(made.is_paused);
    assert_eq!(made.application_name.as_deref(), Some("queues"));
}

#[workflow]
async fn queues_makes_one() -> Result<String> {
    DBOS::create_queue("made").concurrency(1).await?;
    DBOS::pause_queue("made").await?;
    DBOS::update_queue("made").concurrency(2).await?;
    let child = queued("made".to_owned()).enqueue("made").await?;
    DBOS::resume_queue("made").await?;
    let result = child.result().await?;
    let limits = DBOS::queue("made").await?.map(|queue| queue.limits.concurrency);
    DBOS::delete_queue("made").await?;
    let left = DBOS::list_queues().await?.iter().any(|queue| queue.name == "made");
    Ok(format!("{result} {limits:?} {left}"))
}

async fn a_workflow_that_makes_a_queue_ends_once_wherever_it_crashes(database: Database) {
    open("made");
    let backend = database.backend();
    let crash = move || {
        CrashTest::on(backend).run(
            async |_| queues_makes_one().workflow_id("p").await,
            async |database, result| {
                assert_eq!(result.unwrap(), "p-4 Some(Some(2)) false");
                assert_eq!(database.count(ENDED).await, 2);
            },
        )
    };
    tokio::task::spawn_blocking(crash).await.unwrap();
}
