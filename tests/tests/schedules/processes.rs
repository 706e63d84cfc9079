//! A schedule that several processes watch, while they are killed.

use std::time::{Duration, Instant};

use dbos_testkit::{Database, Process, Program, behaviours};

behaviours! { processes:
    each_tick_comes_once_whoever_is_killed within 240,
    a_tick_that_is_lost_or_doubled_would_be_noticed on nothing,
}

pub(crate) const TICKER: &str = env!("CARGO_BIN_EXE_ticker");

const TICKED: &str = "SELECT CAST(second AS BIGINT) FROM ticked ORDER BY second";

fn launch(database: &Database) -> Process {
    Program::new(TICKER).env("DATABASE", database.url()).start()
}

/// What is wrong with the seconds that ticked, if anything is.
fn complaint(seconds: &[i64]) -> Option<String> {
    let odd = seconds.windows(2).find(|two| two[1] != two[0] + 1)?;
    Some(format!("{} is followed by {}", odd[0], odd[1]))
}

/// For some seconds nobody is there at all.
async fn each_tick_comes_once_whoever_is_killed(database: Database) {
    database.execute("CREATE TABLE ticked (second BIGINT NOT NULL)").await;
    let mut tickers = vec![launch(&database)];
    tickers[0].wait_for_line("ready").await;
    tickers.extend([launch(&database), launch(&database)]);

    let begun = Instant::now();
    let mut kills = 0;
    while database.count("SELECT count(*) FROM ticked").await < 15 {
        if kills < 8 && begun.elapsed() > Duration::from_millis(300 + fastrand::u64(0..900)) * (kills + 1) {
            tickers.remove(0).kill().await;
            kills += 1;
            tickers.push(launch(&database));
        }
    }
    for ticker in tickers {
        ticker.kill().await;
    }
    let last = launch(&database);
    last.wait_for_line("ready").await;
    let known = database.count("SELECT count(*) FROM ticked").await;
    database.until_count("SELECT count(*) FROM dbos.workflow_status WHERE status <> 'SUCCESS'", 0).await;
    while database.count("SELECT count(*) FROM ticked").await < known + 3 {}
    last.kill().await;

    let seconds: Vec<i64> =
        database.query(TICKED).await.iter().map(|row| row[0].as_deref().unwrap().parse().unwrap()).collect();
    println!("{}: {} ticks, {kills} processes killed", database.backend(), seconds.len());
    assert_eq!(complaint(&seconds), None, "{seconds:?}");
}

async fn a_tick_that_is_lost_or_doubled_would_be_noticed() {
    assert_eq!(complaint(&[7, 8, 9]), None);
    for planted in [&[7, 8, 8, 9][..], &[7, 9]] {
        assert!(complaint(planted).is_some(), "{planted:?}");
    }
}
