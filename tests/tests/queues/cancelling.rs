//! Cancelling all that was started before an instant.

use std::time::{Duration, UNIX_EPOCH};

use dbos::{Clock, DBOS, Result, workflow};
use dbos_testkit::board::{open, reached, unique};
use dbos_testkit::{App, CrashTest, Database, behaviours};

use crate::app::{MINUTE, ONE, PLAIN, config_with, enqueue, queued, row, text};

behaviours! { cancelling:
    what_was_started_before_an_instant_is_cancelled,
    a_workflow_cancels_all_before_it_wherever_it_crashes within 240,
}

fn now(clock: &Clock) -> std::time::SystemTime {
    UNIX_EPOCH + Duration::from_millis(clock.now_ms().try_into().unwrap())
}

async fn what_was_started_before_an_instant_is_cancelled(database: Database) {
    let clock = Clock::manual();
    let app = App::launch(config_with(&database, &clock)).await;
    let (gate, ended, later) = (unique("queued"), unique("ended"), unique("later"));
    open(&ended);
    app.run(async { queued(ended.clone()).workflow_id("ended").await.unwrap() }).await;
    clock.advance(MINUTE);
    enqueue(&app, &ONE, &gate, 2).await;
    app.run(async { queued(gate.clone()).enqueue(&PLAIN).delay(MINUTE * 9).workflow_id("delayed").await.unwrap() })
        .await;
    reached(&gate).await;
    clock.advance(MINUTE);
    enqueue(&app, &PLAIN, &later, 1).await;

    let cancelled = app.run(async { DBOS::cancel_started_before(now(&clock)).await.unwrap() }).await;

    let mut expected = vec![format!("{gate}-0"), format!("{gate}-1"), "delayed".to_owned()];
    expected.sort();
    let mut found = cancelled;
    found.sort();
    assert_eq!(found, expected);
    for id in &expected {
        assert_eq!(row(&database, "status", id).await, [text("CANCELLED")], "{id}");
    }
    assert_eq!(row(&database, "status", "ended").await, [text("SUCCESS")]);
    open(&later);
    assert_eq!(app.result::<Result<String>>(&format!("{later}-0")).await.unwrap(), format!("{later}-0"));
}

/// It does not cancel itself.
#[workflow]
async fn queues_cancels_all() -> Result<()> {
    let later = UNIX_EPOCH + Duration::from_secs(1 << 35);
    DBOS::cancel_started_before(later).await.map(drop)
}

async fn a_workflow_cancels_all_before_it_wherever_it_crashes(database: Database) {
    let backend = database.backend();
    let crash = move || {
        let crashes = CrashTest::on(backend).run(
            async |_| {
                let gate = unique("queued");
                for id in ["a", "b"] {
                    queued(gate.clone()).enqueue(&PLAIN).delay(MINUTE * 60).workflow_id(id).await.unwrap();
                }
                queues_cancels_all().workflow_id("w").await
            },
            async |database, done| {
                done.unwrap();
                for id in ["a", "b"] {
                    assert_eq!(row(database, "status", id).await, [text("CANCELLED")], "{id}");
                }
            },
        );
        // Three rows, two cancelled, the step, the outcome.
        assert!(crashes.writes >= 7, "{crashes}");
    };
    tokio::task::spawn_blocking(crash).await.unwrap();
}
