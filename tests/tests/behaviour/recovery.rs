//! Who runs what, when executors come, die and come to life again.

use std::sync::atomic::{AtomicBool, Ordering};

use dbos::{Clock, Config, DBOS, Engine, Error, Result, Status, Tx, step, transaction, workflow};
use dbos_testkit::board::{open, pass, ran, reached, runs_of, unique};
use dbos_testkit::{App, Database, behaviours};

use crate::app::{config, steps};

behaviours! { recovery:
    a_crashed_engines_workflows_finish_in_another_at_once,
    a_second_engine_never_runs_a_live_ones_work,
    each_recovery_counts,
    a_workflow_recovered_too_often_is_set_aside,
    a_shutdown_hands_back_at_once_and_does_not_count,
    a_shutdown_interrupts_a_parent_and_records_nothing,
    a_run_that_lost_its_lease_records_nothing on postgres,
    a_run_that_blocks_while_its_lease_is_lost_is_run_again on postgres,
    an_engine_that_lost_its_lease_goes_on_under_another_name on postgres,
    a_transaction_of_a_lost_run_is_rolled_back,
    another_applications_work_is_left_alone,
    a_foreign_executors_work_is_left_alone,
    another_version_with_equal_code_is_taken_over,
    another_version_with_other_code_is_left_alone,
    a_finished_workflow_is_not_recovered,
    a_clock_ahead_of_the_database_proves_nobody_dead,
}

#[step]
async fn recovery_waits(gate: &str) {
    pass(gate).await;
}

#[step]
async fn recovery_note(name: &str) {
    ran(name);
}

#[workflow]
async fn recovered(name: String) -> Result<u32> {
    let runs = ran(&name);
    recovery_note(&format!("{name}-before")).await;
    recovery_waits(&name).await;
    recovery_note(&format!("{name}-after")).await;
    Ok(runs)
}

async fn start(app: &App, name: &str, id: &str) {
    app.run(async { DBOS::start_workflow(recovered(name.to_owned())).workflow_id(id).await.unwrap() }).await;
    reached(name).await;
}

async fn a_crashed_engines_workflows_finish_in_another_at_once(database: Database) {
    let mut settings = config(&database);
    // Should the lock file prove nothing, this test would take an hour.
    settings.lease = std::time::Duration::from_secs(3600);
    let first = App::launch(settings.clone()).await;
    let name = unique("recovered");
    start(&first, &name, "w").await;

    first.crash().await;
    open(&name);
    settings.lease = std::time::Duration::from_secs(5);
    let second = App::launch(settings).await;

    assert_eq!(second.result::<Result<u32>>("w").await.unwrap(), 2);
    assert_eq!((runs_of(&format!("{name}-before")), runs_of(&format!("{name}-after"))), (1, 1));
    let executor = database.value("SELECT executor_id FROM dbos.workflow_status").await;
    assert_eq!(executor, Some(second.engine.executor_id()));
}

async fn a_second_engine_never_runs_a_live_ones_work(database: Database) {
    let first = App::launch(config(&database)).await;
    let name = unique("recovered");
    start(&first, &name, "w").await;

    let second = App::launch(config(&database)).await;
    // It has taken over whatever it could once it has recovered a third one's work.
    let third = App::launch(config(&database)).await;
    let other = unique("recovered");
    start(&third, &other, "other").await;
    third.crash().await;
    while runs_of(&other) < 2 {
        tokio::task::yield_now().await;
    }
    open(&other);
    open(&name);

    assert_eq!(first.result::<Result<u32>>("w").await.unwrap(), 1);
    assert_eq!(runs_of(&name), 1);
    drop(second);
    assert_eq!(
        database.value("SELECT recovery_attempts FROM dbos.workflow_status WHERE workflow_uuid = 'w'").await.as_deref(),
        Some("1")
    );
}

async fn until_runs_are(name: &str, count: u32) {
    while runs_of(name) < count {
        tokio::task::yield_now().await;
    }
}

