//! Postgres as it is out there: roles without rights, and encryption.

use dbos::{Config, DBOS, Engine, Result};
use dbos_testkit::board::{open, reached, unique};
use dbos_testkit::{App, Database, Server, behaviours};

use crate::app::{config, doubled, shopping, with_orders};

behaviours! { out_there:
    a_role_that_owns_its_database_is_enough on server,
    a_role_that_may_change_no_tables_is_enough_once_they_are_there on server,
    a_role_that_may_not_create_the_tables_is_told_so on server,
    a_server_that_insists_on_encryption_is_served on server using "openssl",
    a_hostile_schema_in_front_of_the_path_is_never_looked_into on postgres,
}

/// The URL of `database` for a role that can log in and nothing else.
async fn with_role(database: &Database, role: &str) -> String {
    database.execute(&format!("CREATE ROLE {role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE")).await;
    database.url().replace("postgres@", &format!("{role}@"))
}

/// A workflow goes on after a crash, and another process is woken: everything the engine asks of the server.
async fn works(url: &str, database: &Database) {
    with_orders(database).await;
    database.execute("GRANT ALL ON orders TO PUBLIC").await;
    let mut app = App::launch(config(url)).await;
    let (name, gate) = (unique("shopping"), unique("gate"));
    app.run(async { DBOS::start_workflow(late_shopping(gate.clone(), name.clone())).workflow_id("s").await.unwrap() })
        .await;
    reached(&gate).await;
    app.crash_and_relaunch().await;
    open(&gate);
    assert_eq!(app.result::<Result<String>>("s").await.unwrap(), "ordered milk");
    assert!(doubled(database).await.is_empty());
    app.engine.shutdown().await;
}

#[dbos::workflow]
async fn late_shopping(gate: String, name: String) -> Result<String> {
    dbos_testkit::board::pass(&gate).await;
    shopping(name).await
}

async fn a_role_that_owns_its_database_is_enough(server: Server) {
    let database = Database::on_server(&server).await;
    let url = with_role(&database, "owner").await;
    let name = database.value("SELECT current_database()").await.unwrap();
    database.execute(&format!("ALTER DATABASE {name} OWNER TO owner")).await;

    works(&url, &database).await;

    let superusers = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'owner'";
    assert_eq!(database.count(superusers).await, 0, "all connections are closed");
}

async fn a_role_that_may_change_no_tables_is_enough_once_they_are_there(server: Server) {
    let database = Database::on_server(&server).await;
    let url = with_role(&database, "clerk").await;
    Engine::migrate_only(&Config::new("traps").database_url(database.url())).await.unwrap();
    for schema in ["dbos", "dbos_rust"] {
        database.execute(&format!("GRANT USAGE ON SCHEMA {schema} TO clerk")).await;
        let rows = format!("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO clerk");
        database.execute(&rows).await;
    }

    works(&url, &database).await;
}

async fn a_role_that_may_not_create_the_tables_is_told_so(server: Server) {
    let database = Database::on_server(&server).await;
    let url = with_role(&database, "stranger").await;

    let refused = Engine::launch(config(&url)).await.expect_err("it may create nothing").to_string();

    assert!(refused.contains("permission denied for database"), "{refused}");
}

/// Gives the server a certificate and has it refuse whoever does not encrypt.
async fn insist_on_encryption(server: &Server) {
    let database = Database::on_server(server).await;
    let folder = database.value("SHOW data_directory").await.unwrap();
    let certificate = format!(
        "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -keyout {folder}/server.key -out {folder}/server.crt"
    );
    database.execute(&format!("COPY (SELECT 1) TO PROGRAM '{certificate}'")).await;
    database.execute(&format!("COPY (SELECT 1) TO PROGRAM 'chmod 600 {folder}/server.key'")).await;
    database.execute("ALTER SYSTEM SET ssl = on").await;
    database.execute(&format!("COPY (SELECT 'hostssl all all 127.0.0.1/32 trust') TO '{folder}/pg_hba.conf'")).await;
    database.execute("SELECT pg_reload_conf()").await;
}

async fn a_server_that_insists_on_encryption_is_served(server: Server) {
    insist_on_encryption(&server).await;
    let database = Database::on_server(&server).await;
    while database.try_query("SHOW ssl").await.unwrap()[0][0].as_deref() != Some("on") {}
    let [url, plain] =
        ["require", "disable"].map(|mode| database.url().replace("sslmode=prefer", &format!("sslmode={mode}")));
    assert_ne!(url, plain);

    let refused = Engine::launch(config(&plain)).await.expect_err("the server wants encryption").to_string();
    works(&url, &database).await;

    assert!(refused.contains("no encryption"), "{refused}");
}

/// It has what the engine has, under the same names: tables that nothing fits into, functions that fail.
async fn a_hostile_schema_in_front_of_the_path_is_never_looked_into(database: Database) {
    let name = database.value("SELECT current_database()").await.unwrap();
    database.execute("CREATE SCHEMA hostile").await;
    database.execute(&format!("ALTER DATABASE {name} SET search_path = hostile, public")).await;
    for table in ["workflow_status", "workflow_input", "workflow_output", "operation_outputs", "notifications"]
        .into_iter()
        .chain(["workflow_events", "dbos_migrations", "migrations", "executors", "version_workflows", "app_migrations"])
    {
        database.execute(&format!("CREATE TABLE hostile.{table} (nothing BOOLEAN CHECK (FALSE))")).await;
    }
    database
        .execute(
            "CREATE FUNCTION hostile.notifications_function() RETURNS trigger LANGUAGE plpgsql
             AS $$ BEGIN RAISE EXCEPTION 'hostile'; END $$",
        )
        .await;

    works(database.url(), &database).await;
}
