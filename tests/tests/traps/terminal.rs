//! A terminal beside running programs: it changes what it is asked to, and nothing else.

use std::time::Duration;

use dbos_testkit::{Backend, Database, Program, behaviours};
use tempfile::TempDir;

use crate::two_processes::{ENDED, Place, WALKER};

behaviours! { terminal:
    what_a_terminal_resumes_goes_on_in_a_program_that_runs,
    what_a_terminal_resumes_waits_for_the_next_program,
    a_list_takes_nothing_over,
    a_terminal_cancels_what_was_started_before_a_time,
    a_terminal_creates_no_tables,
    a_terminal_refuses_tables_that_are_too_old,
    a_terminal_creates_no_database on postgres,
    what_a_terminal_exports_is_verified_there_and_elsewhere,
    a_terminal_looks_into_the_schema_it_is_given on postgres,
    a_list_among_many_workflows_finds_its_index on postgres,
}

const LEASE: Duration = Duration::from_secs(2);
const STATUSES: &str = "SELECT workflow_uuid, status FROM dbos.workflow_status ORDER BY workflow_uuid";

/// Runs `walker workflow …` to its end: its exit code and its lines.
async fn workflow(url: &str, words: &[&str]) -> (Option<i32>, Vec<String>) {
    let folder = TempDir::new().unwrap();
    let mut program = Program::new(WALKER).directory(folder.path()).arg("workflow");
    for word in words {
        program = program.arg(word);
    }
    let process = program.env("DBOS_DATABASE_URL", url).start();
    let code = process.wait().await.code();
    (code, process.all_lines().await)
}

fn row(id: &str, status: &str) -> [Option<String>; 2] {
    [Some(id.to_owned()), Some(status.to_owned())]
}

async fn what_a_terminal_resumes_goes_on_in_a_program_that_runs(database: Database) {
    let place = Place::new(database).await;
    let url = place.database.url();
    let _program = place.launch("one", LEASE).await;
    place.ask("one", "w-1");
    place.ask("one", "w-2");
    place.until_times("at-gate", 2).await;

    let cancelled = workflow(url, &["cancel", "w-1", "w-2"]).await;
    assert_eq!(cancelled, (Some(0), vec!["w-1: cancelled".to_owned(), "w-2: cancelled".to_owned()]));
    assert_eq!(place.database.query(STATUSES).await, [row("w-1", "CANCELLED"), row("w-2", "CANCELLED")]);
    let resumed = workflow(url, &["resume", "w-1"]).await;
    assert_eq!(resumed, (Some(0), vec!["w-1: resumed".to_owned()]));

    place.until_times("at-gate w-1", 2).await;
    place.open_gate();
    place.database.until_count(ENDED, 1).await;
    assert_eq!(place.database.query(STATUSES).await, [row("w-1", "SUCCESS"), row("w-2", "CANCELLED")]);
    assert_eq!(place.times("set-out"), 2, "a recorded step does not run again");
    assert_eq!(place.database.count("SELECT count(*) FROM passed").await, 1);
}

