//! Schedules that are changed in place, and under which version what they start runs.

use std::time::Duration;

use dbos::{DBOS, Engine, Error, Late, Result, Schedule};
use dbos_testkit::{App, Database, behaviours};

use crate::app::{at, clock_at, config, config_with, create, go_to, ids, minutely, noted, started};
use crate::managed::NIGHT;

behaviours! { updates:
    a_schedule_is_changed_in_place,
    a_changed_pattern_has_missed_nothing,
    a_change_that_makes_no_sense_changes_nothing,
    what_a_schedule_starts_is_for_the_latest_version,
}

async fn a_schedule_is_changed_in_place(database: Database) {
    let clock = clock_at("2027-06-01T00:00:30Z");
    let app = App::launch(config_with(&database, &clock)).await;
    create(&app, "s", Late::Skip).await;
    go_to(&clock, "2027-06-01T00:01:00Z");
    database.until_count(&started("s"), 1).await;

    let changed = app
        .run(async {
            let change = DBOS::update_schedule("s").cron("*/5 * * * *").timezone("Asia/Tokyo");
            change.late(Late::RunLast).context("another").queue(&NIGHT).await.unwrap();
            DBOS::get_schedule("s").await.unwrap().unwrap()
        })
        .await;
    go_to(&clock, "2027-06-01T00:05:00Z");
    database.until_count(&started("s"), 2).await;

    assert_eq!((changed.cron.as_str(), changed.timezone.as_deref()), ("*/5 * * * *", Some("Asia/Tokyo")));
    assert_eq!((changed.late, changed.context), (Late::RunLast, "another".into()));
    assert_eq!((changed.queue_name.as_deref(), changed.workflow_name.as_str()), (Some("night"), "noted"));
    assert!(changed.last_tick_at_ms.is_some() && !changed.is_paused);
    let last = ids(&database, "s").await.pop().unwrap();
    assert_eq!(last, "sched-s-2027-06-01T00:05:00.000Z");
    assert_eq!(app.result::<Result<String>>(&last).await.unwrap(), "another");
    let queue = format!("SELECT queue_name FROM dbos.workflow_status WHERE workflow_uuid = '{last}'");
    assert_eq!(database.value(&queue).await.unwrap(), "night");

    app.run(async {
        DBOS::pause_schedule("s").await.unwrap();
        DBOS::update_schedule("s").utc().without_queue().await.unwrap();
        let found = DBOS::get_schedule("s").await.unwrap().unwrap();
        assert_eq!((found.timezone, found.queue_name, found.is_paused), (None, None, true));
        assert_eq!((found.cron.as_str(), found.context), ("*/5 * * * *", "another".into()));
    })
    .await;
}

async fn a_changed_pattern_has_missed_nothing(database: Database) {
    let clock = clock_at("2027-06-01T00:00:30Z");
    let app = App::launch(config_with(&database, &clock)).await;
    app.run(async {
        let rare = Schedule::new("s", "0 0 1 1 *", noted, String::new()).late(Late::RunAll);
        DBOS::create_schedule(rare).await.unwrap();
    })
    .await;
    go_to(&clock, "2027-06-01T00:10:30Z");

    app.run(async { DBOS::update_schedule("s").cron("* * * * *").await.unwrap() }).await;
    go_to(&clock, "2027-06-01T00:11:00Z");
    database.until_count(&started("s"), 1).await;

    assert_eq!(ids(&database, "s").await, ["sched-s-2027-06-01T00:11:00.000Z"]);
}

async fn a_change_that_makes_no_sense_changes_nothing(database: Database) {
    let app = App::launch(config(&database)).await;

    app.run(async {
        DBOS::create_schedule(minutely("s")).await.unwrap();
        DBOS::create_queue("in parts").partition_concurrency(1).await.unwrap();
        let before = DBOS::get_schedule("s").await.unwrap();
        for (change, reason) in [
            (DBOS::update_schedule("s").late(Late::RunAll).cron("* * *"), "`* * *` is no cron pattern"),
            (DBOS::update_schedule("s").late(Late::RunAll).cron("0 0 30 2 *"), "never comes"),
            (DBOS::update_schedule("s").late(Late::RunAll).timezone("Europe/Bonn"), "no time zone `Europe/Bonn`"),
            (DBOS::update_schedule("s").late(Late::RunAll).queue("in parts"), "limits for partitions"),
            (DBOS::update_schedule("yearly").late(Late::RunAll), "it stands in the code"),
        ] {
            let refused = change.await.unwrap_err();
            assert!(matches!(refused, Error::InvalidKey { .. }) && refused.to_string().contains(reason), "{refused}");
        }
        let nowhere = DBOS::update_schedule("s").queue("nowhere").await;
        assert!(matches!(nowhere, Err(Error::NonExistentQueue { .. })), "{nowhere:?}");
        let nobody = DBOS::update_schedule("nobody").utc().await;
        assert!(matches!(nobody, Err(Error::NonExistentSchedule { .. })), "{nobody:?}");
        assert_eq!(DBOS::get_schedule("s").await.unwrap(), before);
    })
    .await;
}

/// Of those that have the workflow. What waits in a paused queue has the version that it was started under.
async fn what_a_schedule_starts_is_for_the_latest_version(database: Database) {
    let clock = clock_at("2027-06-01T00:00:30Z");
    let config = |version: &str| {
        let mut config = config_with(&database, &clock);
        config.application_version = Some(version.to_owned());
        config
    };
    let app = App::launch(config("1")).await;
    clock.advance(Duration::from_secs(1));
    Engine::launch(config("2")).await.unwrap().shutdown().await;
    let without_it = "INSERT INTO dbos.application_versions
                             (version_id, version_name, version_timestamp, created_at, application_name)
                      VALUES ('3', '3', 9000000000000, 9000000000000, 'schedules')";
    database.execute(without_it).await;
    app.run(async {
        DBOS::pause_queue(&NIGHT).await.unwrap();
        DBOS::create_schedule(minutely("s").queue(&NIGHT)).await.unwrap();
    })
    .await;

    go_to(&clock, "2027-06-01T00:01:00Z");
    database.until_count(&started("s"), 1).await;
    let triggered = app
        .run(async {
            DBOS::backfill_schedule("s", at("2027-05-01T00:00:00Z"), at("2027-05-01T00:01:00Z")).await.unwrap();
            DBOS::trigger_schedule("s").await.unwrap()
        })
        .await;

    let versions = "SELECT application_version FROM dbos.workflow_status WHERE schedule_name = 's'";
    let versions: Vec<_> = database.query(versions).await.into_iter().flatten().flatten().collect();
    assert_eq!(versions, ["2", "2", "2"]);
    app.run(async {
        DBOS::set_latest_version("1").await.unwrap();
        DBOS::resume_queue(&NIGHT).await.unwrap();
    })
    .await;
    go_to(&clock, "2027-06-01T00:02:00Z");
    database.until_count(&started("s"), 4).await;
    let id = "sched-s-2027-06-01T00:02:00.000Z";
    let version = format!("SELECT application_version FROM dbos.workflow_status WHERE workflow_uuid = '{id}'");
    assert_eq!(database.value(&version).await.unwrap(), "1");
    assert_eq!(app.result::<Result<String>>(&triggered).await.unwrap(), "of s");
}
