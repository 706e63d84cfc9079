//! Many workflows enqueued at once.

use dbos::{Client, DBOS, Deduplication, Error, IdReuse, Result, workflow};
use dbos_testkit::board::{open, runs_of, unique};
use dbos_testkit::{App, CrashTest, Database, Proxy, behaviours};

use crate::app::{CUSTOMERS, ENDED, ONE, PLAIN, config, ids, queued};

behaviours! { many:
    ten_thousand_are_enqueued_together within 240,
    ten_thousand_take_few_statements on postgres within 240,
    if_one_is_refused_none_is_enqueued,
    what_is_enqueued_again_is_attached_to,
    the_same_twice_in_one_call_is_one,
    children_that_are_enqueued_together_end_once_wherever_it_crashes within 240,
    a_refusal_is_told_again_at_each_replay,
}

const ROWS: &str = "SELECT count(*) FROM dbos.workflow_status";

async fn ten_thousand_are_enqueued_together(database: Database) {
    let app = App::launch(config(&database)).await;
    let gate = unique("queued");

    let handles = app
        .run(async {
            DBOS::pause_queue(&CUSTOMERS).await.unwrap();
            let calls = (0..10_000).map(|number| {
                let call = queued(gate.clone()).enqueue(&CUSTOMERS).partition_key(format!("{}", number % 100));
                call.workflow_id(format!("{number:04}")).priority(number % 7).timeout(crate::app::MINUTE)
            });
            DBOS::enqueue_all(calls).await.unwrap()
        })
        .await;

    assert_eq!((handles.len(), handles[9_999].workflow_id()), (10_000, "9999"));
    let alike = "SELECT count(*) FROM dbos.workflow_status AS workflow
                   JOIN dbos.workflow_input AS input ON input.workflow_uuid = workflow.workflow_uuid
                  WHERE status = 'ENQUEUED' AND queue_name = 'customers' AND owner_xid IS NULL AND executor_id IS NULL
                    AND name = 'queued' AND workflow_timeout_ms = 60000 AND recovery_attempts = 0
                    AND serialization = 'portable_json' AND application_name = 'queues'";
    assert_eq!(database.count(alike).await, 10_000);
    let fifth = "SELECT count(*) FROM dbos.workflow_status WHERE queue_partition_key = '5'";
    assert_eq!(database.count(fifth).await, 100);
}

/// Through a client: what a process that runs workflows does beside it would be counted too.
async fn ten_thousand_take_few_statements(database: Database) {
    let app = App::launch(config(&database)).await;
    app.run(async { DBOS::pause_queue(&PLAIN).await.unwrap() }).await;
    let proxy = Proxy::before(database.url()).await;
    // No pooler stands before the proxy.
    let mut config = config(&database).database_url(proxy.url());
    config.pooler = dbos::Pooler::None;
    let client = Client::open(config).await.unwrap();
    // What its listener does, as soon as it is there, is not counted.
    while proxy.count("pg_locks") == 0 {
        tokio::task::yield_now().await;
    }
    let before = proxy.statements().len();

    client
        .run(async { DBOS::enqueue_all((0..10_000).map(|_| queued(String::new()).enqueue(&PLAIN))).await.unwrap() })
        .await;

    assert_eq!(database.count(ROWS).await, 10_000);
    let statements = proxy.statements().split_off(before);
    assert_eq!(statements.iter().filter(|statement| statement.contains("INSERT INTO dbos.workflow_status")).count(), 4);
    assert!(statements.len() <= 10, "{} statements: {statements:#?}", statements.len());
}

async fn if_one_is_refused_none_is_enqueued(database: Database) {
    let app = App::launch(config(&database)).await;
    let gate = unique("queued");

    app.run(async {
        DBOS::pause_queue(&PLAIN).await.unwrap();
        let call = || queued(gate.clone()).enqueue(&PLAIN);
        call().workflow_id("taken").deduplication_id("k").await.unwrap();
        queues_many(String::new()).enqueue(&PLAIN).workflow_id("other").await.unwrap();
        for refused in [
            call().workflow_id("other"),
            call().workflow_id("taken").id_reuse(IdReuse::Reject),
            call().deduplication_id("k"),
            call().workflow_id(""),
            call().priority(u32::MAX),
            queued(gate.clone()).enqueue(&CUSTOMERS),
            queued(gate.clone()).enqueue("nobody's"),
        ] {
            let error = DBOS::enqueue_all([call(), call(), refused, call()]).await.unwrap_err();
            assert!(!matches!(error, Error::Database { .. }), "{error}");
        }
        assert!(DBOS::enqueue_all(Vec::<dbos::Start<Result<String>, _>>::new()).await.unwrap().is_empty());
    })
    .await;

    assert_eq!(database.count(ROWS).await, 2);
}

