//! Schedules whose process crashes at each of its writes.

use dbos::{Clock, DBOS, Late, Schedule};
use dbos_testkit::{CrashTest, Database, behaviours};

use crate::app::{MINUTE, config, ids, noted, started};
use crate::managed::looks_after;

behaviours! { crashes:
    no_tick_is_lost_or_doubled_wherever_it_crashes within 240,
    what_a_workflow_does_to_schedules_is_done_once_wherever_it_crashes within 240,
}

/// Each minute of the clock is a tick, until the work has seen one through.
async fn no_tick_is_lost_or_doubled_wherever_it_crashes(database: Database) {
    let backend = database.backend();
    let clock = Clock::manual();
    let mut config = config(&database);
    config.clock = Some(clock.clone());
    let crash = move || {
        let ended = "SELECT count(*) FROM dbos.workflow_status WHERE schedule_name = 's' AND status = 'SUCCESS'";
        let crashes = CrashTest::on(backend).with_config(config).run(
            async |database| {
                let every_minute = Schedule::new("s", "* * * * *", noted, "x".to_owned()).late(Late::RunAll);
                DBOS::create_schedule(every_minute).await?;
                let known = database.count(ended).await;
                clock.advance(MINUTE);
                while database.count(ended).await <= known
                    || database.count(&started("s")).await > database.count(ended).await
                {
                    tokio::task::yield_now().await;
                }
                DBOS::delete_schedule("s").await
            },
            async |database, deleted| {
                deleted.unwrap();
                let found = ids(database, "s").await;
                let minutes: Vec<_> = found.iter().map(|id| crate::app::ms(&id["sched-s-".len()..]) / 60_000).collect();
                assert!(minutes.windows(2).all(|two| two[1] == two[0] + 1), "a tick was lost: {found:?}");
            },
        );
        // The schedule made, the tick started and claimed, its outcome, the schedule deleted.
        assert!(crashes.writes >= 5, "{crashes}");
    };
    tokio::task::spawn_blocking(crash).await.unwrap();
}

async fn what_a_workflow_does_to_schedules_is_done_once_wherever_it_crashes(database: Database) {
    let backend = database.backend();
    let crash = move || {
        let crashes = CrashTest::on(backend).run(
            async |_| looks_after().workflow_id("w").await,
            async |database, _| {
                database.until_count("SELECT count(*) FROM dbos.workflow_status WHERE status = 'SUCCESS'", 5).await;
                assert_eq!(database.count(&started("s")).await, 4);
                assert_eq!(database.count("SELECT count(*) FROM dbos.workflow_schedules").await, 1);
            },
        );
        assert!(crashes.writes >= 16, "{crashes}");
    };
    tokio::task::spawn_blocking(crash).await.unwrap();
}
