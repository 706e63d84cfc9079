//! Looking at workflows from outside, cancelling them with their children, resuming them.

use dbos::{Clock, Config, DBOS, Error, Result, Status, StepStatus, WorkflowFilter, WorkflowStatus, step, workflow};
use dbos_testkit::board::{open, pass, ran, reached, runs_of, unique};
use dbos_testkit::{App, Backend, CrashTest, Database, behaviours};

use crate::app::{config, rewind, steps};

behaviours! { manage:
    a_list_has_what_was_asked_for_and_nothing_else,
    pages_have_every_workflow_once,
    a_bad_row_is_listed_as_what_it_is,
    steps_are_listed_in_their_order,
    a_cancelled_workflow_goes_on_after_its_last_step,
    a_workflow_that_was_set_aside_goes_on_and_counts_anew,
    a_resumed_workflow_has_its_whole_timeout_again,
    what_has_ended_by_itself_is_not_resumed,
    what_somebody_runs_is_not_resumed,
    what_a_dead_program_left_is_resumed_for_the_next_one,
    another_program_takes_up_what_is_resumed,
    a_resumed_workflow_ends_once_wherever_it_crashes within 300,
    a_resumed_workflow_waits_for_its_code,
    what_other_libraries_resume_goes_on_too,
    a_bad_row_in_the_queue_holds_nobody_up,
    a_workflow_is_cancelled_with_all_it_started,
    a_workflow_is_cancelled_without_what_it_started,
    a_workflow_that_manages_others_replays_what_it_saw,
    a_transaction_may_not_manage,
}

#[step]
async fn manage_note(name: &str) {
    ran(name);
}

#[step]
async fn manage_waits(gate: &str) {
    pass(gate).await;
}

/// Notes, waits at the gate of its name, and notes again.
#[workflow]
async fn manageable(name: String) -> Result<String> {
    manage_note(&name).await;
    manage_waits(&name).await;
    manage_note(&name).await;
    Ok(name)
}

#[workflow]
async fn brief(number: u32) -> Result<u32> {
    Ok(number)
}

async fn ids(app: &App, filter: WorkflowFilter) -> Vec<String> {
    let found = app.run(async { DBOS::list_workflows(filter).await.unwrap() }).await;
    found.into_iter().map(|workflow| workflow.workflow_id).collect()
}

/// Three that end and one that waits at a gate, a millisecond apart.
async fn four_workflows(database: &Database) -> (App, String) {
    let app = App::launch(config(database)).await;
    let gate = unique("manage");
    app.run(async {
        for number in 1..=3 {
            brief(number).workflow_id(format!("brief-{number}")).await.unwrap();
        }
        DBOS::start_workflow(manageable(gate.clone())).workflow_id("waits").await.unwrap();
    })
    .await;
    reached(&gate).await;
    for (position, id) in ["brief-1", "brief-2", "brief-3", "waits"].into_iter().enumerate() {
        database
            .execute(&format!(
                "UPDATE dbos.workflow_status SET created_at = {} WHERE workflow_uuid = '{id}'",
                1000 + position
            ))
            .await;
    }
    (app, gate)
}

async fn a_list_has_what_was_asked_for_and_nothing_else(database: Database) {
    let (app, _) = four_workflows(&database).await;
    let filter = WorkflowFilter::new;
    let executor = app.engine.executor_id();

    for (asked, found) in [
        (filter(), ["waits", "brief-3", "brief-2", "brief-1"].as_slice()),
        (filter().oldest_first(), &["brief-1", "brief-2", "brief-3", "waits"]),
        (filter().limit(1), &["waits"]),
        (filter().name("brief").oldest_first().limit(2), &["brief-1", "brief-2"]),
        (filter().name("brief").name("manageable").limit(2), &["waits", "brief-3"]),
        (filter().status(Status::Pending), &["waits"]),
        (filter().status(Status::Pending).status(Status::Success).limit(2), &["waits", "brief-3"]),
        (filter().status(Status::Error), &[]),
        (filter().id("brief-2").id("nobody"), &["brief-2"]),
        (filter().id_prefix("brief-"), &["brief-3", "brief-2", "brief-1"]),
        (filter().id_prefix("brief_"), &[]),
        (filter().id_prefix("%"), &[]),
        (filter().created_from_ms(1001).created_before_ms(1003), &["brief-3", "brief-2"]),
        (filter().executor_id(&executor).limit(1), &["waits"]),
        (filter().executor_id("somebody"), &[]),
        (filter().application_version(app.engine.application_version()).limit(1), &["waits"]),
        (filter().application_version("'; DROP TABLE dbos.workflow_status"), &[]),
        (filter().application_name("behaviour").limit(1), &["waits"]),
        (filter().application_name("other"), &[]),
        (filter().parent("waits"), &[]),
    ] {
        assert_eq!(ids(&app, asked.clone()).await, found, "{asked:?}");
    }
}

