//! Never charge without fulfilling, never charge twice, reserve if and only if fulfilled: whatever is killed, at random.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use dbos_testkit::chance::given;
use dbos_testkit::{Database, Ledger, Process, Server};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::audit::audit;
use crate::chance::{Random, occupy};
use crate::customer::{Customer, Habit};
use crate::guide::{Guide, Site};

dbos_testkit::behaviours! { properties:
    three_ledgers_agree_whatever_is_killed_on_sqlite on sqlite within 14_400,
    three_ledgers_agree_whatever_is_killed_on_postgres on server within 14_400,
}

/// Orders unless `DBOS_TUTORIAL_ORDERS` says otherwise; more come while things are still being killed.
const ORDERS: u64 = 200;

/// Kills of the shop, of the service and of the database each, unless `DBOS_TUTORIAL_KILLS` says otherwise.
const KILLS: u64 = 10;

/// Customers at a time.
const CUSTOMERS: u64 = 8;

/// How long a customer has to pay, and the shop waits for news.
const PATIENCE_MS: u64 = 1_500;

/// The longest calm between two faults, and the longest time that something is gone.
const LONGEST_CALM_MS: u64 = 400;
const LONGEST_ABSENCE_MS: u64 = 800;

/// What is killed.
#[derive(Clone, Copy, Debug)]
enum Victim {
    Shop,
    Service,
    Database,
}

/// What lies below both programs.
enum Ground {
    Files([String; 2]),
    Server(Server),
}

async fn three_ledgers_agree_whatever_is_killed_on_sqlite(database: Database) {
    let guide = Guide::on(database).await;
    let files = [guide.orders.url().to_owned(), guide.sessions.url().to_owned()];
    three_ledgers_agree("sqlite", guide, Ground::Files(files)).await;
}

async fn three_ledgers_agree_whatever_is_killed_on_postgres(server: Server) {
    let (orders, sessions) = (Database::on_server(&server).await, Database::on_server(&server).await);
    three_ledgers_agree("postgres", Guide::with(orders, sessions), Ground::Server(server)).await;
}

async fn three_ledgers_agree(name: &str, guide: Guide, ground: Ground) {
    let orders = given("DBOS_TUTORIAL_ORDERS").unwrap_or(ORDERS);
    let kills = given("DBOS_TUTORIAL_KILLS").unwrap_or(KILLS);
    let seed = given("DBOS_TUTORIAL_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("ledgers: {name}, DBOS_TUTORIAL_ORDERS={orders} DBOS_TUTORIAL_KILLS={kills} DBOS_TUTORIAL_SEED={seed}");
    let guide = guide.waiting(PATIENCE_MS, PATIENCE_MS);
    let (shop, service) = guide.open().await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ledger = Ledger::at(folder.path().join("ledger"));
    let crowd = Crowd::enter(&guide.shop, &ledger, orders, seed);

    let mut scene = Scene { guide: &guide, shop, service, ground };
    let mut random = Random::new(seed);
    for victim in shuffled(kills, &mut random) {
        sleep(random.moment(LONGEST_CALM_MS)).await;
        scene.kill(victim, random.moment(LONGEST_ABSENCE_MS)).await;
    }
    crowd.leave().await;
    guide.until_all_is_over().await;

    let report = audit(&guide, &ledger).await;
    println!(
        "ledgers: {name} {kills} kills each of shop, service and database, {} orders, {} charged, {} violations",
        report.orders,
        report.charged,
        report.violations.len()
    );
    assert!(report.violations.is_empty(), "seed {seed}: {}", report.violations.join("; "));
}

/// Each victim so many times, in any order.
fn shuffled(kills: u64, random: &mut Random) -> Vec<Victim> {
    let mut left: Vec<_> = (0..kills).flat_map(|_| [Victim::Shop, Victim::Service, Victim::Database]).collect();
    let mut order = Vec::new();
    while !left.is_empty() {
        let next = random.below(left.len() as u64);
        order.push(left.swap_remove(usize::try_from(next).expect("an index")));
    }
    order
}

struct Scene<'g> {
    guide: &'g Guide,
    shop: Process,
    service: Process,
    ground: Ground,
}

impl Scene<'_> {
    /// Kills it, and brings it back after a time.
    async fn kill(&mut self, victim: Victim, absence: Duration) {
        match (victim, &self.ground) {
            (Victim::Shop, _) => restart(&mut self.shop, &self.guide.shop, absence).await,
            (Victim::Service, _) => restart(&mut self.service, &self.guide.service, absence).await,
            (Victim::Database, Ground::Server(server)) => {
                tokio::task::block_in_place(|| server.stop_immediate());
                sleep(absence).await;
                tokio::task::block_in_place(|| server.start());
            }
            // A file cannot be killed, but kept from being written.
            (Victim::Database, Ground::Files([orders, sessions])) => {
                tokio::join!(occupy(orders, absence), occupy(sessions, absence));
            }
        }
    }
}

async fn restart(process: &mut Process, site: &Site, absence: Duration) {
    process.kill().await;
    sleep(absence).await;
    *process = site.open().await;
}

/// Customers who come one after the other, some at a time.
struct Crowd {
    closing: Arc<AtomicBool>,
    queues: JoinSet<()>,
}

impl Crowd {
    /// Lets in so many at least.
    fn enter(shop: &Site, ledger: &Ledger, orders: u64, seed: u64) -> Self {
        let (closing, next) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let mut queues = JoinSet::new();
        for _ in 0..CUSTOMERS {
            let (shop, ledger) = (shop.clone(), ledger.clone());
            let (closing, next) = (Arc::clone(&closing), Arc::clone(&next));
            queues.spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    if number >= orders && closing.load(Ordering::SeqCst) {
                        return;
                    }
                    let customer = Customer {
                        key: format!("order-{number}"),
                        habit: Habit::of(number),
                        shop: shop.clone(),
                        patience: Duration::from_millis(PATIENCE_MS),
                        ledger: ledger.clone(),
                        random: Random::new(seed.wrapping_add(1 + number)),
                    };
                    customer.buy().await;
                }
            });
        }
        Self { closing, queues }
    }

    /// Lets nobody in any more once there were enough, and waits until all have what they came for.
    async fn leave(self) {
        self.closing.store(true, Ordering::SeqCst);
        self.queues.join_all().await;
    }
}
