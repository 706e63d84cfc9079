//! The lease is kept whatever the workflows do.

use std::time::Duration;

use dbos::{DBOS, Result, Tx, step, transaction, workflow};
use dbos_testkit::board::{open, pass, ran, reached_times, runs_of, unique};
use dbos_testkit::{App, Database, Proxy, behaviours};

use crate::app::config;

behaviours! { lease:
    busy_workers_and_an_exhausted_pool_do_not_lose_the_lease on postgres within 120,
    a_process_that_cannot_renew_stops_its_work_before_the_lease_ends on postgres,
    a_run_that_lost_its_workflow_and_got_it_back_goes_on on postgres,
    an_open_workflow_of_a_living_process_that_nobody_runs_is_taken_up,
    a_start_that_arrives_after_the_lease_has_run_out_is_not_stranded on postgres,
}

/// Blocks the thread, which nobody should do and somebody will.
#[step]
async fn block(ms: u64) -> Result<()> {
    std::thread::sleep(Duration::from_millis(ms));
    Ok(())
}

#[workflow]
async fn blocking(ms: u64) -> Result<()> {
    block(ms).await
}

#[transaction]
async fn hold(tx: &mut Tx, gate: &str) -> Result<()> {
    tx.query("SELECT 1").execute().await?;
    pass(gate).await;
    Ok(())
}

#[workflow]
async fn holding(gate: String) -> Result<()> {
    hold(&gate).await
}

async fn busy_workers_and_an_exhausted_pool_do_not_lose_the_lease(database: Database) {
    let mut config = config(database.url());
    (config.lease, config.pool_size) = (Duration::from_secs(2), 3);
    let app = App::launch(config).await;
    let before = app.engine.executor_id();
    let gate = unique("gate");
    let mut handles = Vec::new();
    for _ in 0..3 {
        handles.push(
            app.run(async { DBOS::start_workflow(blocking(5000)).workflow_id(unique("b")).await.unwrap() }).await,
        );
    }
    tokio::time::sleep(Duration::from_millis(100)).await;

    for handle in &handles {
        handle.result().await.unwrap();
    }
    let mut holders = Vec::new();
    for _ in 0..3 {
        holders.push(app.run(async { DBOS::start_workflow(holding(gate.clone())).await.unwrap() }).await);
    }
    reached_times(&gate, 3).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    open(&gate);
    for holder in &holders {
        holder.result().await.unwrap();
    }

    assert_eq!(app.engine.executor_id(), before);
    assert_eq!(database.count("SELECT count(*) FROM dbos.workflow_status WHERE recovery_attempts > 1").await, 0);
}

async fn a_process_that_cannot_renew_stops_its_work_before_the_lease_ends(database: Database) {
    let proxy = Proxy::before(database.url()).await;
    let mut config = config(proxy.url());
    config.lease = Duration::from_secs(3);
    // As long as by default, compared with the lease.
    config.statement_deadline = Duration::from_millis(2400);
    let app = App::launch(config).await;
    let name = unique("ticking");
    app.run(async { DBOS::start_workflow(ticking(name.clone())).await.unwrap() }).await;
    while runs_of(&name) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }

    proxy.swallow();
    let expires = "SELECT max(expires_at_ms) - CAST(EXTRACT(epoch FROM clock_timestamp()) * 1000 AS BIGINT) FROM dbos_rust.executors";
    while database.count(expires).await > 200 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let ticks = runs_of(&name);
    tokio::time::sleep(Duration::from_millis(300)).await;

    assert_eq!(runs_of(&name), ticks, "its body went on when others might already run it");
    proxy.pass();
}

