//! Queues as they are declared, owned and looked at.

use std::collections::HashSet;

use dbos::{DBOS, Queue, Status, WorkflowFilter};
use dbos_testkit::board::{open, reached, unique};
use dbos_testkit::{App, Database, behaviours};

use crate::app::{ENDED, ONE, TWO, config, enqueue, queued, row, text};

behaviours! { declared:
    a_queue_that_nobody_declares_is_refused,
    a_queue_of_another_application_is_refused,
    a_queue_without_its_row_stops_and_no_other,
    a_list_has_the_workflows_of_a_queue,
}

async fn a_queue_that_nobody_declares_is_refused(database: Database) {
    static STRAY: Queue = Queue::new("stray");
    let app = App::launch(config(&database)).await;

    let refused = app.run(async { queued("gate".to_owned()).enqueue(&STRAY).await }).await;

    assert!(refused.unwrap_err().to_string().contains("nobody serves the queue `stray`"));
    assert_eq!(database.count("SELECT count(*) FROM dbos.workflow_status").await, 0);
}

async fn a_queue_of_another_application_is_refused(database: Database) {
    let _app = App::launch(config(&database)).await;
    let mut other = config(&database);
    "other".clone_into(&mut other.application);

    let refused = dbos::Engine::launch(other).await.unwrap_err();

    assert!(refused.to_string().contains("belongs to another application"), "{refused}");
}

async fn a_queue_without_its_row_stops_and_no_other(database: Database) {
    let app = App::launch(config(&database)).await;
    let gate = unique("queued");
    open(&gate);
    database.execute("DELETE FROM dbos.queues WHERE name = 'one'").await;

    enqueue(&app, &ONE, &format!("{gate}-lost"), 1).await;
    enqueue(&app, &TWO, &gate, 3).await;

    database.until_count(ENDED, 3).await;
    assert_eq!(row(&database, "status", &format!("{gate}-lost-0")).await, [text("ENQUEUED")]);
}

async fn a_list_has_the_workflows_of_a_queue(database: Database) {
    let app = App::launch(config(&database)).await;
    let gate = unique("queued");
    enqueue(&app, &ONE, &gate, 2).await;
    enqueue(&app, &TWO, &unique("others"), 1).await;
    reached(&gate).await;

    let listed = app.run(async { DBOS::list_workflows(WorkflowFilter::new().queue("one")).await.unwrap() }).await;

    let found: HashSet<_> = listed.iter().map(|workflow| (workflow.workflow_id.clone(), workflow.status)).collect();
    let expected = [(format!("{gate}-0"), Some(Status::Pending)), (format!("{gate}-1"), Some(Status::Enqueued))];
    assert_eq!(found, HashSet::from(expected));
}
