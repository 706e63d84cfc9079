//! Which goes first, and when: priorities, delays, timeouts, deduplication.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use dbos::{Clock, DBOS, Deduplication, Error, Result, Status, workflow};
use dbos_testkit::board::{open, reached, runs_of, unique};
use dbos_testkit::{App, Database, behaviours};
use sqlx::{Connection, PgConnection};

use crate::app::{ALMOST_A_MINUTE, ENDED, MINUTE, ONE, PLAIN, TWO, config, config_with, enqueue, queued};

behaviours! { options:
    a_lower_priority_goes_first_and_then_the_older,
    a_delayed_workflow_starts_when_it_is_due,
    a_crash_does_not_extend_a_delay,
    a_timeout_begins_when_the_workflow_leaves_its_queue,
    a_deduplication_id_is_one_workflow_until_it_ends,
    a_cancelled_workflow_frees_its_deduplication_id,
    what_has_a_deduplication_id_can_be_attached_to,
    a_holder_that_is_rolled_back_held_nothing on postgres,
    a_priority_that_cannot_be_stored_is_refused,
}

static ORDER: LazyLock<Mutex<HashMap<String, Vec<String>>>> = LazyLock::new(Mutex::default);

#[workflow]
async fn queues_in_order(list: String) -> Result<()> {
    ORDER.lock().unwrap().entry(list).or_default().push(DBOS::workflow_id());
    Ok(())
}

async fn a_lower_priority_goes_first_and_then_the_older(database: Database) {
    let app = App::launch(config(&database)).await;
    let (gate, list) = (unique("queued"), unique("list"));
    enqueue(&app, &ONE, &gate, 1).await;
    reached(&gate).await;

    app.run(async {
        for (id, priority) in [("c", 2), ("d", 2), ("e", 7), ("b", 1), ("f", 7), ("g", 2_147_483_647)] {
            queues_in_order(list.clone()).enqueue(&ONE).priority(priority).workflow_id(id).await.unwrap();
        }
        queues_in_order(list.clone()).enqueue(&ONE).workflow_id("a").await.unwrap();
    })
    .await;
    open(&gate);
    database.until_count(ENDED, 8).await;

    assert_eq!(ORDER.lock().unwrap()[&list], ["a", "b", "c", "d", "e", "f", "g"]);
}

async fn a_delayed_workflow_starts_when_it_is_due(database: Database) {
    let clock = Clock::manual();
    let app = App::launch(config_with(&database, &clock)).await;
    let gate = unique("queued");
    open(&gate);
    let (late, soon) = app
        .run(async {
            let late = queued(gate.clone()).enqueue(&PLAIN).delay(MINUTE * 2).workflow_id("late").await.unwrap();
            (late, queued(gate.clone()).enqueue(&PLAIN).delay(MINUTE).workflow_id("soon").await.unwrap())
        })
        .await;

    assert_eq!(soon.status().await.unwrap().unwrap().status, Some(Status::Delayed));
    clock.advance(MINUTE);
    assert_eq!(soon.result().await.unwrap(), "soon");
    assert_eq!(late.status().await.unwrap().unwrap().status, Some(Status::Delayed));
    clock.advance(MINUTE);
    assert_eq!(late.result().await.unwrap(), "late");
}

async fn a_crash_does_not_extend_a_delay(database: Database) {
    let clock = Clock::manual();
    let mut app = App::launch(config_with(&database, &clock)).await;
    let gate = unique("queued");
    open(&gate);
    app.run(async { queued(gate.clone()).enqueue(&PLAIN).delay(MINUTE).workflow_id("q").await.unwrap() }).await;

    clock.advance(MINUTE / 2);
    app.crash_and_relaunch().await;
    clock.advance(MINUTE / 2);

    assert_eq!(app.result::<Result<String>>("q").await.unwrap(), "q");
}

async fn a_timeout_begins_when_the_workflow_leaves_its_queue(database: Database) {
    let clock = Clock::manual();
    let app = App::launch(config_with(&database, &clock)).await;
    let gate = unique("queued");
    enqueue(&app, &ONE, &gate, 1).await;
    reached(&gate).await;

    let second = unique("second");
    let handle =
        app.run(async { queued(second.clone()).enqueue(&ONE).timeout(MINUTE).workflow_id("q").await.unwrap() }).await;
    clock.advance(MINUTE * 5);
    open(&gate);
    reached(&second).await;
    clock.advance(ALMOST_A_MINUTE);
    assert_eq!(handle.status().await.unwrap().unwrap().status, Some(Status::Pending));

    clock.advance(Duration::from_millis(1));
    assert!(matches!(handle.result().await, Err(Error::Cancelled { .. })));
}