async fn pages_have_every_workflow_once(database: Database) {
    let app = App::launch(config(&database)).await;
    app.run(async {
        for number in 0..7 {
            brief(number).workflow_id(format!("w-{number}")).await.unwrap();
        }
    })
    .await;
    // Instants that several share: the id decides among them.
    database.execute("UPDATE dbos.workflow_status SET created_at = 5 WHERE workflow_uuid <> 'w-3'").await;

    for filter in [WorkflowFilter::new().limit(2), WorkflowFilter::new().limit(2).oldest_first()] {
        let mut seen: Vec<WorkflowStatus> = Vec::new();
        loop {
            let page = seen.last().map_or(filter.clone(), |last| filter.clone().after(last));
            let found = app.run(async { DBOS::list_workflows(page).await.unwrap() }).await;
            if found.is_empty() {
                break;
            }
            seen.extend(found);
        }
        let mut ids: Vec<_> = seen.iter().map(|workflow| workflow.workflow_id.as_str()).collect();
        ids.sort_unstable();
        assert_eq!(ids, ["w-0", "w-1", "w-2", "w-3", "w-4", "w-5", "w-6"], "{filter:?}");
    }
}

async fn a_bad_row_is_listed_as_what_it_is(database: Database) {
    let (app, _) = four_workflows(&database).await;
    let spoil = [
        "UPDATE dbos.workflow_status SET status = 'PAUSED' WHERE workflow_uuid = 'brief-1'",
        "UPDATE dbos.workflow_status SET status = NULL, name = NULL, executor_id = NULL, recovery_attempts = NULL
          WHERE workflow_uuid = 'brief-2'",
        "UPDATE dbos.workflow_output SET output = '{' WHERE workflow_uuid = 'brief-3'",
    ];
    for statement in spoil {
        database.execute(statement).await;
    }
    if database.backend() == Backend::Sqlite {
        database.execute("UPDATE dbos.workflow_status SET completed_at = 'soon' WHERE workflow_uuid = 'brief-3'").await;
    }

    let oldest_first = WorkflowFilter::new().oldest_first();
    let found = app.run(async { DBOS::list_workflows(oldest_first).await.unwrap() }).await;

    let shown: Vec<_> = found.iter().map(|row| (row.workflow_id.as_str(), row.status, row.status_text())).collect();
    assert_eq!(
        shown,
        [
            ("brief-1", None, "PAUSED"),
            ("brief-2", None, ""),
            ("brief-3", Some(Status::Success), "SUCCESS"),
            ("waits", Some(Status::Pending), "PENDING"),
        ]
    );
    if database.backend() == Backend::Sqlite {
        assert_eq!((found[2].completed_at_ms, found[2].unreadable.len()), (None, 1));
        assert!(found[2].unreadable[0].starts_with("completed_at: "), "{:?}", found[2].unreadable);
    }
    let refused = app.run(async { DBOS::resume_workflow("brief-1").await.unwrap_err() }).await.to_string();
    assert!(refused.contains("`PAUSED` is unknown"), "{refused}");
}

async fn steps_are_listed_in_their_order(database: Database) {
    let (app, gate) = four_workflows(&database).await;
    open(&gate);
    app.result::<Result<String>>("waits").await.unwrap();
    database.execute("UPDATE dbos.operation_outputs SET output = '{' WHERE function_id = 2").await;

    let steps: Vec<StepStatus> = app.run(async { DBOS::list_steps("waits").await.unwrap() }).await;

    let shown: Vec<_> = steps.iter().map(|step| (step.step_id, step.name.as_str(), step.output.as_deref())).collect();
    let expected = [(1, "manage_note", Some("null")), (2, "manage_waits", Some("{")), (3, "manage_note", Some("null"))];
    assert_eq!(shown, expected);
    assert!(steps.iter().all(|step| step.completed_at_ms >= step.started_at_ms && step.error.is_none()));
    let nobody = app.run(async { DBOS::list_steps("nobody").await.unwrap_err() }).await;
    assert!(matches!(nobody, Error::NonExistentWorkflow { .. }), "{nobody}");
}

