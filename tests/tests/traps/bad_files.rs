//! Databases that are damaged, or may not be written: refused at launch with a word about what to do, and never an
//! outcome of what runs already.

use std::fs;
use std::path::Path;
use std::time::Duration;

use dbos::{DBOS, Engine, Error, Result, WorkflowHandle};
use dbos_testkit::board::{open, reached_times, unique};
use dbos_testkit::{App, Database, Disk, Program, behaviours, free_port, http};
use tempfile::TempDir;

use crate::app::{config, doubled, shopping, shopping_at_gate, with_orders};
use crate::two_processes::WALKER;

behaviours! { bad_files:
    a_damaged_file_is_refused_and_left_as_it_is on sqlite,
    a_file_or_folder_that_may_not_be_written_is_refused on sqlite_disk,
    somebody_elses_tables_are_left_alone on sqlite,
    damage_while_it_runs_is_no_outcome on sqlite,
    a_server_that_only_reads_is_refused on postgres,
    a_server_that_only_reads_for_a_while_is_waited_for_and_told on postgres within 120,
}

async fn refusal(database: &Database) -> String {
    match Engine::launch(config(database.url())).await {
        Err(Error::Configuration(message)) => message,
        other => panic!("{other:?} instead of a refusal"),
    }
}

async fn start_at_gate(app: &App, gate: &str, workflows: u32) -> Vec<WorkflowHandle<Result<String>>> {
    let mut handles = Vec::new();
    for _ in 0..workflows {
        let start = async { DBOS::start_workflow(shopping_at_gate(gate.to_owned(), unique("s"))).await.unwrap() };
        handles.push(app.run(start).await);
    }
    reached_times(gate, workflows).await;
    handles
}

/// A file with tables and a workflow in it, and no log beside it.
async fn used_file(database: &Database) -> Vec<u8> {
    let app = App::launch(config(database.url())).await;
    with_orders(database).await;
    app.run(async { shopping(unique("before")).await.unwrap() }).await;
    app.engine.shutdown().await;
    without_log(database).await
}

async fn without_log(database: &Database) -> Vec<u8> {
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)").await;
    fs::read(database.path().unwrap()).unwrap()
}

/// What is left of a file after an accident.
type Damage = fn(&[u8]) -> Vec<u8>;

async fn a_damaged_file_is_refused_and_left_as_it_is(database: Database) {
    let whole = used_file(&database).await;
    let path = database.path().unwrap();
    let kinds: [(&str, Damage); 4] = [
        ("its first page is overwritten", |whole| [&[0x55; 4096], &whole[4096..]].concat()),
        ("its end is missing", |whole| whole[..whole.len() / 2].to_vec()),
        ("half a page is left", |whole| whole[..2048].to_vec()),
        ("it is a text", |_| b"Dear diary, ".repeat(1000)),
    ];

    for (kind, damage) in kinds {
        let damaged = damage(&whole);
        fs::write(path, &damaged).unwrap();

        let message = refusal(&database).await;

        assert!(message.contains(&path.display().to_string()), "{kind}: {message}");
        assert!(message.contains("put back a copy that is whole"), "{kind}: {message}");
        assert!(fs::read(path).unwrap() == damaged, "{kind}: the file was changed");
    }
    fs::write(path, &whole).unwrap();
    App::launch(config(database.url())).await;
    assert_eq!(database.count("SELECT count(*) FROM dbos.workflow_status WHERE status = 'SUCCESS'").await, 1);
}

async fn a_file_or_folder_that_may_not_be_written_is_refused(disk: Disk, database: Database) {
    used_file(&database).await;
    let file = database.path().unwrap();
    let folder = file.parent().unwrap();

    for read_only in [file, folder] {
        disk.make_read_only(read_only);
        let message = refusal(&database).await;
        disk.make_writable(read_only);

        assert!(message.contains(&file.display().to_string()), "{message}");
        assert!(message.contains("must be able to write"), "{message}");
    }
    App::launch(config(database.url())).await;
}

