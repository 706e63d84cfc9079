//! What becomes of queued workflows when somebody crashes or goes.

use std::time::Duration;

use dbos::{DBOS, Result, step, workflow};
use dbos_testkit::board::{open, ran, reached, reached_times, runs_of, unique};
use dbos_testkit::{App, CrashTest, Database, Fault, Proxy, behaviours};
use serde_json::{Value, json};

use crate::app::{ENDED, ONE, ONE_EACH, PLAIN, RUNNING, config, config_of_several, enqueue, row, text};

behaviours! { crashes:
    what_a_dead_engine_took_goes_back_into_its_queue,
    what_is_handed_back_goes_back_into_its_queue,
    a_workflow_in_a_queue_waits_for_its_code_and_holds_nobody_up,
    an_enqueued_workflow_ends_once_wherever_it_crashes within 120,
    what_is_enqueued_by_name_is_one_child_wherever_it_crashes within 120,
    a_claim_whose_answer_is_lost_runs_once on postgres within 120,
}

/// The worker's limit holds for what was taken over too.
async fn what_a_dead_engine_took_goes_back_into_its_queue(database: Database) {
    let gate = unique("queued");
    let first = App::launch(config_of_several(&database)).await;
    enqueue(&first, &ONE_EACH, &gate, 3).await;
    reached(&gate).await;
    let second = App::launch(config_of_several(&database)).await;
    reached_times(&gate, 2).await;

    first.crash().await;
    let back = "SELECT count(*) FROM dbos.workflow_status WHERE status = 'ENQUEUED'";
    database.until_count(back, 2).await;
    assert_eq!(database.count(RUNNING).await, 1);
    let attempts = row(&database, "CAST(recovery_attempts AS BIGINT), executor_id", &format!("{gate}-0")).await;
    assert_eq!(attempts, [text("1"), None]);

    open(&gate);
    database.until_count(ENDED, 3).await;
    assert_eq!(row(&database, "CAST(recovery_attempts AS BIGINT)", &format!("{gate}-0")).await, [text("2")]);
    drop(second);
}

async fn what_is_handed_back_goes_back_into_its_queue(database: Database) {
    let gate = unique("queued");
    let first = App::launch(config_of_several(&database)).await;
    enqueue(&first, &ONE, &gate, 1).await;
    reached(&gate).await;
    let _second = App::launch(config_of_several(&database)).await;

    first.engine.shutdown().await;
    reached_times(&gate, 2).await;
    open(&gate);

    database.until_count(ENDED, 1).await;
    assert_eq!(row(&database, "CAST(recovery_attempts AS BIGINT)", &format!("{gate}-0")).await, [text("1")]);
}

async fn a_workflow_in_a_queue_waits_for_its_code_and_holds_nobody_up(database: Database) {
    let app = App::launch(config(&database)).await;
    let gate = unique("queued");
    enqueue(&app, &ONE, &gate, 3).await;
    reached(&gate).await;
    app.crash().await;
    // One of them ran and one waited when their code was changed.
    database
        .execute(&format!(
            "UPDATE dbos.workflow_status SET application_version = 'older' WHERE workflow_uuid <> '{gate}-2'"
        ))
        .await;

    let app = App::launch(config(&database)).await;
    open(&gate);

    assert_eq!(app.result::<Result<String>>(&format!("{gate}-2")).await.unwrap(), format!("{gate}-2"));
    let waiting = "SELECT count(*) FROM dbos.workflow_status WHERE status = 'ENQUEUED'";
    assert_eq!(database.count(waiting).await, 2);
}

/// Writes once for each run of its body.
#[step]
async fn queues_note(name: &str) -> String {
    ran(name);
    name.to_owned()
}

#[workflow]
pub(crate) async fn queues_notes(name: String) -> Result<String> {
    queues_note(&name).await;
    Ok(queues_note(&name).await)
}

async fn an_enqueued_workflow_ends_once_wherever_it_crashes(database: Database) {
    let backend = database.backend();
    let crash = move || {
        let crashes = CrashTest::on(backend).run(
            async |_| {
                let handle = queues_notes("q".to_owned()).enqueue(&ONE).workflow_id("q").deduplication_id("k").await?;
                handle.result().await
            },
            async |database, result| {
                assert_eq!(result.unwrap(), "q");
                assert_eq!(database.count("SELECT count(*) FROM dbos.operation_outputs").await, 2);
                let ended = row(database, "status, deduplication_id, owner_xid", "q").await;
                assert_eq!(ended, [text("SUCCESS"), None, None]);
            },
        );
        // The row, the claim, two steps, the outcome.
        assert!(crashes.writes >= 5, "{crashes}");
    };
    tokio::task::spawn_blocking(crash).await.unwrap();
}

#[workflow]
async fn queues_by_name(name: String) -> Result<Value> {
    DBOS::enqueue("queues_notes", &ONE, json!([name])).await?.result().await
}

async fn what_is_enqueued_by_name_is_one_child_wherever_it_crashes(database: Database) {
    let backend = database.backend();
    let crash = move || {
        let crashes = CrashTest::on(backend).run(
            async |_| queues_by_name("n".to_owned()).workflow_id("p").await,
            async |database, result| {
                assert_eq!(result.unwrap(), "n");
                let children = "SELECT workflow_uuid FROM dbos.workflow_status WHERE parent_workflow_id = 'p'";
                assert_eq!(database.query(children).await, [[text("p-1")]]);
                assert_eq!(database.count("SELECT count(*) FROM dbos.operation_outputs").await, 4);
            },
        );
        // The parent, the child's row with the parent's step, the claim, two steps, the outcome, the result, the outcome.
        assert!(crashes.writes >= 8, "{crashes}");
    };
    tokio::task::spawn_blocking(crash).await.unwrap();
}

async fn a_claim_whose_answer_is_lost_runs_once(database: Database) {
    let proxy = Proxy::before(database.url()).await;
    let mut config = config(&database).database_url(proxy.url());
    config.poll_interval = Duration::from_millis(100);
    let app = App::launch(config).await;
    let claim = || Fault::at("started_at_epoch_ms = COALESCE(started_at_epoch_ms, $5)");
    let mut struck = 0;

    for queue in [&PLAIN, &ONE] {
        for fault in [claim(), claim().losing_the_reply(), claim().silencing_the_reply()] {
            let gate = unique("queued");
            open(&gate);
            proxy.arm(fault.clone());

            enqueue(&app, queue, &gate, 1).await;

            let id = format!("{gate}-0");
            assert_eq!(app.result::<Result<String>>(&id).await.unwrap(), id, "{fault:?}");
            struck += 1;
            proxy.struck(struck).await;
            assert_eq!(runs_of(&gate), 1, "{fault:?}");
            assert_eq!(row(&database, "CAST(recovery_attempts AS BIGINT)", &id).await, [text("1")], "{fault:?}");
        }
    }
}
