//! Killed before and after each durable write of each path, and once more while what was left is recovered.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path as FilePath;
use std::process::Command;
use std::time::Duration;

use dbos_testkit::{Backend, Database, Ledger, Process};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::books::final_audit;
use crate::commits::Commits;
use crate::paths::Path;
use crate::shop::{Customer, stock};

dbos_testkit::behaviours! { grid:
    a_paid_checkout_survives_a_crash_at_each_write_and_one_while_it_recovers within 3600,
    a_denied_checkout_survives_a_crash_at_each_write_and_one_while_it_recovers within 3600,
    a_checkout_that_times_out_survives_a_crash_at_each_write_and_one_while_it_recovers within 3600,
    a_sold_out_checkout_survives_a_crash_at_each_write_and_one_while_it_recovers within 3600,
    a_checkout_that_waits_for_its_payment_writes_nothing,
}

/// How many points of a path are tried, and how many pairs of points, unless `DBOS_CRASH_GRID=full`.
const SAMPLE: usize = 8;

/// How many shops of the grid are open at a time. They wait most of the time.
static OPEN: Semaphore = Semaphore::const_new(12);

/// How long a failpoint may take to speak after its write was seen.
const GRACE: Duration = Duration::from_millis(500);

/// How often a point is sought. Two workflows may share a commit, so the last number of a path is not
/// given out each time.
const TRIES: usize = 5;

/// How often the shop looks for what it was not told of.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

async fn a_paid_checkout_survives_a_crash_at_each_write_and_one_while_it_recovers(database: Database) {
    crash_everywhere(Path::Paid, database).await;
}

async fn a_denied_checkout_survives_a_crash_at_each_write_and_one_while_it_recovers(database: Database) {
    crash_everywhere(Path::Denied, database).await;
}

async fn a_checkout_that_times_out_survives_a_crash_at_each_write_and_one_while_it_recovers(database: Database) {
    crash_everywhere(Path::TimedOut, database).await;
}

async fn a_sold_out_checkout_survives_a_crash_at_each_write_and_one_while_it_recovers(database: Database) {
    crash_everywhere(Path::SoldOut, database).await;
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
    let points = choose(&sides(writes).map(|point| vec![point]).collect::<Vec<_>>());
    let recoveries = crash_at_each(path, points, backend).await;
    report(backend, path, &format!("2×{writes}"), &recoveries);
    assert_only_last_is_missed(path, &recoveries, |_| writes);

    let pairs: Vec<_> = recoveries.iter().flat_map(with_a_second).collect();
    let seconds = crash_at_each(path, choose(&pairs), backend).await;
    report(backend, path, &format!("{} pairs", pairs.len()), &seconds);
    assert_only_last_is_missed(path, &seconds, |points| recoveries[&points[..1]].expect("its first was reached"));
}

/// Crashes at these points one after the other, and how many writes the last recovery took; `None` if it was over before
/// it came to one of them.
type Recoveries = BTreeMap<Vec<String>, Option<usize>>;

async fn crash_at_each(path: Path, crashes: Vec<Vec<String>>, backend: Backend) -> Recoveries {
    let mut runs = JoinSet::new();
    for points in crashes {
        runs.spawn(async move {
            let _open = OPEN.acquire().await.expect("it is never closed");
            for _ in 0..TRIES {
                if let Some(writes) = crash_at(path, &points, backend).await {
                    return (points, Some(writes));
                }
            }
            (points, None)
        });
    }
    runs.join_all().await.into_iter().collect()
}

/// A recovery's crash at its first write, at its last, and at one between them that is another for each point.
fn with_a_second((points, writes): (&Vec<String>, &Option<usize>)) -> Vec<Vec<String>> {
    let Some(writes @ 1..) = *writes else { return Vec::new() };
    let mut hasher = DefaultHasher::new();
    points.hash(&mut hasher);
    let between = 1 + usize::try_from(hasher.finish() % writes as u64).expect("smaller than a count");
    let seconds: BTreeSet<_> = [1, between, writes].into_iter().flat_map(both_sides).collect();
    seconds.into_iter().map(|second| [points.clone(), vec![second]].concat()).collect()
}

fn report(backend: Backend, path: Path, all: &str, recoveries: &Recoveries) {
    let missed: Vec<_> =
        recoveries.iter().filter(|(_, reached)| reached.is_none()).map(|(points, _)| points.join(" and ")).collect();
    println!(
        "crash points: {backend} {} {all}, tried {}, 0 violations{}",
        path.name(),
        recoveries.len(),
        if missed.is_empty() { String::new() } else { format!(", not reached: {}", missed.join(", ")) }
    );
}

/// Two workflows may share a commit, or not: the number of the last write is given out or not.
fn assert_only_last_is_missed(path: Path, recoveries: &Recoveries, writes: impl Fn(&[String]) -> usize) {
    for (points, _) in recoveries.iter().filter(|(_, reached)| reached.is_none()) {
        let last = points.last().expect("at least one point");
        assert!(
            last.ends_with(&format!(":{}", writes(points))),
            "the writes of the {} path are not always the same: {points:?} was not reached",
            path.name()
        );
    }
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

fn sides(writes: usize) -> impl Iterator<Item = String> {
    (1..=writes).flat_map(both_sides)
}

fn both_sides(write: usize) -> [String; 2] {
    ["before", "after"].map(|side| format!("{side}:{write}"))
}

/// Kills the shop at the first point, starts it again, kills it at the next, and so on; then checks what became of the
/// checkout, and gives how many writes the last shop made of it. `None` if it was over before a point was reached.
async fn crash_at(path: Path, points: &[String], backend: Backend) -> Option<usize> {
    let database = Database::fresh(backend).await;
    let folder = tempfile();
    let ledger = Ledger::at(folder.path().join("ledger"));
    let branch = path.branch(database.url());
    let customer = Customer::new(&branch, "abcde-12345", Some(&ledger));
    let walk = finish(path, &customer, &database);
    tokio::pin!(walk);
    let mut over = false;
    for (crash, point) in points.iter().enumerate() {
        let shop = branch.clone().env("DBOS_FAILPOINT", point).open().await;
        if crash == 0 {
            stock(&database, path.stock()).await;
        }
        tokio::select! {
            biased;
            _ = shop.wait_for_line("failpoint ") => {}
            () = &mut walk, if !over => over = true,
        }
        if over && tokio::time::timeout(GRACE, shop.wait_for_line("failpoint ")).await.is_err() {
            return None;
        }
        shop.kill().await;
    }
    let shop = branch.env("DBOS_FAILPOINT", "record").open().await;
    if over {
        until_all_have_ended(&database).await;
    } else {
        walk.await;
    }
    let writes = spoken(&shop, "failpoint Before ").len();
    finish(path, &customer, &database).await;
    audit(path, &customer, &database, &ledger, &points.join(" and ")).await;
    Some(writes)
}

/// Goes the path to its end: the customer's, then every workflow's.
async fn finish(path: Path, customer: &Customer, database: &Database) {
    path.walk(customer).await;
    until_all_have_ended(database).await;
}

async fn until_all_have_ended(database: &Database) {
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
fn choose(points: &[Vec<String>]) -> Vec<Vec<String>> {
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