async fn a_deduplication_id_is_one_workflow_until_it_ends(database: Database) {
    let app = App::launch(config(&database)).await;
    let gate = unique("queued");

    app.run(async {
        let first = queued(gate.clone()).enqueue(&PLAIN).deduplication_id("k").workflow_id("q-1").await.unwrap();
        let second = queued(gate.clone()).enqueue(&PLAIN).deduplication_id("k").await.unwrap_err();
        assert!(matches!(&second, Error::Deduplicated { workflow, .. } if workflow == "q-1"), "{second}");
        // Another queue has ids of its own, and the same workflow is no duplicate of itself.
        queued(gate.clone()).enqueue(&TWO).deduplication_id("k").await.unwrap();
        queued(gate.clone()).enqueue(&PLAIN).deduplication_id("k").workflow_id("q-1").await.unwrap();

        open(&gate);
        first.result().await.unwrap();
        let third = queued(gate.clone()).enqueue(&PLAIN).deduplication_id("k").workflow_id("q-3").await.unwrap();
        assert_eq!(third.result().await.unwrap(), "q-3");
    })
    .await;
}

async fn a_cancelled_workflow_frees_its_deduplication_id(database: Database) {
    let app = App::launch(config(&database)).await;
    let gate = unique("queued");
    enqueue(&app, &ONE, &gate, 1).await;
    reached(&gate).await;

    app.run(async {
        queued(gate.clone()).enqueue(&ONE).deduplication_id("k").workflow_id("q-1").await.unwrap();
        DBOS::cancel_workflow("q-1").await.unwrap();
        queued(gate.clone()).enqueue(&ONE).deduplication_id("k").workflow_id("q-2").await.unwrap();
    })
    .await;

    open(&gate);
    assert_eq!(app.result::<Result<String>>("q-2").await.unwrap(), "q-2");
}

async fn what_has_a_deduplication_id_can_be_attached_to(database: Database) {
    let app = App::launch(config(&database)).await;
    let gate = unique("queued");

    app.run(async {
        let policy = Deduplication::ReturnExisting;
        let first = queued(gate.clone()).enqueue(&PLAIN).deduplication_id("k").await.unwrap();
        let second = queued(gate.clone()).enqueue(&PLAIN).deduplication_id("k").deduplication(policy).await.unwrap();
        assert_eq!(first.workflow_id(), second.workflow_id());
        // A run of another function would give another type.
        let other = queues_in_order("k".to_owned()).enqueue(&PLAIN).deduplication_id("k").deduplication(policy).await;
        assert!(matches!(other, Err(Error::Deduplicated { .. })), "{other:?}");
        open(&gate);
        assert_eq!(second.result().await.unwrap(), first.workflow_id());
    })
    .await;

    assert_eq!(runs_of(&gate), 1);
}

/// Another library enqueues in a transaction of its own, and thinks better of it.
async fn a_holder_that_is_rolled_back_held_nothing(database: Database) {
    let app = App::launch(config(&database)).await;
    let gate = unique("queued");
    open(&gate);
    let mut other = PgConnection::connect(database.url()).await.unwrap();
    let mut open_one = other.begin().await.unwrap();
    let held = "INSERT INTO dbos.workflow_status
                       (workflow_uuid, status, name, queue_name, deduplication_id, created_at, updated_at)
                VALUES ('held', 'ENQUEUED', 'queued', 'plain', 'k', 1, 1)";
    sqlx::query(held).execute(&mut *open_one).await.unwrap();

    let ours = async { queued(gate.clone()).enqueue(&PLAIN).deduplication_id("k").workflow_id("q").await };
    let theirs = async {
        let waits = "SELECT count(*) FROM pg_stat_activity
                      WHERE datname = current_database() AND wait_event_type = 'Lock'";
        database.until_count(waits, 1).await;
        open_one.rollback().await.unwrap();
    };
    let (handle, ()) = tokio::join!(app.run(ours), theirs);

    assert_eq!(handle.unwrap().result().await.unwrap(), "q");
}

async fn a_priority_that_cannot_be_stored_is_refused(database: Database) {
    let app = App::launch(config(&database)).await;

    let refused = app.run(async { queued("gate".to_owned()).enqueue(&PLAIN).priority(2_147_483_648).await }).await;

    assert!(matches!(refused, Err(Error::InvalidKey { .. })), "{refused:?}");
}
