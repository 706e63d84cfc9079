//! What every session has set, and that telling others never burdens a commit.

use std::time::{Duration, Instant};

use dbos::{DBOS, Event, Result, Topic, workflow};
use dbos_testkit::board::{open, pass, unique};
use dbos_testkit::{App, Database, Proxy, behaviours};

use crate::app::{config, is_by_services, order, with_orders};

behaviours! { notify:
    nothing_is_told_inside_a_transaction on postgres,
    who_is_alone_tells_nobody_until_another_listens on postgres,
    every_session_is_set_up on postgres,
    every_sqlite_commit_is_flushed on sqlite,
}

const STATE: Event<String> = Event::new("state");
const NEWS: Topic<String> = Topic::new("news");

#[workflow]
async fn talkative() -> Result<()> {
    DBOS::set_event(STATE, "ordering").await?;
    order("tea").await?;
    DBOS::send(DBOS::workflow_id(), "done", NEWS).await?;
    DBOS::set_event(STATE, "ordered").await
}

async fn nothing_is_told_inside_a_transaction(database: Database) {
    let proxy = Proxy::before(database.url()).await;
    let mut config = config(proxy.url());
    // Nothing beside the workflow, so that its statements stand in one row.
    (config.lease, config.poll_interval) = (Duration::from_secs(3600), Duration::from_secs(3600));
    let app = App::launch(config).await;
    with_orders(&database).await;
    listening(&proxy).await;

    let launched = proxy.statements().len();

    app.run(async { DBOS::start_workflow(talkative()).await.unwrap() }).await;
    database.until_count("SELECT count(*) FROM dbos.workflow_status WHERE status = 'SUCCESS'", 1).await;
    while proxy.count("pg_notify(channel") == 0 {
        tokio::task::yield_now().await;
    }

    let statements = proxy.statements().split_off(launched);
    let telling: Vec<_> = statements.iter().filter(|statement| statement.to_lowercase().contains("notify")).collect();
    // A statement of its own, which writes nothing that others wait for. A lone workflow runs one
    // statement after the other, so one between BEGIN and COMMIT would stand between them here.
    assert!(telling.iter().all(|statement| statement.starts_with("SELECT pg_notify")), "{telling:?}");
    let begin = statements.iter().position(|statement| statement.starts_with("BEGIN")).expect("one transaction");
    let commit = statements.iter().position(|statement| statement == "COMMIT").expect("one commit");
    // Services have connections of their own.
    let inside: Vec<_> = statements[begin + 1..commit].iter().filter(|statement| !is_by_services(statement)).collect();
    assert_eq!(inside.len(), 2, "the user's statement and the checkpoint: {inside:?}");
}

/// The listener has come, told so, and looked who else listens.
async fn listening(proxy: &Proxy) {
    while proxy.count("pg_locks") == 0 {
        tokio::task::yield_now().await;
    }
}

#[workflow]
async fn told_at_its_end(gate: String) -> Result<()> {
    pass(&gate).await;
    Ok(())
}

async fn who_is_alone_tells_nobody_until_another_listens(database: Database) {
    let proxy = Proxy::before(database.url()).await;
    let told = || proxy.count("SELECT pg_notify(channel");
    // Nobody finds out by looking.
    let config = |url: &str| {
        let mut config = config(url);
        (config.lease, config.poll_interval) = (Duration::from_secs(3600), Duration::from_secs(3600));
        config
    };
    let runner = App::launch(config(proxy.url())).await;
    let run_one = async || {
        let id = unique("told");
        open(&id);
        runner.run(async { told_at_its_end(id.clone()).workflow_id(&id).await.unwrap() }).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    listening(&proxy).await;

    tokio::time::sleep(Duration::from_millis(200)).await;
    run_one().await;
    assert_eq!(told(), 0, "nobody listens");

    let id = unique("told");
    runner.run(async { DBOS::start_workflow(told_at_its_end(id.clone())).workflow_id(&id).await.unwrap() }).await;
    let neighbour = App::launch(config(database.url())).await;
    let opened_later = async {
        // By then the neighbour's listener has come, and it waits.
        tokio::time::sleep(Duration::from_secs(1)).await;
        open(&id);
    };
    let both = async { tokio::join!(neighbour.result::<Result<()>>(&id), opened_later) };
    tokio::time::timeout(Duration::from_secs(20), both).await.expect("the end is told").0.unwrap();
    assert!(told() > 0);

    neighbour.crash().await;
    let gone = Instant::now();
    loop {
        let before = told();
        run_one().await;
        if told() == before {
            break;
        }
        assert!(gone.elapsed() < Duration::from_secs(60), "nobody listens any longer");
    }
}

async fn every_session_is_set_up(database: Database) {
    let app = App::launch(config(database.url())).await;
    with_orders(&database).await;

    let settings = app.run(async { look().await.unwrap() }).await;

    assert_eq!(settings, "30s on");
    assert_eq!(database.value("SHOW synchronous_commit").await.as_deref(), Some("on"));
}

#[dbos::transaction]
async fn settings(tx: &mut sqlx::PgConnection) -> Result<String> {
    let query =
        "SELECT current_setting('idle_in_transaction_session_timeout') || ' ' || current_setting('synchronous_commit')";
    Ok(sqlx::query_scalar(query).fetch_one(tx).await?)
}

#[workflow]
async fn look() -> Result<String> {
    settings().await
}

#[dbos::transaction]
async fn pragmas(tx: &mut sqlx::SqliteConnection) -> Result<String> {
    let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(&mut *tx).await?;
    let journal: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut *tx).await?;
    let timeout: i64 = sqlx::query_scalar("PRAGMA busy_timeout").fetch_one(&mut *tx).await?;
    Ok(format!("{synchronous} {journal} {timeout}"))
}

#[workflow]
async fn look_at_pragmas() -> Result<String> {
    pragmas().await
}

async fn every_sqlite_commit_is_flushed(database: Database) {
    let app = App::launch(config(database.url())).await;

    assert_eq!(app.run(async { look_at_pragmas().await.unwrap() }).await, "2 wal 3000");
}
