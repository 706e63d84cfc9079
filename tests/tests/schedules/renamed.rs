//! An application that is given another name, with its queues and schedules and all that they have started.

use dbos::{Client, Config, DBOS, Error, Late, RenamedApplication, Result, WorkflowFilter, step, workflow};
use dbos_testkit::board::{open, pass, ran, reached, unique};
use dbos_testkit::{App, CrashTest, Database, Program, behaviours};
use tempfile::TempDir;

use crate::app::{clock_at, config_with, create, go_to, started};
use crate::managed::NIGHT;
use crate::processes::TICKER;

behaviours! { renamed:
    what_was_the_old_names_goes_on_under_the_new_one,
    an_application_that_runs_is_not_renamed,
    an_application_is_renamed_whole_wherever_it_crashes within 120,
    a_terminal_renames_an_application within 120,
}

#[step]
async fn held(gate: &str) -> Result<u32> {
    let runs = ran(gate);
    pass(gate).await;
    Ok(runs)
}

#[workflow]
async fn guarded(gate: String) -> Result<u32> {
    held(&gate).await
}

/// How many rows say that they are of this application.
async fn rows_of(database: &Database, application: &str) -> i64 {
    let mut rows = 0;
    for table in [
        "dbos.workflow_status",
        "dbos.operation_outputs",
        "dbos.queues",
        "dbos.workflow_schedules",
        "dbos.application_versions",
        "dbos_rust.executors",
        "dbos_rust.app_migrations",
    ] {
        rows += database.count(&format!("SELECT count(*) FROM {table} WHERE application_name = '{application}'")).await;
    }
    rows
}

async fn client(database: &Database) -> Client {
    Client::open(Config::new("client").database_url(database.url())).await.unwrap()
}

async fn what_was_the_old_names_goes_on_under_the_new_one(database: Database) {
    let clock = clock_at("2027-06-01T00:00:30Z");
    let config = |name: &str| {
        let mut config = config_with(&database, &clock);
        name.clone_into(&mut config.application);
        config
    };
    let app = App::launch(config("schedules")).await;
    create(&app, "s", Late::Skip).await;
    let gate = unique("renamed");
    app.run(async {
        DBOS::pause_queue(&NIGHT).await.unwrap();
        guarded(unique("waits")).enqueue(&NIGHT).workflow_id("waits").await.unwrap();
        DBOS::start_workflow(guarded(gate.clone())).workflow_id("runs").await.unwrap();
    })
    .await;
    reached(&gate).await;
    app.crash().await;
    database.execute("INSERT INTO dbos_rust.app_migrations VALUES ('schedules', 1, 'a'), ('schedules', 2, 'b')").await;
    database.execute("INSERT INTO dbos_rust.app_migrations VALUES ('renamed', 1, 'a')").await;

    let client = client(&database).await;
    let renamed = client.run(DBOS::rename_application("schedules", "renamed")).await.unwrap();
    let again = client.run(DBOS::rename_application("schedules", "renamed")).await.unwrap();

    assert_eq!((renamed.workflows, renamed.queues, renamed.schedules, renamed.versions), (2, 1, 2, 1));
    assert_eq!(again, RenamedApplication::default());
    assert_eq!(rows_of(&database, "schedules").await, 0);
    open(&gate);
    let app = App::launch(config("renamed")).await;
    assert_eq!(app.result::<Result<u32>>("runs").await.unwrap(), 2);
    go_to(&clock, "2027-06-01T00:01:00Z");
    database.until_count(&started("s"), 1).await;
    let waiting = app
        .run(async {
            let waiting = DBOS::list_workflows(WorkflowFilter::new().application_name("renamed").id("waits")).await;
            DBOS::cancel_workflow("waits").await.unwrap();
            waiting.unwrap()
        })
        .await;
    assert_eq!(waiting[0].queue_name.as_deref(), Some("night"));
}

async fn an_application_that_runs_is_not_renamed(database: Database) {
    let app = App::launch(config_with(&database, &clock_at("2027-06-01T00:00:30Z"))).await;
    let before = rows_of(&database, "schedules").await;
    let client = client(&database).await;

    let from_outside = client.run(DBOS::rename_application("schedules", "renamed")).await;
    let by_itself = app.run(async { DBOS::rename_application("schedules", "renamed").await }).await;

    for refused in [from_outside, by_itself] {
        assert!(
            matches!(&refused, Err(Error::ApplicationInUse { application, .. }) if application == "schedules"),
            "{refused:?}"
        );
    }
    assert_eq!((rows_of(&database, "schedules").await, rows_of(&database, "renamed").await), (before, 0));
    for names in [("a", "a"), ("", "a"), ("a", "")] {
        let refused = client.run(DBOS::rename_application(names.0, names.1)).await;
        assert!(matches!(refused, Err(Error::InvalidKey { .. })), "{refused:?}");
    }
}

#[workflow]
async fn renames() -> Result<()> {
    DBOS::rename_application("old", "new").await.map(drop)
}

async fn an_application_is_renamed_whole_wherever_it_crashes(database: Database) {
    let backend = database.backend();
    let crash = move || {
        let crashes = CrashTest::on(backend).run(
            async |database| {
                for row in [
                    "INSERT INTO dbos.workflow_status
                            (workflow_uuid, status, name, created_at, updated_at, application_name)
                     VALUES ('x', 'SUCCESS', 'n', 1, 1, 'old')
                     ON CONFLICT DO NOTHING",
                    "INSERT INTO dbos.application_versions
                            (version_id, version_name, version_timestamp, created_at, application_name)
                     VALUES ('v', 'v', 1, 1, 'old')
                     ON CONFLICT DO NOTHING",
                ] {
                    database.execute(row).await;
                }
                renames().workflow_id("m").await
            },
            async |database, renamed| {
                renamed.unwrap();
                assert_eq!((rows_of(database, "old").await, rows_of(database, "new").await), (0, 2));
            },
        );
        assert!(crashes.writes >= 4, "{crashes}");
    };
    tokio::task::spawn_blocking(crash).await.unwrap();
}

/// Runs `ticker application rename ticker clock` to its end: its exit code and what it prints.
async fn rename(database: &Database, json: &[&str]) -> (Option<i32>, String) {
    let folder = TempDir::new().unwrap();
    let words = ["application", "rename", "ticker", "clock"];
    let program = Program::new(TICKER).directory(folder.path());
    let program = words.iter().chain(json).fold(program, Program::arg);
    let process = program.env("DBOS_DATABASE_URL", database.url()).start();
    let code = process.wait().await.code();
    (code, process.all_lines().await.join("\n"))
}

async fn a_terminal_renames_an_application(database: Database) {
    database.execute("CREATE TABLE ticked (second BIGINT NOT NULL)").await;
    let ticker = Program::new(TICKER).env("DATABASE", database.url()).start();
    ticker.wait_for_line("ready").await;

    let (code, said) = rename(&database, &[]).await;
    assert!(code == Some(1) && said.contains("the application `ticker` is running as executor"), "{said}");
    ticker.kill().await;
    let (code, said) = rename(&database, &[]).await;
    assert!(code == Some(0) && said.starts_with("ticker is clock now: "), "{said}");
    assert!(said.ends_with(" workflows, 0 queues, 1 schedules, 1 versions"), "{said}");
    let (code, said) = rename(&database, &["--json"]).await;
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, said["workflows"].as_i64(), said["schedules"].as_i64()), (Some(0), Some(0), Some(0)));

    assert_eq!(rows_of(&database, "ticker").await, 0);
}
