//! Servers that end sessions, crash and come back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dbos::{DBOS, Result, Tx, WorkflowHandle, transaction, workflow};
use dbos_testkit::board::{open, pass, reached, unique};
use dbos_testkit::{App, Database, Server, behaviours};

use crate::app::{config, doubled, shopping, with_orders};

behaviours! { outage:
    ended_sessions_are_never_an_outcome on postgres within 120,
    a_session_that_ends_inside_a_transaction_is_invisible on postgres,
    a_crashed_server_that_comes_back_is_invisible on server within 120,
    a_server_that_hangs_and_goes_on_is_invisible on server within 120,
}

const KICK: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                     WHERE datname = current_database() AND pid <> pg_backend_pid()";

async fn start_shopping(app: &App, workflows: usize) -> Vec<WorkflowHandle<Result<String>>> {
    let mut handles = Vec::new();
    for _ in 0..workflows {
        handles.push(app.run(async { DBOS::start_workflow(shopping(unique("shopping"))).await.unwrap() }).await);
    }
    handles
}

async fn all_shopped(database: &Database, handles: Vec<WorkflowHandle<Result<String>>>) {
    let workflows = handles.len();
    for handle in handles {
        assert_eq!(handle.result().await.unwrap(), "ordered milk");
    }
    assert!(doubled(database).await.is_empty());
    assert_eq!(database.count("SELECT count(*) FROM orders").await, 2 * workflows as i64);
    assert_eq!(database.count("SELECT count(*) FROM dbos.workflow_status WHERE status <> 'SUCCESS'").await, 0);
}

async fn ended_sessions_are_never_an_outcome(database: Database) {
    let app = App::launch(config(database.url())).await;
    with_orders(&database).await;
    let done = Arc::new(AtomicBool::new(false));

    let kicker = async {
        let mut kicks = 0;
        while !done.load(Ordering::SeqCst) {
            database.try_query(KICK).await.ok();
            kicks += 1;
            tokio::time::sleep(Duration::from_millis(70)).await;
        }
        kicks
    };
    let shoppers = async {
        let mut handles = Vec::new();
        for _ in 0..20 {
            handles.extend(start_shopping(&app, 10).await);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        for handle in &handles {
            handle.result().await.unwrap();
        }
        done.store(true, Ordering::SeqCst);
        handles
    };
    let (kicks, handles) = tokio::join!(kicker, shoppers);

    println!("all sessions ended {kicks} times under {} workflows", handles.len());
    all_shopped(&database, handles).await;
}

#[transaction]
async fn order_at_gate(tx: &mut Tx, gate: &str) -> Result<(), String> {
    let insert = "INSERT INTO orders (workflow, item) VALUES ('w', $1)";
    tx.query(insert).bind("tea".to_owned()).execute().await.map_err(|error| error.to_string())?;
    pass(gate).await;
    tx.query(insert).bind("milk".to_owned()).execute().await.map_err(|error| error.to_string())?;
    Ok(())
}

#[workflow]
async fn ordering_at_gate(gate: String) -> Result<(), String> {
    order_at_gate(&gate).await
}

async fn a_session_that_ends_inside_a_transaction_is_invisible(database: Database) {
    let app = App::launch(config(database.url())).await;
    with_orders(&database).await;
    let gate = unique("gate");
    let handle = app.run(async { DBOS::start_workflow(ordering_at_gate(gate.clone())).await.unwrap() }).await;
    reached(&gate).await;

    database.execute(KICK).await;
    open(&gate);

    handle.result().await.unwrap();
    assert_eq!(database.count("SELECT count(*) FROM orders").await, 2);
}

async fn a_crashed_server_that_comes_back_is_invisible(server: Server) {
    let database = Database::on_server(&server).await;
    let app = App::launch(config(database.url())).await;
    with_orders(&database).await;

    let mut handles = Vec::new();
    for round in 0..4 {
        handles.extend(start_shopping(&app, 25).await);
        tokio::time::sleep(Duration::from_millis(10 + 15 * round)).await;
        server.stop_immediate();
        tokio::time::sleep(Duration::from_millis(200)).await;
        server.start();
    }

    all_shopped(&database, handles).await;
}

/// Longer than the lease: the process must stop its work itself and take it up again.
async fn a_server_that_hangs_and_goes_on_is_invisible(server: Server) {
    let database = Database::on_server(&server).await;
    let mut config = config(database.url());
    config.lease = Duration::from_secs(2);
    let app = App::launch(config).await;
    with_orders(&database).await;
    let before = app.engine.executor_id();
    let gate = unique("gate");

    let waiting = app.run(async { DBOS::start_workflow(ordering_at_gate(gate.clone())).await.unwrap() }).await;
    reached(&gate).await;
    let handles = start_shopping(&app, 30).await;
    server.pause();
    tokio::time::sleep(Duration::from_secs(4)).await;
    server.resume();
    open(&gate);

    waiting.result().await.unwrap();
    for handle in &handles {
        handle.result().await.unwrap();
    }
    assert_ne!(app.engine.executor_id(), before, "a lost lease is a new executor");
    assert!(doubled(&database).await.is_empty());
    assert_eq!(database.count("SELECT count(*) FROM orders").await, 62);
}