async fn somebody_elses_tables_are_left_alone(database: Database) {
    database.execute("PRAGMA journal_mode = DELETE; CREATE TABLE letters (text TEXT)").await;
    database.execute("INSERT INTO letters VALUES ('dear diary')").await;

    let app = App::launch(config(database.url())).await;
    with_orders(&database).await;
    app.run(async { shopping(unique("beside")).await.unwrap() }).await;

    assert_eq!(database.value("SELECT text FROM letters").await.unwrap(), "dear diary");
}

async fn damage_while_it_runs_is_no_outcome(database: Database) {
    let app = App::launch(config(database.url())).await;
    with_orders(&database).await;
    let gate = unique("gate");
    let handles = start_at_gate(&app, &gate, 5).await;
    let whole = without_log(&database).await;
    let path = database.path().unwrap();

    fs::write(path, vec![0x55; whole.len()]).unwrap();
    open(&gate);

    for handle in &handles {
        let told = tokio::time::timeout(Duration::from_secs(20), handle.result()).await;
        let error = told.expect("whoever waits is told").unwrap_err().to_string();
        assert!(error.contains("malformed") || error.contains("not a database"), "{error}");
    }
    app.crash().await;
    for ending in ["-wal", "-shm"] {
        fs::remove_file(with_ending(path, ending)).ok();
    }
    fs::write(path, &whole).unwrap();
    let app = App::launch(config(database.url())).await;
    for handle in &handles {
        assert_eq!(app.result::<Result<String>>(handle.workflow_id()).await.unwrap(), "ordered milk");
    }
    assert!(doubled(&database).await.is_empty());
}

fn with_ending(path: &Path, ending: &str) -> std::path::PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

const KICK: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                     WHERE datname = current_database() AND pid <> pg_backend_pid()";

/// As an administrator does it, or the failover of a managed server.
async fn set_read_only(database: &Database, value: &str) {
    let name = database.value("SELECT current_database()").await.unwrap();
    let change = format!("BEGIN READ WRITE; ALTER DATABASE {name} SET default_transaction_read_only = {value}; COMMIT");
    database.execute(&change).await;
    database.execute(KICK).await;
}

async fn a_server_that_only_reads_is_refused(database: Database) {
    Engine::migrate_only(&config(database.url())).await.unwrap();
    set_read_only(&database, "on").await;

    let message = refusal(&database).await;

    assert!(message.contains("is read-only") && message.contains("default_transaction_read_only"), "{message}");
}

async fn a_server_that_only_reads_for_a_while_is_waited_for_and_told(database: Database) {
    let app = App::launch(config(database.url())).await;
    with_orders(&database).await;
    let (folder, port) = (TempDir::new().unwrap(), free_port().to_string());
    let program = Program::new(WALKER).directory(folder.path()).arg("start").arg("--port").arg(&port);
    let program = program.env("DBOS_DATABASE_URL", database.url()).start();
    program.wait_for_line("is running at").await;
    let ready = async || http::get(format!("http://127.0.0.1:{port}/dbos-readyz")).await.unwrap();
    let gate = unique("gate");
    let handles = start_at_gate(&app, &gate, 5).await;

    set_read_only(&database, "on").await;
    open(&gate);
    // At first that it is read-only, and later that the lease ran out because of it.
    let ran_out = loop {
        let answer = ready().await;
        if answer.body.contains("the lease") {
            break answer;
        }
    };
    set_read_only(&database, "off").await;

    assert!(ran_out.status == 503 && ran_out.body.contains("it is read-only"), "{ran_out:?}");
    for handle in &handles {
        assert_eq!(handle.result().await.unwrap(), "ordered milk");
    }
    assert!(doubled(&database).await.is_empty());
    while ready().await.status != 200 {
        tokio::task::yield_now().await;
    }
}
