//! Whose turn it is: what processes of one application do one at a time, in whichever language they are.

use std::time::Duration;

use dbos::{Client, Config, DBOS, Retention};
use dbos_testkit::{Database, behaviours};
use serde_json::json;

use crate::installed::{neighbour, python};

behaviours! { turns:
    background_jobs_wait_for_those_of_the_library_for_python on postgres within 180,
}

async fn background_jobs_wait_for_those_of_the_library_for_python(database: Database) {
    let _neighbour = neighbour(&database).await;
    let client = Client::open(Config::new("neighbour").database_url(database.url())).await.unwrap();
    for number in 0..2 {
        client.enqueue("work", "letters", json!([number])).await.unwrap().result().await.unwrap();
    }
    let collected = || client.run(DBOS::garbage_collect(Retention::for_ever().rows(1)));

    let other = python("hold_lock.py", &database).start();
    other.wait_for_line("held").await;
    let meanwhile = tokio::time::timeout(Duration::from_secs(1), collected()).await;
    assert!(meanwhile.is_err(), "{meanwhile:?}");
    other.kill().await;

    assert_eq!(collected().await.unwrap(), 1);
}