async fn each_recovery_counts(database: Database) {
    let mut app = App::launch(config(&database)).await;
    let name = unique("recovered");
    start(&app, &name, "w").await;

    for recovery in 1..=3 {
        app.crash_and_relaunch().await;
        until_runs_are(&name, recovery + 1).await;
    }
    open(&name);

    assert_eq!(app.result::<Result<u32>>("w").await.unwrap(), 4);
    assert_eq!(database.value("SELECT recovery_attempts FROM dbos.workflow_status").await.as_deref(), Some("4"));
}

#[workflow(max_recovery_attempts = 2)]
async fn recovered_twice(name: String) -> Result<()> {
    ran(&name);
    recovery_waits(&name).await;
    Ok(())
}

async fn a_workflow_recovered_too_often_is_set_aside(database: Database) {
    let mut app = App::launch(config(&database)).await;
    let name = unique("recovered");
    app.run(async { DBOS::start_workflow(recovered_twice(name.clone())).workflow_id("w").await.unwrap() }).await;
    reached(&name).await;
    for recovery in 1..=2 {
        app.crash_and_relaunch().await;
        until_runs_are(&name, recovery + 1).await;
    }

    app.crash_and_relaunch().await;

    let error = app.result::<Result<()>>("w").await.unwrap_err();
    assert!(matches!(&error, Error::DeadLettered { workflow } if workflow == "w"), "{error}");
    assert_eq!(runs_of(&name), 3);
    let row =
        app.run(async { DBOS::retrieve_workflow::<Result<()>>("w").unwrap().status().await.unwrap().unwrap() }).await;
    assert_eq!(row.status, Some(Status::MaxRecoveryAttemptsExceeded));
}

async fn a_shutdown_hands_back_at_once_and_does_not_count(database: Database) {
    let first = App::launch(config(&database)).await;
    let second = App::launch(config(&database)).await;
    let name = unique("recovered");
    start(&first, &name, "w").await;

    first.engine.shutdown().await;
    open(&name);

    assert_eq!(second.result::<Result<u32>>("w").await.unwrap(), 2);
    assert_eq!(database.value("SELECT recovery_attempts FROM dbos.workflow_status").await.as_deref(), Some("1"));
}

static SHUTTING_DOWN: AtomicBool = AtomicBool::new(false);

#[workflow]
async fn recovery_parent_of_many(name: String) -> Result<()> {
    loop {
        recovered_child(name.clone()).await?;
        if SHUTTING_DOWN.load(Ordering::SeqCst) && runs_of(&format!("{name}-end")) > 0 {
            return Ok(());
        }
    }
}

#[workflow]
async fn recovered_child(name: String) -> Result<()> {
    ran(&name);
    Ok(())
}

async fn a_shutdown_interrupts_a_parent_and_records_nothing(database: Database) {
    let mut app = App::launch(config(&database)).await;
    let name = unique("parent");
    for round in 1..=5_u32 {
        let id = format!("p{round}");
        app.run(async { DBOS::start_workflow(recovery_parent_of_many(name.clone())).workflow_id(&id).await.unwrap() })
            .await;
        until_runs_are(&name, runs_of(&name) + 3).await;

        app.engine.shutdown().await;
        app.relaunch().await;

        let errors = "SELECT count(*) FROM dbos.workflow_status WHERE status <> 'SUCCESS' AND status <> 'PENDING'";
        assert_eq!(database.count(errors).await, 0);
    }
    SHUTTING_DOWN.store(true, Ordering::SeqCst);
    ran(&format!("{name}-end"));
    for round in 1..=5_u32 {
        app.result::<Result<()>>(&format!("p{round}")).await.unwrap();
    }
}

async fn expire(database: &Database, executor: &str) {
    let expire = format!("UPDATE dbos_rust.executors SET expires_at_ms = 0 WHERE executor_id = '{executor}'");
    database.execute(&expire).await;
}

async fn until_renamed(engine: &Engine, from: &str) {
    while engine.executor_id() == from {
        tokio::task::yield_now().await;
    }
}

