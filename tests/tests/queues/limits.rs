//! How many leave a queue, and when there is room for the next.

use std::collections::HashMap;
use std::time::Duration;

use dbos::{Clock, DBOS, Error, Result, workflow};
use dbos_testkit::board::{open, reached, reached_times, runs_of, unique};
use dbos_testkit::{App, Database, behaviours, chance};

use crate::app::{
    ALMOST_A_MINUTE, CUSTOMERS, ENDED, MINUTE, ONE, ONE_EACH, PLAIN, RUNNING, TWO, TWO_A_MINUTE, config,
    config_of_several, config_with, enqueue, queued, row, text,
};

behaviours! { limits:
    an_enqueued_workflow_runs_and_gives_its_result,
    an_enqueued_workflow_is_nobodys_until_it_is_taken,
    no_more_run_at_once_than_the_queue_allows_in_all_engines,
    each_engine_has_the_limit_of_a_worker,
    no_more_start_in_a_period_than_the_rate_allows,
    a_cancelled_workflow_leaves_room_in_its_queue,
    a_workflow_that_fails_leaves_room_in_its_queue,
    a_queue_is_as_fast_beside_many_rows_that_have_left_it on postgres within 600,
}

async fn an_enqueued_workflow_runs_and_gives_its_result(database: Database) {
    let app = App::launch(config(&database)).await;
    let gate = unique("queued");
    open(&gate);

    let handle = app.run(async { queued(gate.clone()).workflow_id("q").enqueue(&PLAIN).await.unwrap() }).await;

    assert_eq!(handle.result().await.unwrap(), "q");
    assert_eq!(
        row(&database, "status, queue_name, CAST(recovery_attempts AS BIGINT)", "q").await,
        [text("SUCCESS"), text("plain"), text("1")]
    );
    assert_eq!(runs_of(&gate), 1);
}

async fn an_enqueued_workflow_is_nobodys_until_it_is_taken(database: Database) {
    let app = App::launch(config(&database)).await;
    let gate = unique("queued");
    enqueue(&app, &ONE, &gate, 2).await;
    reached(&gate).await;

    let columns = "status, executor_id, owner_xid, started_at_epoch_ms, CAST(recovery_attempts AS BIGINT)";
    let waiting = row(&database, columns, &format!("{gate}-1")).await;
    assert_eq!(waiting, [text("ENQUEUED"), None, None, None, text("0")]);
    let taken = row(&database, columns, &format!("{gate}-0")).await;
    assert_eq!((&taken[0], &taken[1]), (&text("PENDING"), &Some(app.engine.executor_id())));
    assert!(taken[2].is_some() && taken[3].is_some(), "{taken:?}");

    open(&gate);
    database.until_count(ENDED, 2).await;
}

async fn no_more_run_at_once_than_the_queue_allows_in_all_engines(database: Database) {
    let gate = unique("queued");
    let mut apps = Vec::new();
    for _ in 0..3 {
        apps.push(App::launch(config_of_several(&database)).await);
    }
    for number in 0..12 {
        let id = format!("{gate}-{number}");
        apps[number % 3].run(async { queued(gate.clone()).enqueue(&TWO).workflow_id(id).await.unwrap() }).await;
    }
    reached_times(&gate, 2).await;
    assert_eq!(database.count(RUNNING).await, 2);

    open(&gate);
    let mut most = 0;
    while database.count(ENDED).await < 12 {
        most = most.max(database.count(RUNNING).await);
    }

    assert!(most <= 2, "{most} ran at once");
    assert_eq!(runs_of(&gate), 12);
}

async fn each_engine_has_the_limit_of_a_worker(database: Database) {
    let (gate, other) = (unique("queued"), unique("other"));
    let first = App::launch(config_of_several(&database)).await;
    enqueue(&first, &ONE_EACH, &gate, 4).await;
    reached(&gate).await;
    // By the time it has served another queue, it has looked into this one again.
    open(&other);
    enqueue(&first, &PLAIN, &other, 1).await;
    database.until_count(ENDED, 1).await;
    assert_eq!(database.count(RUNNING).await, 1);

    let second = App::launch(config_of_several(&database)).await;
    reached_times(&gate, 2).await;

    let by_executor = "SELECT executor_id, count(*) FROM dbos.workflow_status WHERE status = 'PENDING' GROUP BY 1";
    let counts: HashMap<_, _> =
        database.query(by_executor).await.into_iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    let one = |app: &App| (Some(app.engine.executor_id()), text("1"));
    assert_eq!(counts, HashMap::from([one(&first), one(&second)]));

    open(&gate);
    database.until_count(ENDED, 5).await;
}

