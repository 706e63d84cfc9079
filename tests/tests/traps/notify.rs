//! What every session has set, and that telling others never burdens a commit.

use dbos::{DBOS, Event, Result, Topic, workflow};
use dbos_testkit::{Database, Proxy, behaviours};

use crate::app::{App, order, with_orders};

behaviours! { notify:
    nothing_is_told_inside_a_transaction on postgres,
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
    let app = App::launch(proxy.url()).await;
    with_orders(&database).await;

    app.run(async { talkative().await.unwrap() }).await;
    while proxy.count("pg_notify") == 0 {
        tokio::task::yield_now().await;
    }

    let mut told = 0;
    for statement in proxy.statements().iter().filter(|statement| statement.to_lowercase().contains("notify")) {
        // A statement of its own, which writes nothing that others wait for.
        assert!(statement.trim_start().starts_with("SELECT pg_notify"), "{statement}");
        told += 1;
    }
    println!("{told} batches of news");
    // The only transactions of several statements are the user's; whatever stands between their
    // BEGIN and COMMIT is the user's or the checkpoint.
    let statements = proxy.statements();
    let begin = statements.iter().position(|statement| statement.starts_with("BEGIN")).expect("one transaction");
    let commit = statements.iter().position(|statement| statement == "COMMIT").expect("one commit");
    assert!(statements[begin..commit].iter().filter(|statement| statement.contains("dbos.")).count() >= 1);
}

async fn every_session_is_set_up(database: Database) {
    let app = App::launch(database.url()).await;
    with_orders(&database).await;

    let settings = app.run(async { look().await.unwrap() }).await;

    assert_eq!(settings, "30s on");
    assert_eq!(database.value("SHOW synchronous_commit").await.as_deref(), Some("on"));
}

#[dbos::transaction]
async fn settings(tx: &mut sqlx::PgConnection) -> Result<String> {
    let query = "SELECT current_setting('idle_in_transaction_session_timeout') || ' ' || current_setting('synchronous_commit')";
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
    let app = App::launch(database.url()).await;

    assert_eq!(app.run(async { look_at_pragmas().await.unwrap() }).await, "2 wal 3000");
}
