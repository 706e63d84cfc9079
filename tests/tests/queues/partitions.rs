//! Queues whose partitions have limits of their own, beside those of the whole.

use std::collections::BTreeMap;

use dbos::{Clock, DBOS, Error, Queue, Result};
use dbos_testkit::board::{open, reached, reached_times, runs_of, unique};
use dbos_testkit::{App, Database, behaviours};

use crate::app::{
    CUSTOMERS, ENDED, MINUTE, ONE_A_MINUTE_OF_A_CUSTOMER, ONE_EACH_OF_A_CUSTOMER, RUNNING, config, config_of_several,
    config_with, ids, queued, row, text,
};

behaviours! { partitions:
    a_partition_and_the_whole_queue_keep_to_their_limits_together,
    each_process_has_the_limit_of_a_worker_for_each_partition,
    each_partition_has_a_rate_and_so_has_the_queue,
    a_lower_priority_goes_first_in_its_partition_and_among_them,
    a_flooded_partition_holds_up_no_other,
    a_queue_with_limits_for_partitions_asks_for_a_key,
    what_begins_again_waits_in_its_partition,
    what_a_dead_engine_took_goes_back_into_its_partition,
    a_partition_whose_code_is_gone_holds_up_no_other,
}

/// Puts a workflow into the partition that its id begins with; it waits at the gate of its name.
async fn put(app: &App, queue: &'static Queue, ids: &[&str], gates: &BTreeMap<&'static str, String>) {
    app.run(async {
        for id in ids {
            let customer = &id[..1];
            queued(gates[customer].clone()).enqueue(queue).partition_key(customer).workflow_id(*id).await.unwrap();
        }
    })
    .await;
}

fn gates() -> BTreeMap<&'static str, String> {
    ["a", "b", "c", "d"].into_iter().map(|customer| (customer, unique(customer))).collect()
}

fn open_all(gates: &BTreeMap<&'static str, String>) {
    for gate in gates.values() {
        open(gate);
    }
}

async fn a_partition_and_the_whole_queue_keep_to_their_limits_together(database: Database) {
    let app = App::launch(config(&database)).await;
    let gates = gates();
    app.run(async { DBOS::pause_queue(&CUSTOMERS).await.unwrap() }).await;
    put(&app, &CUSTOMERS, &["a-0", "a-1", "a-2", "b-0", "b-1", "c-0", "d-0"], &gates).await;
    app.run(async { DBOS::resume_queue(&CUSTOMERS).await.unwrap() }).await;

    for customer in ["a", "b", "c"] {
        reached(&gates[customer]).await;
    }
    assert_eq!(ids(&database, "customers", "PENDING").await, ["a-0", "b-0", "c-0"]);

    // The oldest that there is room for goes next, whatever its partition.
    open(&gates["c"]);
    reached(&gates["d"]).await;
    assert_eq!(ids(&database, "customers", "PENDING").await, ["a-0", "b-0", "d-0"]);
    open(&gates["b"]);
    app.result::<Result<String>>("b-1").await.unwrap();
    assert_eq!(ids(&database, "customers", "ENQUEUED").await, ["a-1", "a-2"]);
    open(&gates["a"]);
    open(&gates["d"]);
    database.until_count(ENDED, 7).await;
}

async fn each_process_has_the_limit_of_a_worker_for_each_partition(database: Database) {
    let first = App::launch(config_of_several(&database)).await;
    let gates = gates();
    put(&first, &ONE_EACH_OF_A_CUSTOMER, &["a-0", "a-1", "a-2", "b-0", "b-1"], &gates).await;
    reached(&gates["a"]).await;
    reached(&gates["b"]).await;
    assert_eq!(database.count(RUNNING).await, 2);

    let _second = App::launch(config_of_several(&database)).await;
    reached_times(&gates["a"], 2).await;
    reached_times(&gates["b"], 2).await;
    let places = "SELECT count(*) FROM
                    (SELECT executor_id, queue_partition_key FROM dbos.workflow_status
                      WHERE status = 'PENDING' GROUP BY executor_id, queue_partition_key) AS places";
    assert_eq!((database.count(places).await, database.count(RUNNING).await), (4, 4));

    open(&gates["a"]);
    open(&gates["b"]);
    database.until_count(ENDED, 5).await;
}

async fn each_partition_has_a_rate_and_so_has_the_queue(database: Database) {
    let clock = Clock::manual();
    let app = App::launch(config_with(&database, &clock)).await;
    let (gates, started) = (gates(), clock.now_ms());
    open_all(&gates);

    put(&app, &ONE_A_MINUTE_OF_A_CUSTOMER, &["a-0", "a-1", "b-0", "b-1", "c-0", "d-0"], &gates).await;
    database.until_count(ENDED, 3).await;
    clock.advance(MINUTE);
    database.until_count(ENDED, 6).await;

    let starts = "SELECT workflow_uuid, started_at_epoch_ms FROM dbos.workflow_status ORDER BY 2, 1";
    let starts: Vec<_> = database
        .query(starts)
        .await
        .into_iter()
        .map(|row| (row[0].clone().unwrap(), row[1].as_deref().unwrap().parse::<i64>().unwrap() - started))
        .collect();
    let expected = [("a-0", 0), ("b-0", 0), ("c-0", 0), ("a-1", 60_000), ("b-1", 60_000), ("d-0", 60_000)];
    assert_eq!(starts, expected.map(|(id, at_ms)| (id.to_owned(), at_ms)));
}