async fn a_cancelled_workflow_goes_on_after_its_last_step(database: Database) {
    let (app, gate) = four_workflows(&database).await;
    app.run(async { DBOS::cancel_workflow("waits").await.unwrap() }).await;
    assert!(matches!(app.result::<Result<String>>("waits").await, Err(Error::Cancelled { .. })));

    app.run(async { DBOS::resume_workflow("waits").await.unwrap() }).await;
    open(&gate);

    assert_eq!(app.result::<Result<String>>("waits").await.unwrap(), gate);
    assert_eq!(runs_of(&gate), 2, "the first step is recorded and does not run again");
    let row = "SELECT status, queue_name, recovery_attempts, owner_xid, deduplication_id FROM dbos.workflow_status
                WHERE workflow_uuid = 'waits'";
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(database.query(row).await, [[text("SUCCESS"), text("_dbos_internal_queue"), text("1"), None, None]]);
}

async fn a_workflow_that_was_set_aside_goes_on_and_counts_anew(database: Database) {
    let mut app = App::launch(config(&database)).await;
    let gate = unique("manage");
    app.run(async { DBOS::start_workflow(manageable(gate.clone())).workflow_id("w").await.unwrap() }).await;
    reached(&gate).await;
    app.crash().await;
    database.execute("UPDATE dbos.workflow_status SET recovery_attempts = 1000").await;
    app.relaunch().await;
    assert!(matches!(app.result::<Result<String>>("w").await, Err(Error::DeadLettered { .. })));

    app.run(async { DBOS::resume_workflow("w").await.unwrap() }).await;
    open(&gate);

    assert_eq!(app.result::<Result<String>>("w").await.unwrap(), gate);
    assert_eq!(database.value("SELECT recovery_attempts FROM dbos.workflow_status").await.as_deref(), Some("1"));
}

async fn a_resumed_workflow_has_its_whole_timeout_again(database: Database) {
    let hour = std::time::Duration::from_hours(1);
    let clock = Clock::manual();
    let app = App::launch(with_clock(&database, &clock)).await;
    let gate = unique("manage");
    app.run(async { DBOS::start_workflow(manageable(gate.clone())).workflow_id("t").timeout(hour).await.unwrap() })
        .await;
    reached(&gate).await;
    clock.advance(2 * hour);
    assert!(matches!(app.result::<Result<String>>("t").await, Err(Error::Cancelled { .. })));

    app.run(async { DBOS::resume_workflow("t").await.unwrap() }).await;
    let resumed = started_again(&app, "t").await;

    assert_eq!(resumed.deadline_ms, Some(clock.now_ms() + 3_600_000));
    clock.advance(2 * hour);
    assert!(matches!(app.result::<Result<String>>("t").await, Err(Error::Cancelled { .. })));
}

fn with_clock(database: &Database, clock: &Clock) -> Config {
    let mut settings = config(database);
    settings.clock = Some(clock.clone());
    settings
}

/// The row of a resumed workflow once it is out of its queue.
async fn started_again(app: &App, workflow: &str) -> WorkflowStatus {
    loop {
        let filter = WorkflowFilter::new().id(workflow).status(Status::Pending);
        let mut found = app.run(async { DBOS::list_workflows(filter).await.unwrap() }).await;
        if let Some(found) = found.pop() {
            return found;
        }
    }
}

async fn what_has_ended_by_itself_is_not_resumed(database: Database) {
    let (app, _) = four_workflows(&database).await;
    let before = database.query("SELECT * FROM dbos.workflow_status WHERE workflow_uuid = 'brief-1'").await;

    app.run(async { DBOS::resume_workflow("brief-1").await.unwrap() }).await;

    let after = database.query("SELECT * FROM dbos.workflow_status WHERE workflow_uuid = 'brief-1'").await;
    assert_eq!(after, before);
    let nobody = app.run(async { DBOS::resume_workflow("nobody").await.unwrap_err() }).await;
    assert!(matches!(nobody, Error::NonExistentWorkflow { .. }), "{nobody}");
}