async fn what_is_enqueued_again_is_attached_to(database: Database) {
    let app = App::launch(config(&database)).await;
    let gate = unique("queued");
    open(&gate);

    app.run(async {
        let calls = |ids: [&'static str; 3]| ids.map(|id| queued(gate.clone()).enqueue(&PLAIN).workflow_id(id));
        DBOS::enqueue_all(calls(["a", "b", "c"])).await.unwrap();
        let again = DBOS::enqueue_all(calls(["b", "d", "c"])).await.unwrap();
        assert_eq!(again.iter().map(dbos::WorkflowHandle::workflow_id).collect::<Vec<_>>(), ["b", "d", "c"]);
        for handle in again {
            assert_eq!(handle.result().await.unwrap(), handle.workflow_id());
        }
    })
    .await;

    database.until_count(ENDED, 4).await;
    assert_eq!(runs_of(&gate), 4);
}

async fn the_same_twice_in_one_call_is_one(database: Database) {
    let app = App::launch(config(&database)).await;
    let gate = unique("queued");

    app.run(async {
        DBOS::pause_queue(&PLAIN).await.unwrap();
        let call = || queued(gate.clone()).enqueue(&PLAIN);
        let existing = || call().deduplication_id("k").deduplication(Deduplication::ReturnExisting);
        let handles = DBOS::enqueue_all([
            call().workflow_id("a"),
            call().workflow_id("a"),
            existing().workflow_id("b"),
            existing(),
        ])
        .await
        .unwrap();
        assert_eq!(handles.iter().map(dbos::WorkflowHandle::workflow_id).collect::<Vec<_>>(), ["a", "a", "b", "b"]);

        let refused = DBOS::enqueue_all([call().deduplication_id("l"), call().deduplication_id("l")]).await;
        assert!(matches!(refused, Err(Error::Deduplicated { .. })), "{refused:?}");
    })
    .await;

    assert_eq!(ids(&database, "plain", "ENQUEUED").await, ["a", "b"]);
}

#[workflow]
async fn queues_many(gate: String) -> Result<String> {
    let children = DBOS::enqueue_all((0..3).map(|_| queued(gate.clone()).enqueue(&ONE))).await?;
    let mut results = Vec::new();
    for child in children {
        results.push(child.result().await?);
    }
    Ok(results.join(" "))
}

async fn children_that_are_enqueued_together_end_once_wherever_it_crashes(database: Database) {
    open("many");
    let backend = database.backend();
    let crash = move || {
        CrashTest::on(backend).run(
            async |_| queues_many("many".to_owned()).workflow_id("p").await,
            async |database, result| {
                assert_eq!(result.unwrap(), "p-1 p-2 p-3");
                assert_eq!(database.count(ENDED).await, 4);
                assert_eq!(database.count(ROWS).await, 4);
            },
        )
    };
    tokio::task::spawn_blocking(crash).await.unwrap();
}

#[workflow]
async fn queues_many_of_which_one_is_refused(end: String) -> Result<String> {
    let call = || queued(String::new()).enqueue(&PLAIN).deduplication_id("k");
    let refused = DBOS::enqueue_all([call().priority(1), call().deduplication_id("l")]).await.unwrap_err();
    crate::app::queues_wait(&end).await;
    Ok(refused.to_string())
}

async fn a_refusal_is_told_again_at_each_replay(database: Database) {
    let mut app = App::launch(config(&database)).await;
    let end = unique("end");
    app.run(async {
        DBOS::pause_queue(&PLAIN).await.unwrap();
        queued(String::new()).enqueue(&PLAIN).deduplication_id("k").workflow_id("first").await.unwrap();
        DBOS::start_workflow(queues_many_of_which_one_is_refused(end.clone())).workflow_id("p").await.unwrap();
    })
    .await;
    dbos_testkit::board::reached(&end).await;

    app.crash().await;
    database.execute("DELETE FROM dbos.workflow_status WHERE workflow_uuid = 'first'").await;
    open(&end);
    app.relaunch().await;

    let said = app.result::<Result<String>>("p").await.unwrap();
    assert!(said.starts_with("workflow `first` of queue `plain` has the deduplication id `k`"), "{said}");
}
