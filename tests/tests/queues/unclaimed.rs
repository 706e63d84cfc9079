//! Workflows that others put into a queue without saying whose they are, as the clients of other DBOS libraries do.

use std::time::Duration;

use dbos::{Config, DBOS};
use dbos_testkit::board::{open, runs_of, unique};
use dbos_testkit::{App, Database, behaviours};

use crate::app::{ENDED, PLAIN, config_of_several, enqueue, ids};

behaviours! { unclaimed:
    what_is_nobodys_is_run_by_who_serves_the_queue,
    what_has_no_version_is_left_to_the_latest,
    what_is_delayed_and_nobodys_is_run_when_it_is_due,
    what_no_program_has_stays,
    arguments_in_a_foreign_format_end_it_readably,
}

fn polling(database: &Database) -> Config {
    let mut config = config_of_several(database);
    // Nobody tells of a row that came by SQL.
    config.poll_interval = Duration::from_millis(20);
    config
}

/// Does what the client of another library does to enqueue `name`.
async fn put(database: &Database, id: &str, name: &str, queue: &str, gate: &str, status: &str) {
    // The row comes last, for it is taken at once.
    let inputs = format!(r#"{{"namedArgs":{{}},"positionalArgs":["{gate}"]}}"#);
    let insert = "INSERT INTO dbos.workflow_input (workflow_uuid, inputs, retention_timestamp)";
    database.execute(&format!("{insert} VALUES ('{id}', '{inputs}', 1)")).await;
    database
        .execute(&format!(
            "INSERT INTO dbos.workflow_status (workflow_uuid, status, name, queue_name, recovery_attempts, priority,
                                               serialization, created_at, updated_at, delay_until_epoch_ms)
             VALUES ('{id}', '{status}', '{name}', '{queue}', 0, 0, 'portable_json', 1, 1, 1)"
        ))
        .await;
}

async fn what_is_nobodys_is_run_by_who_serves_the_queue(database: Database) {
    let app = App::launch(polling(&database)).await;
    let gate = unique("queued");
    open(&gate);

    for (id, queue) in [("a", "plain"), ("b", "one"), ("c", "_dbos_internal_queue")] {
        put(&database, id, "queued", queue, &gate, "ENQUEUED").await;
    }

    database.until_count(ENDED, 3).await;
    let owned = format!(
        "SELECT count(*) FROM dbos.workflow_status
          WHERE application_name = 'queues' AND application_version = '{}'",
        app.engine.application_version()
    );
    assert_eq!(database.count(&owned).await, 3);
    assert_eq!(runs_of(&gate), 3);
}

async fn what_has_no_version_is_left_to_the_latest(database: Database) {
    let of_version = |version: &str| {
        let mut config = polling(&database);
        config.application_version = Some(version.to_owned());
        config
    };
    let older = App::launch(of_version("1")).await;
    // Its code differs, else each could run what was started under the other.
    database.execute("UPDATE dbos_rust.version_workflows SET hash = 'older' WHERE version = '1'").await;
    let latest = App::launch(of_version("2")).await;
    latest.crash().await;
    let (mine, theirs) = (unique("queued"), unique("queued"));

    put(&database, "theirs", "queued", "plain", &theirs, "ENQUEUED").await;
    // It has looked into the queue by the time it has run what it may.
    open(&mine);
    enqueue(&older, &PLAIN, &mine, 1).await;
    database.until_count(ENDED, 1).await;
    assert_eq!(ids(&database, "plain", "ENQUEUED").await, ["theirs"]);

    open(&theirs);
    let _latest = App::launch(of_version("2")).await;
    database.until_count(ENDED, 2).await;
    let by =
        database.value("SELECT application_version FROM dbos.workflow_status WHERE workflow_uuid = 'theirs'").await;
    assert_eq!(by.as_deref(), Some("2"));
}

async fn what_is_delayed_and_nobodys_is_run_when_it_is_due(database: Database) {
    let _app = App::launch(polling(&database)).await;
    let gate = unique("queued");
    open(&gate);

    put(&database, "d", "queued", "plain", &gate, "DELAYED").await;

    database.until_count(ENDED, 1).await;
}

async fn what_no_program_has_stays(database: Database) {
    let app = App::launch(polling(&database)).await;
    let gate = unique("queued");
    open(&gate);

    put(&database, "x", "somebody_elses", "plain", &gate, "ENQUEUED").await;
    enqueue(&app, &PLAIN, &gate, 1).await;

    database.until_count(ENDED, 1).await;
    assert_eq!(ids(&database, "plain", "ENQUEUED").await, ["x"]);
    let nobodys = "SELECT count(*) FROM dbos.workflow_status WHERE application_name IS NULL AND executor_id IS NULL";
    assert_eq!(database.count(nobodys).await, 1);
}

/// The tag of a row is for its arguments and for its error: who waits for it has to be able to read the error.
async fn arguments_in_a_foreign_format_end_it_readably(database: Database) {
    let app = App::launch(polling(&database)).await;
    app.run(async { DBOS::pause_queue(&PLAIN).await.unwrap() }).await;
    put(&database, "p", "queued", "plain", "gate", "ENQUEUED").await;
    database.execute("UPDATE dbos.workflow_status SET serialization = 'py_pickle'").await;
    database
        .execute("UPDATE dbos.workflow_input SET inputs = 'gASVEAAAAAAAAAB9lCiMBGFyZ3OUKYwGa3dhcmdzlH2UdS4='")
        .await;

    app.run(async { DBOS::resume_queue(&PLAIN).await.unwrap() }).await;
    database.until_count("SELECT count(*) FROM dbos.workflow_status WHERE status = 'ERROR'", 1).await;

    let tag = database.value("SELECT serialization FROM dbos.workflow_status").await;
    assert_eq!(tag.as_deref(), Some("portable_json"));
    let error: serde_json::Value =
        serde_json::from_str(&database.value("SELECT error FROM dbos.workflow_output").await.unwrap()).unwrap();
    assert!(
        error["message"].as_str().unwrap().contains("the arguments of the workflow cannot be read back"),
        "{error}"
    );
}
