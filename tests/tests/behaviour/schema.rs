//! Tables in a schema of another name.

use std::time::Duration;

use dbos::{Config, DBOS, Engine, Event, Result, Topic, WorkflowFilter};
use dbos_testkit::board::{open, pass, reached, unique};
use dbos_testkit::{App, Backend, Database, behaviours};

use crate::app::config;

behaviours! { schema:
    two_schemas_of_one_database_know_nothing_of_each_other on postgres,
    processes_of_one_schema_wake_each_other on postgres,
    what_one_schema_migrates_is_missing_in_the_other on postgres,
    a_name_that_is_none_is_refused,
    a_file_has_no_schemas on sqlite,
}

const GREETINGS: Topic<String> = Topic::new("greetings");
const STAGE: Event<String> = Event::new("stage");

#[dbos::workflow]
async fn greeting(gate: String, name: String) -> Result<String> {
    DBOS::set_event(STAGE, "waiting").await?;
    pass(&gate).await;
    let greeting = DBOS::recv(GREETINGS, Duration::from_mins(1)).await?;
    Ok(format!("{} {name}", greeting.unwrap_or_default()))
}

async fn launched(database: &Database, schema: &str) -> App {
    App::launch(config(database).schema(schema)).await
}

/// The tables of the schemas, in the order of their names.
async fn schemas(database: &Database) -> Vec<String> {
    let query = "SELECT DISTINCT table_schema FROM information_schema.tables
                  WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1";
    database.query(query).await.into_iter().map(|mut row| row.remove(0).unwrap()).collect()
}

async fn two_schemas_of_one_database_know_nothing_of_each_other(database: Database) {
    let (mut one, two) = (launched(&database, "one").await, launched(&database, "two").await);
    let (here, there) = (unique("here"), unique("there"));
    for (app, gate, name) in [(&one, &here, "ann"), (&two, &there, "bob")] {
        let call = greeting(gate.clone(), name.to_owned());
        app.run(async { DBOS::start_workflow(call).workflow_id("g").await.unwrap() }).await;
        reached(gate).await;
    }

    one.crash().await;
    two.run(async { DBOS::send("g", "hello", GREETINGS).await.unwrap() }).await;
    open(&there);

    assert_eq!(two.result::<Result<String>>("g").await.unwrap(), "hello bob");
    let count = |table: &str| format!("SELECT count(*) FROM {table}");
    assert_eq!(database.count(&count("one.notifications")).await, 0, "the message is the other's");
    assert_eq!(database.count("SELECT count(*) FROM one.workflow_status WHERE status = 'PENDING'").await, 1);
    assert_eq!(database.count(&count("two_rust.executors")).await, 1, "the crashed one is none of its business");
    let listed = two.run(async { DBOS::list_workflows(WorkflowFilter::new()).await.unwrap() }).await;
    assert_eq!(listed.len(), 1);

    one.relaunch().await;
    reached(&here).await;
    one.run(async { DBOS::send("g", "good day", GREETINGS).await.unwrap() }).await;
    open(&here);

    assert_eq!(one.result::<Result<String>>("g").await.unwrap(), "good day ann");
    assert_eq!(schemas(&database).await, ["one", "one_rust", "two", "two_rust"]);
}

/// Nothing is found by polling: each of these waits ends with a word from the database.
async fn processes_of_one_schema_wake_each_other(database: Database) {
    let (one, other) = (launched(&database, "shop").await, launched(&database, "shop").await);
    let gate = unique("gate");
    open(&gate);
    let call = greeting(gate, "ann".to_owned());
    let stage = other.run(async { DBOS::get_event("g", STAGE).await });

    let (stage, _) = tokio::join!(stage, one.run(async { DBOS::start_workflow(call).workflow_id("g").await.unwrap() }));
    assert_eq!(stage.unwrap().as_deref(), Some("waiting"));
    let sent = async {
        other.run(async { DBOS::send("g", "hello", GREETINGS).await.unwrap() }).await;
    };
    let (greeted, ()) = tokio::join!(other.result::<Result<String>>("g"), sent);

    assert_eq!(greeted.unwrap(), "hello ann");
}

async fn what_one_schema_migrates_is_missing_in_the_other(database: Database) {
    let config = config(&database);

    Engine::migrate_only(&config.clone().schema("shop")).await.unwrap();
    assert_eq!(schemas(&database).await, ["shop", "shop_rust"]);

    Engine::migrate_only(&config.schema("dbos")).await.unwrap();
    assert_eq!(schemas(&database).await, ["dbos", "dbos_rust", "shop", "shop_rust"]);
}

async fn a_name_that_is_none_is_refused(database: Database) {
    let long = "a".repeat(41);
    for name in
        ["", "Shop", "1shop", "my shop", "sh-op", "schöp", "shop\"; DROP SCHEMA dbos; --", "pg_shop", "shop.", &long]
    {
        let refused = Engine::migrate_only(&config(&database).schema(name)).await.expect_err(name).to_string();

        let (on_postgres, on_sqlite) = ("no name for a schema", "SQLite has no schemas");
        let expected = if database.backend() == Backend::Postgres { on_postgres } else { on_sqlite };
        assert!(refused.contains(expected), "{name}: {refused}");
    }
    if database.backend() == Backend::Postgres {
        assert_eq!(schemas(&database).await, [] as [String; 0]);
        let longest = "a".repeat(40);
        Engine::migrate_only(&config(&database).schema(&longest)).await.unwrap();
        assert_eq!(schemas(&database).await, [longest.clone(), format!("{longest}_rust")]);
    }
}

async fn a_file_has_no_schemas(database: Database) {
    let refused = Engine::launch(Config::new("behaviour").database_url(database.url()).schema("shop")).await;

    let said = refused.expect_err("it would share its tables").to_string();
    assert!(said.contains("SQLite has no schemas"), "{said}");
}
