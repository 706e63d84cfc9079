//! Workflows that workflows enqueue.

use dbos::{DBOS, Deduplication, Result, workflow};
use dbos_testkit::board::{open, ran, reached, unique};
use dbos_testkit::{App, CrashTest, Database, behaviours};

use crate::app::{ENDED, MINUTE, ONE, PLAIN, config, queued, queues_wait, row, text};
use crate::crashes::queues_notes;

behaviours! { children:
    an_enqueued_child_is_one_step_and_inherits_the_deadline,
    a_child_that_is_a_duplicate_is_told_so_at_each_replay,
    an_enqueued_child_ends_once_wherever_it_crashes within 120,
}

#[workflow]
async fn queues_parent(gate: String) -> Result<String> {
    let handle = queued(gate).enqueue(&PLAIN).priority(1).await?;
    handle.result().await
}

async fn an_enqueued_child_is_one_step_and_inherits_the_deadline(database: Database) {
    let app = App::launch(config(&database)).await;
    let gate = unique("queued");
    open(&gate);

    let child = app.run(async { queues_parent(gate).workflow_id("p").timeout(MINUTE * 60).await.unwrap() }).await;

    assert_eq!(child, "p-1");
    let steps = "SELECT function_name FROM dbos.operation_outputs WHERE workflow_uuid = 'p' ORDER BY function_id";
    assert_eq!(database.query(steps).await.concat(), [text("queued"), text("DBOS.getResult")]);
    assert_eq!(row(&database, "parent_workflow_id, queue_name", "p-1").await, [text("p"), text("plain")]);
    let deadlines = "SELECT count(DISTINCT workflow_deadline_epoch_ms) FROM dbos.workflow_status";
    assert_eq!(database.count(deadlines).await, 1);
}

#[workflow]
async fn queues_parent_of_duplicate(gate: String, end: String) -> Result<String> {
    let refused = queued(gate.clone()).enqueue(&PLAIN).deduplication_id("k").await.unwrap_err();
    let attached = queued(gate)
        .enqueue(&PLAIN)
        .deduplication_id("k")
        .deduplication(Deduplication::ReturnExisting)
        .await?
        .workflow_id()
        .to_owned();
    ran(&end);
    queues_wait(&end).await;
    Ok(format!("{attached}: {refused}"))
}

async fn a_child_that_is_a_duplicate_is_told_so_at_each_replay(database: Database) {
    let mut app = App::launch(config(&database)).await;
    let (gate, end) = (unique("queued"), unique("end"));
    app.run(async {
        queued(gate.clone()).enqueue(&PLAIN).deduplication_id("k").workflow_id("first").await.unwrap();
        let parent = queues_parent_of_duplicate(gate.clone(), end.clone());
        DBOS::start_workflow(parent).workflow_id("p").await.unwrap();
    })
    .await;
    reached(&end).await;

    app.crash().await;
    // The one that was in the way is gone when the parent is replayed.
    open(&gate);
    open(&end);
    app.relaunch().await;

    let said = app.result::<Result<String>>("p").await.unwrap();
    assert!(said.starts_with("first: workflow `first` of queue `plain` has the deduplication id `k`"), "{said}");
    assert_eq!(database.count("SELECT count(*) FROM dbos.workflow_status").await, 2);
}

#[workflow]
async fn queues_parent_of_notes(name: String) -> Result<String> {
    queues_notes(name).enqueue(&ONE).await?.result().await
}

async fn an_enqueued_child_ends_once_wherever_it_crashes(database: Database) {
    let backend = database.backend();
    let crash = move || {
        CrashTest::on(backend).run(
            async |_| queues_parent_of_notes("q".to_owned()).workflow_id("p").await,
            async |database, result| {
                assert_eq!(result.unwrap(), "q");
                assert_eq!(database.count(ENDED).await, 2);
                assert_eq!(database.count("SELECT count(*) FROM dbos.workflow_status").await, 2);
            },
        )
    };
    tokio::task::spawn_blocking(crash).await.unwrap();
}
