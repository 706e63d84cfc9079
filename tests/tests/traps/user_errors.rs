//! What goes wrong inside a user's transaction, and who gets to see it.

use std::time::Duration;

use dbos::{DBOS, Error, Result, Tx, transaction, workflow};
use dbos_testkit::board::{open, pass, ran, reached_times, runs_of, unique};
use dbos_testkit::{App, Database, behaviours};

use crate::app::{config, with_orders};

behaviours! { user_errors:
    serialization_failures_are_invisible_whatever_the_error_type on postgres,
    deadlocks_are_invisible on postgres,
    a_body_that_commits_itself_is_refused,
    a_body_that_rolls_back_itself_is_refused,
    a_body_that_commits_itself_outside_a_workflow_is_refused,
    an_ignored_error_is_refused on postgres,
    an_ignored_error_outside_a_workflow_is_refused on postgres,
    a_constraint_checked_at_commit_ends_the_workflow,
    a_write_in_a_transaction_that_only_reads_is_refused,
    a_body_that_takes_too_long_is_tried_a_few_times,
}

async fn with_stock(database: &Database) {
    database.execute("CREATE TABLE stock (item TEXT PRIMARY KEY, units BIGINT NOT NULL)").await;
    database.execute("INSERT INTO stock VALUES ('tea', 1000), ('milk', 1000)").await;
}

async fn sell(tx: &mut Tx) -> sqlx::Result<i64> {
    let units: i64 = tx.query("SELECT units FROM stock WHERE item = 'tea'").fetch_scalar().await?;
    tx.query("UPDATE stock SET units = $1 WHERE item = 'tea'").bind(units - 1).execute().await?;
    Ok(units - 1)
}

#[transaction]
async fn sell_plainly(tx: &mut Tx) -> Result<i64> {
    Ok(sell(tx).await?)
}

#[transaction]
async fn sell_in_words(tx: &mut Tx) -> Result<i64, String> {
    sell(tx).await.map_err(|_| "it did not work".to_owned())
}

#[transaction]
async fn sell_anyhow(tx: &mut sqlx::PgConnection) -> anyhow::Result<i64> {
    let units: i64 = sqlx::query_scalar("SELECT units FROM stock WHERE item = 'tea'").fetch_one(&mut *tx).await?;
    sqlx::query("UPDATE stock SET units = $1 WHERE item = 'tea'").bind(units - 1).execute(&mut *tx).await?;
    Ok(units - 1)
}

#[workflow]
async fn selling(how: u32) -> Result<i64> {
    match how {
        0 => sell_plainly().await,
        1 => sell_in_words().await.map_err(Error::new),
        _ => sell_anyhow().await.map_err(|error| Error::new(error.to_string())),
    }
}

async fn serialization_failures_are_invisible_whatever_the_error_type(database: Database) {
    let app = App::launch(config(database.url())).await;
    with_stock(&database).await;

    let mut handles = Vec::new();
    for number in 0..60 {
        handles.push(app.run(async { DBOS::start_workflow(selling(number % 3)).await.unwrap() }).await);
    }
    for handle in &handles {
        handle.result().await.unwrap();
    }

    assert_eq!(database.value("SELECT units FROM stock WHERE item = 'tea'").await.as_deref(), Some("940"));
}

#[transaction(isolation = "read committed")]
async fn take_both(tx: &mut Tx, first: &str, second: &str, gate: &str) -> Result<(), String> {
    let take = "UPDATE stock SET units = units - 1 WHERE item = $1";
    tx.query(take).bind(first.to_owned()).execute().await.map_err(|error| error.to_string())?;
    pass(gate).await;
    tx.query(take).bind(second.to_owned()).execute().await.map_err(|error| error.to_string())?;
    Ok(())
}

#[workflow]
async fn crossing(first: String, second: String, gate: String) -> Result<(), String> {
    take_both(&first, &second, &gate).await
}

async fn deadlocks_are_invisible(database: Database) {
    let app = App::launch(config(database.url())).await;
    with_stock(&database).await;
    let gate = unique("gate");

    let (tea, milk) = ("tea".to_owned(), "milk".to_owned());
    let one =
        app.run(async { DBOS::start_workflow(crossing(tea.clone(), milk.clone(), gate.clone())).await.unwrap() }).await;
    let two = app.run(async { DBOS::start_workflow(crossing(milk, tea, gate.clone())).await.unwrap() }).await;
    reached_times(&gate, 2).await;
    open(&gate);

    one.result().await.unwrap();
    two.result().await.unwrap();
    assert_eq!(database.count("SELECT count(*) FROM stock WHERE units = 998").await, 2);
}

#[transaction]
async fn order_and_end(tx: &mut Tx, name: &str, end: &str) -> Result<()> {
    ran(name);
    tx.query("INSERT INTO orders (workflow, item) VALUES ('w', 'tea')").execute().await?;
    tx.query(sqlx::AssertSqlSafe(end.to_owned())).execute().await?;
    Ok(())
}

#[workflow]
async fn self_ending(name: String, end: String) -> Result<()> {
    order_and_end(&name, &end).await
}

async fn refusal(database: &Database, end: &str) -> String {
    let app = App::launch(config(database.url())).await;
    with_orders(database).await;
    let name = unique("self-ending");
    let error = app.run(async { self_ending(name.clone(), end.to_owned()).await.unwrap_err() }).await;
    assert_eq!(runs_of(&name), 1);
    error.to_string()
}