#[step]
async fn tick(name: &str) -> Result<()> {
    loop {
        ran(name);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[workflow]
async fn ticking(name: String) -> Result<()> {
    tick(&name).await
}

/// The old run does not notice at once, for its thread is blocked, and the workflow is claimed again.
async fn a_run_that_lost_its_workflow_and_got_it_back_goes_on(database: Database) {
    let mut config = config(database.url());
    config.lease = Duration::from_secs(1);
    // A runtime of its own, so that the blocked thread is none of the test's.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(3).enable_all().build().unwrap();
    let app = runtime.spawn(App::launch(config)).await.unwrap();
    let start = app.engine.scope(async { DBOS::start_workflow(blocking(2000)).workflow_id("lost").await.unwrap() });
    let handle = runtime.spawn(start).await.unwrap();

    database.execute("UPDATE dbos_rust.executors SET expires_at_ms = 1").await;
    database.until_count("SELECT recovery_attempts FROM dbos.workflow_status", 2).await;

    let result = runtime.spawn(async move { handle.result().await });
    result.await.unwrap().unwrap();
    assert_eq!(database.count("SELECT recovery_attempts FROM dbos.workflow_status WHERE status = 'SUCCESS'").await, 2);
    runtime.shutdown_background();
}

#[workflow]
async fn at_gate(gate: String) -> Result<u32> {
    pass(&gate).await;
    Ok(7)
}

/// Open workflows that nobody will ever look for.
const STRANDED: &str = "SELECT count(*) FROM dbos.workflow_status
     WHERE status = 'PENDING' AND executor_id NOT IN (SELECT executor_id FROM dbos_rust.executors)";

async fn a_start_that_arrives_after_the_lease_has_run_out_is_not_stranded(database: Database) {
    let proxy = Proxy::before(database.url()).await;
    let (mut held, mut free) = (config(proxy.url()), config(database.url()));
    (held.lease, free.lease) = (Duration::from_secs(2), Duration::from_secs(2));
    let (slow, other) = (App::launch(held).await, App::launch(free).await);
    let (dead, gate) = (slow.engine.executor_id(), unique("gate"));

    proxy.hold();
    let starting = tokio::spawn(slow.engine.scope({
        let gate = gate.clone();
        async move { DBOS::start_workflow(at_gate(gate)).workflow_id("late").await.map(drop) }
    }));
    let known = format!("SELECT count(*) FROM dbos_rust.executors WHERE executor_id = '{dead}'");
    database.until_count(&known, 0).await;
    proxy.pass();
    starting.await.unwrap().unwrap();

    assert_eq!(database.count(STRANDED).await, 0);
    reached_times(&gate, 1).await;
    database.until_count("SELECT count(*) FROM dbos_rust.executors", 2).await;
    open(&gate);
    assert_eq!(other.result::<Result<u32>>("late").await.unwrap(), 7);
    assert_ne!(slow.engine.executor_id(), dead);
}

/// As a claim leaves it that is committed long after its answer was given up.
async fn an_open_workflow_of_a_living_process_that_nobody_runs_is_taken_up(database: Database) {
    let mut config = config(database.url());
    // On Postgres it is renewed five times in this time.
    config.lease = Duration::from_secs(1);
    let app = App::launch(config).await;
    let gate = unique("gate");
    open(&gate);
    for id in ["late", "worn"] {
        app.run(async { at_gate(gate.clone()).workflow_id(id).await.unwrap() }).await;
    }
    // A number that one more would overflow must not keep the other waiting.
    database
        .execute("UPDATE dbos.workflow_status SET recovery_attempts = 9223372036854775807 WHERE workflow_uuid = 'worn'")
        .await;
    database.execute("DELETE FROM dbos.workflow_output").await;
    database
        .execute("UPDATE dbos.workflow_status SET status = 'PENDING', owner_xid = 'nobody', completed_at = NULL")
        .await;

    assert_eq!(app.result::<Result<u32>>("late").await.unwrap(), 7);

    let taken_up = "SELECT count(*) FROM dbos.workflow_status WHERE status = 'SUCCESS' AND recovery_attempts = 2";
    assert_eq!(database.count(taken_up).await, 1);
    let set_aside = "SELECT count(*) FROM dbos.workflow_status
                      WHERE workflow_uuid = 'worn' AND status = 'MAX_RECOVERY_ATTEMPTS_EXCEEDED'";
    database.until_count(set_aside, 1).await;
}
