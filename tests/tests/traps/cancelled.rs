//! Futures that are dropped at any await: a cancelled workflow, a caller who hangs up.

use std::time::Duration;

use dbos::{DBOS, Result, workflow};
use dbos_testkit::board::unique;
use dbos_testkit::{App, Backend, Database, behaviours};

use crate::app::{config, doubled, order, with_orders};

behaviours! { cancelled:
    workflows_cancelled_anywhere_leave_no_open_transaction within 120,
    a_caller_who_hangs_up_leaves_no_workflow_behind within 120,
    a_cancelled_parent_leaves_no_child_behind within 120,
}

#[workflow]
async fn ordering(items: u32) -> Result<()> {
    for item in 0..items {
        order(&format!("item {item}")).await?;
    }
    Ok(())
}

async fn workflows_cancelled_anywhere_leave_no_open_transaction(database: Database) {
    let app = App::launch(config(database.url())).await;
    with_orders(&database).await;

    for round in 0..200_u64 {
        let id = unique("ordering");
        let handle = app.run(async { DBOS::start_workflow(ordering(40)).workflow_id(&id).await.unwrap() }).await;
        tokio::time::sleep(Duration::from_micros(round * 7919 % 15_000)).await;
        app.run(async { DBOS::cancel_workflow(&id).await.unwrap() }).await;
        handle.result().await.ok();
        // Whoever borrows the connection next must not find itself in the other's transaction.
        app.run(async { ordering(1).workflow_id(format!("after-{round}")).await.unwrap() }).await;
    }

    if database.backend() == Backend::Postgres {
        let idle = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
        database.until_count(idle, 0).await;
    }
    assert!(doubled(&database).await.is_empty());
    assert_eq!(database.count("SELECT count(*) FROM orders WHERE workflow LIKE 'after-%'").await, 200);
    // Rows and checkpoints agree, for the cancelled ones too.
    let rows = database.count("SELECT count(*) FROM orders").await;
    assert_eq!(database.count("SELECT count(*) FROM dbos.operation_outputs").await, rows);
    let cancelled = database.count("SELECT count(*) FROM dbos.workflow_status WHERE status = 'CANCELLED'").await;
    println!("{}: {cancelled} of 200 cancelled under way, {rows} rows", database.backend());
    assert!(cancelled > 100);
    assert_eq!(database.count("SELECT count(*) FROM dbos.workflow_status WHERE status = 'PENDING'").await, 0);
}

async fn a_caller_who_hangs_up_leaves_no_workflow_behind(database: Database) {
    let app = App::launch(config(database.url())).await;
    with_orders(&database).await;

    for round in 0..150_u64 {
        let start = app.run(async { DBOS::start_workflow(ordering(1)).await });
        tokio::time::timeout(Duration::from_micros(round * 7919 % 5_000), start).await.ok();
    }

    // Starts are written in order: once this one has run, there are no more to come.
    app.run(async { ordering(1).await.unwrap() }).await;
    // Every row that was written has somebody who runs it.
    database.until_count("SELECT count(*) FROM dbos.workflow_status WHERE status <> 'SUCCESS'", 0).await;
    let rows = database.count("SELECT count(*) FROM dbos.workflow_status").await;
    assert_eq!(database.count("SELECT count(*) FROM orders").await, rows);
    println!("{}: {} of 150 starts were under way when the caller hung up", database.backend(), rows - 1);
}

#[workflow]
async fn family() -> Result<()> {
    for _ in 0..10 {
        ordering(1).await?;
    }
    Ok(())
}

async fn a_cancelled_parent_leaves_no_child_behind(database: Database) {
    let app = App::launch(config(database.url())).await;
    with_orders(&database).await;

    for round in 0..60_u64 {
        let id = unique("family");
        let handle = app.run(async { DBOS::start_workflow(family()).workflow_id(&id).await.unwrap() }).await;
        tokio::time::sleep(Duration::from_micros(round * 7919 % 20_000)).await;
        app.run(async { DBOS::cancel_workflow(&id).await.unwrap() }).await;
        handle.result().await.ok();
    }

    database.until_count("SELECT count(*) FROM dbos.workflow_status WHERE status = 'PENDING'", 0).await;
}
