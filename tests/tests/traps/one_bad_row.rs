//! One workflow's row is broken; the others must not notice.

use dbos::{DBOS, Result, step, workflow};
use dbos_testkit::board::{open, pass, reached_times, unique};
use dbos_testkit::{App, Backend, Database, behaviours};

use crate::app::config;

behaviours! { one_bad_row:
    a_broken_workflow_stops_alone_in_recovery,
    a_value_that_cannot_be_stored_fails_alone_in_its_batch on postgres,
}

#[step]
async fn at_gate(name: &str) -> Result<u32> {
    pass(name).await;
    Ok(1)
}

#[step]
async fn before_gate() -> Result<u32> {
    Ok(1)
}

#[workflow]
async fn fragile(name: String) -> Result<u32> {
    Ok(before_gate().await? + at_gate(&name).await?)
}

const KINDS: [&str; 7] = ["fine-0", "inputs", "history", "name", "number", "step", "fine-1"];

async fn a_broken_workflow_stops_alone_in_recovery(database: Database) {
    let mut app = App::launch(config(database.url())).await;
    let gate = unique("gate");
    for kind in KINDS {
        app.run(async { DBOS::start_workflow(fragile(gate.clone())).workflow_id(kind).await.unwrap() }).await;
    }
    reached_times(&gate, KINDS.len() as u32).await;
    app.crash().await;
    database
        .execute("UPDATE dbos.workflow_input SET inputs = '{\"positionalArgs\": [' WHERE workflow_uuid = 'inputs'")
        .await;
    database.execute("UPDATE dbos.operation_outputs SET output = '{' WHERE workflow_uuid = 'history'").await;
    database.execute("UPDATE dbos.workflow_status SET name = 'nobody' WHERE workflow_uuid = 'name'").await;
    database.execute("UPDATE dbos.operation_outputs SET function_id = -5 WHERE workflow_uuid = 'step'").await;
    let number = match database.backend() {
        Backend::Sqlite => {
            "UPDATE dbos.workflow_status SET workflow_deadline_epoch_ms = 'soon' WHERE workflow_uuid = 'number'"
        }
        Backend::Postgres => {
            "UPDATE dbos.workflow_status SET recovery_attempts = 9000000000000 WHERE workflow_uuid = 'number'"
        }
    };
    database.execute(number).await;
    open(&gate);

    app.crash_and_relaunch().await;

    for kind in ["fine-0", "fine-1"] {
        let result = app.run(async { DBOS::retrieve_workflow::<Result<u32>>(kind).unwrap().result().await }).await;
        assert_eq!(result.unwrap(), 2, "{kind}");
    }
    for kind in ["inputs", "history", "number", "step"] {
        let error = app.run(async { DBOS::retrieve_workflow::<Result<u32>>(kind).unwrap().result().await }).await;
        let error = error.expect_err(kind);
        println!("{}: {kind}: {error}", database.backend());
    }
    let open = "SELECT count(*) FROM dbos.workflow_status WHERE status = 'PENDING'";
    assert_eq!(database.count(open).await, 1, "what nobody knows waits for the code that does");
}

/// The engine checks values before they get here, so the database is made to refuse.
async fn a_value_that_cannot_be_stored_fails_alone_in_its_batch(database: Database) {
    let app = App::launch(config(database.url())).await;
    database
        .execute(
            "ALTER TABLE dbos.operation_outputs ADD CONSTRAINT no_poison
             CHECK (workflow_uuid NOT LIKE 'poison%' OR function_id < 2)",
        )
        .await;
    let gate = unique("gate");
    let mut handles = Vec::new();
    for number in 0..40 {
        let id = if number % 20 == 7 { format!("poison-{number}") } else { format!("fine-{number}") };
        handles
            .push(app.run(async { DBOS::start_workflow(fragile(gate.clone())).workflow_id(&id).await.unwrap() }).await);
    }
    reached_times(&gate, 40).await;
    open(&gate);

    for handle in handles {
        let result = handle.result().await;
        assert_eq!(result.is_err(), handle.workflow_id().starts_with("poison"), "{result:?}");
    }
}
