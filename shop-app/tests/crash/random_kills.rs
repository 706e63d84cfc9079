//! Killed at random times under its supervisor, while customers come and go.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use dbos_testkit::{Database, Ledger, Process};
use rustix::process::{Pid, Signal, kill_process};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::books::{audit, final_audit};
use crate::paths::{CANCELLED, DISPATCHED};
use crate::shop::{Branch, Customer, stock};

dbos_testkit::behaviours! { random_kills:
    twelve_buyers_are_served_whenever_the_shop_is_killed within 14_400,
}

/// Kills unless `DBOS_RANDOM_KILLS` says otherwise.
const KILLS: u64 = 15;

const BUYERS: u64 = 12;

/// More than they can buy.
const STOCK: i64 = 1_000_000;

/// The longest life, in milliseconds. The shortest is none: a shop may die before it is open.
const LONGEST_LIFE: u64 = 2_500;

async fn twelve_buyers_are_served_whenever_the_shop_is_killed(database: Database) {
    let kills = number("DBOS_RANDOM_KILLS").unwrap_or(KILLS);
    let seed = number("DBOS_RANDOM_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("random kills: {} {kills}, DBOS_RANDOM_SEED={seed}", database.backend());
    let database = Arc::new(database);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ledger = Ledger::at(folder.path().join("ledger"));
    let branch = Branch::at(database.url()).supervised();
    let shop = branch.open().await;
    stock(&database, STOCK).await;

    let closing = Arc::new(AtomicBool::new(false));
    let mut buyers = JoinSet::new();
    for buyer in 0..BUYERS {
        buyers.spawn(buy(buyer, seed, branch.clone(), ledger.clone(), Arc::clone(&closing)));
    }
    let auditor = tokio::spawn(watch(Arc::clone(&database), Arc::clone(&closing)));
    kill_at_random(&shop, kills, Random::new(seed)).await;

    closing.store(true, Ordering::SeqCst);
    let bought: u64 = buyers.join_all().await.into_iter().sum();
    let (audits, mut wrong) = auditor.await.expect("the auditor never panics");
    database.until_count("SELECT count(*) FROM dbos.workflow_status WHERE status = 'PENDING'", 0).await;
    wrong.extend(final_audit(&database, STOCK, &ledger).await);
    // Of the dead nothing is left but what they did.
    database.until_count("SELECT count(*) FROM dbos_rust.executors", 1).await;
    let restarts = shop.lines().iter().filter(|line| line.contains("died: ")).count();
    println!(
        "random kills: {} {kills} kills, {restarts} restarts, {bought} checkouts, {audits} audits, {} violations",
        database.backend(),
        wrong.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("; "));
    assert_eq!(u64::try_from(restarts), Ok(kills), "every kill struck a shop, and no shop died of something else");
}

async fn kill_at_random(shop: &Process, kills: u64, mut random: Random) {
    let mut last = None;
    for _ in 0..kills {
        let serving = next_child(shop, last).await;
        sleep(Duration::from_millis(random.below(LONGEST_LIFE))).await;
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

/// Buys one widget after another, pays for two in three, and gives how many checkouts that were.
async fn buy(buyer: u64, seed: u64, branch: Branch, ledger: Ledger, closing: Arc<AtomicBool>) -> u64 {
    let mut random = Random::new(seed.wrapping_add(1 + buyer));
    let mut bought = 0;
    while !closing.load(Ordering::SeqCst) {
        let customer = Customer::new(&branch, format!("{buyer}-{bought}"), Some(&ledger));
        let checkout = customer.checkout().await;
        assert_eq!((checkout.status, &checkout.body), (200, &customer.key));
        sleep(Duration::from_millis(random.below(300))).await;
        let status = if random.below(3) == 0 { "failed" } else { "paid" };
        let answer = customer.pay(status).await;
        // A payment can only come too late, which the ledger is checked for.
        if answer.status == 200 {
            customer.until_order(&answer.body, if status == "paid" { DISPATCHED } else { CANCELLED }).await;
        }
        bought += 1;
        sleep(Duration::from_millis(random.below(300))).await;
    }
    bought
}

/// Audits again and again: how often, and what was wrong.
async fn watch(database: Arc<Database>, closing: Arc<AtomicBool>) -> (u64, Vec<String>) {
    let (mut audits, mut wrong) = (0, Vec::new());
    while !closing.load(Ordering::SeqCst) {
        let started = Instant::now();
        wrong.extend(audit(&database, STOCK).await);
        audits += 1;
        // The books grow, and the shop must not starve of audits.
        sleep((started.elapsed() * 4).max(Duration::from_millis(200))).await;
    }
    (audits, wrong)
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is `{text}`, which is no number")))
}

/// Numbers that are the same for the same seed (`SplitMix64`).
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % limit
    }
}
