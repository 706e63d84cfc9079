//! Workflows that begin again: forked under another id, rewound under their own; and workflows that are deleted.

use std::time::Duration;

use dbos::{DBOS, Error, Event, Result, StartFrom, Topic, Tx, WorkflowFilter, step, transaction, workflow};
use dbos_testkit::board::{open, pass, ran, reached, runs_of, unique};
use dbos_testkit::{App, CrashTest, Database, behaviours};

use crate::app::{config, rewind, steps};

behaviours! { again:
    a_fork_begins_with_what_was_recorded_before_its_step,
    a_fork_begins_where_it_is_told_to,
    a_fork_that_cannot_be_is_refused,
    a_fork_asked_for_again_is_the_same_fork,
    a_fork_runs_under_the_version_it_is_given,
    a_forked_workflow_ends_once_wherever_it_crashes within 300,
    a_rewound_workflow_runs_again_under_its_own_id,
    a_rewound_workflow_ends_once_wherever_it_crashes within 300,
    what_has_not_ended_is_not_rewound,
    nothing_is_left_of_a_deleted_workflow,
    a_workflow_is_deleted_whole_wherever_it_crashes within 300,
    what_has_not_ended_is_not_deleted,
    a_workflow_that_changes_others_replays_what_it_did,
}

const HOUR: Duration = Duration::from_hours(1);
const PROGRESS: Event<u32> = Event::new("progress");
const WORD: Topic<String> = Topic::new("word");

#[step]
async fn again_count(name: &str, what: &str) -> Result<u32> {
    Ok(ran(&format!("{name} {what}")))
}

#[step]
async fn again_fails(name: &str) -> Result<()> {
    Err(Error::new(format!("{} failed", ran(&format!("{name} fails")))))
}

#[workflow]
async fn again_child(number: u32) -> Result<u32> {
    DBOS::set_event(PROGRESS, number).await?;
    Ok(number)
}

/// Steps 1 to 9.
#[workflow]
async fn again_parent(name: String) -> Result<(u32, Option<String>, u32)> {
    let first = again_count(&name, "first").await?;
    DBOS::set_event(PROGRESS, first).await?;
    let word = DBOS::recv(WORD, HOUR).await?;
    again_fails(&name).await.ok();
    let second = again_count(&name, "second").await?;
    DBOS::set_event(PROGRESS, 100 + second).await?;
    again_child(second).await?;
    Ok((first, word, second))
}

type Outcome = Result<(u32, Option<String>, u32)>;

/// One that has ended, under this id; gives the name under which its steps count.
async fn ended(app: &App, id: &str) -> String {
    let name = unique("again");
    let handle =
        app.run(async { DBOS::start_workflow(again_parent(name.clone())).workflow_id(id).await.unwrap() }).await;
    app.run(async { DBOS::send(id, "go", WORD).await.unwrap() }).await;
    assert_eq!(handle.result().await.unwrap(), (1, Some("go".to_owned()), 1));
    name
}

fn runs(name: &str) -> [u32; 3] {
    ["first", "fails", "second"].map(|what| runs_of(&format!("{name} {what}")))
}

async fn a_fork_begins_with_what_was_recorded_before_its_step(database: Database) {
    let app = App::launch(config(&database)).await;
    let name = ended(&app, "w").await;

    let fork = app.run(async { DBOS::fork_workflow("w", 6).workflow_id("f").await.unwrap() }).await;

    assert_eq!(fork, "f");
    assert_eq!(app.result::<Outcome>("f").await.unwrap(), (1, Some("go".to_owned()), 2));
    assert_eq!(runs(&name), [1, 1, 2]);
    let progress = |id: &'static str| app.run(async move { DBOS::get_event(id, PROGRESS).await.unwrap() });
    assert_eq!((progress("w").await, progress("f").await), (Some(101), Some(102)));
    let row = "SELECT name, forked_from, was_forked_from, queue_name, parent_workflow_id FROM dbos.workflow_status";
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        database.query(&format!("{row} WHERE workflow_uuid = 'f'")).await,
        [[text("again_parent"), text("w"), text("false"), text("_dbos_internal_queue"), None]]
    );
    let forked = app.run(async { DBOS::list_workflows(WorkflowFilter::new().was_forked(true)).await.unwrap() }).await;
    assert_eq!(forked.iter().map(|row| row.workflow_id.as_str()).collect::<Vec<_>>(), ["w"]);
    let history = "SELECT count(*) FROM dbos.workflow_events_history WHERE workflow_uuid = 'f' AND function_id < 6";
    assert_eq!(database.count(history).await, 1);
}

