use dbos_testkit::{Backend, Database, Server, behaviours};
use sqlx::{Connection, PgConnection};

behaviours! { database:
    each_database_is_empty_and_alone,
    values_come_as_text_alike,
    the_schema_prefix_is_left_out_on_sqlite on sqlite,
    a_refused_statement_is_an_error,
    a_dropped_database_is_gone_though_somebody_is_connected on server,
    a_dropped_file_is_gone on sqlite,
}

async fn each_database_is_empty_and_alone(database: Database) {
    let other = Database::fresh(database.backend()).await;
    database.execute("CREATE TABLE orders (id BIGINT)").await;

    other.execute("CREATE TABLE orders (id BIGINT)").await;
    other.execute("INSERT INTO orders VALUES (1), (2)").await;

    assert_eq!(database.count("SELECT count(*) FROM orders").await, 0);
    other.until_count("SELECT count(*) FROM orders", 2).await;
}

async fn values_come_as_text_alike(database: Database) {
    let bytes = match database.backend() {
        Backend::Sqlite => "BLOB",
        Backend::Postgres => "BYTEA",
    };
    let table = format!("CREATE TABLE t (n BIGINT, r DOUBLE PRECISION, s TEXT, b BOOLEAN, x {bytes})");
    database.execute(&table).await;
    let literal = if bytes == "BLOB" { "x'00ff'" } else { "'\\x00ff'" };
    database.execute(&format!("INSERT INTO t VALUES (7, 1.5, 'a''b', TRUE, {literal})")).await;
    database.execute("INSERT INTO t (n) VALUES (8)").await;

    let rows = database.query("SELECT * FROM t ORDER BY n").await;

    let text = |value: &str| Some(value.to_owned());
    assert_eq!(rows[0], [text("7"), text("1.5"), text("a'b"), text("true"), text("00ff")]);
    assert_eq!(rows[1], [text("8"), None, None, None, None]);
    assert_eq!(database.value("SELECT s FROM t WHERE n = 8").await, None);
}

async fn the_schema_prefix_is_left_out_on_sqlite(database: Database) {
    database.execute("CREATE TABLE dbos.workflow_status (a TEXT)").await;
    database.execute("CREATE TABLE dbos_rust.executors (a TEXT)").await;

    let tables = database.query("SELECT name FROM sqlite_master ORDER BY name").await.concat();

    assert_eq!(tables, [Some("dbos_rust_executors".to_owned()), Some("workflow_status".to_owned())]);
}

async fn a_refused_statement_is_an_error(database: Database) {
    assert!(database.try_query("SELECT * FROM nowhere").await.is_err());
}

async fn a_dropped_database_is_gone_though_somebody_is_connected(server: Server) -> sqlx::Result<()> {
    let keeper = Database::on_server(&server).await;
    let database = Database::on_server(&server).await;
    let _connection = PgConnection::connect(database.url()).await?;
    let databases = "SELECT count(*) FROM pg_database WHERE datname LIKE 'dbos_test_%'";
    assert_eq!(keeper.count(databases).await, 2);

    drop(database);

    assert_eq!(keeper.count(databases).await, 1);
    Ok(())
}

async fn a_dropped_file_is_gone(database: Database) {
    database.execute("CREATE TABLE t (n BIGINT)").await;
    let path = database.path().expect("a file").to_owned();
    assert!(path.exists());

    drop(database);

    assert!(!path.exists());
}
