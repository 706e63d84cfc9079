//! How the behaviours launch their applications, and what they look at in the database.

use std::time::Duration;

use dbos::{Clock, Config};
use dbos_testkit::{App, Backend, Database, Pooler, parking};

/// The settings of most tests: nothing is found by polling, so a wake-up that is lost is a test that fails. Through a
/// pooler everything is.
pub(crate) fn config(database: &Database) -> Config {
    let mut config = Config::new("behaviour").database_url(database.url()).schema(database.schema());
    config.poll_interval = Duration::from_mins(10);
    if let (Backend::Postgres, Some(pooler)) = (database.backend(), Pooler::shared()) {
        config = config.database_url(pooler.url(database.url()));
        (config.pooler, config.poll_interval) = (dbos::Pooler::Transaction, Duration::from_millis(20));
    }
    parking(config)
}

/// An application that goes by `clock`.
pub(crate) async fn launched_with(clock: &Clock, database: &Database) -> App {
    App::launch(config(database).clock(clock.clone())).await
}

/// A crash after the fact: all of `workflow` but the steps for which `keep` holds is as if it had never been
/// recorded. The engine must be crashed, and launched afterwards.
pub(crate) async fn rewind(database: &Database, workflow: &str, keep: &str) {
    let forget = [
        format!("DELETE FROM dbos.operation_outputs WHERE workflow_uuid = '{workflow}' AND NOT ({keep})"),
        format!("DELETE FROM dbos.workflow_output WHERE workflow_uuid = '{workflow}'"),
        format!(
            "UPDATE dbos.workflow_status SET status = 'PENDING', completed_at = NULL, owner_xid = 'rewound'
              WHERE workflow_uuid = '{workflow}'"
        ),
    ];
    for statement in forget {
        database.execute(&statement).await;
    }
}

/// The recorded steps of a workflow: id and name, in order.
pub(crate) async fn steps(database: &Database, workflow: &str) -> Vec<(u32, String)> {
    let query = format!(
        "SELECT function_id, function_name FROM dbos.operation_outputs
          WHERE workflow_uuid = '{workflow}' ORDER BY function_id"
    );
    let rows = database.query(&query).await;
    rows.into_iter().map(|row| (row[0].as_deref().unwrap().parse().unwrap(), row[1].clone().unwrap())).collect()
}