async fn a_body_that_commits_itself_is_refused(database: Database) {
    let said = refusal(&database, "COMMIT").await;

    assert!(said.contains("leave COMMIT and ROLLBACK to the engine"), "{said}");
}

async fn a_body_that_rolls_back_itself_is_refused(database: Database) {
    let said = refusal(&database, "ROLLBACK").await;

    assert!(said.contains("leave COMMIT and ROLLBACK to the engine"), "{said}");
    assert_eq!(database.count("SELECT count(*) FROM orders").await, 0);
}

/// The words of the panic of a task.
async fn panic_of(app: &App, call: impl Future<Output = Result<()>> + Send + 'static) -> String {
    let error = tokio::spawn(app.engine.scope(call)).await.expect_err("it panics");
    let payload = error.into_panic();
    payload.downcast_ref::<String>().cloned().expect("with words")
}

async fn a_body_that_commits_itself_outside_a_workflow_is_refused(database: Database) {
    let app = App::launch(config(database.url())).await;
    with_orders(&database).await;
    let name = unique("outside");

    let call = {
        let name = name.clone();
        async move { order_and_end(&name, "COMMIT").await }
    };
    let said = panic_of(&app, call).await;

    assert!(said.contains("leave COMMIT and ROLLBACK to the engine"), "{said}");
    assert_eq!(runs_of(&name), 1);
}

#[transaction]
async fn ignore(tx: &mut Tx, name: &str) -> Result<()> {
    ran(name);
    tx.query("INSERT INTO orders (workflow, item) VALUES ('w', 'tea')").execute().await?;
    tx.query("INSERT INTO orders (workflow, item) VALUES ('w', NULL)").execute().await.ok();
    Ok(())
}

#[workflow]
async fn ignoring(name: String) -> Result<()> {
    ignore(&name).await
}

async fn an_ignored_error_is_refused(database: Database) {
    let app = App::launch(config(database.url())).await;
    with_orders(&database).await;

    let error = app.run(async { ignoring(unique("ignoring")).await.unwrap_err() }).await;

    assert!(error.to_string().contains("its error was ignored"), "{error}");
    assert_eq!(database.count("SELECT count(*) FROM orders").await, 0);
}

async fn an_ignored_error_outside_a_workflow_is_refused(database: Database) {
    let app = App::launch(config(database.url())).await;
    with_orders(&database).await;

    let said = panic_of(&app, async move { ignore("ignoring-outside").await }).await;

    assert!(said.contains("its error was ignored"), "{said}");
}

#[transaction]
async fn break_at_commit(tx: &mut Tx, name: &str) -> Result<()> {
    ran(name);
    tx.query("INSERT INTO lines (item) VALUES ('nobody has it')").execute().await?;
    Ok(())
}

#[workflow]
async fn breaking_at_commit(name: String) -> Result<()> {
    break_at_commit(&name).await
}

async fn a_constraint_checked_at_commit_ends_the_workflow(database: Database) {
    let app = App::launch(config(database.url())).await;
    with_stock(&database).await;
    database.execute("CREATE TABLE lines (item TEXT REFERENCES stock (item) DEFERRABLE INITIALLY DEFERRED)").await;
    let name = unique("breaking");

    let error = app.run(async { breaking_at_commit(name.clone()).await.unwrap_err() }).await;

    assert!(error.to_string().to_lowercase().contains("foreign key"), "{error}");
    assert_eq!(runs_of(&name), 1);
    assert_eq!(database.count("SELECT count(*) FROM lines").await, 0);
}

#[transaction(read_only)]
async fn write_while_reading(tx: &mut Tx, name: &str) -> Result<()> {
    ran(name);
    tx.query("INSERT INTO orders (workflow, item) VALUES ('w', 'tea')").execute().await?;
    Ok(())
}

#[workflow]
async fn writing_while_reading(name: String) -> Result<()> {
    write_while_reading(&name).await
}

async fn a_write_in_a_transaction_that_only_reads_is_refused(database: Database) {
    let app = App::launch(config(database.url())).await;
    with_orders(&database).await;

    let error = app.run(async { writing_while_reading(unique("reading")).await.unwrap_err() }).await;

    let said = error.to_string().to_lowercase();
    assert!(said.contains("read-only") || said.contains("readonly"), "{said}");
    assert_eq!(database.count("SELECT count(*) FROM orders").await, 0);
}

#[transaction]
async fn linger(tx: &mut Tx, name: &str) -> Result<()> {
    let _ = tx;
    if ran(name) < 3 {
        std::future::pending::<()>().await;
    }
    tx.query("INSERT INTO orders (workflow, item) VALUES ('w', 'tea')").execute().await?;
    Ok(())
}

#[workflow]
async fn lingering(name: String) -> Result<()> {
    linger(&name).await
}

async fn a_body_that_takes_too_long_is_tried_a_few_times(database: Database) {
    let mut config = config(database.url());
    config.transaction_deadline = Duration::from_millis(100);
    let app = App::launch(config).await;
    with_orders(&database).await;
    let name = unique("lingering");

    app.run(async { lingering(name.clone()).await.unwrap() }).await;

    assert_eq!(runs_of(&name), 3);
    assert_eq!(database.count("SELECT count(*) FROM orders").await, 1);
}
