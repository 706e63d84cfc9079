//! A replay takes the path that is recorded, and says so when it cannot.

use dbos::{DBOS, Error, Result, StepCall, step, transaction, workflow};
use dbos_testkit::board::{open, pass, ran, reached, runs_of, unique};
use dbos_testkit::{App, Database, behaviours};
use futures_util::future::join_all;

use crate::app::{config, rewind, steps};

behaviours! { replay:
    changed_code_stops_the_run_and_leaves_its_row,
    changed_code_under_a_child_stops_the_parent_too,
    joined_calls_have_the_ids_of_the_source_whatever_order_they_finish_in,
    joined_calls_replay_alike_from_every_crash,
    a_list_of_calls_replays_alike_from_every_crash,
    a_first_run_sees_what_a_replay_sees,
    a_step_in_a_step_is_an_error_that_says_what_to_do,
    a_plain_step_in_a_step_runs_unrecorded,
    a_plain_call_takes_no_step_id,
    a_plain_transaction_in_a_workflow_records_nothing,
    a_step_outside_a_workflow_just_runs,
    a_step_call_that_is_dropped_never_runs,
    a_stopped_run_runs_its_destructors,
}

#[step]
async fn replay_note(name: &str, n: i64) -> Result<i64> {
    ran(name);
    Ok(n)
}

#[step]
async fn replay_wait(gate: String) -> Result<()> {
    pass(&gate).await;
    Ok(())
}

#[workflow]
async fn replay_changed(name: String) -> Result<i64> {
    let n = replay_note(&name, 1).await?;
    replay_wait(name).await?;
    Ok(n)
}

async fn changed_code_stops_the_run_and_leaves_its_row(database: Database) {
    let mut app = App::launch(config(&database)).await;
    let name = unique("changed");
    app.run(async { DBOS::start_workflow(replay_changed(name.clone())).workflow_id("c").await.unwrap() }).await;
    reached(&name).await;
    app.crash().await;

    database.execute("UPDATE dbos.operation_outputs SET function_name = 'reserve' WHERE function_id = 1").await;
    app.relaunch().await;

    let error = app.result::<Result<i64>>("c").await.unwrap_err();
    let Error::Diverged { workflow, step, recorded, called, location } = &error else { panic!("{error}") };
    assert_eq!((workflow.as_str(), *step, recorded.as_str(), called.as_str()), ("c", 1, "reserve", "replay_note"));
    assert!(location.contains("replay.rs:"), "{location}");
    assert_eq!(runs_of(&name), 1);
    assert_eq!(database.value("SELECT status FROM dbos.workflow_status").await.as_deref(), Some("PENDING"));
}

#[workflow]
async fn replay_parent_of_changed(name: String) -> Result<i64> {
    replay_changed(name).await
}

async fn changed_code_under_a_child_stops_the_parent_too(database: Database) {
    let mut app = App::launch(config(&database)).await;
    let name = unique("changed");
    app.run(async { DBOS::start_workflow(replay_parent_of_changed(name.clone())).workflow_id("p").await.unwrap() })
        .await;
    reached(&name).await;
    app.crash().await;

    database.execute("UPDATE dbos.operation_outputs SET function_name = 'reserve' WHERE workflow_uuid = 'p-1'").await;
    app.relaunch().await;

    let error = app.result::<Result<i64>>("p").await.unwrap_err();
    assert!(matches!(&error, Error::Diverged { workflow, .. } if workflow == "p-1"), "{error}");
    assert_eq!(database.count("SELECT count(*) FROM dbos.workflow_status WHERE status = 'PENDING'").await, 2);
}

#[step]
async fn replay_late(name: &str, gate: &str, n: i64) -> Result<i64> {
    ran(name);
    pass(gate).await;
    Ok(n)
}

#[workflow]
async fn replay_backwards(name: String) -> Result<Vec<i64>> {
    let gates = [1, 2, 3].map(|n| format!("{name}-{n}"));
    let first = replay_late(&name, &gates[0], 1);
    let second = replay_late(&name, &gates[1], 2);
    let third = replay_late(&name, &gates[2], 3);
    let (first, second, third) = tokio::join!(
        first,
        async {
            let second = second.await;
            open(&gates[0]);
            second
        },
        async {
            let third = third.await;
            open(&gates[1]);
            third
        },
    );
    let fourth = replay_note(&name, 4).await?;
    Ok(vec![first?, second?, third?, fourth])
}

