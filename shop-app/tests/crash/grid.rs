//! Killed before and after each durable write of each path.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path as FilePath;
use std::process::Command;
use std::time::Duration;

use dbos_testkit::{Backend, Database, Ledger, Process};

use crate::books::final_audit;
use crate::commits::Commits;
use crate::paths::Path;
use crate::shop::{Customer, stock};

dbos_testkit::behaviours! { grid:
    a_paid_checkout_survives_a_crash_at_each_write within 3600,
    a_denied_checkout_survives_a_crash_at_each_write within 3600,
    a_checkout_that_times_out_survives_a_crash_at_each_write within 3600,
    a_sold_out_checkout_survives_a_crash_at_each_write within 3600,
    a_checkout_survives_a_second_crash_while_it_recovers within 3600,
    a_checkout_that_waits_for_its_payment_writes_nothing,
}

/// How many points of a path are tried unless `DBOS_CRASH_GRID=full`.
const SAMPLE: usize = 8;

/// How long a failpoint may take to speak after its write was seen.
const GRACE: Duration = Duration::from_millis(500);

/// How often a point is sought. Two workflows may share a commit, so the last number of a path is not
/// given out each time.
const TRIES: usize = 5;

/// How often the shop looks for what it was not told of.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

async fn a_paid_checkout_survives_a_crash_at_each_write(database: Database) {
    crash_everywhere(Path::Paid, database).await;
}

async fn a_denied_checkout_survives_a_crash_at_each_write(database: Database) {
    crash_everywhere(Path::Denied, database).await;
}

async fn a_checkout_that_times_out_survives_a_crash_at_each_write(database: Database) {
    crash_everywhere(Path::TimedOut, database).await;
}

async fn a_sold_out_checkout_survives_a_crash_at_each_write(database: Database) {
    crash_everywhere(Path::SoldOut, database).await;
}

/// The first writes of a shop that was started after a crash: the claim, then the rest of the order.
async fn a_checkout_survives_a_second_crash_while_it_recovers(database: Database) {
    let backend = database.backend();
    let points = sides(4);
    for point in choose(&points) {
        assert!(crash_at(Path::Paid, &["after:8", &point], backend).await, "{point} is not reached");
    }
}

/// However often it looks whether there is a message.
async fn a_checkout_that_waits_for_its_payment_writes_nothing(database: Database) {
    let branch = Path::Paid.branch(database.url());
    let _shop = branch.open().await;
    let customer = Customer::new(&branch, "abcde-12345", None);
    customer.checkout().await;
    database.until_count("SELECT count(*) FROM dbos.operation_outputs", 4).await;
    let commits = Commits::from_now(&database).await;
    tokio::time::sleep(2 * POLL_INTERVAL + GRACE).await;
    assert_eq!(commits.count(&database).await, 0);
}

async fn crash_everywhere(path: Path, database: Database) {
    let backend = database.backend();
    let writes = record(path, database).await;
    let chosen = choose(&sides(writes));
    let mut unreached = Vec::new();
    for point in &chosen {
        let mut reached = false;
        for _ in 0..TRIES {
            reached = reached || crash_at(path, &[point], backend).await;
        }
        if !reached {
            unreached.push(point.as_str());
        }
    }
    println!(
        "crash points: {backend} {} 2×{writes}, tried {}{}",
        path.name(),
        chosen.len(),
        if unreached.is_empty() { String::new() } else { format!(", not reached: {}", unreached.join(" ")) }
    );
    assert!(
        unreached.iter().all(|point| point.ends_with(&format!(":{writes}"))),
        "the writes of the {} path are not always the same",
        path.name()
    );
}

/// The number of writes, as the failpoints count them; the log of the database must agree.
async fn record(path: Path, database: Database) -> usize {
    let folder = tempfile();
    let ledger = Ledger::at(folder.path().join("ledger"));
    let branch = path.branch(database.url());
    let shop = branch.clone().env("DBOS_FAILPOINT", "record").open().await;
    stock(&database, path.stock()).await;
    let commits = Commits::from_now(&database).await;
    let customer = Customer::new(&branch, "abcde-12345", Some(&ledger));
    finish(path, &customer, &database).await;
    // The last write is visible before it is spoken of.
    tokio::time::sleep(GRACE).await;
    let (before, after) = (spoken(&shop, "failpoint Before "), spoken(&shop, "failpoint After "));
    assert!(!before.is_empty(), "the shop was built without failpoints: build it together with its tests");
    assert_eq!(before.len(), after.len(), "{before:?} {after:?}");
    let committed = commits.count(&database).await;
    assert_eq!(before.len(), committed, "{committed} commits in the log, and these failpoints: {before:#?}");
    audit(path, &customer, &database, &ledger, "record").await;
    before.len()
}

