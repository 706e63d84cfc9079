//! Queues that nothing leaves for a while.

use dbos::{DBOS, Result};
use dbos_testkit::board::{open, reached, reached_times, runs_of, unique};
use dbos_testkit::{App, Database, behaviours};

use crate::app::{CUSTOMERS, ENDED, ONE, PLAIN, TWO, config, config_of_several, enqueue, ids, queued};

behaviours! { paused:
    nothing_leaves_a_paused_queue_until_it_is_resumed,
    a_pause_outlives_every_process,
    what_runs_in_a_paused_queue_goes_on,
    one_process_pauses_for_all,
}

async fn nothing_leaves_a_paused_queue_until_it_is_resumed(database: Database) {
    let app = App::launch(config(&database)).await;
    let (gate, other) = (unique("queued"), unique("other"));
    open(&gate);
    open(&other);

    for queue in [&PLAIN, &ONE, &CUSTOMERS] {
        app.run(async {
            DBOS::pause_queue(queue).await.unwrap();
            queued(gate.clone()).enqueue(queue).partition_key("k").workflow_id(queue.name()).await.unwrap();
        })
        .await;
    }
    // By the time that has run, the others have been looked at.
    enqueue(&app, &TWO, &other, 20).await;
    database.until_count(ENDED, 20).await;
    assert_eq!(runs_of(&gate), 0);

    for queue in [&PLAIN, &ONE, &CUSTOMERS] {
        app.run(async { DBOS::resume_queue(queue).await.unwrap() }).await;
        assert_eq!(app.result::<Result<String>>(queue.name()).await.unwrap(), queue.name());
    }
}

async fn a_pause_outlives_every_process(database: Database) {
    let mut app = App::launch(config(&database)).await;
    let (gate, other) = (unique("queued"), unique("other"));
    open(&gate);
    open(&other);
    app.run(async { DBOS::pause_queue(&PLAIN).await.unwrap() }).await;
    enqueue(&app, &PLAIN, &gate, 1).await;

    app.crash_and_relaunch().await;
    enqueue(&app, &TWO, &other, 20).await;
    database.until_count(ENDED, 20).await;
    assert_eq!(runs_of(&gate), 0);

    app.run(async { DBOS::resume_queue(&PLAIN).await.unwrap() }).await;
    database.until_count(ENDED, 21).await;
}

async fn what_runs_in_a_paused_queue_goes_on(database: Database) {
    let app = App::launch(config(&database)).await;
    let gate = unique("queued");
    enqueue(&app, &ONE, &gate, 2).await;
    reached(&gate).await;

    app.run(async { DBOS::pause_queue(&ONE).await.unwrap() }).await;
    open(&gate);

    assert_eq!(app.result::<Result<String>>(&format!("{gate}-0")).await.unwrap(), format!("{gate}-0"));
    assert_eq!(ids(&database, "one", "ENQUEUED").await, [format!("{gate}-1")]);
}

async fn one_process_pauses_for_all(database: Database) {
    let gate = unique("queued");
    let first = App::launch(config_of_several(&database)).await;
    let _second = App::launch(config_of_several(&database)).await;
    let mut deaf = config_of_several(&database);
    deaf.queues = vec!["none".to_owned()];
    let third = App::launch(deaf).await;

    third.run(async { DBOS::pause_queue(&TWO).await.unwrap() }).await;
    enqueue(&first, &TWO, &gate, 3).await;
    assert_eq!(ids(&database, "two", "ENQUEUED").await.len(), 3);
    third.run(async { DBOS::resume_queue(&TWO).await.unwrap() }).await;

    reached_times(&gate, 2).await;
    open(&gate);
    database.until_count(ENDED, 3).await;
}
