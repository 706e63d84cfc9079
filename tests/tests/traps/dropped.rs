//! Every future of the interface, dropped after each of its polls: no acknowledged write is lost, none is doubled, and no
//! connection is left in a state that hurts the next.
//!
//! `DBOS_TEST_DROPS` sets how many more are dropped at random (default 500), `DBOS_TEST_SEED` which; both are printed.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use dbos::{Config, DBOS, Event, Result, Topic, Tx, WorkflowFilter, transaction, workflow};
use dbos_testkit::board::unique;
use dbos_testkit::{App, Backend, Database, behaviours, chance, report};

use crate::app::{doubled, order, with_orders};

behaviours! { dropped:
    every_call_may_be_dropped_after_any_of_its_polls within 600,
    every_durable_call_may_be_dropped_in_its_workflow_after_any_of_its_polls within 600,
}

/// Polls `future` up to `polls` times and drops it then; what it gave, if it came so far.
async fn polled<T>(mut future: Pin<Box<dyn Future<Output = T> + Send>>, polls: u32) -> Option<T> {
    let mut left = polls;
    poll_fn(|task| {
        left -= 1;
        match future.as_mut().poll(task) {
            Poll::Ready(value) => Poll::Ready(Some(value)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

const TOPIC: Topic<u32> = Topic::new("numbers");
const EVENT: Event<u32> = Event::new("number");

#[workflow]
async fn ordered(item: String) -> Result<()> {
    DBOS::set_event(EVENT, 1_u32).await?;
    order(&item).await.map(drop)
}

#[workflow]
async fn listening() -> Result<u32> {
    let mut received = 0;
    while let Some(number) = DBOS::recv(TOPIC, Duration::from_secs(60)).await? {
        if number == 0 {
            break;
        }
        received += 1;
    }
    Ok(received)
}

#[transaction]
async fn order_outside(tx: &mut Tx) -> Result<()> {
    tx.query("INSERT INTO orders (workflow, item) VALUES ('-', 'outside')").execute().await?;
    Ok(())
}

type Call = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// The calls from outside workflows; each does something new each time.
fn call(number: u32) -> Call {
    let id = unique("call");
    match number % 7 {
        0 => Box::pin(order_outside()),
        1 => {
            Box::pin(async move { DBOS::start_workflow(ordered("started".to_owned())).workflow_id(id).await.map(drop) })
        }
        2 => Box::pin(async move { ordered("awaited".to_owned()).workflow_id(id).await }),
        3 => Box::pin(async { DBOS::send("listener", 1_u32, TOPIC).await }),
        4 => Box::pin(async { DBOS::get_event("known", EVENT).timeout(Duration::from_secs(60)).await.map(drop) }),
        5 => Box::pin(async { DBOS::cancel_workflow("known").await }),
        _ => Box::pin(async { DBOS::list_workflows(WorkflowFilter::default()).await.map(drop) }),
    }
}

/// A slow disk is given the time that it takes: outside of a workflow nothing tells whether a commit succeeded whose answer
/// was not waited for.
fn config(database: &Database) -> Config {
    Config::new("traps").database_url(database.url())
}

async fn every_call_may_be_dropped_after_any_of_its_polls(database: Database) {
    let app = App::launch(config(&database)).await;
    with_orders(&database).await;
    app.run(async {
        ordered("known".to_owned()).workflow_id("known").await.unwrap();
        DBOS::start_workflow(listening()).workflow_id("listener").await.unwrap();
    })
    .await;

    let mut acknowledged = [0_u32; 7];
    for kind in 0..7 {
        for polls in 1.. {
            if let Some(done) = app.run(polled(call(kind), polls)).await {
                done.unwrap();
                acknowledged[kind as usize] += 1;
                break;
            }
        }
    }
    let drops: Vec<_> = at_random(&database).collect();
    for &(kind, polls) in &drops {
        if let Some(done) = app.run(polled(call(kind), polls)).await {
            done.unwrap();
            acknowledged[kind as usize % 7] += 1;
        }
    }

    // Whoever comes next finds everything in order.
    app.run(async { ordered("last".to_owned()).await.unwrap() }).await;
    app.run(async { DBOS::send("listener", 0_u32, TOPIC).await.unwrap() }).await;
    let received = app.result::<Result<u32>>("listener").await.unwrap();
    database.until_count("SELECT count(*) FROM dbos.workflow_status WHERE status <> 'SUCCESS'", 0).await;
    no_transaction_is_open(&database).await;
    assert!(received >= acknowledged[3], "{received} messages of {} that were acknowledged", acknowledged[3]);
    let of = |item: &str| format!("SELECT count(*) FROM orders WHERE item = '{item}'");
    let outside = database.count(&of("outside")).await;
    assert!(outside >= i64::from(acknowledged[0]), "{outside} of {}", acknowledged[0]);
    for (item, kind) in [("started", 1), ("awaited", 2)] {
        let rows = database.count(&of(item)).await;
        assert!(rows >= i64::from(acknowledged[kind]), "{item}: {rows} of {}", acknowledged[kind]);
    }
    let workflows = "SELECT count(*) FROM dbos.workflow_status WHERE name = 'ordered'";
    let rows = "SELECT count(*) FROM orders WHERE item <> 'outside'";
    assert_eq!(database.count(workflows).await, database.count(rows).await, "each that was started has ordered once");
    let done: u32 = acknowledged.iter().sum();
    let kind = format!("calls dropped after a random poll, of which {done} were acknowledged");
    report(database.backend(), kind, drops.len() as u64, Some(0), &[]);
}

/// Drops one durable call half-way and goes on.
#[workflow]
async fn careless(kind: u32, polls: u32) -> Result<bool> {
    let me = DBOS::workflow_id();
    let call: Call = match kind % 6 {
        0 => Box::pin(async { order("dropped").await.map(drop) }),
        1 => Box::pin(ordered("dropped-child".to_owned())),
        2 => Box::pin(DBOS::set_event(EVENT, polls)),
        3 => Box::pin(async move { DBOS::send(me, 1_u32, TOPIC).await }),
        4 => Box::pin(async { DBOS::recv(TOPIC, Duration::ZERO).await.map(drop) }),
        _ => Box::pin(async {
            DBOS::sleep(Duration::ZERO).await;
            Ok(())
        }),
    };
    let done = polled(call, polls).await;
    order("after").await?;
    Ok(done.is_some())
}

async fn every_durable_call_may_be_dropped_in_its_workflow_after_any_of_its_polls(database: Database) {
    let app = App::launch(config(&database)).await;
    with_orders(&database).await;

    let mut ran = 0;
    for kind in 0..6 {
        for polls in 1.. {
            ran += 1;
            if app.run(async { careless(kind, polls).await }).await.unwrap() {
                break;
            }
        }
    }
    let drops: Vec<_> = at_random(&database).collect();
    for &(kind, polls) in &drops {
        ran += 1;
        app.run(async { careless(kind, polls).await }).await.unwrap();
    }

    database.until_count("SELECT count(*) FROM dbos.workflow_status WHERE status <> 'SUCCESS'", 0).await;
    no_transaction_is_open(&database).await;
    assert!(doubled(&database).await.is_empty());
    assert_eq!(database.count("SELECT count(*) FROM orders WHERE item = 'after'").await, ran);
    let kind = "durable calls dropped in their workflow after a random poll";
    report(database.backend(), kind, drops.len() as u64, Some(0), &[]);
    let rows = "SELECT count(*) FROM orders WHERE item IN ('dropped', 'after', 'dropped-child')";
    let steps = "SELECT count(*) FROM dbos.operation_outputs WHERE function_name = 'order'";
    assert_eq!(database.count(rows).await, database.count(steps).await, "rows and checkpoints agree");
}

pub(crate) async fn no_transaction_is_open(database: &Database) {
    if database.backend() == Backend::Postgres {
        let open = "SELECT count(*) FROM pg_stat_activity
                     WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
        database.until_count(open, 0).await;
    }
}

/// What is dropped, and after how many polls.
fn at_random(database: &Database) -> impl Iterator<Item = (u32, u32)> + use<> {
    let (drops, seed) = (chance::setting("DBOS_TEST_DROPS", 500_u64), chance::seed());
    println!("{}: DBOS_TEST_DROPS={drops} DBOS_TEST_SEED={seed}", database.backend());
    let mut random = fastrand::Rng::with_seed(seed);
    (0..drops).map(move |_| (random.u32(..42), random.u32(1..=24)))
}
