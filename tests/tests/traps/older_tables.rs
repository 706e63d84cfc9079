//! Launches on tables of an earlier version. What other libraries made of them at each version is in `tests/tests/peers`.

use dbos::{DBOS, Engine, Error};
use dbos_testkit::{App, Database, behaviours};

use crate::app::{config, shopping, with_orders};

behaviours! { older_tables:
    a_file_of_an_earlier_version_is_upgraded_at_launch on sqlite,
    an_upgrade_that_fails_changes_nothing on sqlite,
}

/// A file in which a workflow has ended, without what came after version 111.
async fn an_older_file(database: &Database) {
    let app = App::launch(config(database.url())).await;
    with_orders(database).await;
    app.run(async {
        DBOS::start_workflow(shopping("ann".to_owned())).workflow_id("before").await.unwrap().result().await
    })
    .await
    .unwrap();
    app.crash().await;
    database
        .execute(
            "DROP INDEX idx_workflow_status_deadline;
             DROP INDEX idx_workflow_status_in_flight_v2;
             CREATE INDEX idx_workflow_status_in_flight
                 ON workflow_status (queue_name, status, priority, created_at) WHERE status IN ('ENQUEUED', 'PENDING');
             ALTER TABLE workflow_status DROP COLUMN creator_xid;
             ALTER TABLE notifications DROP COLUMN consumed_by_function_id;
             CREATE TABLE with_key (
                 workflow_uuid TEXT NOT NULL REFERENCES workflow_status (workflow_uuid) ON DELETE CASCADE,
                 function_id INTEGER NOT NULL,
                 function_name TEXT NOT NULL DEFAULT '',
                 output TEXT,
                 error TEXT,
                 child_workflow_id TEXT,
                 started_at_epoch_ms BIGINT,
                 completed_at_epoch_ms BIGINT,
                 serialization TEXT,
                 application_name TEXT,
                 retention_timestamp INTEGER,
                 PRIMARY KEY (workflow_uuid, function_id)
             );
             INSERT INTO with_key
             SELECT workflow_uuid, function_id, function_name, output, error, child_workflow_id, started_at_epoch_ms,
                    completed_at_epoch_ms, serialization, application_name, NULL
               FROM operation_outputs;
             DROP TABLE operation_outputs;
             ALTER TABLE with_key RENAME TO operation_outputs;
             UPDATE dbos_migrations SET version = 111",
        )
        .await;
}

/// What tables, columns, keys and indexes there are, and the version.
async fn shape(database: &Database) -> Vec<Vec<Option<String>>> {
    database
        .query(
            "SELECT made.name || ' ' || part.name || ' ' || part.type || ' ' || part.[notnull]
               FROM sqlite_master AS made, pragma_table_info(made.name) AS part
              UNION ALL
             SELECT 'key of ' || made.name
               FROM sqlite_master AS made, pragma_foreign_key_list(made.name) AS part
              UNION ALL
             SELECT 'index ' || name FROM sqlite_master WHERE type = 'index'
              UNION ALL
             SELECT 'version ' || version FROM dbos_migrations
              ORDER BY 1",
        )
        .await
}

async fn a_file_of_an_earlier_version_is_upgraded_at_launch(database: Database) {
    let fresh = Database::fresh(database.backend()).await;
    App::launch(config(fresh.url())).await.crash().await;
    with_orders(&fresh).await;
    an_older_file(&database).await;
    assert_ne!(shape(&database).await, shape(&fresh).await);

    let app = App::launch(config(database.url())).await;

    assert_eq!(shape(&database).await, shape(&fresh).await);
    let before = app.run(async { DBOS::list_steps("before").await.unwrap() }).await;
    assert_eq!(before.len(), 4, "{before:?}");
    let undated = "SELECT count(*) FROM operation_outputs WHERE retention_timestamp < 1600000000000";
    assert_eq!(database.count(undated).await, 0);
    let after = app.run(async { DBOS::start_workflow(shopping("bob".to_owned())).await.unwrap().result().await }).await;
    assert_eq!(after.unwrap(), "ordered milk");
}

async fn an_upgrade_that_fails_changes_nothing(database: Database) {
    an_older_file(&database).await;
    // Its name is needed.
    database.execute("CREATE TABLE operation_outputs_without_key (mine TEXT)").await;
    let before = shape(&database).await;

    let refused = Engine::launch(config(database.url())).await.expect_err("a name is taken");

    assert!(matches!(&refused, Error::Database { .. }) && refused.to_string().contains("free_steps"), "{refused}");
    assert_eq!(shape(&database).await, before);
}