async fn joined_calls_have_the_ids_of_the_source_whatever_order_they_finish_in(database: Database) {
    let app = App::launch(config(&database)).await;
    let name = unique("backwards");
    open(&format!("{name}-3"));

    let values = app.run(async { replay_backwards(name.clone()).workflow_id("b").await.unwrap() }).await;

    assert_eq!(values, [1, 2, 3, 4]);
    let outputs = database.query("SELECT output FROM dbos.operation_outputs ORDER BY function_id").await;
    let outputs: Vec<_> = outputs.iter().map(|row| row[0].clone().unwrap()).collect();
    assert_eq!(outputs, ["1", "2", "3", "4"]);
}

async fn joined_calls_replay_alike_from_every_crash(database: Database) {
    let mut app = App::launch(config(&database)).await;
    let name = unique("backwards");
    open(&format!("{name}-3"));
    app.run(async { replay_backwards(name.clone()).workflow_id("b").await.unwrap() }).await;
    let recorded = steps(&database, "b").await;

    // Whichever of the four were recorded when the process died.
    for mask in 0..16 {
        let keep: Vec<_> = (1..=4).filter(|id| mask & (1 << (id - 1)) != 0).map(|id| id.to_string()).collect();
        let keep = if keep.is_empty() { "1 = 0".to_owned() } else { format!("function_id IN ({})", keep.join(", ")) };
        app.crash().await;
        rewind(&database, "b", &keep).await;
        app.relaunch().await;

        assert_eq!(app.result::<Result<Vec<i64>>>("b").await.unwrap(), [1, 2, 3, 4], "{keep}");
        assert_eq!(steps(&database, "b").await, recorded, "{keep}");
    }

    // Each of the four steps was forgotten in half of the crashes.
    assert_eq!(runs_of(&name), 4 + 4 * 8);
}

#[workflow]
async fn replay_list(name: String, n: i64) -> Result<Vec<i64>> {
    let values = join_all((0..n).map(|i| replay_note(&name, i))).await;
    let mut values = values.into_iter().collect::<Result<Vec<_>>>()?;
    values.push(replay_note(&name, 100).await?);
    Ok(values)
}

async fn a_list_of_calls_replays_alike_from_every_crash(database: Database) {
    let mut app = App::launch(config(&database)).await;
    let name = unique("list");
    let values = app.run(async { replay_list(name.clone(), 6).workflow_id("l").await.unwrap() }).await;
    let recorded = steps(&database, "l").await;
    assert_eq!(recorded.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7]);

    for keep in ["1 = 0", "function_id < 4", "function_id > 3", "function_id % 2 = 0", "1 = 1"] {
        app.crash().await;
        rewind(&database, "l", keep).await;
        app.relaunch().await;

        assert_eq!(app.result::<Result<Vec<i64>>>("l").await.unwrap(), values, "{keep}");
        assert_eq!(steps(&database, "l").await, recorded, "{keep}");
    }
}

#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Narrow {
    kept: u8,
    #[serde(skip)]
    lost: u8,
}

#[step]
async fn replay_narrow() -> Result<Narrow> {
    Ok(Narrow { kept: 1, lost: 2 })
}

#[workflow]
async fn replay_sees_narrow() -> Result<u8> {
    let narrow = replay_narrow().await?;
    Ok(narrow.kept + narrow.lost)
}

async fn a_first_run_sees_what_a_replay_sees(database: Database) {
    let app = App::launch(config(&database)).await;

    let error = app.run(async { replay_sees_narrow().await.unwrap_err() }).await;

    assert!(
        matches!(&error, Error::Unstorable { reason, .. } if reason.contains("would not come back equal")),
        "{error}"
    );
}

#[step]
async fn replay_outer(name: String) -> Result<i64> {
    replay_note(&name, 1).await
}

#[workflow]
async fn replay_nested(name: String) -> Result<i64> {
    replay_outer(name).await
}

async fn a_step_in_a_step_is_an_error_that_says_what_to_do(database: Database) {
    let app = App::launch(config(&database)).await;
    let name = unique("nested");

    let error = app.run(async { replay_nested(name.clone()).await.unwrap_err() }).await;

    let text = error.to_string();
    assert!(matches!(error, Error::NestedStep { .. }), "{text}");
    assert!(text.contains("replay_note") && text.contains("replay_outer") && text.contains(".plain()"), "{text}");
    assert_eq!(runs_of(&name), 0);
}

#[step]
async fn replay_outer_plain(name: String) -> Result<String> {
    replay_note(&name, 1).plain().await?;
    replay_key().plain().await
}

#[step]
async fn replay_key() -> Result<String> {
    Ok(DBOS::step_key())
}

