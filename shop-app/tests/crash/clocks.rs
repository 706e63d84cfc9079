//! A clock that jumps by an hour, back and forth, while customers come and go.

use std::time::{Duration, Instant};

use dbos_testkit::chance::given;
use dbos_testkit::{Backend, Database, Process, WallClock, report};
use jiff::Timestamp;
use tokio::time::sleep;

use crate::chance::Random;
use crate::crowd::{Crowd, STOCK};
use crate::shop::{Branch, stock};

dbos_testkit::behaviours! { clocks:
    customers_are_served_whatever_the_clock_says within 3600 using "faketime",
}

/// Jumps unless `DBOS_CLOCK_JUMPS` says otherwise.
const JUMPS: u64 = 4;

/// The longest time between two of them, in milliseconds: long enough for the lease to be renewed.
const LONGEST_CALM: u64 = 2_500;

const HOUR: i64 = 3600;

/// Those that nobody paid in time. The shop waits for two minutes, and its customers for less than a second.
const TIMED_OUT: &str = "SELECT count(*) FROM dbos.operation_outputs
     WHERE function_name = 'DBOS.recv' AND (output IS NULL OR output = 'null')";

async fn customers_are_served_whatever_the_clock_says(database: Database) {
    let jumps = given("DBOS_CLOCK_JUMPS").unwrap_or(JUMPS);
    let seed = given("DBOS_CLOCK_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    let backend = database.backend();
    println!("clock jumps: {backend}, DBOS_CLOCK_JUMPS={jumps} DBOS_CLOCK_SEED={seed}");
    let clock = WallClock::right();
    let branch = Branch::at(database.url()).patient().with_clock(&clock);
    let mut shop = branch.open().await;
    stock(&database, STOCK).await;
    let crowd = Crowd::enter(database, std::slice::from_ref(&branch), seed);
    let (mut random, mut resumed) = (Random::new(seed), Vec::new());
    for jump in 0..jumps {
        sleep(random.moment(LONGEST_CALM)).await;
        let off = [HOUR, -HOUR][usize::try_from(jump % 2).expect("small")];
        clock.set_off_by(off);
        let jumped = Instant::now();
        // Postgres tells a new process the time. Beside a file there is no clock but the one that is wrong.
        if backend == Backend::Postgres && random.below(2) == 0 {
            shop.kill().await;
            shop = branch.open().await;
        }
        crowd.until_served().await;
        resumed.push(jumped.elapsed());
        assert!(comes_to_see(&shop, off).await, "the shop does not see the clock that it is shown");
    }
    let mut books = crowd.leave().await;
    let too_late = books.database.count(TIMED_OUT).await;
    if too_late > 0 {
        books.wrong.push(format!("{too_late} payments came too late, and none should"));
    }
    report(backend, "ClockJump: the clock of the machine is set by an hour", jumps, Some(books.wrong.len()), &resumed);
    assert!(books.wrong.is_empty(), "{}", books.wrong.join("; "));
}

/// Whether the shop goes by a clock that is so far off. Its last line may be from before the jump; customers see to it
/// that there is another.
async fn comes_to_see(shop: &Process, off: i64) -> bool {
    for _ in 0..400 {
        if (clock_of(shop) - off).abs() < HOUR / 2 {
            return true;
        }
        sleep(Duration::from_millis(50)).await;
    }
    false
}

/// How far ahead the clock of a shop is, in seconds, by its log.
fn clock_of(shop: &Process) -> i64 {
    let lines = shop.lines();
    let latest = lines.iter().rev().find_map(|line| line.split(' ').next()?.parse::<Timestamp>().ok());
    latest.expect("its log is dated").as_second() - Timestamp::now().as_second()
}
