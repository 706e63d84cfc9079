//! Where workflows of a queue go when they are resumed.

use dbos::{DBOS, Error, Result};
use dbos_testkit::board::{open, reached, reached_times, unique};
use dbos_testkit::{App, Database, behaviours};

use crate::app::{CUSTOMERS, ENDED, MINUTE, ONE, TWO, config, enqueue, ids, queued, row, text};

behaviours! { resumed:
    a_cancelled_workflow_is_resumed_in_its_queue_and_partition,
    a_workflow_that_was_set_aside_is_resumed_in_its_queue,
    a_delayed_workflow_that_is_resumed_waits_no_longer,
    a_workflow_is_resumed_where_it_is_told_to,
    a_workflow_whose_queue_is_gone_is_resumed_without_one,
}

const PLACE: &str = "status, queue_name, queue_partition_key, CAST(priority AS BIGINT)";

async fn a_cancelled_workflow_is_resumed_in_its_queue_and_partition(database: Database) {
    let app = App::launch(config(&database)).await;
    let (first, gate) = (unique("first"), unique("queued"));
    app.run(async {
        queued(first.clone()).enqueue(&CUSTOMERS).partition_key("k").workflow_id("0").await.unwrap();
        queued(gate.clone()).enqueue(&CUSTOMERS).partition_key("k").priority(7).workflow_id("1").await.unwrap();
        reached(&first).await;
        DBOS::cancel_workflow("1").await.unwrap();
        assert_eq!(row(&database, "status, queue_name", "1").await, [text("CANCELLED"), None]);

        DBOS::resume_workflow("1").await.unwrap();
    })
    .await;

    // Its partition is full, so it waits.
    let waits = [text("ENQUEUED"), text("customers"), text("k"), text("7")];
    assert_eq!(row(&database, PLACE, "1").await, waits);
    open(&gate);
    open(&first);
    assert_eq!(app.result::<Result<String>>("1").await.unwrap(), "1");
}

async fn a_workflow_that_was_set_aside_is_resumed_in_its_queue(database: Database) {
    let app = App::launch(config(&database)).await;
    let gate = unique("queued");
    app.run(async { DBOS::pause_queue(&TWO).await.unwrap() }).await;
    enqueue(&app, &TWO, &gate, 1).await;
    database.execute("UPDATE dbos.workflow_status SET recovery_attempts = 1000").await;
    app.run(async { DBOS::resume_queue(&TWO).await.unwrap() }).await;
    let aside = "SELECT count(*) FROM dbos.workflow_status WHERE status = 'MAX_RECOVERY_ATTEMPTS_EXCEEDED'";
    database.until_count(aside, 1).await;
    let id = format!("{gate}-0");
    assert_eq!(row(&database, "queue_name", &id).await, [None]);

    app.run(async { DBOS::resume_workflow(&id).await.unwrap() }).await;

    reached(&gate).await;
    assert_eq!(ids(&database, "two", "PENDING").await, [id]);
    open(&gate);
    database.until_count(ENDED, 1).await;
}

async fn a_delayed_workflow_that_is_resumed_waits_no_longer(database: Database) {
    let app = App::launch(config(&database)).await;
    let gate = unique("queued");
    open(&gate);

    app.run(async {
        queued(gate.clone()).enqueue(&ONE).delay(MINUTE * 60).workflow_id("d").await.unwrap();
        DBOS::resume_workflow("d").await.unwrap();
    })
    .await;

    assert_eq!(app.result::<Result<String>>("d").await.unwrap(), "d");
    assert_eq!(row(&database, "queue_name", "d").await, [text("one")]);
}

async fn a_workflow_is_resumed_where_it_is_told_to(database: Database) {
    let app = App::launch(config(&database)).await;
    let gate = unique("queued");
    enqueue(&app, &ONE, &gate, 2).await;
    reached(&gate).await;
    let id = format!("{gate}-1");

    app.run(async {
        let nowhere = DBOS::resume_workflow(&id).into_queue("nobody's").await;
        assert!(matches!(nowhere, Err(Error::NonExistentQueue { .. })), "{nowhere:?}");
        let without_key = DBOS::resume_workflow(&id).into_queue(&CUSTOMERS).await;
        assert!(matches!(without_key, Err(Error::InvalidKey { .. })), "{without_key:?}");
        DBOS::resume_workflow(&id).into_queue(&CUSTOMERS).partition_key("k").await.unwrap();
    })
    .await;

    reached_times(&gate, 2).await;
    let runs = [text("PENDING"), text("customers"), text("k"), text("0")];
    assert_eq!(row(&database, PLACE, &id).await, runs);
    open(&gate);
    database.until_count(ENDED, 2).await;
}

async fn a_workflow_whose_queue_is_gone_is_resumed_without_one(database: Database) {
    let app = App::launch(config(&database)).await;
    let gate = unique("queued");
    open(&gate);

    app.run(async {
        DBOS::create_queue("made").await.unwrap();
        DBOS::pause_queue("made").await.unwrap();
        queued(gate.clone()).enqueue("made").workflow_id("m").await.unwrap();
        DBOS::cancel_workflow("m").await.unwrap();
        DBOS::delete_queue("made").await.unwrap();
        DBOS::resume_workflow("m").await.unwrap();
    })
    .await;

    assert_eq!(app.result::<Result<String>>("m").await.unwrap(), "m");
    assert_eq!(row(&database, "queue_name", "m").await, [text("_dbos_internal_queue")]);
}
