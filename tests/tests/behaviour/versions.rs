//! Versions of an application, and changes in its code that open workflows do not see.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use dbos::{DBOS, Error, Result, step, workflow};
use dbos_testkit::board::{open, pass, reached, unique};
use dbos_testkit::{App, Database, behaviours};

use crate::app::{config, steps};

behaviours! { versions:
    a_new_run_takes_the_change_and_keeps_to_it,
    a_run_that_went_the_old_way_keeps_to_it,
    a_run_that_has_not_come_there_takes_the_change,
    a_deprecated_patch_is_passed_over_and_left_out,
    outside_of_workflows_every_change_is_taken,
    versions_are_listed_with_what_waits_for_them,
    another_version_is_made_the_latest,
}

/// The code of a workflow, as if there were three editions of this program.
#[derive(Clone, Copy)]
enum Edition {
    Old,
    Patched,
    Deprecated,
}

static EDITIONS: LazyLock<Mutex<HashMap<String, Edition>>> = LazyLock::new(Mutex::default);

fn edit(name: &str, edition: Edition) {
    EDITIONS.lock().unwrap().insert(name.to_owned(), edition);
}

#[step]
async fn version_waits(gate: &str) {
    pass(gate).await;
}

#[step]
async fn version_old() -> Result<String> {
    Ok("old".to_owned())
}

#[step]
async fn version_new() -> Result<String> {
    Ok("new".to_owned())
}

/// Waits at the gate `{name} before`, goes one of two ways, and waits at the gate `{name} after`.
#[workflow]
async fn version_edited(name: String) -> Result<String> {
    version_waits(&format!("{name} before")).await;
    let edition = EDITIONS.lock().unwrap()[&name];
    let way = match edition {
        Edition::Patched if DBOS::patch("way").await => version_new().await?,
        Edition::Old | Edition::Patched => version_old().await?,
        Edition::Deprecated => {
            DBOS::deprecate_patch("way").await;
            version_new().await?
        }
    };
    version_waits(&format!("{name} after")).await;
    Ok(way)
}

/// One that has come to its second gate, or to its first.
async fn started(app: &App, edition: Edition, comes_to: &str) -> String {
    let name = unique("version");
    edit(&name, edition);
    app.run(async { DBOS::start_workflow(version_edited(name.clone())).workflow_id(&name).await.unwrap() }).await;
    if comes_to == "after" {
        open(&format!("{name} before"));
    }
    reached(&format!("{name} {comes_to}")).await;
    name
}

async fn ended(app: &App, name: &str) -> String {
    open(&format!("{name} before"));
    open(&format!("{name} after"));
    app.result::<Result<String>>(name).await.unwrap()
}

async fn names(database: &Database, workflow: &str) -> Vec<String> {
    steps(database, workflow).await.into_iter().map(|(_, name)| name).collect()
}

async fn a_new_run_takes_the_change_and_keeps_to_it(database: Database) {
    let mut app = App::launch(config(&database)).await;
    let name = started(&app, Edition::Patched, "after").await;

    app.crash_and_relaunch().await;

    assert_eq!(ended(&app, &name).await, "new");
    let expected = ["version_waits", "DBOS.patch-way", "version_new", "version_waits"];
    assert_eq!(names(&database, &name).await, expected);
    let marker = "SELECT output, error FROM dbos.operation_outputs WHERE function_name = 'DBOS.patch-way'";
    assert_eq!(database.query(marker).await, [[None, None]], "as other libraries write it");
}

async fn a_run_that_went_the_old_way_keeps_to_it(database: Database) {
    let mut app = App::launch(config(&database)).await;
    let name = started(&app, Edition::Old, "after").await;
    edit(&name, Edition::Patched);

    app.crash_and_relaunch().await;

    assert_eq!(ended(&app, &name).await, "old");
    assert_eq!(names(&database, &name).await, ["version_waits", "version_old", "version_waits"]);
}

async fn a_run_that_has_not_come_there_takes_the_change(database: Database) {
    let mut app = App::launch(config(&database)).await;
    let name = started(&app, Edition::Old, "before").await;
    edit(&name, Edition::Patched);

    app.crash_and_relaunch().await;

    assert_eq!(ended(&app, &name).await, "new");
}

async fn a_deprecated_patch_is_passed_over_and_left_out(database: Database) {
    let mut app = App::launch(config(&database)).await;
    let patched = started(&app, Edition::Patched, "after").await;
    edit(&patched, Edition::Deprecated);
    let fresh = started(&app, Edition::Deprecated, "after").await;

    app.crash_and_relaunch().await;

    assert_eq!((ended(&app, &patched).await, ended(&app, &fresh).await), ("new".to_owned(), "new".to_owned()));
    assert_eq!(names(&database, &fresh).await, ["version_waits", "version_new", "version_waits"]);
    assert_eq!(names(&database, &patched).await[1], "DBOS.patch-way");
}

async fn outside_of_workflows_every_change_is_taken(database: Database) {
    let app = App::launch(config(&database)).await;

    app.run(async {
        assert!(DBOS::patch("way").await);
        DBOS::deprecate_patch("way").await;
    })
    .await;
}

/// An application that was launched under `first`, left a run, and was launched under `second`, whose code differs.
async fn two_versions(database: &Database) -> App {
    let mut settings = config(database);
    settings.application_version = Some("first".to_owned());
    let mut app = App::launch(settings).await;
    started(&app, Edition::Old, "before").await;
    app.crash().await;
    database.execute("UPDATE dbos_rust.version_workflows SET hash = 'edited' WHERE name = 'version_edited'").await;
    database.execute("UPDATE dbos.application_versions SET version_timestamp = 1000").await;
    app.config.application_version = Some("second".to_owned());
    app.relaunch().await;
    app
}

async fn versions_are_listed_with_what_waits_for_them(database: Database) {
    let app = two_versions(&database).await;

    let versions = app.run(async { DBOS::list_versions().await.unwrap() }).await;

    let shown: Vec<_> = versions.iter().map(|of| (of.version.as_str(), of.is_latest, of.open, of.stranded)).collect();
    assert_eq!(shown, [("second", true, 0, 0), ("first", false, 1, 1)]);
}

async fn another_version_is_made_the_latest(database: Database) {
    let app = two_versions(&database).await;
    let latest = || app.run(async { DBOS::list_versions().await.unwrap().remove(0) });

    app.run(async { DBOS::set_latest_version("first").await.unwrap() }).await;
    assert_eq!((latest().await.version, latest().await.stranded), ("first".to_owned(), 0));
    app.run(async { DBOS::set_latest_version("second").await.unwrap() }).await;
    assert_eq!(latest().await.version, "second");

    let refused = app.run(async { DBOS::set_latest_version("third").await.unwrap_err() }).await;
    assert!(matches!(refused, Error::InvalidKey { .. }), "{refused}");
}