async fn a_fork_begins_where_it_is_told_to(database: Database) {
    let app = App::launch(config(&database)).await;
    let name = ended(&app, "w").await;
    let mut expected = runs(&name);

    for (from, again) in [
        (StartFrom::Step(10), [0, 0, 0]),
        (StartFrom::LastStep, [0, 0, 0]),
        (StartFrom::LastFailure, [0, 1, 1]),
        (StartFrom::StepNamed("again_count".to_owned()), [0, 0, 1]),
        (StartFrom::Step(5), [0, 1, 1]),
        (StartFrom::Step(2), [0, 1, 1]),
        (StartFrom::Beginning, [1, 1, 1]),
    ] {
        let fork = app.run(async { DBOS::fork_workflow("w", from.clone()).await.unwrap() }).await;
        app.run(async { DBOS::send(fork.clone(), "again", WORD).await.unwrap() }).await;
        app.result::<Outcome>(&fork).await.unwrap();

        expected = std::array::from_fn(|step| expected[step] + again[step]);
        assert_eq!(runs(&name), expected, "{from:?}");
    }
}

async fn a_fork_that_cannot_be_is_refused(database: Database) {
    let app = App::launch(config(&database)).await;
    ended(&app, "w").await;
    ended(&app, "v").await;

    for (asked, reason) in [
        (app.run(async { DBOS::fork_workflow("nobody", 1) }).await, "no workflow has the id `nobody`"),
        (app.run(async { DBOS::fork_workflow("w", 0) }).await, "the first step is number 1"),
        (app.run(async { DBOS::fork_workflow("w", 11) }).await, "the last one of workflow `w` is 9"),
        (app.run(async { DBOS::fork_workflow("w", StartFrom::StepNamed("pay".to_owned())) }).await, "named `pay`"),
        (app.run(async { DBOS::fork_workflow("w", 1).workflow_id("v") }).await, "`v` was started before"),
        (app.run(async { DBOS::fork_workflow("w", 1).workflow_id("a\nb") }).await, "control character"),
    ] {
        let refused = app.run(async { asked.await.unwrap_err() }).await.to_string();
        assert!(refused.contains(reason), "{refused}");
    }
    assert_eq!(database.count("SELECT count(*) FROM dbos.workflow_status WHERE forked_from IS NOT NULL").await, 0);
}

async fn a_fork_asked_for_again_is_the_same_fork(database: Database) {
    let app = App::launch(config(&database)).await;
    let name = ended(&app, "w").await;

    for _ in 0..3 {
        app.run(async { DBOS::fork_workflow("w", 6).workflow_id("f").await.unwrap() }).await;
        app.result::<Outcome>("f").await.unwrap();
    }

    assert_eq!(runs(&name), [1, 1, 2]);
}

async fn a_fork_runs_under_the_version_it_is_given(database: Database) {
    let mut app = App::launch(config(&database)).await;
    ended(&app, "w").await;
    app.crash().await;
    database.execute("UPDATE dbos_rust.version_workflows SET hash = 'edited' WHERE name = 'again_parent'").await;
    app.config.application_version = Some("next".to_owned());
    app.relaunch().await;

    app.run(async { DBOS::fork_workflow("w", 6).workflow_id("old").await.unwrap() }).await;
    app.run(async { DBOS::fork_workflow("w", 6).workflow_id("new").application_version("next").await.unwrap() }).await;

    app.result::<Outcome>("new").await.unwrap();
    let status = "SELECT status FROM dbos.workflow_status WHERE workflow_uuid = 'old'";
    assert_eq!(
        database.value(status).await.as_deref(),
        Some("ENQUEUED"),
        "no program has the code it was recorded with"
    );
}

#[transaction]
async fn again_order(tx: &mut Tx, item: &str) -> Result<()> {
    tx.query("INSERT INTO orders VALUES ($1)").bind(item.to_owned()).execute().await?;
    Ok(())
}

#[workflow]
async fn again_orders() -> Result<()> {
    again_order("tea").await?;
    again_order("milk").await
}