async fn a_run_that_lost_its_lease_records_nothing(database: Database) {
    let app = App::launch(config(&database)).await;
    let name = unique("recovered");
    start(&app, &name, "w").await;
    let lost = app.engine.executor_id();

    expire(&database, &lost).await;
    until_renamed(&app.engine, &lost).await;
    until_runs_are(&name, 2).await;
    open(&name);

    assert_eq!(app.result::<Result<u32>>("w").await.unwrap(), 2);
    assert_eq!((runs_of(&format!("{name}-before")), runs_of(&format!("{name}-after"))), (1, 1));
    let executor = database.value("SELECT executor_id FROM dbos.workflow_status").await;
    assert_eq!(executor, Some(app.engine.executor_id()));
}

#[workflow]
async fn recovery_blocks(name: String) -> Result<u32> {
    let runs = ran(&name);
    if runs == 1 {
        let freed = format!("{name}-freed");
        tokio::task::block_in_place(|| {
            while runs_of(&freed) == 0 {
                std::thread::yield_now();
            }
        });
    }
    recovery_note(&format!("{name}-noted")).await;
    Ok(runs)
}

async fn a_run_that_blocks_while_its_lease_is_lost_is_run_again(database: Database) {
    let app = App::launch(config(&database)).await;
    let name = unique("blocks");
    app.run(async { DBOS::start_workflow(recovery_blocks(name.clone())).workflow_id("w").await.unwrap() }).await;
    let lost = app.engine.executor_id();
    until_runs_are(&name, 1).await;

    expire(&database, &lost).await;
    // The engine has the workflow again, under its new name, while the lost run still stands.
    while database.value("SELECT executor_id FROM dbos.workflow_status").await.as_deref() == Some(lost.as_str()) {
        tokio::task::yield_now().await;
    }
    ran(&format!("{name}-freed"));

    assert_eq!(app.result::<Result<u32>>("w").await.unwrap(), 2);
    assert_eq!(runs_of(&format!("{name}-noted")), 1);
}

async fn an_engine_that_lost_its_lease_goes_on_under_another_name(database: Database) {
    let app = App::launch(config(&database)).await;
    let lost = app.engine.executor_id();

    expire(&database, &lost).await;
    until_renamed(&app.engine, &lost).await;

    let name = unique("recovered");
    open(&name);
    assert_eq!(app.run(async { recovered(name).workflow_id("w").await.unwrap() }).await, 1);
    let executor = database.value("SELECT executor_id FROM dbos.workflow_status").await;
    assert_eq!(executor, Some(app.engine.executor_id()));
    while database.count("SELECT count(*) FROM dbos_rust.executors").await > 1 {
        tokio::task::yield_now().await;
    }
}

#[transaction]
async fn recovery_inserts(tx: &mut Tx, name: String) -> Result<()> {
    let runs = ran(&name);
    tx.query("INSERT INTO rows_of_runs VALUES ($1)").bind(i64::from(runs)).execute().await?;
    Ok(())
}

#[workflow]
async fn recovery_with_rows(name: String) -> Result<()> {
    recovery_waits(&name).await;
    recovery_inserts(format!("{name}-inserts")).await
}

async fn a_transaction_of_a_lost_run_is_rolled_back(database: Database) {
    let app = App::launch(config(&database)).await;
    database.execute("CREATE TABLE rows_of_runs (run BIGINT)").await;
    let name = unique("rows");
    app.run(async { DBOS::start_workflow(recovery_with_rows(name.clone())).workflow_id("w").await.unwrap() }).await;
    reached(&name).await;
    database
        .execute(
            "INSERT INTO dbos.operation_outputs (workflow_uuid, function_id, function_name, output)
             VALUES ('w', 1, 'recovery_waits', 'null')",
        )
        .await;

    // Another executor has it from here on.
    database.execute("UPDATE dbos.workflow_status SET owner_xid = 'other', executor_id = 'other'").await;
    open(&name);
    app.engine.shutdown().await;

    assert_eq!(database.count("SELECT count(*) FROM rows_of_runs").await, 0);
    assert_eq!(steps(&database, "w").await.len(), 1);
    assert_eq!(database.value("SELECT status FROM dbos.workflow_status").await.as_deref(), Some("PENDING"));
}