fn spoken(shop: &Process, text: &str) -> Vec<String> {
    shop.lines().into_iter().filter(|line| line.contains(text)).collect()
}

fn sides(writes: usize) -> Vec<String> {
    (1..=writes).flat_map(|write| ["before", "after"].map(|side| format!("{side}:{write}"))).collect()
}

/// Kills the shop at the first point, starts it again, kills it at the next, and so on; then checks
/// what became of the checkout. `false` if it was over before a point was reached.
async fn crash_at(path: Path, points: &[&str], backend: Backend) -> bool {
    let database = Database::fresh(backend).await;
    let folder = tempfile();
    let ledger = Ledger::at(folder.path().join("ledger"));
    let branch = path.branch(database.url());
    let customer = Customer::new(&branch, "abcde-12345", Some(&ledger));
    let walk = finish(path, &customer, &database);
    tokio::pin!(walk);
    let mut over = false;
    for (crash, point) in points.iter().enumerate() {
        let shop = branch.clone().env("DBOS_FAILPOINT", *point).open().await;
        if crash == 0 {
            stock(&database, path.stock()).await;
        }
        tokio::select! {
            biased;
            _ = shop.wait_for_line("failpoint ") => {}
            () = &mut walk, if !over => over = true,
        }
        if over && tokio::time::timeout(GRACE, shop.wait_for_line("failpoint ")).await.is_err() {
            return false;
        }
        shop.kill().await;
    }
    let _shop = branch.open().await;
    if !over {
        walk.await;
    }
    finish(path, &customer, &database).await;
    audit(path, &customer, &database, &ledger, &points.join(" and ")).await;
    true
}

/// Goes the path to its end: the customer's, then every workflow's.
async fn finish(path: Path, customer: &Customer, database: &Database) {
    path.walk(customer).await;
    database.until_count("SELECT count(*) FROM dbos.workflow_status WHERE status = 'PENDING'", 0).await;
}

async fn audit(path: Path, customer: &Customer, database: &Database, ledger: &Ledger, point: &str) {
    for again in ["", ", and asked again"] {
        let wrong = final_audit(database, path.stock(), ledger).await;
        assert!(wrong.is_empty(), "{} path, {point}{again}: {}", path.name(), wrong.join("; "));
        path.walk_again(customer).await;
    }
    let workflows = if path == Path::Paid { 2 } else { 1 };
    assert_eq!(database.count("SELECT count(*) FROM dbos.workflow_status").await, workflows);
}

/// All points, or some that differ from commit to commit.
fn choose(points: &[String]) -> Vec<String> {
    if std::env::var("DBOS_CRASH_GRID").is_ok_and(|grid| grid == "full") {
        return points.to_vec();
    }
    let seed = seed();
    // Odd, so that both sides of writes are met.
    let stride = points.len().div_ceil(SAMPLE) | 1;
    let mut hasher = DefaultHasher::new();
    (&seed, points.len()).hash(&mut hasher);
    let first = usize::try_from(hasher.finish() % stride as u64).expect("smaller than the stride");
    println!("crash sample: DBOS_CRASH_SEED={seed}, every {stride}th of {} points from number {first}", points.len());
    points.iter().skip(first).step_by(stride).cloned().collect()
}

/// `DBOS_CRASH_SEED`, else the commit.
fn seed() -> String {
    std::env::var("DBOS_CRASH_SEED").unwrap_or_else(|_| {
        let commit = Command::new("git")
            .args(["rev-parse", "HEAD"])
            .current_dir(FilePath::new(env!("CARGO_MANIFEST_DIR")))
            .output();
        let commit = commit.ok().filter(|commit| commit.status.success());
        commit.map_or_else(|| "0".to_owned(), |commit| String::from_utf8_lossy(&commit.stdout).trim().to_owned())
    })
}

fn tempfile() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}