async fn what_somebody_runs_is_not_resumed(database: Database) {
    let (app, gate) = four_workflows(&database).await;
    let other = App::launch(config(&database)).await;

    for app in [&app, &other] {
        let error = app.run(async { DBOS::resume_workflow("waits").await.unwrap_err() }).await;
        assert!(matches!(error, Error::StillRunning { .. }), "{error}");
    }
    database.execute("UPDATE dbos.workflow_status SET executor_id = 'a stranger' WHERE workflow_uuid = 'waits'").await;
    let error = other.run(async { DBOS::resume_workflow("waits").await.unwrap_err() }).await;
    assert!(matches!(error, Error::StillRunning { .. }), "{error}");

    open(&gate);
    assert_eq!(app.result::<Result<String>>("waits").await.unwrap(), gate);
    assert_eq!(runs_of(&gate), 2);
}

async fn what_a_dead_program_left_is_resumed_for_the_next_one(database: Database) {
    let mut app = App::launch(config(&database)).await;
    let gate = unique("manage");
    app.run(async { DBOS::start_workflow(manageable(gate.clone())).workflow_id("w").await.unwrap() }).await;
    reached(&gate).await;
    app.crash().await;
    // Another application on the same database, which does not recover it.
    let mut stranger = config(&database);
    "stranger".clone_into(&mut stranger.application);
    let stranger = App::launch(stranger).await;

    stranger.run(async { DBOS::resume_workflow("w").await.unwrap() }).await;

    assert_eq!(database.value("SELECT status FROM dbos.workflow_status").await.as_deref(), Some("ENQUEUED"));
    open(&gate);
    app.relaunch().await;
    assert_eq!(app.result::<Result<String>>("w").await.unwrap(), gate);
    assert_eq!(runs_of(&gate), 2);
}

async fn another_program_takes_up_what_is_resumed(database: Database) {
    let (app, gate) = four_workflows(&database).await;
    app.run(async { DBOS::cancel_workflow("waits").await.unwrap() }).await;
    app.engine.shutdown().await;
    // On SQLite nobody is told across processes, so the one that listens has to look.
    let mut settings = config(&database);
    if database.backend() == Backend::Sqlite {
        settings.poll_interval = std::time::Duration::from_millis(20);
    }
    let worker = App::launch(settings).await;
    let mut stranger = config(&database);
    "stranger".clone_into(&mut stranger.application);
    let stranger = App::launch(stranger).await;

    stranger.run(async { DBOS::resume_workflow("waits").await.unwrap() }).await;
    open(&gate);

    assert_eq!(worker.result::<Result<String>>("waits").await.unwrap(), gate);
}

#[dbos::transaction]
async fn manage_order(tx: &mut dbos::Tx) -> Result<()> {
    tx.query("INSERT INTO orders VALUES ('tea')").execute().await?;
    Ok(())
}

const GO_ON: dbos::Topic<()> = dbos::Topic::new("go on");

#[workflow]
async fn manage_orders() -> Result<()> {
    manage_order().await?;
    DBOS::recv(GO_ON, std::time::Duration::from_hours(1)).await?;
    manage_order().await
}

/// Asked again after a crash, as a person does who saw no answer.
async fn cancel_resume_and_go_on() -> Result<()> {
    let handle = DBOS::start_workflow(manage_orders()).workflow_id("o").await?;
    DBOS::cancel_workflow("o").await?;
    DBOS::resume_workflow("o").await?;
    DBOS::send("o", (), GO_ON).await?;
    handle.result().await
}

async fn a_resumed_workflow_ends_once_wherever_it_crashes(database: Database) {
    let settings = config(&database);
    let test = CrashTest::on(database.backend()).with_config(settings).with_tables("CREATE TABLE orders (item TEXT)");

    let crashes = tokio::task::spawn_blocking(move || {
        test.run(
            async |_| cancel_resume_and_go_on().await,
            async |database, outcome| {
                outcome.unwrap();
                assert_eq!(database.count("SELECT count(*) FROM orders").await, 2);
            },
        )
    });

    assert!(crashes.await.unwrap().writes >= 7);
}

