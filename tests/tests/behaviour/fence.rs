//! The fence: once another executor owns a workflow, nothing the old owner does is recorded.

use std::time::Duration;

use dbos::{DBOS, Event, Result, Topic, Tx, step, transaction, workflow};
use dbos_testkit::board::{open, pass, ran, ran_times, reached, reached_times, runs_of, unique};
use dbos_testkit::{App, Database, behaviours};
use sqlx::{Connection, PgConnection};

use crate::app::config;

behaviours! { fence:
    a_fenced_transaction_leaves_no_rows,
    a_fenced_step_is_not_recorded,
    a_fenced_run_records_no_outcome,
    of_those_that_write_together_each_is_fenced_by_itself,
    a_takeover_that_is_not_committed_yet_is_waited_for on postgres,
    no_durable_call_of_a_fenced_run_does_anything,
    a_cancelled_workflow_keeps_its_status,
}

async fn with_ledger(database: &Database) {
    database.execute("CREATE TABLE ledger (entry TEXT NOT NULL)").await;
}

/// What a takeover does to the row, without the run that would follow.
async fn steal(database: &Database) {
    database.execute("UPDATE dbos.workflow_status SET owner_xid = 'thief'").await;
}

#[transaction]
async fn enter(tx: &mut Tx, entry: &str) -> Result<()> {
    tx.query("INSERT INTO ledger (entry) VALUES ($1)").bind(entry.to_owned()).execute().await?;
    Ok(())
}

#[step]
async fn wait_at(gate: &str) {
    pass(gate).await;
}

#[workflow]
async fn waits_then_enters(gate: String) -> Result<()> {
    wait_at(&gate).await;
    ran(&gate);
    enter(&gate).await
}

#[workflow(allow_nondeterminism)]
async fn enters_after_the_theft(gate: String) -> Result<()> {
    // Not a step, so that the transaction is the first thing to be written.
    pass(&gate).await;
    enter(&gate).await
}

#[workflow]
async fn only_waits(gate: String) -> Result<()> {
    wait_at(&gate).await;
    Ok(())
}

async fn a_fenced_transaction_leaves_no_rows(database: Database) {
    let app = App::launch(config(&database)).await;
    with_ledger(&database).await;
    let gate = unique("fenced");
    app.run(async { DBOS::start_workflow(enters_after_the_theft(gate.clone())).workflow_id("f").await.unwrap() }).await;
    reached(&gate).await;

    steal(&database).await;
    open(&gate);
    app.engine.idle().await;

    assert_eq!(database.count("SELECT count(*) FROM ledger").await, 0);
    assert_eq!(database.count("SELECT count(*) FROM dbos.operation_outputs").await, 0);
}

async fn a_fenced_step_is_not_recorded(database: Database) {
    let app = App::launch(config(&database)).await;
    with_ledger(&database).await;
    let gate = unique("fenced");
    app.run(async { DBOS::start_workflow(waits_then_enters(gate.clone())).workflow_id("f").await.unwrap() }).await;
    reached(&gate).await;

    steal(&database).await;
    open(&gate);
    app.engine.idle().await;

    assert_eq!(runs_of(&gate), 0);
    assert_eq!(database.count("SELECT count(*) FROM dbos.operation_outputs").await, 0);
    assert_eq!(database.count("SELECT count(*) FROM ledger").await, 0);
}

#[workflow(allow_nondeterminism)]
async fn ends_after_the_theft(gate: String) -> Result<()> {
    // Not a step, so that the outcome is the first thing to be written.
    pass(&gate).await;
    Ok(())
}

async fn a_fenced_run_records_no_outcome(database: Database) {
    let app = App::launch(config(&database)).await;
    let gate = unique("fenced");
    app.run(async { DBOS::start_workflow(ends_after_the_theft(gate.clone())).workflow_id("f").await.unwrap() }).await;
    reached(&gate).await;

    steal(&database).await;
    open(&gate);
    app.engine.idle().await;

    let row = database.query("SELECT status, owner_xid FROM dbos.workflow_status").await;
    assert_eq!(row, [[Some("PENDING".to_owned()), Some("thief".to_owned())]]);
    assert_eq!(database.count("SELECT count(*) FROM dbos.workflow_output").await, 0);
}

