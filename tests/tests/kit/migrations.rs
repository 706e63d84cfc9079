use std::collections::BTreeSet;

use dbos_migrations::{
    Migration, POSTGRES_OLDER, POSTGRES_OWN, POSTGRES_SYSTEM, SQLITE_OLDER_COLUMNS, SQLITE_OLDER_LEFTOVERS,
    SQLITE_OLDER_STEPS, SQLITE_OWN, SQLITE_SYSTEM,
};
use dbos_testkit::{Backend, Database, behaviours};

behaviours! { migrations:
    each_history_leaves_its_version_behind,
    a_migration_stays_as_it_was_merged on nothing,
    both_databases_get_the_same_columns on postgres,
    both_databases_get_the_same_indexes on postgres,
    plain_sql_enqueues_a_workflow on postgres,
    plain_sql_enqueues_an_id_once on postgres,
    plain_sql_is_told_of_a_duplicate on postgres,
    plain_sql_sends_a_message_once on postgres,
    a_message_too_long_to_announce_is_still_sent on postgres,
}

async fn migrate(database: &Database) {
    let (system, own): (&[Migration], &[Migration]) = match database.backend() {
        Backend::Sqlite => (SQLITE_SYSTEM, SQLITE_OWN),
        Backend::Postgres => (POSTGRES_SYSTEM, POSTGRES_OWN),
    };
    for migration in system.iter().chain(own) {
        database.execute(migration.sql).await;
    }
}

async fn migrated(backend: Backend) -> Database {
    let database = Database::fresh(backend).await;
    migrate(&database).await;
    database
}

async fn each_history_leaves_its_version_behind(database: Database) {
    migrate(&database).await;

    assert_eq!(database.value("SELECT version FROM dbos.dbos_migrations").await.as_deref(), Some("125"));
    assert_eq!(database.value("SELECT max(version) FROM dbos_rust.migrations").await.as_deref(), Some("2"));
}

/// Somewhere it has been applied as it is. What is missing comes in another one; a new one is added here.
const MERGED: [(&[Migration], &[u64]); 6] = [
    (&[POSTGRES_OLDER], &[0xa90c_936a_aa17_74ef]),
    (POSTGRES_SYSTEM, &[0xc333_1336_9dd7_f108]),
    (POSTGRES_OWN, &[0x664b_bde2_de0a_6095, 0xaff9_b3cf_fe06_0dee]),
    (
        &[SQLITE_OLDER_COLUMNS, SQLITE_OLDER_STEPS, SQLITE_OLDER_LEFTOVERS],
        &[0x203b_c827_1d28_fcf2, 0xfe1a_0f7b_ba5a_1dc9, 0x1215_66cf_4be0_db11],
    ),
    (SQLITE_SYSTEM, &[0x360a_0c9d_16b9_204a]),
    (SQLITE_OWN, &[0x1914_8f78_631b_2060, 0x1ee3_d8f4_8deb_d25a]),
];

async fn a_migration_stays_as_it_was_merged() {
    for (history, checksums) in MERGED {
        let found: Vec<_> = history.iter().map(|migration| checksum(migration.sql)).collect();
        assert_eq!(found, checksums, "{}", history[0].name);
    }
}

