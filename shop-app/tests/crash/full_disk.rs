//! A disk that is full now and then, while customers come and go.

use std::time::{Duration, Instant};

use dbos_testkit::chance::given;
use dbos_testkit::{Database, Disk, Process, Server, http, report};
use tokio::time::sleep;

use crate::chance::Random;
use crate::crowd::{Crowd, STOCK};
use crate::shop::{Branch, stock};

dbos_testkit::behaviours! { full_disk:
    customers_are_served_once_there_is_room_on_sqlite on sqlite_disk within 3600,
    customers_are_served_once_there_is_room_on_postgres on server_disk within 3600,
}

/// How often the disk is filled unless `DBOS_FULL_DISKS` says otherwise.
const TIMES: u64 = 2;

/// The longest time without room after it was noticed, in milliseconds: longer than a lease.
const LONGEST_WITHOUT_ROOM: u64 = 6_000;

/// How soon the shop says what is wrong, on a busy machine.
const NOTICED: Duration = Duration::from_secs(60);
/// What it says then. A server that has ended can say nothing about its disk.
const REASONS: [&str; 3] = ["the disk of the database is full", "the database does not answer", "the lease"];

/// The longest calm between two of them, in milliseconds.
const LONGEST_CALM: u64 = 1_500;

async fn customers_are_served_once_there_is_room_on_sqlite(disk: Disk, database: Database) {
    fill_and_free(&disk, database, || ()).await;
}

/// A server that cannot write its log any more ends, and somebody starts it again when there is room.
async fn customers_are_served_once_there_is_room_on_postgres(disk: Disk, server: Server) {
    let database = Database::on_server(&server).await;
    let start_if_ended = || {
        if !server.is_running() {
            tokio::task::block_in_place(|| server.start());
        }
    };
    fill_and_free(&disk, database, start_if_ended).await;
}

async fn fill_and_free(disk: &Disk, database: Database, look_after_server: impl Fn()) {
    let times = given("DBOS_FULL_DISKS").unwrap_or(TIMES);
    let seed = given("DBOS_FULL_DISK_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    let backend = database.backend();
    println!("full disk: {backend}, DBOS_FULL_DISKS={times} DBOS_FULL_DISK_SEED={seed}");
    let branch = Branch::at(database.url()).patient();
    let shop = branch.open().await;
    stock(&database, STOCK).await;
    let crowd = Crowd::enter(database, std::slice::from_ref(&branch), seed);
    let mut random = Random::new(seed);
    let mut resumed = Vec::new();
    for _ in 0..times {
        crowd.until_served().await;
        sleep(random.moment(LONGEST_CALM)).await;
        disk.fill();
        tokio::time::timeout(NOTICED, until_told(&branch, &REASONS)).await.expect("it says what is wrong");
        sleep(random.moment(LONGEST_WITHOUT_ROOM)).await;
        disk.free();
        let freed = Instant::now();
        let mut looks = tokio::time::interval(Duration::from_millis(100));
        while tokio::time::timeout(Duration::from_millis(100), crowd.until_served()).await.is_err() {
            looks.tick().await;
            look_after_server();
        }
        resumed.push(freed.elapsed());
    }
    let books = crowd.leave().await;
    report(
        backend,
        "DiskFull: no room on the database's disk, and room again",
        times,
        Some(books.wrong.len()),
        &resumed,
    );
    assert!(books.wrong.is_empty(), "{}", books.wrong.join("; "));
    assert_never_restarted(&shop);
}

/// Waits until the shop itself says what is wrong: one of `reasons`.
pub(crate) async fn until_told(branch: &Branch, reasons: &[&str]) {
    loop {
        let ready = http::get(branch.url("/dbos-readyz")).await.expect("it serves on");
        if ready.status == 503 && reasons.iter().any(|reason| ready.body.contains(reason)) {
            return;
        }
        sleep(Duration::from_millis(50)).await;
    }
}

pub(crate) fn assert_never_restarted(shop: &Process) {
    assert_eq!(shop.status(), None, "{:#?}", shop.lines());
    assert!(!shop.lines().iter().any(|line| line.contains("panicked")), "{:#?}", shop.lines());
}