async fn a_lower_priority_goes_first_in_its_partition_and_among_them(database: Database) {
    let app = App::launch(config(&database)).await;
    let gates = gates();
    app.run(async {
        DBOS::pause_queue(&CUSTOMERS).await.unwrap();
        for (id, priority) in [("a-0", 5), ("a-1", 1), ("b-0", 4), ("c-0", 3), ("d-0", 2)] {
            let customer = &id[..1];
            let call = queued(gates[customer].clone()).enqueue(&CUSTOMERS).partition_key(customer);
            call.priority(priority).workflow_id(id).await.unwrap();
        }
        DBOS::resume_queue(&CUSTOMERS).await.unwrap();
    })
    .await;

    for customer in ["a", "c", "d"] {
        reached(&gates[customer]).await;
    }
    assert_eq!(ids(&database, "customers", "PENDING").await, ["a-1", "c-0", "d-0"]);
    open_all(&gates);
    database.until_count(ENDED, 5).await;
}

async fn a_flooded_partition_holds_up_no_other(database: Database) {
    let app = App::launch(config(&database)).await;
    let gates = gates();
    put(&app, &CUSTOMERS, &["a-0"], &gates).await;
    reached(&gates["a"]).await;
    let flood: Vec<_> = (1..=500).map(|number| format!("a-{number}")).collect();
    put(&app, &CUSTOMERS, &flood.iter().map(String::as_str).collect::<Vec<_>>(), &gates).await;

    open(&gates["b"]);
    put(&app, &CUSTOMERS, &["b-0", "b-1"], &gates).await;

    assert_eq!(app.result::<Result<String>>("b-1").await.unwrap(), "b-1");
    assert_eq!(runs_of(&gates["a"]), 1);
}

async fn a_queue_with_limits_for_partitions_asks_for_a_key(database: Database) {
    let app = App::launch(config(&database)).await;

    let refused = app.run(async { queued("gate".to_owned()).enqueue(&CUSTOMERS).await }).await.unwrap_err();
    let empty = app.run(async { queued("gate".to_owned()).enqueue(&CUSTOMERS).partition_key("").await }).await;

    assert!(refused.to_string().contains("the queue `customers` has limits for partitions"), "{refused}");
    assert!(matches!(empty, Err(Error::InvalidKey { .. })), "{empty:?}");
    assert_eq!(database.count("SELECT count(*) FROM dbos.workflow_status").await, 0);
}

async fn what_begins_again_waits_in_its_partition(database: Database) {
    let app = App::launch(config(&database)).await;
    let gates = gates();
    open(&gates["b"]);
    put(&app, &CUSTOMERS, &["a-0", "b-0"], &gates).await;
    reached(&gates["a"]).await;
    assert_eq!(app.result::<Result<String>>("b-0").await.unwrap(), "b-0");

    let again = app
        .run(async {
            let fork = |id: &str| DBOS::fork_workflow("b-0", 1).workflow_id(id).queue(&CUSTOMERS);
            for (refused, reason) in [
                (fork("f").await.map(drop), "the queue `customers` has limits for partitions; give the key of one"),
                (fork("f").partition_key("").await.map(drop), "partition key is refused"),
                (DBOS::fork_workflow("b-0", 1).partition_key("a").await.map(drop), "name the queue too"),
                (DBOS::rewind_workflow("b-0", 1).queue(&CUSTOMERS).await, "give the key of one"),
            ] {
                let refused = refused.unwrap_err();
                assert!(refused.to_string().contains(reason), "{refused}");
            }
            fork("f-a").partition_key("a").await.unwrap();
            DBOS::rewind_workflow("b-0", 1).queue(&CUSTOMERS).partition_key("a").await.unwrap();
            let many = DBOS::fork_workflows(["b-0"], 1).queue(&CUSTOMERS).partition_key("a").await.unwrap();
            DBOS::cancel_workflow(many[0].new_workflow_id.as_deref().unwrap()).await.unwrap();
            fork("f-c").partition_key("c").await.unwrap()
        })
        .await;

    assert_eq!(app.result::<Result<String>>(&again).await.unwrap(), "f-c");
    assert_eq!(ids(&database, "customers", "ENQUEUED").await, ["b-0", "f-a"]);
    for (id, key) in [("f-c", "c"), ("f-a", "a"), ("b-0", "a")] {
        assert_eq!(row(&database, "queue_partition_key", id).await, [text(key)]);
    }
    let cancelled = "SELECT queue_partition_key FROM dbos.workflow_status WHERE status = 'CANCELLED'";
    assert_eq!(database.value(cancelled).await.as_deref(), Some("a"));
    open(&gates["a"]);
    database.until_count(ENDED, 4).await;
}

async fn what_a_dead_engine_took_goes_back_into_its_partition(database: Database) {
    let mut app = App::launch(config(&database)).await;
    let gates = gates();
    put(&app, &CUSTOMERS, &["a-0", "a-1"], &gates).await;
    reached(&gates["a"]).await;

    app.crash_and_relaunch().await;
    reached_times(&gates["a"], 2).await;

    assert_eq!(ids(&database, "customers", "PENDING").await, ["a-0"]);
    assert_eq!(row(&database, "queue_partition_key", "a-0").await, [text("a")]);
    open(&gates["a"]);
    database.until_count(ENDED, 2).await;
}

async fn a_partition_whose_code_is_gone_holds_up_no_other(database: Database) {
    let app = App::launch(config(&database)).await;
    let gates = gates();
    open_all(&gates);
    app.run(async { DBOS::pause_queue(&CUSTOMERS).await.unwrap() }).await;
    put(&app, &CUSTOMERS, &["a-0", "a-1", "b-0"], &gates).await;
    database.execute("UPDATE dbos.workflow_status SET application_version = 'older' WHERE workflow_uuid = 'a-0'").await;

    app.run(async { DBOS::resume_queue(&CUSTOMERS).await.unwrap() }).await;

    database.until_count(ENDED, 2).await;
    assert_eq!(ids(&database, "customers", "ENQUEUED").await, ["a-0"]);
}
