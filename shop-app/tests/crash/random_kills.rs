//! Killed at random times under its supervisor, while customers come and go.

use std::time::Duration;

use dbos_testkit::chance::given;
use dbos_testkit::{Database, Process, report};
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::sleep;

use crate::chance::Random;
use crate::crowd::{Crowd, STOCK};
use crate::shop::{Branch, stock};

dbos_testkit::behaviours! { random_kills:
    twelve_buyers_are_served_whenever_the_shop_is_killed within 14_400,
}

/// Kills unless `DBOS_RANDOM_KILLS` says otherwise.
const KILLS: u64 = 15;

/// The longest life, in milliseconds. The shortest is none: a shop may die before it is open.
const LONGEST_LIFE: u64 = 2_500;

async fn twelve_buyers_are_served_whenever_the_shop_is_killed(database: Database) {
    let kills = given("DBOS_RANDOM_KILLS").unwrap_or(KILLS);
    let seed = given("DBOS_RANDOM_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    let backend = database.backend();
    println!("random kills: {backend} {kills}, DBOS_RANDOM_SEED={seed}");
    let branch = Branch::at(database.url()).supervised();
    let shop = branch.open().await;
    stock(&database, STOCK).await;
    let crowd = Crowd::enter(database, &[branch], seed);

    kill_at_random(&shop, kills, Random::new(seed)).await;

    // Of the dead nothing is left but what they did.
    crowd.database().until_count("SELECT count(*) FROM dbos_rust.executors", 1).await;
    let books = crowd.leave().await;
    let restarts = shop.lines().iter().filter(|line| line.contains("died: ")).count();
    let kind = format!("random kills under {} checkouts, with {} audits", books.checkouts, books.audits);
    report(backend, kind, kills, Some(books.wrong.len()), &[]);
    assert!(books.wrong.is_empty(), "{}", books.wrong.join("; "));
    assert_eq!(u64::try_from(restarts), Ok(kills), "every kill struck a shop, and no shop died of something else");
}

async fn kill_at_random(shop: &Process, kills: u64, mut random: Random) {
    let mut last = None;
    for _ in 0..kills {
        let serving = next_child(shop, last).await;
        sleep(random.moment(LONGEST_LIFE)).await;
        kill_process(serving, Signal::KILL).expect("it lives until it is killed");
        last = Some(serving);
    }
}

/// The process that the supervisor has started since `last`.
async fn next_child(shop: &Process, last: Option<Pid>) -> Pid {
    loop {
        let child = shop.children().into_iter().find_map(|child| Pid::from_raw(child.try_into().ok()?));
        match child {
            Some(child) if Some(child) != last => return child,
            _ => sleep(Duration::from_millis(5)).await,
        }
    }
}
