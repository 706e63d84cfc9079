//! Ten thousand rows that nobody of sound mind would write. Each stops its own workflow, if any.

use std::collections::BTreeMap;

use dbos::{DBOS, Result, step, workflow};
use dbos_testkit::board::{open, pass, reached, unique};
use dbos_testkit::{App, Database, behaviours};

use crate::app::config;

behaviours! { mutated_rows:
    each_broken_row_stops_its_own_workflow_alone within 900,
}

const ROWS: usize = 10_000;

/// What is done to a workflow's rows, and how the workflow ends. `PENDING`: it waits for the program that knows it.
const MUTATIONS: &[(&str, &str)] = &[
    ("UPDATE dbos.workflow_status SET updated_at = 0", "SUCCESS"),
    ("UPDATE dbos.workflow_status SET created_at = -1", "SUCCESS"),
    ("UPDATE dbos.workflow_status SET created_at = 9223372036854775807", "SUCCESS"),
    ("UPDATE dbos.workflow_status SET parent_workflow_id = 'nobody'", "SUCCESS"),
    ("UPDATE dbos.workflow_status SET owner_xid = NULL", "SUCCESS"),
    ("UPDATE dbos.workflow_status SET workflow_timeout_ms = -9223372036854775807", "SUCCESS"),
    ("UPDATE dbos.workflow_status SET workflow_deadline_epoch_ms = 9223372036854775807", "SUCCESS"),
    ("UPDATE dbos.workflow_status SET recovery_attempts = -9223372036854775807", "SUCCESS"),
    ("UPDATE dbos.workflow_status SET recovery_attempts = NULL", "SUCCESS"),
    ("UPDATE dbos.workflow_status SET priority = -2147483648", "SUCCESS"),
    ("UPDATE dbos.workflow_status SET workflow_deadline_epoch_ms = -1", "CANCELLED"),
    ("UPDATE dbos.workflow_status SET recovery_attempts = 9223372036854775807", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"),
    ("UPDATE dbos.workflow_status SET name = NULL", "PENDING"),
    ("UPDATE dbos.workflow_status SET name = NULL, application_version = 'none'", "PENDING"),
    ("UPDATE dbos.workflow_status SET application_version = NULL", "PENDING"),
    ("UPDATE dbos.workflow_status SET application_version = 'none' || workflow_uuid", "PENDING"),
    ("UPDATE dbos.workflow_status SET executor_id = NULL", "PENDING"),
    ("UPDATE dbos.workflow_status SET application_name = NULL", "PENDING"),
    ("UPDATE dbos.workflow_status SET status = 'SLEEPY'", "SLEEPY"),
    ("UPDATE dbos.workflow_status SET status = NULL", "NULL"),
    ("UPDATE dbos.workflow_status SET serialization = 'py_pickle'", "SUCCESS"),
    ("DELETE FROM dbos.workflow_input", "ERROR"),
    ("UPDATE dbos.workflow_input SET inputs = 'null'", "ERROR"),
    ("UPDATE dbos.workflow_input SET inputs = ''", "ERROR"),
    ("UPDATE dbos.workflow_input SET inputs = '{\"positionalArgs\": [' || workflow_uuid", "ERROR"),
    ("UPDATE dbos.workflow_input SET inputs = '{\"positionalArgs\": [7]}'", "ERROR"),
    (
        "UPDATE dbos.workflow_input SET inputs = '[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[['",
        "ERROR",
    ),
    ("UPDATE dbos.operation_outputs SET output = '{'", "ERROR"),
    ("UPDATE dbos.operation_outputs SET output = '1e400'", "ERROR"),
    ("UPDATE dbos.operation_outputs SET output = '9223372036854775808'", "ERROR"),
    ("UPDATE dbos.operation_outputs SET output = '\"' || workflow_uuid || '\"'", "ERROR"),
    ("UPDATE dbos.operation_outputs SET output = NULL", "ERROR"),
    ("UPDATE dbos.operation_outputs SET error = 'Oh no'", "ERROR"),
    ("UPDATE dbos.operation_outputs SET function_id = -5", "ERROR"),
    ("UPDATE dbos.operation_outputs SET function_id = 2147483647", "SUCCESS"),
    ("UPDATE dbos.operation_outputs SET function_name = 'another'", "PENDING"),
];

#[step]
async fn counted(n: u32) -> u32 {
    n
}

#[workflow]
async fn sturdy(name: String) -> Result<u32> {
    let first = counted(1).await;
    pass(&name).await;
    Ok(first + counted(1).await)
}

async fn each_broken_row_stops_its_own_workflow_alone(database: Database) {
    let mut app = App::launch(config(database.url())).await;
    let gate = unique("gate");
    app.run(async { DBOS::start_workflow(sturdy(gate.clone())).workflow_id("model").await.unwrap() }).await;
    reached(&gate).await;
    app.crash().await;
    copy_rows(&database).await;
    for (number, (mutation, _)) in MUTATIONS.iter().enumerate() {
        database.execute(&format!("{mutation} WHERE workflow_uuid LIKE 'm%-{number}'")).await;
    }
    open(&gate);

    app.relaunch().await;
    let fresh = unique("gate");
    open(&fresh);
    for _ in 0..100 {
        assert_eq!(app.run(async { sturdy(fresh.clone()).await }).await.unwrap(), 2);
    }
    assert_eq!(app.result::<Result<u32>>("model").await.unwrap(), 2);

    let mut expected: BTreeMap<String, usize> = BTreeMap::new();
    for row in 0..ROWS {
        *expected.entry(MUTATIONS[row % MUTATIONS.len()].1.to_owned()).or_default() += 1;
    }
    let count = |status: &str| {
        format!("SELECT count(*) FROM dbos.workflow_status WHERE workflow_uuid LIKE 'm%-%' AND status = '{status}'")
    };
    database.until_count(&count("PENDING"), i64::try_from(expected["PENDING"]).unwrap()).await;
    let ends = database
        .query(
            "SELECT COALESCE(status, 'NULL'), count(*) FROM dbos.workflow_status
              WHERE workflow_uuid LIKE 'm%-%' GROUP BY status",
        )
        .await;
    let ends: BTreeMap<String, usize> =
        ends.into_iter().map(|row| (row[0].clone().unwrap(), row[1].as_ref().unwrap().parse().unwrap())).collect();
    if ends != expected {
        println!("{:#?}", by_mutation(&database).await);
    }
    assert_eq!(ends, expected);
}

/// Ten thousand workflows that are alike, named `m{row}-{mutation}`.
async fn copy_rows(database: &Database) {
    let rows = format!(
        "WITH RECURSIVE row_number(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM row_number WHERE n < {})",
        ROWS - 1
    );
    let id = format!("'m' || n || '-' || (n % {})", MUTATIONS.len());
    for (table, columns) in [
        (
            "workflow_status",
            "status, name, executor_id, application_name, application_version, owner_xid, creator_xid, created_at, \
             updated_at, recovery_attempts, priority, serialization",
        ),
        ("workflow_input", "inputs, retention_timestamp"),
        (
            "operation_outputs",
            "function_id, function_name, output, serialization, started_at_epoch_ms, completed_at_epoch_ms, \
             application_name, retention_timestamp",
        ),
    ] {
        let copy = format!(
            "{rows} INSERT INTO dbos.{table} (workflow_uuid, {columns})
             SELECT {id}, {columns} FROM row_number, dbos.{table} WHERE workflow_uuid = 'model'"
        );
        database.execute(&copy).await;
    }
}

/// For whoever reads a failure: which mutation ended how.
async fn by_mutation(database: &Database) -> Vec<String> {
    let mut said = Vec::new();
    for (number, (mutation, end)) in MUTATIONS.iter().enumerate() {
        let ends = database
            .query(&format!(
                "SELECT COALESCE(status, 'NULL'), count(*) FROM dbos.workflow_status
                  WHERE workflow_uuid LIKE 'm%-{number}' GROUP BY status"
            ))
            .await;
        said.push(format!("{mutation}: {ends:?}, expected {end}"));
    }
    said
}
