//! A disk that now and then does not take what is flushed, while customers come and go.

use std::time::Instant;

use dbos_testkit::chance::given;
use dbos_testkit::{BrokenFlushes, Database, report};
use tokio::time::sleep;

use crate::chance::Random;
use crate::crowd::{Crowd, STOCK};
use crate::full_disk::{assert_never_restarted, until_told};
use crate::shop::{Branch, stock};

dbos_testkit::behaviours! { failing_flushes:
    customers_are_served_once_the_disk_works_again on sqlite within 3600 using "strace",
}

/// How often it fails unless `DBOS_FULL_DISKS` says otherwise.
const TIMES: u64 = 2;

/// The longest time without a flush after it was noticed, in milliseconds: longer than a lease.
const LONGEST_WITHOUT_FLUSH: u64 = 6_000;

/// The longest calm between two of them, in milliseconds.
const LONGEST_CALM: u64 = 1_500;

async fn customers_are_served_once_the_disk_works_again(database: Database) {
    let times = given("DBOS_FULL_DISKS").unwrap_or(TIMES);
    let seed = given("DBOS_FULL_DISK_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("failing flushes: DBOS_FULL_DISKS={times} DBOS_FULL_DISK_SEED={seed}");
    let file = database.path().expect("a file").to_owned();
    let branch = Branch::at(database.url()).patient();
    let shop = branch.open().await;
    stock(&database, STOCK).await;
    let crowd = Crowd::enter(database, std::slice::from_ref(&branch), seed);
    let mut random = Random::new(seed);
    let mut resumed = Vec::new();
    for _ in 0..times {
        crowd.until_served().await;
        sleep(random.moment(LONGEST_CALM)).await;
        let broken = BrokenFlushes::of_file(shop.id(), &file).await;
        until_told(&branch, &["the disk of the database does not work"]).await;
        sleep(random.moment(LONGEST_WITHOUT_FLUSH)).await;
        broken.mend().await;
        let mended = Instant::now();
        crowd.until_served().await;
        resumed.push(mended.elapsed());
    }
    let books = crowd.leave().await;
    report(
        "sqlite",
        "DiskFails: flushes end with an I/O error, and work again",
        times,
        Some(books.wrong.len()),
        &resumed,
    );
    assert!(books.wrong.is_empty(), "{}", books.wrong.join("; "));
    assert_never_restarted(&shop);
}