/// FNV-1a.
fn checksum(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

async fn both_databases_get_the_same_columns(database: Database) {
    migrate(&database).await;
    let sqlite = migrated(Backend::Sqlite).await;

    let ours = database
        .query(
            "SELECT CASE table_schema WHEN 'dbos_rust' THEN 'dbos_rust_' ELSE '' END || table_name, column_name
               FROM information_schema.columns
              WHERE table_schema IN ('dbos', 'dbos_rust')
                AND table_name <> 'event_dispatch_kv'
              ORDER BY 1, ordinal_position",
        )
        .await;
    let theirs = sqlite
        .query(
            "SELECT tables.name, columns.name
               FROM sqlite_master AS tables, pragma_table_info(tables.name) AS columns
              WHERE tables.type = 'table'
              ORDER BY 1, columns.cid",
        )
        .await;

    assert_eq!(ours, theirs);
    assert!(ours.len() > 100);
}

async fn both_databases_get_the_same_indexes(database: Database) {
    migrate(&database).await;
    let sqlite = migrated(Backend::Sqlite).await;

    let ours = database
        .query(
            "SELECT indexname
               FROM pg_indexes
              WHERE schemaname = 'dbos'
                AND indexname NOT LIKE '%\\_pkey'
                AND indexname NOT LIKE '%\\_name\\_key'",
        )
        .await;
    let theirs = sqlite.query("SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL").await;

    let names = |rows: Vec<Vec<Option<String>>>| rows.concat().into_iter().flatten().collect::<BTreeSet<_>>();
    let mut ours = names(ours);
    // JSON can be indexed on Postgres only.
    assert!(ours.remove("idx_workflow_status_attributes"));
    assert_eq!(ours, names(theirs));
}

async fn plain_sql_enqueues_a_workflow(database: Database) {
    migrate(&database).await;

    database
        .query("SELECT dbos.enqueue_workflow('w', 'q', ARRAY['1', '\"x\"']::json[], '{\"k\":2}', workflow_id => 'a')")
        .await;
    database.query("SELECT dbos.enqueue_workflow('w', 'q', workflow_id => 'b', delay_until_epoch_ms => 5)").await;

    let rows = database
        .query(
            "SELECT status, serialization, recovery_attempts, creator_xid, i.inputs
               FROM dbos.workflow_status
               JOIN dbos.workflow_input i USING (workflow_uuid)
              ORDER BY workflow_uuid",
        )
        .await;
    let text = |value: &str| Some(value.to_owned());
    let inputs = text(r#"{"positionalArgs" : [1,"x"], "namedArgs" : {"k":2}}"#);
    assert_eq!(rows[0], [text("ENQUEUED"), text("portable_json"), text("0"), None, inputs]);
    let inputs = text(r#"{"positionalArgs" : [], "namedArgs" : {}}"#);
    assert_eq!(rows[1], [text("DELAYED"), text("portable_json"), text("0"), None, inputs]);
}

async fn plain_sql_enqueues_an_id_once(database: Database) {
    migrate(&database).await;
    database.query("SELECT dbos.enqueue_workflow('w', 'q', workflow_id => 'a')").await;

    database.query("SELECT dbos.enqueue_workflow('w', 'q', workflow_id => 'a')").await;
    let other = database.try_query("SELECT dbos.enqueue_workflow('other', 'q', workflow_id => 'a')").await;

    assert!(other.is_err());
    assert_eq!(database.count("SELECT count(*) FROM dbos.workflow_status").await, 1);
}

async fn plain_sql_is_told_of_a_duplicate(database: Database) {
    migrate(&database).await;
    database.query("SELECT dbos.enqueue_workflow('w', 'q', deduplication_id => 'd')").await;

    let error = database.try_query("SELECT dbos.enqueue_workflow('w', 'q', deduplication_id => 'd')").await;

    let error = error.expect_err("the deduplication id is taken").into_database_error().expect("from the database");
    assert_eq!(error.message(), "DBOS queue duplicated");
    assert!(error.is_unique_violation());
}

async fn plain_sql_sends_a_message_once(database: Database) {
    migrate(&database).await;
    database.query("SELECT dbos.enqueue_workflow('w', 'q', workflow_id => 'a')").await;

    database.query("SELECT dbos.send_message('a', '{\"x\":1}', message_id => 'm')").await;
    database.query("SELECT dbos.send_message('a', '{\"x\":2}', message_id => 'm')").await;
    let nobody = database.try_query("SELECT dbos.send_message('nobody', '1')").await;

    let sent = database.query("SELECT message_uuid, topic, message FROM dbos.notifications").await;
    assert_eq!(sent, [["m", "__null__topic__", r#"{"x":1}"#].map(|value| Some(value.to_owned()))]);
    let error = nobody.expect_err("nobody has this id").into_database_error().expect("from the database");
    assert_eq!(error.message(), "DBOS non-existent workflow");
}

async fn a_message_too_long_to_announce_is_still_sent(database: Database) {
    migrate(&database).await;
    database.query("SELECT dbos.enqueue_workflow('w', 'q', workflow_id => 'a')").await;

    database.query("SELECT dbos.send_message('a', '1', repeat('x', 9000))").await;

    assert_eq!(database.count("SELECT count(*) FROM dbos.notifications").await, 1);
}
