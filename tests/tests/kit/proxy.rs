use std::time::Duration;

use dbos_testkit::{Database, Fault, Proxy, behaviours};
use sqlx::{Connection, Executor, PgConnection};
use tokio::time::timeout;

behaviours! { proxy:
    everything_passes_and_is_counted on postgres,
    a_reset_breaks_open_connections_only on postgres,
    a_refusing_network_breaks_new_connections_too on postgres,
    what_is_held_back_arrives_later on postgres,
    a_swallowed_request_is_never_executed on postgres,
    a_swallowed_reply_leaves_the_statement_done on postgres,
    a_lost_commit_is_undone on postgres,
    a_commit_whose_reply_is_lost_is_done on postgres,
    a_commit_whose_reply_is_silenced_is_done_and_the_client_waits on postgres,
    a_fault_strikes_at_the_nth_execution_of_a_prepared_statement on postgres,
    only_the_reply_to_its_own_statement_is_lost on postgres,
    a_connection_is_cut_within_a_message on postgres,
    a_client_that_offers_encryption_is_understood on postgres,
}

const INSERT: &str = "INSERT INTO orders VALUES (1)";
const ORDERS: &str = "SELECT count(*) FROM orders";

async fn proxied(database: &Database) -> (Proxy, PgConnection) {
    database.execute("CREATE TABLE orders (id BIGINT)").await;
    let proxy = Proxy::before(database.url()).await;
    let connection = PgConnection::connect(proxy.url()).await.expect("the proxy lets it through");
    (proxy, connection)
}

async fn hangs<T>(future: impl Future<Output = T>) -> bool {
    timeout(Duration::from_millis(200), future).await.is_err()
}

async fn everything_passes_and_is_counted(database: Database) -> sqlx::Result<()> {
    let (proxy, mut connection) = proxied(&database).await;
    let before = proxy.round_trips();

    for number in 0..3_i64 {
        sqlx::query("INSERT INTO orders VALUES ($1)").bind(number).execute(&mut connection).await?;
    }

    assert_eq!(proxy.count("INSERT INTO orders"), 3);
    assert_eq!(proxy.statements().last().map(String::as_str), Some("INSERT INTO orders VALUES ($1)"));
    // Preparing it takes one more.
    assert_eq!(proxy.round_trips() - before, 4);
    assert_eq!(proxy.connections(), 1);
    assert_eq!(database.count(ORDERS).await, 3);
    Ok(())
}

async fn a_reset_breaks_open_connections_only(database: Database) -> sqlx::Result<()> {
    let (proxy, mut connection) = proxied(&database).await;

    proxy.reset_all();

    let error = connection.execute("SELECT 1").await.expect_err("the connection was reset");
    assert!(matches!(error, sqlx::Error::Io(_)), "{error}");
    PgConnection::connect(proxy.url()).await?.execute("SELECT 1").await?;
    Ok(())
}

async fn a_refusing_network_breaks_new_connections_too(database: Database) -> sqlx::Result<()> {
    let (proxy, mut connection) = proxied(&database).await;

    proxy.refuse();

    assert!(connection.execute("SELECT 1").await.is_err());
    assert!(PgConnection::connect(proxy.url()).await.is_err());
    proxy.pass();
    PgConnection::connect(proxy.url()).await?.execute("SELECT 1").await?;
    Ok(())
}

async fn what_is_held_back_arrives_later(database: Database) -> sqlx::Result<()> {
    let (proxy, mut connection) = proxied(&database).await;

    proxy.hold();
    let mut insert = Box::pin(connection.execute(INSERT));
    assert!(hangs(&mut insert).await);
    assert_eq!(database.count(ORDERS).await, 0);
    proxy.pass();

    insert.await?;
    assert_eq!(database.count(ORDERS).await, 1);
    Ok(())
}