async fn a_resumed_workflow_waits_for_its_code(database: Database) {
    let (mut app, gate) = four_workflows(&database).await;
    app.run(async { DBOS::start_workflow(manage_parent(gate.clone())).workflow_id("same").await.unwrap() }).await;
    app.run(async { DBOS::cancel_workflow("waits").await.unwrap() }).await;
    app.run(async { DBOS::cancel_workflow("same").await.unwrap() }).await;
    app.crash().await;
    database.execute("UPDATE dbos_rust.version_workflows SET hash = 'edited' WHERE name = 'manageable'").await;
    app.config.application_version = Some("next".to_owned());
    app.relaunch().await;

    app.run(async { DBOS::resume_workflow("waits").await.unwrap() }).await;
    app.run(async { DBOS::resume_workflow("same").await.unwrap() }).await;
    open(&gate);

    // Its neighbour in the queue, whose code is the same, is not held up.
    app.result::<Result<()>>("same").await.unwrap();
    let status = "SELECT status FROM dbos.workflow_status WHERE workflow_uuid = 'waits'";
    assert_eq!(database.value(status).await.as_deref(), Some("ENQUEUED"));
    app.crash().await;
    database.execute("UPDATE dbos_rust.version_workflows SET hash = 'back' WHERE name = 'manageable'").await;
    app.relaunch().await;
    assert_eq!(app.result::<Result<String>>("waits").await.unwrap(), gate);
}

/// What `dbos workflow resume` of another language writes, telling nobody.
async fn what_other_libraries_resume_goes_on_too(database: Database) {
    let (mut app, gate) = four_workflows(&database).await;
    app.run(async { DBOS::cancel_workflow("waits").await.unwrap() }).await;
    app.crash().await;
    app.config.poll_interval = std::time::Duration::from_millis(20);
    app.relaunch().await;

    database
        .execute(
            "UPDATE dbos.workflow_status
                SET status = 'ENQUEUED', queue_name = '_dbos_internal_queue', recovery_attempts = 0, owner_xid = NULL,
                    workflow_deadline_epoch_ms = NULL, started_at_epoch_ms = NULL, completed_at = NULL
              WHERE workflow_uuid = 'waits'",
        )
        .await;
    open(&gate);

    assert_eq!(app.result::<Result<String>>("waits").await.unwrap(), gate);
}

async fn a_bad_row_in_the_queue_holds_nobody_up(database: Database) {
    let (app, gate) = four_workflows(&database).await;
    app.run(async {
        for id in ["attempts", "timeout", "inputs"] {
            DBOS::start_workflow(manageable(gate.clone())).workflow_id(id).await.unwrap();
        }
        for id in ["attempts", "timeout", "inputs", "waits"] {
            DBOS::cancel_workflow(id).await.unwrap();
        }
    })
    .await;
    let spoil = [
        "UPDATE dbos.workflow_status SET workflow_timeout_ms = 9223372036854775807 WHERE workflow_uuid = 'timeout'",
        "UPDATE dbos.workflow_input SET inputs = '{' WHERE workflow_uuid = 'inputs'",
        "UPDATE dbos.workflow_status
            SET status = 'ENQUEUED', queue_name = '_dbos_internal_queue', recovery_attempts = 9223372036854775807
          WHERE workflow_uuid = 'attempts'",
    ];
    for statement in spoil {
        database.execute(statement).await;
    }

    app.run(async {
        for id in ["timeout", "inputs", "waits"] {
            DBOS::resume_workflow(id).await.unwrap();
        }
    })
    .await;
    open(&gate);

    assert_eq!(app.result::<Result<String>>("waits").await.unwrap(), gate);
    assert_eq!(app.result::<Result<String>>("timeout").await.unwrap(), gate);
    assert!(matches!(app.result::<Result<String>>("inputs").await, Err(Error::Unreadable { .. })));
    assert!(matches!(app.result::<Result<String>>("attempts").await, Err(Error::DeadLettered { .. })));
}

/// Starts a child and ends; the child starts one that waits, and waits for it.
#[workflow]
async fn manage_parent(name: String) -> Result<()> {
    DBOS::start_workflow(manage_child(name.clone())).await?;
    manage_waits(&name).await;
    Ok(())
}

#[workflow]
async fn manage_child(name: String) -> Result<()> {
    let grandchild = DBOS::start_workflow(manageable(name)).await?;
    grandchild.result().await.map(drop)
}

async fn family(database: &Database) -> (App, String) {
    let app = App::launch(config(database)).await;
    let gate = unique("family");
    app.run(async { DBOS::start_workflow(manage_parent(gate.clone())).workflow_id("p").await.unwrap() }).await;
    while runs_of(&gate) == 0 {
        tokio::task::yield_now().await;
    }
    (app, gate)
}