async fn no_more_start_in_a_period_than_the_rate_allows(database: Database) {
    let clock = Clock::manual();
    let app = App::launch(config_with(&database, &clock)).await;
    let (gate, started) = (unique("queued"), clock.now_ms());
    open(&gate);

    enqueue(&app, &TWO_A_MINUTE, &gate, 5).await;
    database.until_count(ENDED, 2).await;
    clock.advance(ALMOST_A_MINUTE);
    // Another queue is served meanwhile, so this one has been told the time as well.
    let other = unique("other");
    open(&other);
    enqueue(&app, &PLAIN, &other, 1).await;
    database.until_count(ENDED, 3).await;
    assert_eq!(runs_of(&gate), 2);

    clock.advance(Duration::from_millis(1));
    database.until_count(ENDED, 5).await;
    clock.advance(MINUTE);
    database.until_count(ENDED, 6).await;

    let starts = "SELECT started_at_epoch_ms FROM dbos.workflow_status WHERE queue_name = 'two-a-minute' ORDER BY 1";
    let starts: Vec<i64> = database
        .query(starts)
        .await
        .into_iter()
        .map(|row| row[0].as_deref().unwrap().parse::<i64>().unwrap() - started)
        .collect();
    assert_eq!(starts, [0, 0, 60_000, 60_000, 120_000]);
}

async fn a_cancelled_workflow_leaves_room_in_its_queue(database: Database) {
    let app = App::launch(config(&database)).await;
    let gate = unique("queued");
    enqueue(&app, &ONE, &gate, 3).await;
    reached(&gate).await;

    app.run(async { DBOS::cancel_workflow(format!("{gate}-0")).await.unwrap() }).await;
    reached_times(&gate, 2).await;
    app.run(async { DBOS::cancel_workflow(format!("{gate}-2")).await.unwrap() }).await;
    open(&gate);

    assert_eq!(app.result::<Result<String>>(&format!("{gate}-1")).await.unwrap(), format!("{gate}-1"));
    assert_eq!(runs_of(&gate), 2);
}

#[workflow]
async fn queues_fail(how: String) -> Result<()> {
    assert!(how != "panic", "it panicked");
    Err(Error::new(how))
}

async fn a_workflow_that_fails_leaves_room_in_its_queue(database: Database) {
    let app = App::launch(config(&database)).await;
    let gate = unique("queued");
    open(&gate);

    app.run(async {
        queues_fail("panic".to_owned()).enqueue(&ONE).await.unwrap();
        queues_fail("error".to_owned()).enqueue(&ONE).await.unwrap();
        assert_eq!(queued(gate.clone()).enqueue(&ONE).workflow_id("q").await.unwrap().result().await.unwrap(), "q");
    })
    .await;
}

/// The server counts the rows that it read without an index.
async fn a_queue_is_as_fast_beside_many_rows_that_have_left_it(database: Database) {
    let left_before = chance::setting("DBOS_TEST_FINISHED", 50_000_i64);
    App::launch(config(&database)).await.engine.shutdown().await;
    database
        .execute(&format!(
            "INSERT INTO dbos.workflow_status
                    (workflow_uuid, status, name, queue_name, queue_partition_key, application_name, priority, created_at,
                     updated_at, started_at_epoch_ms, rate_limited, recovery_attempts)
             SELECT 'left-' || n, 'SUCCESS', 'queued', CASE n % 3 WHEN 0 THEN 'two' WHEN 1 THEN 'two-a-minute' ELSE 'customers' END,
                    CASE n % 3 WHEN 2 THEN 'k' END, 'queues', 0, n, n, n, TRUE, 1
               FROM generate_series(1, {left_before}) AS n"
        ))
        .await;
    database.execute("ANALYZE dbos.workflow_status").await;
    let of_table = |column: &str| {
        format!("SELECT {column} FROM pg_stat_user_tables WHERE schemaname = 'dbos' AND relname = 'workflow_status'")
    };
    let (changed, read) = (of_table("n_tup_upd"), of_table("seq_tup_read"));
    let read_before = database.count(&read).await;

    let app = App::launch(config(&database)).await;
    let (gate, never) = (unique("queued"), unique("never"));
    open(&gate);
    enqueue(&app, &TWO, &gate, 20).await;
    enqueue(&app, &TWO_A_MINUTE, &never, 2).await;
    for number in 0..20 {
        app.result::<Result<String>>(&format!("{gate}-{number}")).await.unwrap();
    }
    reached_times(&never, 2).await;
    app.run(async {
        for number in 0..5 {
            let call = queued(gate.clone()).enqueue(&CUSTOMERS).partition_key(format!("{}", number % 2));
            call.await.unwrap().result().await.unwrap();
        }
    })
    .await;
    app.engine.shutdown().await;
    // Taken and ended, and taken and handed back.
    while database.count(&changed).await < 54 {
        tokio::task::yield_now().await;
    }

    // Launching may look at all of them once or twice.
    let read = database.count(&read).await - read_before;
    assert!(read < 3 * left_before, "{read} rows were read without an index");
}
