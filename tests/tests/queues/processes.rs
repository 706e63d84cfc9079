//! Queues that several processes empty, while they are killed.

use std::time::{Duration, Instant};

use dbos_testkit::{Database, Process, Program, behaviours};

behaviours! { processes:
    no_limit_is_exceeded_by_processes_that_are_killed within 240,
}

const PORTER: &str = env!("CARGO_BIN_EXE_porter");

fn launch(database: &Database, parcels: u32) -> Process {
    Program::new(PORTER).env("DATABASE", database.url()).env("PARCELS", parcels.to_string()).start()
}

/// The database itself says how many run, at every instant at which it is asked.
async fn no_limit_is_exceeded_by_processes_that_are_killed(database: Database) {
    const ALL: i64 = 200 + 50;
    let ended = "SELECT count(*) FROM dbos.workflow_status WHERE status = 'SUCCESS'";
    let running = "SELECT executor_id FROM dbos.workflow_status
                    WHERE queue_name = 'crowded' AND status = 'PENDING' ORDER BY 1";
    database.execute("CREATE TABLE carried (parcel TEXT NOT NULL)").await;
    let mut porters = vec![launch(&database, 200)];
    porters[0].wait_for_line("ready").await;
    porters.extend([launch(&database, 0), launch(&database, 0)]);

    let started = Instant::now();
    let (mut looks, mut most, mut kills) = (0, 0, 0);
    while database.count(ended).await < ALL {
        let executors = database.query(running).await;
        assert!(executors.len() <= 4, "{} run at once", executors.len());
        for of_one in executors.chunk_by(|one, next| one == next) {
            assert!(of_one.len() <= 2, "{} run in one process", of_one.len());
        }
        looks += 1;
        most = most.max(executors.len());
        if kills < 6 && started.elapsed() > Duration::from_millis(400) * (kills + 1) {
            porters.remove(0).kill().await;
            porters.push(launch(&database, 0));
            kills += 1;
        }
    }

    println!("{}: {looks} looks, at most {most} ran at once, {kills} processes killed", database.backend());
    assert_eq!(most, 4, "there was always work for more than may run");
    let starts = "SELECT started_at_epoch_ms FROM dbos.workflow_status WHERE queue_name = 'rated' ORDER BY 1";
    let starts: Vec<i64> =
        database.query(starts).await.iter().map(|row| row[0].as_deref().unwrap().parse().unwrap()).collect();
    for of_eleven in starts.windows(11) {
        assert!(of_eleven[10] - of_eleven[0] >= 500, "eleven starts within the period: {of_eleven:?}");
    }
    assert_eq!(database.count("SELECT count(DISTINCT parcel) FROM carried").await, ALL);
    assert_eq!(database.count("SELECT count(*) FROM carried").await, ALL);
}
