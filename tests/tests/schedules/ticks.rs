//! Which ticks start a workflow, and which do not.

use std::time::{Duration, SystemTime};

use dbos::{DBOS, Engine, Late, Result, Schedule};
use dbos_testkit::{App, Backend, Database, behaviours};

use crate::app::{MINUTE, at, clock_at, config, config_with, create, go_to, ids, noted, started};

behaviours! { ticks:
    a_declared_schedule_is_a_row_that_others_read,
    a_schedule_of_another_application_is_refused,
    a_tick_starts_its_workflow_once_whoever_keeps_watch,
    a_declared_workflow_is_given_its_tick,
    late_ticks_run_as_their_schedule_says,
    a_clock_that_jumps_ahead_makes_ticks_late,
    a_clock_that_goes_back_starts_no_tick_again,
    a_time_of_the_day_comes_once_when_clocks_change,
    a_paused_schedule_starts_nothing_and_has_missed_nothing,
    what_the_code_no_longer_declares_starts_nothing,
    a_schedule_that_another_library_made_runs,
    a_pattern_that_cannot_be_read_stops_no_other,
}

async fn a_declared_schedule_is_a_row_that_others_read(database: Database) {
    let _app = App::launch(config_with(&database, &clock_at("2027-06-01T00:00:30Z"))).await;

    let row = database
        .query(
            "SELECT schedule_name, workflow_name, workflow_class_name, schedule, status, last_fired_at, cron_timezone,
                    queue_name, application_name, context
               FROM dbos.workflow_schedules",
        )
        .await
        .remove(0);

    let text = |text: &str| Some(text.to_owned());
    let columns = [text("yearly"), text("yearly"), text(""), text("0 30 12 1 1 *"), text("ACTIVE"), None];
    assert_eq!(row[..6], columns);
    assert_eq!(row[6..9], [text("Europe/Berlin"), None, text("schedules")]);
    let context: serde_json::Value = serde_json::from_str(row[9].as_deref().unwrap()).unwrap();
    assert_eq!((&context["json"], &context["__dbos_serializer"]), (&().into(), &"superjson".into()));
}

async fn a_schedule_of_another_application_is_refused(database: Database) {
    let _app = App::launch(config(&database)).await;
    database.execute("DELETE FROM dbos.queues").await;
    let mut other = config(&database);
    "other".clone_into(&mut other.application);

    let refused = Engine::launch(other).await.unwrap_err();

    assert!(refused.to_string().contains("the schedule `yearly` belongs to another application"), "{refused}");
}

async fn a_tick_starts_its_workflow_once_whoever_keeps_watch(database: Database) {
    let clock = clock_at("2027-06-01T00:00:30Z");
    let mut config = config_with(&database, &clock);
    if database.backend() == Backend::Sqlite {
        // None of the engines hears what the others say.
        config.poll_interval = Duration::from_millis(20);
    }
    let first = App::launch(config.clone()).await;
    create(&first, "s", Late::Skip).await;
    let _second = App::launch(config.clone()).await;
    let _third = App::launch(config).await;

    for minute in 1..=3 {
        go_to(&clock, &format!("2027-06-01T00:0{minute}:00Z"));
        database.until_count(&started("s"), minute).await;
    }

    let id = "sched-s-2027-06-01T00:03:00.000Z";
    assert_eq!(ids(&database, "s").await.last().unwrap(), id);
    assert_eq!(first.result::<Result<String>>(id).await.unwrap(), "of s");
    let row = "SELECT last_fired_at FROM dbos.workflow_schedules WHERE schedule_name = 's'";
    assert_eq!(database.value(row).await.unwrap(), "2027-06-01T00:03:00.000Z");
    let inputs = format!("SELECT inputs FROM dbos.workflow_input WHERE workflow_uuid = '{id}'");
    let expected = r#"{"namedArgs":{},"positionalArgs":["2027-06-01T00:03:00.000Z","of s"]}"#;
    assert_eq!(database.value(&inputs).await.unwrap(), expected);
}

async fn a_declared_workflow_is_given_its_tick(database: Database) {
    let clock = clock_at("2028-01-01T11:29:59Z");
    let app = App::launch(config_with(&database, &clock)).await;

    clock.advance(Duration::from_secs(1));
    database.until_count(&started("yearly"), 1).await;

    let tick = app.result::<Result<SystemTime>>("sched-yearly-2028-01-01T11:30:00.000Z").await.unwrap();
    assert_eq!(tick, at("2028-01-01T11:30:00Z"));
}

async fn create_one_of_each(app: &App) {
    for (name, late) in [("a-skip", Late::Skip), ("b-last", Late::RunLast), ("c-all", Late::RunAll)] {
        create(app, name, late).await;
    }
}

/// The last of them is looked after last.
async fn late_ticks_run_as_their_schedule_says(database: Database) {
    let clock = clock_at("2027-06-01T00:00:30Z");
    let mut app = App::launch(config_with(&database, &clock)).await;
    create_one_of_each(&app).await;
    app.crash().await;

    clock.advance(MINUTE * 60);
    app.relaunch().await;
    database.until_count(&started("c-all"), 60).await;

    assert_eq!(ids(&database, "a-skip").await, [""; 0]);
    assert_eq!(ids(&database, "b-last").await, ["sched-b-last-2027-06-01T01:00:00.000Z"]);
    assert_eq!(ids(&database, "c-all").await[0], "sched-c-all-2027-06-01T00:01:00.000Z");
}

