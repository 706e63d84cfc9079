//! A workflow that waits for something that is not recorded is told of, and no other is.

use std::io::Write;
use std::sync::{Mutex, Once};
use std::time::Duration;

use dbos::{DBOS, Event, Result, Topic, step, workflow};
use dbos_testkit::{App, Database, behaviours};

use crate::app::config;

behaviours! { foreign_waits:
    a_wait_for_something_else_is_reported_with_the_call_before_it,
    a_wait_before_any_call_is_reported,
    durable_waits_are_not_reported,
    nothing_is_reported_where_it_is_allowed,
}

/// What this test binary has logged at the level of warnings.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOG.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn listen() {
    static BEGUN: Once = Once::new();
    BEGUN.call_once(|| {
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(|| Log);
        subscriber.with_max_level(tracing_subscriber::filter::LevelFilter::WARN).init();
    });
}

/// The warnings about foreign waits of this workflow.
fn reports(workflow: &str) -> Vec<String> {
    let log = String::from_utf8(LOG.lock().unwrap().clone()).unwrap();
    let about = format!("workflow `{workflow}` waits for something that is not recorded");
    log.lines().filter(|line| line.contains(&about)).map(str::to_owned).collect()
}

async fn launch(database: &Database) -> App {
    listen();
    App::launch(config(database)).await
}

const NEVER: Topic<()> = Topic::new("never");
const DONE: Event<bool> = Event::new("done");

#[step]
async fn slow_step() {
    // In a step it is nobody's business.
    tokio::task::yield_now().await;
}

#[workflow]
async fn yields_after_a_step() -> Result<()> {
    slow_step().await;
    tokio::task::yield_now().await;
    tokio::task::yield_now().await;
    Ok(())
}

async fn a_wait_for_something_else_is_reported_with_the_call_before_it(database: Database) {
    let app = launch(&database).await;

    app.run(async { yields_after_a_step().await.unwrap() }).await;
    app.run(async { yields_after_a_step().await.unwrap() }).await;

    let reports = reports("yields_after_a_step");
    assert_eq!(reports.len(), 1, "once is enough: {reports:?}");
    assert!(reports[0].contains(&format!("after the call at {}:", file!())), "{reports:?}");
}

#[workflow]
async fn yields_at_once() -> Result<()> {
    tokio::task::yield_now().await;
    Ok(())
}

async fn a_wait_before_any_call_is_reported(database: Database) {
    let app = launch(&database).await;

    app.run(async { yields_at_once().await.unwrap() }).await;

    assert!(reports("yields_at_once")[0].contains("after its start"));
}

#[workflow]
async fn quick_child() -> Result<()> {
    Ok(())
}

#[workflow]
async fn waits_durably() -> Result<()> {
    let me = DBOS::workflow_id();
    slow_step().await;
    quick_child().await?;
    let handle = DBOS::start_workflow(quick_child()).await?;
    handle.result().await?;
    DBOS::sleep(Duration::from_millis(2)).await;
    DBOS::recv(NEVER, Duration::from_millis(2)).await?;
    DBOS::send(me.clone(), (), NEVER).await?;
    DBOS::set_event(DONE, true).await?;
    DBOS::get_event(me, DONE).await?;
    tokio::join!(slow_step(), DBOS::sleep(Duration::from_millis(2)));
    DBOS::now().await;
    Ok(())
}

async fn durable_waits_are_not_reported(database: Database) {
    let app = launch(&database).await;

    app.run(async { waits_durably().await.unwrap() }).await;

    assert_eq!(reports("waits_durably"), [""; 0]);
}

#[workflow(allow_nondeterminism)]
async fn is_allowed_to_yield() -> Result<()> {
    tokio::task::yield_now().await;
    Ok(())
}

async fn nothing_is_reported_where_it_is_allowed(database: Database) {
    let app = launch(&database).await;

    app.run(async { is_allowed_to_yield().await.unwrap() }).await;

    assert_eq!(reports("is_allowed_to_yield"), [""; 0]);
}