/// Crashes `app` with its workflow `w` under way, changes rows, launches `settings`, and looks whether it took `w`.
async fn is_taken_over(database: &Database, change: &[&str], settings: Config) -> bool {
    let app = App::launch(config(database)).await;
    let (name, other) = (unique("recovered"), unique("recovered"));
    start(&app, &name, "w").await;
    start(&app, &other, "other").await;
    app.crash().await;
    for statement in change {
        database.execute(statement).await;
    }
    open(&name);
    open(&other);

    let second = App::launch(settings).await;
    // Something of the same dead executor that is taken for sure tells that `w` has been considered.
    let helper = App::launch(config(database)).await;
    let ended = "SELECT count(*) FROM dbos.workflow_status WHERE workflow_uuid = 'other' AND status = 'SUCCESS'";
    while database.count(ended).await == 0 {
        tokio::task::yield_now().await;
    }
    second.engine.shutdown().await;
    helper.engine.shutdown().await;
    runs_of(&name) == 2
}

async fn another_applications_work_is_left_alone(database: Database) {
    let change = ["UPDATE dbos.workflow_status SET application_name = 'stranger' WHERE workflow_uuid = 'w'"];

    assert!(!is_taken_over(&database, &change, config(&database)).await);
}

async fn a_foreign_executors_work_is_left_alone(database: Database) {
    let change = ["UPDATE dbos.workflow_status SET executor_id = 'local' WHERE workflow_uuid = 'w'"];

    assert!(!is_taken_over(&database, &change, config(&database)).await);
}

const OTHER_VERSION: [&str; 2] = [
    "UPDATE dbos.workflow_status SET application_version = 'older' WHERE workflow_uuid = 'w'",
    "INSERT INTO dbos_rust.version_workflows (version, name, hash)
     SELECT 'older', name, hash FROM dbos_rust.version_workflows WHERE name = 'recovered'",
];

async fn another_version_with_equal_code_is_taken_over(database: Database) {
    assert!(is_taken_over(&database, &OTHER_VERSION, config(&database)).await);
}

async fn another_version_with_other_code_is_left_alone(database: Database) {
    let [row, version] = OTHER_VERSION;
    let edited = "UPDATE dbos_rust.version_workflows SET hash = 'edited' WHERE version = 'older'";

    assert!(!is_taken_over(&database, &[row, version, edited], config(&database)).await);
    assert_eq!(
        database.value("SELECT status FROM dbos.workflow_status WHERE workflow_uuid = 'w'").await.as_deref(),
        Some("PENDING")
    );
}

async fn a_finished_workflow_is_not_recovered(database: Database) {
    let mut app = App::launch(config(&database)).await;
    let name = unique("recovered");
    open(&name);
    app.run(async { recovered(name.clone()).workflow_id("w").await.unwrap() }).await;

    app.crash_and_relaunch().await;

    assert_eq!(app.result::<Result<u32>>("w").await.unwrap(), 1);
    assert_eq!(runs_of(&name), 1);
}

async fn a_clock_ahead_of_the_database_proves_nobody_dead(database: Database) {
    let clock = Clock::manual();
    clock.advance(std::time::Duration::from_secs(24 * 3600));
    let mut settings = config(&database);
    settings.clock = Some(clock);
    let first = App::launch(config(&database)).await;
    let name = unique("recovered");
    start(&first, &name, "w").await;

    let ahead = App::launch(settings).await;
    let third = App::launch(config(&database)).await;
    let other = unique("recovered");
    start(&third, &other, "other").await;
    third.crash().await;
    until_runs_are(&other, 2).await;
    open(&other);
    open(&name);

    assert_eq!(first.result::<Result<u32>>("w").await.unwrap(), 1);
    ahead.engine.shutdown().await;
}
