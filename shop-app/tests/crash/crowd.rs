//! Customers who buy all the time, and an auditor who watches the books.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use dbos_testkit::{Database, Ledger};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

use crate::books::{final_audit, try_audit};
use crate::chance::Random;
use crate::paths::{CANCELLED, DISPATCHED};
use crate::shop::{Branch, Customer};

const BUYERS: u64 = 12;

/// More than they can buy.
pub(crate) const STOCK: i64 = 1_000_000;

/// Twelve buyers and an auditor.
pub(crate) struct Crowd {
    database: Arc<Database>,
    ledger: Ledger,
    closing: Arc<AtomicBool>,
    buyers: JoinSet<u64>,
    auditor: JoinHandle<(u64, Vec<String>)>,
    audits: watch::Sender<u64>,
    answered: watch::Sender<Instant>,
    _folder: tempfile::TempDir,
}

/// What came of it all.
pub(crate) struct Books {
    pub(crate) checkouts: u64,
    pub(crate) audits: u64,
    pub(crate) wrong: Vec<String>,
    pub(crate) database: Arc<Database>,
}

impl Crowd {
    /// Lets them in; they spread over the branches.
    pub(crate) fn enter(database: Database, branches: &[Branch], seed: u64) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let ledger = Ledger::at(folder.path().join("ledger"));
        let (database, closing) = (Arc::new(database), Arc::<AtomicBool>::default());
        let answered = watch::Sender::new(Instant::now());
        let mut buyers = JoinSet::new();
        for (buyer, branch) in (0..BUYERS).zip(branches.iter().cycle()) {
            let buyer = Buyer {
                number: buyer,
                random: Random::new(seed.wrapping_add(1 + buyer)),
                branch: branch.clone(),
                ledger: ledger.clone(),
                answered: answered.clone(),
                closing: Arc::clone(&closing),
            };
            buyers.spawn(buyer.buy());
        }
        let audits = watch::Sender::new(0);
        let auditor = tokio::spawn(watch_books(Arc::clone(&database), Arc::clone(&closing), audits.clone()));
        Self { database, ledger, closing, buyers, auditor, audits, answered, _folder: folder }
    }

    /// Waits until somebody is answered.
    pub(crate) async fn until_served(&self) {
        let since = Instant::now();
        let mut answered = self.answered.subscribe();
        answered.wait_for(|at| *at > since).await.expect("the sender lives in self");
    }

    /// Waits until an audit that has begun after now is done.
    pub(crate) async fn until_audited(&self) {
        let mut audits = self.audits.subscribe();
        let begun = *audits.borrow() + 1;
        audits.wait_for(|audits| *audits > begun).await.expect("the sender lives in self");
    }

    /// Waits until all have what they came for, and audits for the last time.
    pub(crate) async fn leave(self) -> Books {
        self.closing.store(true, Ordering::SeqCst);
        let checkouts = self.buyers.join_all().await.into_iter().sum();
        let (audits, mut wrong) = self.auditor.await.expect("the auditor never panics");
        let database = self.database;
        database.until_count("SELECT count(*) FROM dbos.workflow_status WHERE status = 'PENDING'", 0).await;
        wrong.extend(final_audit(&database, STOCK, &self.ledger).await);
        Books { checkouts, audits, wrong, database }
    }

    pub(crate) fn database(&self) -> &Database {
        &self.database
    }
}

struct Buyer {
    number: u64,
    random: Random,
    branch: Branch,
    ledger: Ledger,
    answered: watch::Sender<Instant>,
    closing: Arc<AtomicBool>,
}

impl Buyer {
    /// Buys one widget after another, pays for two in three, and gives how many checkouts that were.
    async fn buy(mut self) -> u64 {
        let mut bought = 0;
        while !self.closing.load(Ordering::SeqCst) {
            let customer = Customer::new(&self.branch, format!("{}-{bought}", self.number), Some(&self.ledger));
            let checkout = customer.checkout().await;
            assert_eq!((checkout.status, &checkout.body), (200, &customer.key));
            self.answered.send_replace(Instant::now());
            self.hesitate().await;
            let status = if self.random.below(3) == 0 { "failed" } else { "paid" };
            let answer = customer.pay(status).await;
            // A payment can only come too late, which the ledger is checked for.
            if answer.status == 200 {
                let settled = if status == "paid" { DISPATCHED } else { CANCELLED };
                customer.until_order(&answer.body, settled).await;
                self.answered.send_replace(Instant::now());
            }
            bought += 1;
            self.hesitate().await;
        }
        bought
    }

    async fn hesitate(&mut self) {
        sleep(Duration::from_millis(self.random.below(300))).await;
    }
}

/// Audits again and again, whenever there is a database: how often, and what was wrong.
async fn watch_books(
    database: Arc<Database>,
    closing: Arc<AtomicBool>,
    audits: watch::Sender<u64>,
) -> (u64, Vec<String>) {
    let mut wrong = Vec::new();
    while !closing.load(Ordering::SeqCst) {
        let started = Instant::now();
        if let Ok(found) = try_audit(&database, STOCK).await {
            wrong.extend(found);
            audits.send_modify(|audits| *audits += 1);
        }
        // The books grow, and the shop must not starve of audits.
        sleep((started.elapsed() * 4).max(Duration::from_millis(200))).await;
    }
    let audits = *audits.borrow();
    (audits, wrong)
}
