//! The tables: those that other libraries make and those that ours makes are the same, at whatever version theirs began.

use dbos::{Client, DBOS};
use dbos_testkit::{Backend, Database, behaviours};
use serde_json::json;

use crate::installed::{command, neighbour, python, succeeds, typescript};

behaviours! { schema:
    a_fresh_database_is_the_one_that_the_library_for_python_makes on postgres within 180,
    a_database_that_python_made_at_any_version_is_brought_up_to_date within 300,
    a_database_that_typescript_made_at_any_version_is_brought_up_to_date on postgres within 300,
    a_newer_database_is_left_as_it_is within 180,
    what_was_there_before_an_upgrade_is_there_after_it within 180,
    a_file_that_the_library_for_python_made_opens on sqlite within 180,
}

/// What a database is made of. How a default is spelled and the order of columns do not count.
const ON_POSTGRES: &[&str] = &[
    "SELECT 'column ' || table_name || '.' || column_name || ' ' || data_type || ' '
            || COALESCE(character_maximum_length::text, numeric_precision || ',' || numeric_scale, '') || ' '
            || is_nullable || ' ' || (column_default IS NOT NULL)::text
       FROM information_schema.columns WHERE table_schema = 'dbos'",
    "SELECT 'key ' || conrelid::regclass || ' ' || pg_get_constraintdef(oid)
       FROM pg_constraint WHERE connamespace = 'dbos'::regnamespace",
    "SELECT 'index ' || pg_get_indexdef(indexrelid)
       FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
      WHERE relnamespace = 'dbos'::regnamespace AND indisvalid",
    "SELECT 'function ' || proname || '(' || pg_get_function_arguments(oid) || ') '
            || pg_get_function_result(oid) || ' ' || COALESCE(proconfig::text, '')
       FROM pg_proc WHERE pronamespace = 'dbos'::regnamespace",
    "SELECT 'trigger ' || pg_get_triggerdef(pg_trigger.oid)
       FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
      WHERE relnamespace = 'dbos'::regnamespace AND NOT tgisinternal",
    "SELECT 'version ' || version FROM dbos.dbos_migrations",
];

/// Likewise, nor do quotes, and spaces and ends of lines in what makes an index.
const ON_SQLITE: &[&str] = &[
    "SELECT 'column ' || made.name || '.' || part.name || ' ' || part.type || ' ' || part.[notnull] || ' '
            || (COALESCE(part.dflt_value, 'NULL') <> 'NULL') || ' ' || part.pk
       FROM sqlite_master AS made, pragma_table_info(made.name) AS part
      WHERE made.type = 'table' AND made.name NOT LIKE 'dbos_rust_%'",
    "SELECT 'key ' || made.name || ' ' || part.[from] || ' ' || part.[table] || '.' || part.[to] || ' '
            || part.on_update || ' ' || part.on_delete
       FROM sqlite_master AS made, pragma_foreign_key_list(made.name) AS part
      WHERE made.type = 'table' AND made.name NOT LIKE 'dbos_rust_%'",
    "SELECT 'unique ' || made.name || ' ' || part.origin || ' '
            || (SELECT group_concat(name) FROM pragma_index_info(part.name))
       FROM sqlite_master AS made, pragma_index_list(made.name) AS part
      WHERE made.type = 'table' AND made.name NOT LIKE 'dbos_rust_%' AND part.[unique]",
    "SELECT 'index ' || replace(replace(replace(sql, '\"', ''), ' ', ''), char(10), '')
       FROM sqlite_master WHERE type = 'index' AND tbl_name NOT LIKE 'dbos_rust_%'",
    "SELECT 'other ' || type || ' ' || name FROM sqlite_master WHERE type NOT IN ('table', 'index')",
    "SELECT 'version ' || version FROM dbos_migrations",
];

/// A line for each part of a database.
async fn described(database: &Database) -> Vec<String> {
    let parts = match database.backend() {
        Backend::Postgres => ON_POSTGRES,
        Backend::Sqlite => ON_SQLITE,
    };
    let mut lines = Vec::new();
    for part in parts {
        lines.extend(database.query(part).await.concat().into_iter().flatten());
    }
    lines.sort();
    lines
}

/// One that ours makes of nothing.
async fn fresh(backend: Backend) -> Vec<String> {
    let database = Database::fresh(backend).await;
    neighbour(&database).await.kill().await;
    described(&database).await
}

