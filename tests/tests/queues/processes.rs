//! Queues that several processes empty, while they are killed.
//!
//! `DBOS_TEST_PARCELS` sets how many workflows are in them (default 400), `DBOS_TEST_SEED` who is killed when; both are
//! printed. From 5000 on, nine tenths of what may run have to, as long as anything waits.

use std::time::{Duration, Instant};

use dbos::{Config, Engine};
use dbos_testkit::{Backend, Database, Process, Program, behaviours, chance, report};

behaviours! { processes:
    no_limit_is_exceeded_by_processes_that_are_killed within 3600,
}

const PORTER: &str = env!("CARGO_BIN_EXE_porter");
const PROCESSES: usize = 4;
/// The limits of the queue.
const AT_ONCE: i64 = 8;
const IN_A_PROCESS: i64 = 3;
const IN_A_PARTITION: i64 = 3;

fn launch(database: &Database, parcels: u32, way_ms: u32) -> Process {
    let program = Program::new(PORTER).env("DATABASE", database.url());
    program.env("PARCELS", parcels.to_string()).env("WAY_MS", way_ms.to_string()).start()
}

/// Lets the database itself count what runs, at each instant at which something more does.
async fn note_peaks(database: &Database) {
    Engine::migrate_only(&Config::new("porter").database_url(database.url())).await.unwrap();
    database.execute("CREATE TABLE carried (parcel TEXT NOT NULL)").await;
    database.execute("CREATE TABLE peaks (scope TEXT NOT NULL, running BIGINT NOT NULL)").await;
    let counts = "INSERT INTO peaks
                  SELECT 'queue', count(*) FROM dbos.workflow_status
                   WHERE queue_name = 'crowded' AND status = 'PENDING';
                  INSERT INTO peaks
                  SELECT 'process', count(*) FROM dbos.workflow_status
                   WHERE queue_name = 'crowded' AND status = 'PENDING' GROUP BY executor_id;
                  INSERT INTO peaks
                  SELECT 'partition', count(*) FROM dbos.workflow_status
                   WHERE queue_name = 'crowded' AND status = 'PENDING' GROUP BY queue_partition_key;";
    let when = "WHEN (NEW.status = 'PENDING' AND OLD.status = 'ENQUEUED' AND NEW.queue_name = 'crowded')";
    match database.backend() {
        Backend::Postgres => {
            let function = format!(
                "CREATE FUNCTION note_peaks() RETURNS trigger LANGUAGE plpgsql AS $$
                 BEGIN {counts} RETURN NULL; END $$"
            );
            database.execute(&function).await;
            let trigger = "CREATE TRIGGER note_peaks AFTER UPDATE ON dbos.workflow_status FOR EACH ROW";
            database.execute(&format!("{trigger} {when} EXECUTE FUNCTION note_peaks()")).await;
        }
        Backend::Sqlite => {
            // A trigger of SQLite names no schema.
            let counts = counts.replace("dbos.", "");
            let trigger = "CREATE TRIGGER note_peaks AFTER UPDATE ON workflow_status FOR EACH ROW";
            database.execute(&format!("{trigger} {when} BEGIN {counts} END")).await;
        }
    }
}

/// The most that ran at once, in a process and in a partition.
async fn peaks(database: &Database) -> [i64; 3] {
    let mut most = [0; 3];
    for (most, scope) in most.iter_mut().zip(["queue", "process", "partition"]) {
        *most = database.count(&format!("SELECT max(running) FROM peaks WHERE scope = '{scope}'")).await;
    }
    most
}

async fn no_limit_is_exceeded_by_processes_that_are_killed(database: Database) {
    let (parcels, seed) = (chance::setting("DBOS_TEST_PARCELS", 400_u32), chance::seed());
    println!("{}: DBOS_TEST_PARCELS={parcels} DBOS_TEST_SEED={seed}", database.backend());
    let (all, is_long) = (i64::from(parcels) + i64::from(parcels / 4), parcels >= 5000);
    let (most_kills, way_ms) = if is_long { (60, 500) } else { (6, 50) };
    let mut chance = fastrand::Rng::with_seed(seed);
    note_peaks(&database).await;
    let mut porters = vec![launch(&database, parcels, way_ms)];
    porters[0].wait_for_line("ready").await;
    porters.extend((1..PROCESSES).map(|_| launch(&database, 0, way_ms)));

    let looks = "SELECT count(*), count(CASE WHEN status = 'PENDING' AND queue_name = 'crowded' THEN 1 END),
                        count(CASE WHEN status = 'ENQUEUED' AND queue_name = 'crowded' THEN 1 END)
                   FROM dbos.workflow_status WHERE status IN ('ENQUEUED', 'PENDING')";
    let (mut used, mut allowed, mut kills) = (0, 0, 0_u32);
    let mut next_kill = Instant::now() + Duration::from_millis(400);
    loop {
        let row = database.query(looks).await.remove(0);
        let [open, running, waiting] = [0, 1, 2].map(|at| row[at].as_deref().unwrap().parse::<i64>().unwrap());
        if open == 0 {
            break;
        }
        if waiting > 0 {
            (used, allowed) = (used + running, allowed + AT_ONCE);
        }
        if kills < most_kills && Instant::now() > next_kill {
            porters.remove(chance.usize(..porters.len())).kill().await;
            porters.push(launch(&database, 0, way_ms));
            next_kill = Instant::now() + Duration::from_millis(chance.u64(400..2000));
            kills += 1;
        }
        tokio::task::yield_now().await;
    }

    let percent = used * 100 / allowed.max(1);
    let most = peaks(&database).await;
    println!("{}: {kills} processes killed, {percent} % of what may run did, at most {most:?}", database.backend());
    assert_eq!(database.count("SELECT count(DISTINCT parcel) FROM carried").await, all);
    assert_eq!(database.count("SELECT count(*) FROM carried").await, all);
    let exceeded = most[0] > AT_ONCE || most[1] > IN_A_PROCESS || most[2] > IN_A_PARTITION;
    assert!(!exceeded, "in the queue, a process and a partition: {most:?}");
    assert_eq!(most[0], AT_ONCE, "there was always work for more than may run");
    assert!(!is_long || percent >= 90, "{percent} % of what may run did, while work waited");
    no_window_has_too_many_starts(&database).await;
    report(database.backend(), "killed processes that empty queues", u64::from(kills), Some(0), &[]);
}

async fn no_window_has_too_many_starts(database: &Database) {
    let starts = "SELECT started_at_epoch_ms FROM dbos.workflow_status WHERE queue_name = 'rated' ORDER BY 1";
    let starts: Vec<i64> =
        database.query(starts).await.iter().map(|row| row[0].as_deref().unwrap().parse().unwrap()).collect();
    for of_eleven in starts.windows(11) {
        assert!(of_eleven[10] - of_eleven[0] >= 500, "eleven starts within the period: {of_eleven:?}");
    }
}
