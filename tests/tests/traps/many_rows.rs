//! Very many workflows that have ended cost those that have not nothing. `DBOS_TEST_FINISHED` says how many (50,000).

use dbos::{DBOS, Result, Status, WorkflowFilter, step, workflow};
use dbos_testkit::board::{open, pass, reached_times, unique};
use dbos_testkit::{App, Database, behaviours, chance};

use crate::app::config;

behaviours! { many_rows:
    recovery_and_lists_read_no_others on postgres within 600,
}

const OPEN: u32 = 20;
/// Which kept the server from looking up what it wanted.
const READ: &str = "SELECT CAST(sum(seq_tup_read) AS BIGINT) FROM pg_stat_user_tables
                     WHERE schemaname = 'dbos' AND relname IN ('workflow_status', 'operation_outputs', 'workflow_input',
                                                               'workflow_output')";

#[step]
async fn many_rows_waits(gate: &str) {
    pass(gate).await;
}

#[workflow]
async fn many_rows(gate: String) -> Result<String> {
    many_rows_waits(&gate).await;
    Ok(DBOS::workflow_id())
}

async fn with_finished(database: &Database, number: i64) {
    let instants = "n, n, n, n";
    for statement in [
        format!(
            "INSERT INTO dbos.workflow_status
                    (workflow_uuid, status, name, queue_name, application_name, application_version, executor_id,
                     forked_from, parent_workflow_id, recovery_attempts, created_at, updated_at, started_at_epoch_ms,
                     completed_at)
             SELECT 'left-' || n, CASE n % 5 WHEN 0 THEN 'ERROR' ELSE 'SUCCESS' END, 'left', 'left', 'traps', 'old',
                    'gone-' || n % 100, 'left-' || n / 2, 'left-' || n / 3, 1, {instants}
               FROM generate_series(1, {number}) AS n"
        ),
        format!(
            "INSERT INTO dbos.operation_outputs (workflow_uuid, function_id, function_name, output)
             SELECT 'left-' || n, 1, 'step', '1' FROM generate_series(1, {number}) AS n"
        ),
        format!("INSERT INTO dbos.workflow_input SELECT 'left-' || n, '[]' FROM generate_series(1, {number}) AS n"),
        format!("INSERT INTO dbos.workflow_output SELECT 'left-' || n, '1' FROM generate_series(1, {number}) AS n"),
        "ANALYZE".to_owned(),
    ] {
        database.execute(&statement).await;
    }
}

async fn recovery_and_lists_read_no_others(database: Database) {
    let finished = chance::setting("DBOS_TEST_FINISHED", 50_000_i64);
    App::launch(config(database.url())).await.engine.shutdown().await;
    with_finished(&database, finished).await;
    let before = database.count(READ).await;

    let mut app = App::launch(config(database.url())).await;
    let gate = unique("many rows");
    app.run(async {
        for number in 0..OPEN {
            DBOS::start_workflow(many_rows(gate.clone())).workflow_id(format!("open-{number}")).await.unwrap();
        }
    })
    .await;
    reached_times(&gate, OPEN).await;
    app.crash_and_relaunch().await;
    reached_times(&gate, 2 * OPEN).await;
    let lists = [
        ("the newest", WorkflowFilter::new(), 100),
        ("those under way", WorkflowFilter::new().status(Status::Pending), 20),
        ("those of a prefix", WorkflowFilter::new().id_prefix("open-"), 20),
        ("the children of one", WorkflowFilter::new().parent("left-7"), 3),
        ("the forks of one", WorkflowFilter::new().forked_from("left-7"), 2),
        ("those of a time", WorkflowFilter::new().name("left").created_from_ms(100).created_before_ms(150), 50),
    ];
    for (what, filter, expected) in lists {
        let found = app.run(async { DBOS::list_workflows(filter).await.unwrap() }).await;
        assert_eq!(found.len(), expected, "{what}");
    }
    open(&gate);
    for number in 0..OPEN {
        app.result::<Result<String>>(&format!("open-{number}")).await.unwrap();
    }
    app.engine.shutdown().await;

    // The server counts what a session read when that ends.
    let sessions =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    database.until_count(sessions, 0).await;
    let read = database.count(READ).await - before;
    assert!(read < finished / 10, "{read} rows were read without an index");
}
