//! Disks that do not take what is flushed: what is not on them is not acknowledged.

use std::collections::BTreeSet;
use std::time::Duration;

use dbos_testkit::{BrokenFlushes, Database, Process, Server, behaviours};

use crate::two_processes::{ENDED, Place, SHORT};

behaviours! { failing_flushes:
    a_file_that_cannot_be_flushed_is_waited_for_and_loses_nothing on sqlite within 120 using "strace",
    a_server_that_cannot_flush_restarts_and_loses_nothing on durable within 120 using "strace",
}

const ROUNDS: usize = 10;

/// The workflows whose start was acknowledged.
fn started(walker: &Process) -> BTreeSet<String> {
    walker.lines().iter().filter_map(|line| line.strip_prefix("started ").map(str::to_owned)).collect()
}

/// The workflows that have ended well.
async fn ended(database: &Database) -> BTreeSet<String> {
    let ids = database.query("SELECT workflow_uuid FROM dbos.workflow_status WHERE status = 'SUCCESS'").await;
    ids.into_iter().flatten().flatten().collect()
}

async fn a_file_that_cannot_be_flushed_is_waited_for_and_loses_nothing(database: Database) {
    let place = Place::new(database).await;
    place.open_gate();
    let file = place.database.path().unwrap();
    let mut walker = place.launch("walker", SHORT).await;
    let (mut acknowledged, mut failed) = (BTreeSet::new(), 0);

    for round in 0..ROUNDS {
        let walk = format!("walk-{round}");
        let broken = BrokenFlushes::of_file(walker.id(), file).await;
        place.ask("walker", &walk);
        broken.until_failed(5).await;
        assert!(!started(&walker).contains(&walk), "what is not on the disk is not acknowledged");

        // In turn it dies of it, and goes on when the disk does.
        if round % 2 == 0 {
            walker.kill().await;
            failed += broken.until_ended().await;
            acknowledged.append(&mut started(&walker));
            walker = place.launch("walker", SHORT).await;
        } else {
            failed += broken.mend().await;
            walker.wait_for_line(&format!("started {walk}")).await;
        }
        // So that the next round breaks the flushes of work that is under way.
        place.ask("walker", &format!("after-{round}"));
        walker.wait_for_line(&format!("started after-{round}")).await;
    }
    acknowledged.append(&mut started(&walker));

    place.database.until_count("SELECT count(*) FROM dbos.workflow_status WHERE status <> 'SUCCESS'", 0).await;
    println!("sqlite: {failed} flushes failed, {} starts were acknowledged", acknowledged.len());
    assert!(acknowledged.is_subset(&ended(&place.database).await), "{acknowledged:?}");
    place.assert_each_passed_once(place.database.count(ENDED).await).await;
}

async fn a_server_that_cannot_flush_restarts_and_loses_nothing(server: Server) {
    let place = Place::new(Database::on_server(&server).await).await;
    place.open_gate();
    let walker = place.launch("walker", Duration::from_secs(5)).await;
    let mut failed = 0;

    for round in 0..ROUNDS {
        // In turn what flushes when somebody commits, and what flushes tables.
        let committed = round % 2 == 0;
        let kinds = if committed { "('client backend', 'walwriter')" } else { "('checkpointer')" };
        let broken = BrokenFlushes::of(&processes(&place.database, kinds).await).await;
        place.ask("walker", &format!("walk-{round}"));
        if !committed {
            walker.wait_for_line(&format!("started walk-{round}")).await;
            place.database.try_query("CHECKPOINT").await.expect_err("what was written cannot be flushed");
        }

        // The server ends all its processes and starts others: it cannot know any more what is on the disk.
        failed += broken.until_ended().await;
        until_back(&place.database).await;
        walker.wait_for_line(&format!("started walk-{round}")).await;
    }

    place.database.until_count(ENDED, ROUNDS as i64).await;
    println!("postgres: {failed} flushes failed, {ROUNDS} starts were acknowledged");
    assert!(failed >= ROUNDS, "{failed}");
    place.assert_each_passed_once(ROUNDS as i64).await;
}

/// The server's processes of these kinds, but for the one that answers.
async fn processes(database: &Database, kinds: &str) -> Vec<u32> {
    let listed = format!("SELECT pid FROM pg_stat_activity WHERE backend_type IN {kinds} AND pid <> pg_backend_pid()");
    database.query(&listed).await.into_iter().flatten().flatten().map(|pid| pid.parse().unwrap()).collect()
}

async fn until_back(database: &Database) {
    let mut looks = tokio::time::interval(Duration::from_millis(50));
    while database.try_query("SELECT 1").await.is_err() {
        looks.tick().await;
    }
}