/// What is written first after the theft: a step, an event, or the end.
#[workflow(allow_nondeterminism)]
async fn writes_with_others(gate: String, first: String) -> Result<()> {
    pass(&gate).await;
    ran(&gate);
    match first.as_str() {
        "step" => fence_step().await,
        "event" => DBOS::set_event(STATE, "set").await?,
        _ => {}
    }
    Ok(())
}

const KINDS_TOGETHER: [&str; 3] = ["step", "event", "end"];

async fn of_those_that_write_together_each_is_fenced_by_itself(database: Database) {
    const EACH: i64 = 40;
    let app = App::launch(config(&database)).await;
    let gate = unique("together");
    for number in 0..EACH {
        for kind in KINDS_TOGETHER {
            let mine = if number % 2 == 0 { "mine" } else { "stolen" };
            let call = DBOS::start_workflow(writes_with_others(gate.clone(), kind.to_owned()));
            app.run(async { call.workflow_id(format!("{mine}-{kind}-{number}")).await.unwrap() }).await;
        }
    }
    reached_times(&gate, 3 * u32::try_from(EACH).unwrap()).await;

    database.execute("UPDATE dbos.workflow_status SET owner_xid = 'thief' WHERE workflow_uuid LIKE 'stolen-%'").await;
    open(&gate);
    app.engine.idle().await;

    for (kind, table) in [("step", "operation_outputs"), ("event", "operation_outputs"), ("event", "workflow_events")] {
        let count = |owner: &str| {
            let sql = format!("SELECT count(*) FROM dbos.{table} WHERE workflow_uuid LIKE '{owner}-{kind}-%'");
            let database = &database;
            async move { database.count(&sql).await }
        };
        assert_eq!((count("mine").await, count("stolen").await), (EACH / 2, 0), "{kind}s in {table}");
    }
    let ended = "SELECT count(*) FROM dbos.workflow_status WHERE status = 'SUCCESS' AND workflow_uuid LIKE 'mine-%'";
    assert_eq!(database.count(ended).await, 3 * EACH / 2);
    let open = "SELECT count(*) FROM dbos.workflow_status WHERE status = 'PENDING' AND owner_xid = 'thief'";
    assert_eq!(database.count(open).await, 3 * EACH / 2);
}

async fn thief(database: &Database) -> PgConnection {
    PgConnection::connect(database.url()).await.unwrap()
}

async fn a_takeover_that_is_not_committed_yet_is_waited_for(database: Database) {
    const MANY: u32 = 20;
    let app = App::launch(config(&database)).await;
    let (alone, together) = (unique("alone"), unique("together"));
    app.run(async {
        let call = writes_with_others(alone.clone(), "step".to_owned());
        DBOS::start_workflow(call).workflow_id("alone").await.unwrap()
    })
    .await;
    for number in 0..MANY {
        let call = DBOS::start_workflow(writes_with_others(together.clone(), "step".to_owned()));
        app.run(async { call.workflow_id(format!("together-{number}")).await.unwrap() }).await;
    }
    reached(&alone).await;
    reached_times(&together, MANY).await;

    let (mut one, mut another) = (thief(&database).await, thief(&database).await);
    let (mut of_one, mut of_many) = (one.begin().await.unwrap(), another.begin().await.unwrap());
    let steal = "UPDATE dbos.workflow_status SET owner_xid = 'thief' WHERE workflow_uuid LIKE $1";
    sqlx::query(steal).bind("alone").execute(&mut *of_one).await.unwrap();
    sqlx::query(steal).bind("together-%").execute(&mut *of_many).await.unwrap();
    let waiting = |how: &str| {
        format!(
            "SELECT count(*) FROM pg_stat_activity \
             WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%{how}%'"
        )
    };

    open(&alone);
    database.until_count(&waiting("operation_outputs"), 1).await;
    // They are a batch, because they come while another is under way.
    open(&together);
    ran_times(&together, MANY).await;
    of_one.commit().await.unwrap();
    database.until_count(&waiting("unnest"), 1).await;
    of_many.commit().await.unwrap();
    app.engine.idle().await;

    assert_eq!(database.count("SELECT count(*) FROM dbos.operation_outputs").await, 0);
}

