//! Schedules that code makes and looks after.

use dbos::{DBOS, Error, Late, Queue, Result, Schedule, ScheduleFilter, workflow};
use dbos_testkit::{App, Database, behaviours};

use crate::app::{MINUTE, MINUTELY, at, clock_at, config, config_with, create, go_to, ids, minutely, noted, started};

behaviours! { managed:
    a_schedule_is_created_once,
    a_schedule_that_makes_no_sense_is_refused,
    schedules_are_listed_as_they_are,
    a_schedule_starts_into_its_queue,
    a_trigger_starts_one_now,
    a_backfill_starts_what_was_not_started,
    a_deleted_schedule_starts_nothing,
    in_a_workflow_each_is_a_step,
    who_is_not_there_is_named,
}

#[dbos::queue]
pub(crate) static NIGHT: Queue = Queue::new("night");

async fn a_schedule_is_created_once(database: Database) {
    let app = App::launch(config(&database)).await;

    app.run(async {
        DBOS::create_schedule(minutely("s")).await.unwrap();
        DBOS::create_schedule(minutely("s")).await.unwrap();
        let other = DBOS::create_schedule(minutely("s").late(Late::RunAll)).await;
        assert!(matches!(other, Err(Error::ScheduleExists { .. })), "{other:?}");
    })
    .await;

    assert_eq!(database.count("SELECT count(*) FROM dbos.workflow_schedules").await, 2);
}

async fn a_schedule_that_makes_no_sense_is_refused(database: Database) {
    let app = App::launch(config(&database)).await;
    let of = |name: &str, cron: &str| Schedule::new(name, cron, noted, String::new());

    app.run(async {
        for (schedule, reason) in [
            (of("", MINUTELY), "it is empty"),
            (of("s", "* * * *"), "`* * * *` is no cron pattern"),
            (of("s", "0 0 30 2 *"), "`0 0 30 2 *` never comes"),
            (of("s", MINUTELY).timezone("Europe/Bonn"), "there is no time zone `Europe/Bonn`"),
        ] {
            let refused = DBOS::create_schedule(schedule).await.unwrap_err();
            assert!(matches!(refused, Error::InvalidKey { .. }) && refused.to_string().contains(reason), "{refused}");
        }
    })
    .await;
}

async fn schedules_are_listed_as_they_are(database: Database) {
    let app = App::launch(config(&database)).await;

    app.run(async {
        DBOS::create_schedule(minutely("a-1").timezone("Asia/Tokyo").late(Late::RunLast)).await.unwrap();
        DBOS::create_schedule(minutely("a-2")).await.unwrap();
        DBOS::pause_schedule("a-2").await.unwrap();

        let found = DBOS::get_schedule("a-1").await.unwrap().unwrap();
        assert_eq!((found.workflow_name.as_str(), found.cron.as_str()), ("noted", MINUTELY));
        assert_eq!((found.timezone.as_deref(), found.late), (Some("Asia/Tokyo"), Late::RunLast));
        assert_eq!((found.context, found.is_paused, found.is_declared), ("of a-1".into(), false, false));
        assert_eq!(DBOS::get_schedule("a-3").await.unwrap(), None);
        for (filter, names) in [
            (ScheduleFilter::new(), &["a-1", "a-2", "yearly"][..]),
            (ScheduleFilter::new().name_prefix("a-"), &["a-1", "a-2"]),
            (ScheduleFilter::new().paused(), &["a-2"]),
            (ScheduleFilter::new().active().workflow_name("noted"), &["a-1"]),
        ] {
            let found = DBOS::list_schedules(filter).await.unwrap();
            assert_eq!(found.iter().map(|schedule| schedule.name.as_str()).collect::<Vec<_>>(), names);
        }
    })
    .await;
}

async fn a_schedule_starts_into_its_queue(database: Database) {
    let clock = clock_at("2027-06-01T00:00:30Z");
    let app = App::launch(config_with(&database, &clock)).await;
    app.run(async { DBOS::create_schedule(minutely("s").queue(&NIGHT)).await.unwrap() }).await;

    go_to(&clock, "2027-06-01T00:01:00Z");
    database.until_count(&started("s"), 1).await;

    let id = "sched-s-2027-06-01T00:01:00.000Z";
    assert_eq!(app.result::<Result<String>>(id).await.unwrap(), "of s");
    let queue = format!("SELECT queue_name FROM dbos.workflow_status WHERE workflow_uuid = '{id}'");
    assert_eq!(database.value(&queue).await.unwrap(), "night");
}