/// What only one of them has.
fn difference(ours: &[String], theirs: &[String]) -> String {
    let only = |mark: &str, these: &[String], those: &[String]| -> Vec<String> {
        these.iter().filter(|line| !those.contains(line)).map(|line| format!("{mark} {line}")).collect()
    };
    [only("+", ours, theirs), only("-", theirs, ours)].concat().join("\n")
}

async fn a_fresh_database_is_the_one_that_the_library_for_python_makes(database: Database) {
    succeeds(command("migrate", &database)).await;
    let theirs = described(&database).await;
    let ours = Database::fresh(Backend::Postgres).await;
    neighbour(&ours).await.kill().await;

    let before = described(&ours).await;
    assert_eq!(difference(&before, &theirs), "");
    assert!(theirs.len() > 150, "{theirs:?}");

    // Nor does it find anything to do in ours, and ours in its.
    succeeds(command("migrate", &ours)).await;
    neighbour(&database).await.kill().await;
    assert_eq!(described(&ours).await, before);
    assert_eq!(described(&database).await, theirs);
}

/// The first, one before each change of a kind, the last of each stretch of its history, and what needs no change.
async fn a_database_that_python_made_at_any_version_is_brought_up_to_date(database: Database) {
    let backend = database.backend();
    let ours = fresh(backend).await;
    assert!(ours.len() > 150, "{ours:?}");
    for version in ["1", "6", "14", "21", "38", "47", "100", "105", "108", "111", "112", "120", "124", "125"] {
        let database = Database::fresh(backend).await;
        succeeds(python("schema_at.py", &database).arg(version)).await;
        neighbour(&database).await.kill().await;

        assert_eq!(difference(&described(&database).await, &ours), "", "version {version}");
    }
}

async fn a_database_that_typescript_made_at_any_version_is_brought_up_to_date(_: Database) {
    let ours = fresh(Backend::Postgres).await;
    for version in ["8", "22", "37", "52", "70", "100", "112", "123"] {
        let database = Database::fresh(Backend::Postgres).await;
        succeeds(typescript("schema_at.mjs", &database).arg(version)).await;
        neighbour(&database).await.kill().await;

        assert_eq!(difference(&described(&database).await, &ours), "", "version {version}");
    }
}

async fn a_newer_database_is_left_as_it_is(database: Database) {
    succeeds(command("migrate", &database)).await;
    database.execute("UPDATE dbos.dbos_migrations SET version = 999").await;
    let before = described(&database).await;

    let neighbour = neighbour(&database).await;

    assert_eq!(described(&database).await, before);
    succeeds(python("client.py", &database).arg("results_of_every_kind")).await;
    drop(neighbour);
}

/// Inputs and outputs lay in the row of the workflow then.
async fn what_was_there_before_an_upgrade_is_there_after_it(database: Database) {
    for version in ["20", "108"] {
        let database = Database::fresh(database.backend()).await;
        succeeds(python("schema_at.py", &database).arg(version)).await;
        database
            .execute(
                r#"INSERT INTO dbos.workflow_status
                          (workflow_uuid, status, name, inputs, output, serialization, queue_name)
                   VALUES ('ended', 'SUCCESS', 'echo', '{"positionalArgs":[1]}', '"as it was"', 'portable_json', NULL),
                          ('waiting', 'ENQUEUED', 'echo', '{"positionalArgs":[7]}', NULL, 'portable_json', 'letters');
                   INSERT INTO dbos.operation_outputs (workflow_uuid, function_id, function_name, output, serialization)
                   VALUES ('ended', 1, 'look', '"at it"', 'portable_json')"#,
            )
            .await;

        let _neighbour = neighbour(&database).await;

        let client = Client::connect(database.url()).await.unwrap();
        assert_eq!(client.workflow("ended").result().await.unwrap(), json!("as it was"));
        assert_eq!(client.workflow("waiting").result().await.unwrap(), json!(7));
        let steps = client.run(DBOS::list_steps("ended")).await.unwrap();
        assert_eq!((steps.len(), steps[0].name.as_str()), (1, "look"));
        succeeds(python("upgraded.py", &database)).await;
    }
}

async fn a_file_that_the_library_for_python_made_opens(database: Database) {
    succeeds(command("migrate", &database)).await;

    let _neighbour = neighbour(&database).await;

    succeeds(python("client.py", &database).arg("results_of_every_kind").arg("steps").arg("rewind").arg("errors"))
        .await;
}