const WORDS: Topic<String> = Topic::new("words");
const STATE: Event<String> = Event::new("state");
const KINDS: u32 = 14;

#[step]
async fn fence_step() {}

#[workflow]
async fn fence_child() -> Result<()> {
    Ok(())
}

/// Each kind of call that is recorded, as the first thing to be written after the theft.
#[workflow(allow_nondeterminism)]
async fn calls_after_the_theft(gate: String, kind: u32) -> Result<()> {
    pass(&gate).await;
    match kind {
        0 => fence_step().await,
        1 => enter("kind").await?,
        2 => DBOS::set_event(STATE, "set").await?,
        3 => DBOS::send("kind-0", "sent", WORDS).await?,
        4 => drop(DBOS::recv(WORDS, Duration::from_secs(60)).await?),
        5 => DBOS::sleep(Duration::ZERO).await,
        6 => fence_child().await?,
        7 => drop(DBOS::start_workflow(fence_child()).workflow_id("named-child").await?),
        8 => drop(DBOS::now().await),
        9 => drop(DBOS::uuid().await),
        10 => drop(DBOS::random().await),
        11 => drop(DBOS::get_event("kind-0", STATE).timeout(Duration::ZERO).await?),
        12 => drop(DBOS::cancel_workflow("nobody").await),
        _ => dbos::select! {
            () = fence_step() => {}
            _ = DBOS::recv(WORDS, Duration::from_secs(60)) => {}
        },
    }
    ran(&gate);
    Ok(())
}

async fn no_durable_call_of_a_fenced_run_does_anything(database: Database) {
    let app = App::launch(config(&database)).await;
    with_ledger(&database).await;
    let gate = unique("fenced");
    app.run(async {
        for kind in 0..KINDS {
            let id = format!("kind-{kind}");
            DBOS::start_workflow(calls_after_the_theft(gate.clone(), kind)).workflow_id(&id).await.unwrap();
            DBOS::send(&id, "waits to be taken", WORDS).await.unwrap();
        }
    })
    .await;
    reached_times(&gate, KINDS).await;

    steal(&database).await;
    open(&gate);
    app.engine.idle().await;

    assert_eq!(runs_of(&gate), 0, "a body went on");
    for (what, expected) in [
        ("ledger", 0),
        ("dbos.operation_outputs", 0),
        ("dbos.workflow_events", 0),
        ("dbos.notifications WHERE consumed", 0),
        ("dbos.notifications", KINDS),
        ("dbos.workflow_status WHERE status = 'PENDING' AND owner_xid = 'thief'", KINDS),
        ("dbos.workflow_status", KINDS),
    ] {
        assert_eq!(database.count(&format!("SELECT count(*) FROM {what}")).await, i64::from(expected), "{what}");
    }
}

async fn a_cancelled_workflow_keeps_its_status(database: Database) {
    let app = App::launch(config(&database)).await;
    let gate = unique("cancelled");
    app.run(async { DBOS::start_workflow(only_waits(gate.clone())).workflow_id("c").await.unwrap() }).await;
    reached(&gate).await;

    app.run(async { DBOS::cancel_workflow("c").await.unwrap() }).await;
    open(&gate);
    app.engine.idle().await;

    assert_eq!(database.value("SELECT status FROM dbos.workflow_status").await.as_deref(), Some("CANCELLED"));
    assert_eq!(database.count("SELECT count(*) FROM dbos.operation_outputs").await, 0);
}