fn crash_test(database: &Database) -> CrashTest {
    CrashTest::on(database.backend()).with_config(config(database)).with_tables("CREATE TABLE orders (item TEXT)")
}

async fn a_forked_workflow_ends_once_wherever_it_crashes(database: Database) {
    let test = crash_test(&database);

    let crashes = tokio::task::spawn_blocking(move || {
        test.run(
            async |_| {
                again_orders().workflow_id("o").await?;
                let fork = DBOS::fork_workflow("o", 2).workflow_id("f").await?;
                DBOS::retrieve_workflow::<Result<()>>(fork)?.result().await
            },
            async |database, outcome| {
                outcome.unwrap();
                assert_eq!(database.count("SELECT count(*) FROM orders WHERE item = 'tea'").await, 1);
                assert_eq!(database.count("SELECT count(*) FROM orders WHERE item = 'milk'").await, 2);
            },
        )
    });

    assert!(crashes.await.unwrap().writes >= 7);
}

async fn a_rewound_workflow_runs_again_under_its_own_id(database: Database) {
    let app = App::launch(config(&database)).await;
    let name = ended(&app, "w").await;

    app.run(async { DBOS::rewind_workflow("w", 3).await.unwrap() }).await;

    assert_eq!(app.result::<Outcome>("w").await.unwrap(), (1, Some("go".to_owned()), 2), "its message waited again");
    assert_eq!(runs(&name), [1, 2, 2]);
    assert_eq!(app.run(async { DBOS::get_event("w", PROGRESS).await.unwrap() }).await, Some(102));
    assert_eq!(database.count("SELECT count(*) FROM dbos.notifications WHERE consumed = TRUE").await, 1);
    app.run(async { DBOS::rewind_workflow("w", StartFrom::Beginning).await.unwrap() }).await;
    assert_eq!(app.result::<Outcome>("w").await.unwrap().0, 2);
}

async fn a_rewound_workflow_ends_once_wherever_it_crashes(database: Database) {
    let test = crash_test(&database);

    let crashes = tokio::task::spawn_blocking(move || {
        test.run(
            async |_| {
                again_orders().workflow_id("o").await?;
                match DBOS::rewind_workflow("o", 2).await {
                    // Asked a second time, while it runs after the first.
                    Ok(()) | Err(Error::NotEnded { .. }) => {}
                    Err(error) => return Err(error),
                }
                DBOS::retrieve_workflow::<Result<()>>("o")?.result().await
            },
            async |database, outcome| {
                outcome.unwrap();
                assert_eq!(database.count("SELECT count(*) FROM orders WHERE item = 'tea'").await, 1);
                assert!(database.count("SELECT count(*) FROM orders WHERE item = 'milk'").await >= 2);
                let steps = "SELECT count(*) FROM dbos.operation_outputs WHERE workflow_uuid = 'o'";
                assert_eq!(database.count(steps).await, 2);
            },
        )
    });

    assert!(crashes.await.unwrap().writes >= 7);
}

#[step]
async fn again_waits(gate: &str) {
    pass(gate).await;
}

#[workflow]
async fn again_waiter(gate: String) -> Result<()> {
    again_waits(&gate).await;
    Ok(())
}

#[workflow]
async fn again_mother(gate: String) -> Result<()> {
    DBOS::start_workflow(again_waiter(gate)).workflow_id("child").await?;
    Ok(())
}

async fn what_has_not_ended_is_not_rewound(database: Database) {
    let app = App::launch(config(&database)).await;
    let gate = unique("again");
    app.run(async { DBOS::start_workflow(again_waiter(gate.clone())).workflow_id("w").await.unwrap() }).await;
    reached(&gate).await;

    let refused = app.run(async { DBOS::rewind_workflow("w", 1).await.unwrap_err() }).await;

    assert_eq!(refused.to_string(), "workflow `w` has not ended, it is PENDING; cancel it first");
    open(&gate);
    app.result::<Result<()>>("w").await.unwrap();
}

const TABLES: [&str; 8] = [
    "workflow_status",
    "workflow_input",
    "workflow_output",
    "operation_outputs",
    "workflow_events",
    "workflow_events_history",
    "notifications",
    "streams",
];