async fn a_clock_that_jumps_ahead_makes_ticks_late(database: Database) {
    let clock = clock_at("2027-06-01T00:00:30Z");
    let app = App::launch(config_with(&database, &clock)).await;
    create_one_of_each(&app).await;

    go_to(&clock, "2027-06-01T01:00:05Z");
    database.until_count(&started("c-all"), 60).await;

    assert_eq!(ids(&database, "a-skip").await, ["sched-a-skip-2027-06-01T01:00:00.000Z"]);
    assert_eq!(ids(&database, "b-last").await, ["sched-b-last-2027-06-01T01:00:00.000Z"]);
}

async fn a_clock_that_goes_back_starts_no_tick_again(database: Database) {
    let clock = clock_at("2027-06-01T00:00:30Z");
    let app = App::launch(config_with(&database, &clock)).await;
    create(&app, "s", Late::RunAll).await;
    go_to(&clock, "2027-06-01T00:01:00Z");
    database.until_count(&started("s"), 1).await;
    app.crash().await;
    // Somebody keeps the tables small.
    database.execute("DELETE FROM dbos.workflow_status WHERE schedule_name = 's'").await;

    let clock = clock_at("2027-06-01T00:00:45Z");
    let _app = App::launch(config_with(&database, &clock)).await;
    go_to(&clock, "2027-06-01T00:01:00Z");
    go_to(&clock, "2027-06-01T00:02:00Z");
    database.until_count(&started("s"), 1).await;

    assert_eq!(ids(&database, "s").await, ["sched-s-2027-06-01T00:02:00.000Z"]);
}

async fn a_time_of_the_day_comes_once_when_clocks_change(database: Database) {
    let clock = clock_at("2027-03-27T12:00:00Z");
    let app = App::launch(config_with(&database, &clock)).await;
    let nightly =
        |name, zone| Schedule::new(name, "30 2 * * *", noted, String::new()).timezone(zone).late(Late::RunAll);
    app.run(async {
        DBOS::create_schedule(nightly("berlin", "Europe/Berlin")).await.unwrap();
        DBOS::create_schedule(nightly("lord-howe", "Australia/Lord_Howe")).await.unwrap();
    })
    .await;

    go_to(&clock, "2027-03-29T12:00:00Z");
    database.until_count(&started("berlin"), 2).await;
    let spring = ids(&database, "berlin").await;
    assert_eq!(spring, ["sched-berlin-2027-03-28T01:00:00.000Z", "sched-berlin-2027-03-29T00:30:00.000Z"]);
    go_to(&clock, "2027-10-30T12:00:00Z");
    database.until_count(&started("berlin"), 217).await;
    go_to(&clock, "2027-11-01T12:00:00Z");
    database.until_count(&started("berlin"), 219).await;
    let autumn = ids(&database, "berlin").await;
    assert_eq!(autumn[217..], ["sched-berlin-2027-10-31T00:30:00.000Z", "sched-berlin-2027-11-01T01:30:00.000Z"]);
    database.until_count(&started("lord-howe"), 219).await;
}

async fn a_paused_schedule_starts_nothing_and_has_missed_nothing(database: Database) {
    let clock = clock_at("2027-06-01T00:00:30Z");
    let app = App::launch(config_with(&database, &clock)).await;
    create(&app, "a", Late::RunAll).await;
    create(&app, "witness", Late::RunAll).await;

    app.run(async { DBOS::pause_schedule("a").await.unwrap() }).await;
    clock.advance(MINUTE * 10);
    database.until_count(&started("witness"), 10).await;
    app.run(async { DBOS::resume_schedule("a").await.unwrap() }).await;
    clock.advance(MINUTE);
    database.until_count(&started("witness"), 11).await;

    assert_eq!(ids(&database, "a").await, ["sched-a-2027-06-01T00:11:00.000Z"]);
}

async fn what_the_code_no_longer_declares_starts_nothing(database: Database) {
    let clock = clock_at("2027-06-01T00:00:30Z");
    let mut app = App::launch(config_with(&database, &clock)).await;
    app.crash().await;
    database.execute("UPDATE dbos.workflow_schedules SET schedule_name = 'gone', schedule = '* * * * *'").await;
    app.relaunch().await;
    create(&app, "witness", Late::RunAll).await;

    clock.advance(MINUTE);
    database.until_count(&started("witness"), 1).await;

    assert_eq!(ids(&database, "gone").await, [""; 0]);
}

/// Written as Python writes it, with a bare context, and its last tick an hour ago.
async fn a_schedule_that_another_library_made_runs(database: Database) {
    let clock = clock_at("2027-06-01T01:00:30Z");
    let mut app = App::launch(config_with(&database, &clock)).await;
    app.crash().await;
    database
        .execute(
            r#"INSERT INTO dbos.workflow_schedules
                      (schedule_id, schedule_name, workflow_name, workflow_class_name, schedule, status, context,
                       last_fired_at, automatic_backfill, application_name)
               VALUES ('6f1c', 'theirs', 'noted', '', '* * * * *', 'ACTIVE', '"of theirs"',
                       '2027-06-01T00:00:00+00:00', TRUE, 'schedules')"#,
        )
        .await;

    app.relaunch().await;
    database.until_count(&started("theirs"), 60).await;

    let last = "sched-theirs-2027-06-01T01:00:00.000Z";
    assert_eq!(app.result::<Result<String>>(last).await.unwrap(), "of theirs");
}

async fn a_pattern_that_cannot_be_read_stops_no_other(database: Database) {
    let clock = clock_at("2027-06-01T00:00:30Z");
    let app = App::launch(config_with(&database, &clock)).await;
    create(&app, "bad", Late::RunAll).await;
    database.execute("UPDATE dbos.workflow_schedules SET schedule = 'daily' WHERE schedule_name = 'bad'").await;
    create(&app, "good", Late::RunAll).await;

    clock.advance(MINUTE);

    database.until_count(&started("good"), 1).await;
}