async fn a_terminal_cancels_what_was_started_before_a_time(database: Database) {
    let place = Place::new(database).await;
    let url = place.database.url();
    let _program = place.launch("one", LEASE).await;
    place.ask("one", "w-1");
    place.until_times("at-gate", 1).await;

    assert_eq!(workflow(url, &["cancel-before", "1h"]).await, (Some(0), vec![String::new()]));
    let cancelled = workflow(url, &["cancel-before", "0s", "--json"]).await;

    assert_eq!(cancelled.1.concat().split_whitespace().collect::<String>(), r#"["w-1"]"#);
    assert_eq!(place.database.query(STATUSES).await, [row("w-1", "CANCELLED")]);
}

async fn what_a_terminal_resumes_waits_for_the_next_program(database: Database) {
    let place = Place::new(database).await;
    let url = place.database.url();
    let first = place.launch("one", LEASE).await;
    place.ask("one", "w-1");
    place.until_times("at-gate", 1).await;

    let (code, lines) = workflow(url, &["resume", "w-1"]).await;
    assert_eq!(code, Some(1));
    assert!(lines[0].starts_with("w-1: failed: workflow `w-1` is in the hands of executor `"), "{lines:?}");
    first.kill().await;
    assert_eq!(workflow(url, &["resume", "w-1"]).await, (Some(0), vec!["w-1: resumed".to_owned()]));
    assert_eq!(place.database.query(STATUSES).await, [row("w-1", "ENQUEUED")]);

    place.open_gate();
    let _next = place.launch("two", LEASE).await;
    place.database.until_count(ENDED, 1).await;
}

async fn a_list_takes_nothing_over(database: Database) {
    let place = Place::new(database).await;
    let program = place.launch("one", LEASE).await;
    place.ask("one", "w-1");
    place.until_times("at-gate", 1).await;
    program.kill().await;
    let everything = "SELECT workflow_uuid, executor_id, owner_xid, recovery_attempts, updated_at, status
                        FROM dbos.workflow_status";
    let executors = "SELECT executor_id FROM dbos_rust.executors";
    let before = (place.database.query(everything).await, place.database.query(executors).await);

    let (code, lines) = workflow(place.database.url(), &["list"]).await;

    assert_eq!((code, lines.len()), (Some(0), 2), "{lines:?}");
    assert!(lines[1].starts_with("w-1") && lines[1].contains("PENDING"), "{lines:?}");
    assert_eq!((place.database.query(everything).await, place.database.query(executors).await), before);
}

async fn a_terminal_creates_no_tables(database: Database) {
    database.execute("CREATE TABLE passed (workflow TEXT NOT NULL)").await;

    let (code, lines) = workflow(database.url(), &["list"]).await;

    let told = "walker: the database lacks tables that this program needs; run the command `migrate` to make them";
    assert_eq!((code, lines), (Some(2), vec![told.to_owned()]));
    let tables = match database.backend() {
        Backend::Sqlite => "SELECT count(*) FROM sqlite_master WHERE type = 'table'",
        Backend::Postgres => {
            "SELECT count(*) FROM information_schema.tables
              WHERE table_schema NOT IN ('pg_catalog', 'information_schema')"
        }
    };
    assert_eq!(database.count(tables).await, 1);
}

async fn a_terminal_refuses_tables_that_are_too_old(database: Database) {
    let place = Place::new(database).await;
    let program = place.launch("one", LEASE).await;
    program.kill().await;
    place.database.execute("UPDATE dbos.dbos_migrations SET version = 108").await;

    let (code, lines) = workflow(place.database.url(), &["list"]).await;

    assert_eq!((code, lines.len()), (Some(2), 1), "{lines:?}");
    assert!(lines[0].starts_with("walker: the DBOS tables are at version 108 and version 125 is needed"), "{lines:?}");
}

async fn a_terminal_creates_no_database(database: Database) {
    let absent = database.url().replace("dbos_test_", "absent_");

    let (code, lines) = workflow(&absent, &["list"]).await;

    assert_eq!((code, lines.len()), (Some(2), 1), "{lines:?}");
    assert!(lines[0].contains("does not exist"), "{lines:?}");
    assert_eq!(database.count("SELECT count(*) FROM pg_database WHERE datname LIKE 'absent%'").await, 0);
}

async fn a_terminal_looks_into_the_schema_it_is_given(database: Database) {
    let place = Place::new(database).await;
    let _program = place.launch("one", LEASE).await;
    place.ask("one", "w-1");
    place.until_times("at-gate", 1).await;
    let (url, elsewhere) = (place.database.url(), ["--schema", "elsewhere"]);

    let (code, lines) = workflow(url, &[["list"].as_slice(), &elsewhere].concat()).await;
    assert_eq!(code, Some(2));
    assert!(lines[0].contains("the database lacks tables that this program needs"), "{lines:?}");

    let migrate = Program::new(WALKER).arg("migrate").arg(elsewhere[0]).arg(elsewhere[1]);
    assert!(migrate.env("DBOS_DATABASE_URL", url).start().wait().await.success());
    let (code, lines) = workflow(url, &[["list"].as_slice(), &elsewhere].concat()).await;
    assert_eq!((code, lines.len()), (Some(0), 1), "{lines:?}");
    let cancelled = workflow(url, &[["cancel", "w-1"].as_slice(), &elsewhere].concat()).await;
    assert_eq!(cancelled.0, Some(1), "{cancelled:?}");
    assert_eq!(place.database.query(STATUSES).await, [row("w-1", "PENDING")]);
    assert_eq!(workflow(url, &["list"]).await.1.len(), 2);
}

async fn what_a_terminal_exports_is_verified_there_and_elsewhere(database: Database) {
    let place = Place::new(database).await;
    let url = place.database.url();
    let _program = place.launch("one", LEASE).await;
    place.ask("one", "w-1");
    place.until_times("at-gate w-1", 1).await;
    let fits = |status: &str| (Some(0), vec![format!("w-1: fits, {status} `walk`")]);

    assert_eq!(workflow(url, &["verify", "--status", "PENDING"]).await, fits("PENDING"));
    place.open_gate();
    place.database.until_count(ENDED, 1).await;
    assert_eq!(workflow(url, &["verify", "w-1"]).await, fits("SUCCESS"));
    let (code, exported) = workflow(url, &["export", "w-1"]).await;
    assert_eq!(code, Some(0));
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("history.json");
    let path = file.to_str().unwrap();
    let nowhere = "sqlite:/nowhere/at-all.sqlite";

    std::fs::write(&file, exported.join("\n")).unwrap();
    assert_eq!(workflow(nowhere, &["verify", "--file", path]).await, fits("SUCCESS"));

    std::fs::write(&file, exported.join("\n").replace("\"arrive\"", "\"come_home\"")).unwrap();
    let (code, lines) = workflow(nowhere, &["verify", "--file", path]).await;
    let told = "workflow `w-1`, step 4: `come_home` is recorded, and the code calls `arrive`, at ";
    assert!(code == Some(1) && lines.len() == 1 && lines[0].starts_with(told), "{lines:?}");
    let (code, lines) = workflow(nowhere, &["verify", "--file", path, "--json"]).await;
    let json = lines.join("");
    assert!(code == Some(1) && json.contains("\"kind\": \"renamed\""), "{json}");
    assert_eq!(place.times("arrived"), 1, "nothing ran again");

    let (code, lines) = workflow(url, &["verify", "w-2"]).await;
    assert_eq!(code, Some(1), "{lines:?}");
    assert_eq!(workflow(url, &["verify"]).await.0, Some(2));
}

/// How often the table was read from one end to the other, and how often anyhow.
const WHOLE_SCANS: &str = "SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'workflow_status'";
const SCANS: &str = "SELECT seq_scan + idx_scan FROM pg_stat_user_tables WHERE relname = 'workflow_status'";

/// On SQLite, the plans are looked at where the statement is.
async fn a_list_among_many_workflows_finds_its_index(database: Database) {
    let migrate = Program::new(WALKER).arg("migrate").env("DBOS_DATABASE_URL", database.url());
    assert!(migrate.start().wait().await.success());
    database
        .execute(
            "INSERT INTO dbos.workflow_status (workflow_uuid, status, name, created_at, updated_at, completed_at,
                                               parent_workflow_id, forked_from)
             SELECT 'w-' || number, CASE WHEN number % 5000 = 0 THEN 'PENDING' WHEN number % 5000 = 1 THEN 'ERROR'
                                         ELSE 'SUCCESS' END,
                    'walk', number, number, number, 'p-' || number % 10000, 'f-' || number % 10000
               FROM generate_series(1, 50000) AS number",
        )
        .await;
    database.execute("ANALYZE dbos.workflow_status").await;

    for words in [
        "list",
        "list --oldest-first --after w-30000",
        "list --status PENDING",
        "list --status ERROR,CANCELLED",
        "list --name walk --status SUCCESS",
        "list --since 1970-01-01T00:00:30Z --until 1970-01-01T00:00:30.010Z",
        "list --ended-since 1970-01-01T00:00:49.990Z --ended-until 1970-01-01T00:00:50Z",
        "list --id w-7 --id w-8",
        "list --parent p-7",
        "list --forked-from f-7",
        "stats --since 1970-01-01T00:00:49Z",
    ] {
        let (whole, scans) = (database.count(WHOLE_SCANS).await, database.count(SCANS).await);
        let (code, lines) = workflow(database.url(), &words.split(' ').collect::<Vec<_>>()).await;
        assert!(code == Some(0) && lines.len() > 1, "{words}: {lines:?}");
        // A server tells once the connection has ended.
        database.until_count(&format!("SELECT count(*) FROM ({SCANS}) AS seen (scans) WHERE scans > {scans}"), 1).await;
        assert_eq!(database.count(WHOLE_SCANS).await, whole, "the whole table was read for: {words}");
    }
}