#[workflow]
async fn replay_nested_plainly(name: String) -> Result<String> {
    replay_outer_plain(name).await
}

async fn a_plain_step_in_a_step_runs_unrecorded(database: Database) {
    let app = App::launch(config(&database)).await;
    let name = unique("nested");

    let key = app.run(async { replay_nested_plainly(name.clone()).workflow_id("n").await.unwrap() }).await;

    assert_eq!((key.as_str(), runs_of(&name)), ("n-1", 1));
    assert_eq!(steps(&database, "n").await, [(1, "replay_outer_plain".to_owned())]);
}

#[workflow]
async fn replay_plain(name: String) -> Result<i64> {
    let plain = replay_note(&name, 1).plain().await?;
    let child = replay_changed_child(name.clone()).plain().await?;
    Ok(plain + child + replay_note(&name, 2).await?)
}

#[workflow]
async fn replay_changed_child(name: String) -> Result<i64> {
    replay_note(&name, 10).await
}

async fn a_plain_call_takes_no_step_id(database: Database) {
    let app = App::launch(config(&database)).await;
    let name = unique("plain");

    let sum = app.run(async { replay_plain(name.clone()).workflow_id("p").await.unwrap() }).await;

    assert_eq!(sum, 13);
    // The step of the child's body is the workflow's own now.
    assert_eq!(steps(&database, "p").await, [(1, "replay_note".to_owned()), (2, "replay_note".to_owned())]);
    assert_eq!(database.count("SELECT count(*) FROM dbos.workflow_status").await, 1);
}

#[transaction]
async fn replay_insert(tx: &mut dbos::Tx, n: i64) -> Result<i64> {
    tx.query("INSERT INTO notes VALUES ($1)").bind(n).execute().await?;
    Ok(n)
}

#[workflow]
async fn replay_plain_transaction(name: String) -> Result<i64> {
    let plain = replay_insert(1).plain().await?;
    Ok(plain + replay_note(&name, 2).await?)
}

async fn a_plain_transaction_in_a_workflow_records_nothing(database: Database) {
    let app = App::launch(config(&database)).await;
    database.execute("CREATE TABLE notes (n BIGINT)").await;
    let name = unique("plain");

    let sum = app.run(async { replay_plain_transaction(name).workflow_id("p").await.unwrap() }).await;

    assert_eq!(sum, 3);
    assert_eq!(database.count("SELECT count(*) FROM notes").await, 1);
    assert_eq!(steps(&database, "p").await, [(1, "replay_note".to_owned())]);
}

async fn a_step_outside_a_workflow_just_runs(database: Database) {
    let app = App::launch(config(&database)).await;
    let name = unique("outside");

    let values = app.run(async { (replay_note(&name, 1).await.unwrap(), replay_note(&name, 2).await.unwrap()) }).await;

    assert_eq!((values, runs_of(&name)), ((1, 2), 2));
    assert_eq!(database.count("SELECT count(*) FROM dbos.operation_outputs").await, 0);
}

#[workflow]
async fn replay_dropped(name: String) -> Result<i64> {
    let dropped: StepCall<'_, Result<i64>> = replay_note(&name, 1);
    drop(dropped);
    replay_note(&name, 2).await
}

async fn a_step_call_that_is_dropped_never_runs(database: Database) {
    let app = App::launch(config(&database)).await;
    let name = unique("dropped");

    app.run(async { replay_dropped(name.clone()).workflow_id("d").await.unwrap() }).await;

    assert_eq!(runs_of(&name), 1);
    assert_eq!(steps(&database, "d").await, [(2, "replay_note".to_owned())]);
}

struct TellsTheEnd(String);

impl Drop for TellsTheEnd {
    fn drop(&mut self) {
        open(&self.0);
    }
}

#[workflow]
async fn replay_with_a_guard(name: String) -> Result<()> {
    let _guard = TellsTheEnd(format!("{name}-dropped"));
    replay_wait(name).await
}

async fn a_stopped_run_runs_its_destructors(database: Database) {
    let app = App::launch(config(&database)).await;
    let name = unique("guard");
    app.run(async { DBOS::start_workflow(replay_with_a_guard(name.clone())).workflow_id("g").await.unwrap() }).await;
    reached(&name).await;

    app.run(async { DBOS::cancel_workflow("g").await.unwrap() }).await;

    pass(&format!("{name}-dropped")).await;
    let error = app.result::<Result<()>>("g").await.unwrap_err();
    assert!(matches!(error, Error::Cancelled { .. }), "{error}");
}