async fn a_swallowed_request_is_never_executed(database: Database) -> sqlx::Result<()> {
    let (proxy, mut connection) = proxied(&database).await;

    proxy.swallow();
    let mut insert = Box::pin(connection.execute(INSERT));
    assert!(hangs(&mut insert).await);
    proxy.pass();

    assert!(hangs(&mut insert).await);
    assert_eq!(database.count(ORDERS).await, 0);
    PgConnection::connect(proxy.url()).await?.execute("SELECT 1").await?;
    Ok(())
}

async fn a_swallowed_reply_leaves_the_statement_done(database: Database) {
    let (proxy, mut connection) = proxied(&database).await;

    proxy.swallow_replies();

    assert!(hangs(connection.execute(INSERT)).await);
    assert_eq!(database.count(ORDERS).await, 1);
}

/// Inserts an order in a transaction; the result is that of its COMMIT.
async fn commit(connection: &mut PgConnection) -> sqlx::Result<()> {
    let mut transaction = connection.begin().await?;
    transaction.execute(INSERT).await?;
    transaction.commit().await
}

async fn a_lost_commit_is_undone(database: Database) {
    let (proxy, mut connection) = proxied(&database).await;
    proxy.arm(Fault::at("COMMIT"));

    assert!(commit(&mut connection).await.is_err());

    proxy.struck(1).await;
    assert_eq!(database.count(ORDERS).await, 0);
}

async fn a_commit_whose_reply_is_lost_is_done(database: Database) -> sqlx::Result<()> {
    let (proxy, mut connection) = proxied(&database).await;
    proxy.arm(Fault::at("COMMIT").losing_the_reply());

    assert!(commit(&mut connection).await.is_err());

    assert_eq!(database.count(ORDERS).await, 1);
    // It strikes only once.
    commit(&mut PgConnection::connect(proxy.url()).await?).await
}

async fn a_commit_whose_reply_is_silenced_is_done_and_the_client_waits(database: Database) {
    let (proxy, mut connection) = proxied(&database).await;
    proxy.arm(Fault::at("COMMIT").silencing_the_reply());

    assert!(hangs(commit(&mut connection)).await);

    proxy.struck(1).await;
    assert_eq!(database.count(ORDERS).await, 1);
}

async fn a_fault_strikes_at_the_nth_execution_of_a_prepared_statement(database: Database) {
    let (proxy, mut connection) = proxied(&database).await;
    proxy.arm(Fault::at("INSERT INTO orders").nth(3));

    let mut done = 0;
    while sqlx::query("INSERT INTO orders VALUES ($1)").bind(done).execute(&mut connection).await.is_ok() {
        done += 1;
    }

    assert_eq!(done, 2);
    assert_eq!(database.count(ORDERS).await, 2);
}

async fn only_the_reply_to_its_own_statement_is_lost(database: Database) -> sqlx::Result<()> {
    let (proxy, mut connection) = proxied(&database).await;
    // Dropping a transaction queues a ROLLBACK that travels together with the next statement.
    drop(connection.begin().await?);
    proxy.arm(Fault::at("INSERT").losing_the_reply());

    assert!(connection.execute(INSERT).await.is_err());

    assert_eq!(proxy.count("ROLLBACK"), 1);
    assert_eq!(database.count(ORDERS).await, 1);
    Ok(())
}

async fn a_connection_is_cut_within_a_message(database: Database) {
    let (proxy, mut connection) = proxied(&database).await;
    proxy.arm(Fault::after_bytes(10));

    assert!(connection.execute(INSERT).await.is_err());

    proxy.struck(1).await;
    assert_eq!(database.count(ORDERS).await, 0);
}

async fn a_client_that_offers_encryption_is_understood(database: Database) -> sqlx::Result<()> {
    let (proxy, _connection) = proxied(&database).await;
    let url = proxy.url().replace("sslmode=disable", "sslmode=prefer");
    assert_ne!(url, proxy.url());

    PgConnection::connect(&url).await?.execute(INSERT).await?;

    assert_eq!(proxy.count("INSERT"), 1);
    Ok(())
}