async fn rows(database: &Database) -> i64 {
    let mut rows = 0;
    for table in TABLES {
        rows += database.count(&format!("SELECT count(*) FROM dbos.{table}")).await;
    }
    rows
}

async fn nothing_is_left_of_a_deleted_workflow(database: Database) {
    let app = App::launch(config(&database)).await;
    ended(&app, "v").await;
    let before = rows(&database).await;
    ended(&app, "w").await;

    app.run(async { DBOS::delete_workflow("w").with_children().await.unwrap() }).await;

    assert_eq!(rows(&database).await, before);
    assert_eq!(database.count("SELECT count(*) FROM dbos.workflow_status").await, 2, "another one and its child");
    app.run(async { DBOS::delete_workflow("w").await.unwrap() }).await;
    app.run(async { DBOS::delete_workflow("v").await.unwrap() }).await;
    assert_eq!(database.value("SELECT name FROM dbos.workflow_status").await.as_deref(), Some("again_child"));
}

/// Under one id, one after the other.
#[workflow]
async fn again_replaces() -> Result<[u32; 2]> {
    let first = again_echo(1).workflow_id("echo").await?;
    DBOS::delete_workflow("echo").await?;
    let second = again_echo(2).workflow_id("echo").await?;
    Ok([first, second])
}

#[workflow]
async fn again_echo(number: u32) -> Result<u32> {
    again_is(number).await
}

#[step]
async fn again_is(number: u32) -> Result<u32> {
    Ok(number)
}

async fn a_workflow_is_deleted_whole_wherever_it_crashes(database: Database) {
    let test = CrashTest::on(database.backend());

    let crashes = tokio::task::spawn_blocking(move || {
        test.run(
            async |_| again_replaces().workflow_id("w").await,
            async |_, numbers| assert_eq!(numbers.unwrap(), [1, 2], "the second has no steps of the first"),
        )
    });

    assert!(crashes.await.unwrap().writes >= 10);
}

#[workflow]
async fn again_deletes_itself() -> Result<()> {
    DBOS::delete_workflow(DBOS::workflow_id()).await
}

async fn what_has_not_ended_is_not_deleted(database: Database) {
    let app = App::launch(config(&database)).await;
    let gate = unique("again");
    app.run(async { again_mother(gate.clone()).workflow_id("mother").await.unwrap() }).await;
    reached(&gate).await;
    let before = rows(&database).await;

    let refused = app.run(async { DBOS::delete_workflow("mother").with_children().await.unwrap_err() }).await;
    assert_eq!(refused.to_string(), "workflow `child` has not ended, it is PENDING; cancel it first");
    let itself = app.run(async { again_deletes_itself().workflow_id("self").await.unwrap_err() }).await;
    assert_eq!(itself.to_string(), "workflow `self` has not ended, it is PENDING; cancel it first");

    assert_eq!(rows(&database).await, before + 4, "what the refused one recorded");
    open(&gate);
    app.result::<Result<()>>("child").await.unwrap();
}

#[workflow]
async fn again_manager() -> Result<String> {
    let fork = DBOS::fork_workflow("w", 6).await?;
    DBOS::rewind_workflow("v", 6).await?;
    DBOS::delete_workflow("u").await?;
    Ok(fork)
}

async fn a_workflow_that_changes_others_replays_what_it_did(database: Database) {
    let mut app = App::launch(config(&database)).await;
    let name = ended(&app, "w").await;
    ended(&app, "v").await;
    ended(&app, "u").await;

    let fork = app.run(async { again_manager().workflow_id("m").await.unwrap() }).await;

    app.result::<Outcome>(&fork).await.unwrap();
    app.result::<Outcome>("v").await.unwrap();
    let recorded = ["DBOS.forkWorkflow", "DBOS.rewindWorkflow", "DBOS.deleteWorkflow"];
    let expected: Vec<_> = (1..).zip(recorded.map(str::to_owned)).collect();
    assert_eq!(steps(&database, "m").await, expected);
    // It crashes before anything is recorded: the fork is the same, what is gone need not be deleted.
    app.crash().await;
    rewind(&database, "m", "FALSE").await;
    app.relaunch().await;
    assert_eq!(app.result::<Result<String>>("m").await.unwrap(), fork);
    app.result::<Outcome>("v").await.unwrap();
    assert_eq!(runs(&name), [1, 1, 2]);
}
