//! Asked to end (SIGTERM) again and again, with work in flight.

use std::time::{Duration, Instant};

use dbos_testkit::chance::given;
use dbos_testkit::{Database, report};
use tokio::time::sleep;

use crate::chance::Random;
use crate::crowd::{Crowd, STOCK};
use crate::shop::{Branch, stock};

dbos_testkit::behaviours! { terminations:
    nothing_is_lost_however_often_a_shop_is_asked_to_end within 3600,
}

/// Terminations unless `DBOS_TERMINATIONS` says otherwise.
const TERMINATIONS: u64 = 3;

/// The longest time between two of them, in milliseconds.
const LONGEST_CALM: u64 = 1_000;

/// As long as a shop drains by default, and a little for its end.
const DRAINED: Duration = Duration::from_secs(32);

const FAILED_ATTEMPTS: &str = "SELECT count(*) FROM dbos.workflow_status WHERE recovery_attempts > 1";

async fn nothing_is_lost_however_often_a_shop_is_asked_to_end(database: Database) {
    let terminations = given("DBOS_TERMINATIONS").unwrap_or(TERMINATIONS);
    let seed = given("DBOS_TERMINATION_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    let backend = database.backend();
    println!("terminations: {backend}, DBOS_TERMINATIONS={terminations} DBOS_TERMINATION_SEED={seed}");
    let branches = [Branch::at(database.url()).patient(), Branch::at(database.url()).patient()];
    let mut shops = [branches[0].open().await, branches[1].open().await];
    stock(&database, STOCK).await;
    let crowd = Crowd::enter(database, &branches, seed);
    let (mut random, mut ended) = (Random::new(seed), Vec::new());
    for number in 0..terminations {
        crowd.until_served().await;
        sleep(random.moment(LONGEST_CALM)).await;
        let which = usize::try_from(number % 2).expect("small");
        let asked = Instant::now();
        shops[which].terminate();
        let end = tokio::time::timeout(DRAINED, shops[which].wait()).await.expect("it ends within its drain");
        assert!(end.success(), "{end}: {:#?}", shops[which].lines());
        ended.push(asked.elapsed());
        shops[which] = branches[which].open().await;
    }
    let mut books = crowd.leave().await;
    let failed = books.database.count(FAILED_ATTEMPTS).await;
    if failed > 0 {
        books.wrong.push(format!("{failed} hand-overs were counted as failed attempts"));
    }
    let kind = "Terminations: SIGTERM with work in flight, until the process has ended";
    report(backend, kind, terminations, Some(books.wrong.len()), &ended);
    assert!(books.wrong.is_empty(), "{}", books.wrong.join("; "));
}
