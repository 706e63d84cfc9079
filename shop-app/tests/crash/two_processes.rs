//! Two shops on one Postgres: what one leaves, the other finishes.

use std::time::{Duration, Instant};

use dbos_testkit::{Database, Ledger, Process, WallClock, report};

use crate::books::final_audit;
use crate::paths::DISPATCHED;
use crate::shop::{Branch, Customer};

dbos_testkit::behaviours! { two_processes:
    orders_of_a_killed_shop_are_finished_by_the_other on postgres,
    orders_of_a_terminated_shop_are_handed_over_at_once on postgres,
    a_second_shop_leaves_the_work_of_a_living_one_alone on postgres,
    shops_an_hour_apart_take_over_what_is_dead_and_nothing_else on postgres within 120 using "faketime",
}

const STOCK: i64 = 12;

/// What a shop says about each workflow it takes over.
const RECOVERING: &str = "recovering workflow";

/// Shorter than a lease, which is how long it would take without a farewell or a proof of death.
const AT_ONCE: Duration = Duration::from_secs(3);

/// As it is by default.
const LEASE: Duration = Duration::from_secs(5);

async fn orders_of_a_killed_shop_are_finished_by_the_other(database: Database) {
    let scene = Scene::set(database).await;
    let orders = scene.open_orders().await;

    let since = Instant::now();
    scene.first.kill().await;
    scene.until_taken_over(since).await;

    scene.finish(orders).await;
}

async fn orders_of_a_terminated_shop_are_handed_over_at_once(database: Database) {
    let scene = Scene::set(database).await;
    let orders = scene.open_orders().await;

    let since = Instant::now();
    scene.first.terminate();
    scene.until_taken_over(since).await;
    assert!(scene.first.wait().await.success());

    let attempts = "SELECT count(*) FROM dbos.workflow_status WHERE status = 'PENDING' AND recovery_attempts > 1";
    assert_eq!(scene.database.count(attempts).await, 0, "a hand-over counts as no failed attempt");
    scene.finish(orders).await;
}

async fn a_second_shop_leaves_the_work_of_a_living_one_alone(database: Database) {
    let scene = Scene::set(database).await;
    let orders = scene.open_orders().await;

    let third = scene.elsewhere.open().await;
    let orders = scene.settle(orders).await;

    for shop in [&scene.second, &third] {
        assert!(!shop.lines().iter().any(|line| line.contains(RECOVERING)), "{:#?}", shop.lines());
    }
    scene.audit(&orders).await;
}

/// One is an hour ahead, and the other stands still for longer than its lease.
async fn shops_an_hour_apart_take_over_what_is_dead_and_nothing_else(database: Database) {
    let clocks = [WallClock::right(), WallClock::right()];
    clocks[0].set_off_by(-1800);
    clocks[1].set_off_by(1800);
    let scene = Scene::set_with(database, |branch, number| branch.with_clock(&clocks[number % 2])).await;
    let orders = scene.open_orders().await;

    tokio::time::sleep(LEASE * 2).await;
    assert!(!scene.second.lines().iter().any(|line| line.contains(RECOVERING)), "{:#?}", scene.second.lines());
    let since = Instant::now();
    scene.first.pause();
    // The three that were paid have been dispatched meanwhile.
    scene.second.wait_for_line_number(3, RECOVERING).await;
    let took = since.elapsed();
    report("postgres", "a takeover when a lease has run out", 1, None, &[took]);
    assert!(took < LEASE + AT_ONCE, "the orders were taken over after {took:?}");

    let orders = scene.settle(orders).await;
    scene.first.resume();
    scene.first.wait_for_line("going on as a new executor").await;
    scene.audit(&orders).await;
}

/// Two shops on one database, with customers at the first.
struct Scene {
    database: Database,
    ledger: Ledger,
    _folder: tempfile::TempDir,
    here: Branch,
    there: Branch,
    elsewhere: Branch,
    first: Process,
    second: Process,
}

/// Orders that the first shop has accepted: paid for and waiting for payment.
struct Orders {
    paid: Vec<(String, String)>,
    unpaid: Vec<String>,
}

impl Scene {
    async fn set(database: Database) -> Self {
        Self::set_with(database, |branch, _| branch).await
    }

    /// With something that each shop has of its own.
    async fn set_with(database: Database, own: impl Fn(Branch, usize) -> Branch) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let ledger = Ledger::at(folder.path().join("ledger"));
        let branch = |number| own(Branch::at(database.url()).env("WIDGET_STORE_DISPATCH_INTERVAL_MS", "200"), number);
        let (here, there, elsewhere) = (branch(0), branch(1), branch(2));
        let (first, second) = (here.open().await, there.open().await);
        Self { database, ledger, _folder: folder, here, there, elsewhere, first, second }
    }

    async fn open_orders(&self) -> Orders {
        let (mut paid, mut unpaid) = (Vec::new(), Vec::new());
        for number in 0..3 {
            let customer = Customer::new(&self.here, format!("paid-{number}"), Some(&self.ledger));
            customer.checkout().await;
            let order = customer.pay("paid").await;
            assert_eq!(order.status, 200, "{}", order.body);
            paid.push((customer.key, order.body));
            let customer = Customer::new(&self.here, format!("unpaid-{number}"), Some(&self.ledger));
            customer.checkout().await;
            unpaid.push(customer.key);
        }
        Orders { paid, unpaid }
    }

    /// The second shop has everything: three checkouts and three dispatches.
    async fn until_taken_over(&self, since: Instant) {
        self.second.wait_for_line_number(6, RECOVERING).await;
        let took = since.elapsed();
        report("postgres", "a takeover from a process that is known to be gone", 1, None, &[took]);
        assert!(took < AT_ONCE, "the orders were taken over after {took:?}");
    }

    async fn finish(&self, orders: Orders) {
        let orders = self.settle(orders).await;
        self.audit(&orders).await;
    }

    /// Pays at the second shop for what is unpaid, and waits until all is dispatched.
    async fn settle(&self, orders: Orders) -> Vec<String> {
        let mut all = Vec::new();
        for (key, order) in orders.paid {
            assert_eq!(Customer::new(&self.there, key, Some(&self.ledger)).pay("paid").await.body, order);
            all.push(order);
        }
        for key in orders.unpaid {
            let answer = Customer::new(&self.there, key, Some(&self.ledger)).pay("paid").await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            all.push(answer.body);
        }
        for order in &all {
            Customer::new(&self.there, "nobody", Some(&self.ledger)).until_order(order, DISPATCHED).await;
        }
        self.database.until_count("SELECT count(*) FROM dbos.workflow_status WHERE status = 'PENDING'", 0).await;
        all
    }

    async fn audit(&self, orders: &[String]) {
        assert_eq!(orders.len(), 6);
        let wrong = final_audit(&self.database, STOCK, &self.ledger).await;
        assert!(wrong.is_empty(), "{}", wrong.join("; "));
    }
}