async fn a_workflow_is_cancelled_with_all_it_started(database: Database) {
    let (app, _) = family(&database).await;
    // The child has ended and its child has not: an ended one is looked through.
    database.execute("UPDATE dbos.workflow_status SET status = 'ERROR' WHERE workflow_uuid = 'p-1'").await;

    app.run(async { DBOS::cancel_workflow("p").with_children().await.unwrap() }).await;

    app.engine.idle().await;
    let statuses = database.query("SELECT workflow_uuid, status FROM dbos.workflow_status ORDER BY 1").await;
    let row = |id: &str, status: &str| [Some(id.to_owned()), Some(status.to_owned())];
    assert_eq!(statuses, [row("p", "CANCELLED"), row("p-1", "ERROR"), row("p-1-1", "CANCELLED")]);
}

async fn a_workflow_is_cancelled_without_what_it_started(database: Database) {
    let (app, gate) = family(&database).await;

    app.run(async { DBOS::cancel_workflow("p").await.unwrap() }).await;
    open(&gate);

    app.engine.idle().await;
    let statuses = database.query("SELECT workflow_uuid, status FROM dbos.workflow_status ORDER BY 1").await;
    let row = |id: &str, status: &str| [Some(id.to_owned()), Some(status.to_owned())];
    assert_eq!(statuses, [row("p", "CANCELLED"), row("p-1", "SUCCESS"), row("p-1-1", "SUCCESS")]);
}

/// What a workflow saw of the others, and what it was told.
type Seen = (usize, usize, Option<Status>, String);

#[workflow]
async fn manage_manager(name: String) -> Result<Seen> {
    let listed = DBOS::list_workflows(WorkflowFilter::new().name("brief")).await?.len();
    let steps = DBOS::list_steps("waits").await?.len();
    let status = DBOS::retrieve_workflow::<Result<String>>("waits")?.status().await?.and_then(|row| row.status);
    DBOS::cancel_workflow("waits").await?;
    let refused = match DBOS::resume_workflow("nobody").await {
        Ok(()) => "resumed".to_owned(),
        Err(error) => error.to_string(),
    };
    DBOS::resume_workflow("waits").await?;
    manage_waits(&name).await;
    Ok((listed, steps, status, refused))
}

async fn a_workflow_that_manages_others_replays_what_it_saw(database: Database) {
    let (mut app, gate) = four_workflows(&database).await;
    let manager = unique("manager");
    open(&manager);
    let seen = app.run(async { manage_manager(manager.clone()).workflow_id("m").await.unwrap() }).await;
    assert_eq!(seen, (3, 1, Some(Status::Pending), "no workflow has the id `nobody`".to_owned()));
    let names: Vec<_> = steps(&database, "m").await.into_iter().map(|(_, name)| name).collect();
    assert_eq!(
        names,
        [
            "DBOS.listWorkflows",
            "DBOS.listWorkflowSteps",
            "DBOS.getStatus",
            "DBOS.cancelWorkflow",
            "DBOS.resumeWorkflow",
            "DBOS.resumeWorkflow",
            "manage_waits"
        ]
    );
    open(&gate);
    app.result::<Result<String>>("waits").await.unwrap();
    app.crash().await;
    rewind(&database, "m", "function_id < 7").await;
    database.execute("DELETE FROM dbos.workflow_status WHERE name = 'brief'").await;

    app.relaunch().await;

    assert_eq!(app.result::<Result<Seen>>("m").await.unwrap(), seen);
    let status = "SELECT status FROM dbos.workflow_status WHERE workflow_uuid = 'waits'";
    assert_eq!(database.value(status).await.as_deref(), Some("SUCCESS"), "nothing is cancelled a second time");
}

#[dbos::transaction]
async fn manages_in_a_transaction(_tx: &mut dbos::Tx) -> Result<()> {
    DBOS::cancel_workflow("waits").await
}

async fn a_transaction_may_not_manage(database: Database) {
    let (app, _) = four_workflows(&database).await;

    let error = app.run(async { manages_in_a_transaction().await.unwrap_err() }).await;

    assert!(matches!(error, Error::NestedStep { .. }), "{error}");
    assert_eq!(ids(&app, WorkflowFilter::new().status(Status::Pending)).await, ["waits"]);
}