async fn a_trigger_starts_one_now(database: Database) {
    let app = App::launch(config(&database)).await;
    create(&app, "s", Late::Skip).await;

    let id = app
        .run(async {
            DBOS::pause_schedule("s").await.unwrap();
            DBOS::trigger_schedule("s").await.unwrap()
        })
        .await;

    assert!(id.starts_with("sched-s-trigger-2"), "{id}");
    assert_eq!(app.result::<Result<String>>(&id).await.unwrap(), "of s");
}

async fn a_backfill_starts_what_was_not_started(database: Database) {
    let clock = clock_at("2027-06-01T00:00:30Z");
    let app = App::launch(config_with(&database, &clock)).await;
    create(&app, "s", Late::Skip).await;
    go_to(&clock, "2027-06-01T00:01:00Z");
    database.until_count(&started("s"), 1).await;

    let (first, again, all) = app
        .run(async {
            let backfill = || DBOS::backfill_schedule("s", at("2027-06-01T00:00:00Z"), at("2027-06-01T00:03:00Z"));
            let all = DBOS::backfill_schedule("s", at("2020-01-01T00:00:00Z"), at("2021-01-01T00:00:00Z")).await;
            (backfill().await.unwrap(), backfill().await.unwrap(), all)
        })
        .await;

    assert_eq!(first, ["sched-s-2027-06-01T00:00:00.000Z", "sched-s-2027-06-01T00:02:00.000Z"]);
    assert_eq!(again, [""; 0]);
    assert!(all.unwrap_err().to_string().contains("more than 10000 ticks"));
    assert_eq!(app.result::<Result<String>>(&first[0]).await.unwrap(), "of s");
}

async fn a_deleted_schedule_starts_nothing(database: Database) {
    let clock = clock_at("2027-06-01T00:00:30Z");
    let app = App::launch(config_with(&database, &clock)).await;
    create(&app, "a", Late::RunAll).await;
    create(&app, "witness", Late::RunAll).await;

    app.run(async {
        DBOS::delete_schedule("a").await.unwrap();
        DBOS::delete_schedule("a").await.unwrap();
    })
    .await;
    clock.advance(MINUTE);
    database.until_count(&started("witness"), 1).await;

    assert_eq!(ids(&database, "a").await, [""; 0]);
}

#[workflow]
pub(crate) async fn looks_after() -> Result<usize> {
    DBOS::create_schedule(Schedule::new("s", "0 0 1 6 *", noted, String::new())).await?;
    DBOS::pause_schedule("s").await?;
    let id = DBOS::trigger_schedule("s").await?;
    let filled = DBOS::backfill_schedule("s", at("2017-06-01T00:00:00Z"), at("2020-06-01T00:00:00Z")).await?;
    DBOS::update_schedule("s").cron("0 0 1 7 *").await?;
    DBOS::resume_schedule("s").await?;
    let known = DBOS::get_schedule("s").await?.is_some();
    let listed = DBOS::list_schedules(ScheduleFilter::new().name_prefix("s")).await?.len();
    DBOS::delete_schedule("s").await?;
    assert!(known && listed == 1 && id.starts_with("sched-s-trigger-"));
    Ok(filled.len())
}

pub(crate) const STEPS: &str =
    "SELECT function_name FROM dbos.operation_outputs WHERE workflow_uuid = 'w' ORDER BY function_id";

async fn in_a_workflow_each_is_a_step(database: Database) {
    let app = App::launch(config(&database)).await;

    let filled = app.run(async { looks_after().workflow_id("w").await.unwrap() }).await;

    assert_eq!(filled, 3);
    let steps: Vec<_> = database.query(STEPS).await.into_iter().flatten().flatten().collect();
    let names = ["create", "pause", "trigger", "backfill", "update", "resume", "get"];
    assert_eq!(steps[..7], names.map(|name| format!("DBOS.{name}Schedule")));
    assert_eq!(steps[7..], ["DBOS.listSchedules", "DBOS.deleteSchedule"]);
    database.until_count("SELECT count(*) FROM dbos.workflow_status WHERE status = 'SUCCESS'", 5).await;
}

async fn who_is_not_there_is_named(database: Database) {
    let app = App::launch(config(&database)).await;

    app.run(async {
        for refused in [
            DBOS::pause_schedule("nobody").await,
            DBOS::resume_schedule("nobody").await,
            DBOS::trigger_schedule("nobody").await.map(drop),
            DBOS::backfill_schedule("nobody", at("2027-06-01T00:00:00Z"), at("2027-06-01T00:03:00Z")).await.map(drop),
        ] {
            assert!(matches!(&refused, Err(Error::NonExistentSchedule { schedule }) if schedule == "nobody"));
        }
    })
    .await;
}
