//! Wrong books, made so on purpose: what nobody finds proves nothing.

use std::collections::BTreeSet;

use dbos_testkit::{Backend, Database, Ledger};
use tempfile::TempDir;

use crate::books::{comparisons, final_audit};
use crate::commits::Commits;
use crate::crowd::{Crowd, STOCK};
use crate::paths::Path;
use crate::shop::{Branch, Customer, stock};

dbos_testkit::behaviours! { planted:
    every_wrong_row_is_found_and_named on sqlite within 120,
    every_promise_to_a_customer_that_is_broken_is_found on sqlite within 120,
    a_widget_that_vanishes_for_a_moment_is_found_by_the_auditor within 120,
    a_commit_that_nobody_announced_is_counted,
}

const WIDGETS: i64 = 12;

/// A wrong row for each comparison of the audit, named like it.
const ROWS: &[(&str, &str)] = &[
    ("units taken", "UPDATE products SET inventory = inventory - 1"),
    ("orders", "INSERT INTO orders (order_status, last_update_time, product_id) VALUES (-1, 0, 1)"),
    ("paid orders", "UPDATE orders SET order_status = 1"),
    ("cancelled orders", "UPDATE orders SET order_status = -1"),
    ("steps of progress", "UPDATE orders SET progress_remaining = progress_remaining + 1"),
    ("events", "DELETE FROM workflow_events WHERE rowid = (SELECT min(rowid) FROM workflow_events)"),
    ("messages taken", "UPDATE notifications SET consumed = FALSE"),
    ("dispatches", "UPDATE operation_outputs SET child_workflow_id = NULL"),
    ("steps without a predecessor", "DELETE FROM operation_outputs WHERE function_id = 2"),
    ("workflows that did not end well", "UPDATE workflow_status SET status = 'ERROR' WHERE workflow_uuid = 'paid'"),
    ("units on the shelf", "UPDATE products SET inventory = inventory + 1"),
    ("unsettled orders", "UPDATE orders SET order_status = 2 WHERE order_status = 1"),
    (
        "dispatches of other than ten steps",
        "DELETE FROM operation_outputs WHERE function_name = 'update_order_progress' AND function_id = 20",
    ),
    (
        "workflows whose steps are not numbered through",
        "UPDATE operation_outputs SET function_id = 99 WHERE function_id = 1",
    ),
    ("dispatched orders", "UPDATE workflow_status SET parent_workflow_id = NULL"),
];

/// Books that are in order: a widget that was paid for, one that was not, and a shop that has closed.
struct Order {
    database: Database,
    ledger: Ledger,
    folder: TempDir,
}

impl Order {
    async fn in_the_books(database: Database) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let ledger = Ledger::at(folder.path().join("ledger"));
        let branch = Branch::at(database.url());
        let shop = branch.open().await;
        stock(&database, WIDGETS).await;
        for path in [Path::Paid, Path::Denied] {
            path.walk(&Customer::new(&branch, path.name(), Some(&ledger))).await;
        }
        database.until_count("SELECT count(*) FROM dbos.workflow_status WHERE status = 'PENDING'", 0).await;
        shop.terminate();
        shop.wait().await;
        let order = Self { database, ledger, folder };
        assert_eq!(order.wrong().await, [""; 0]);
        order
    }

    /// The same books once more.
    async fn copy(&self) -> Self {
        let database = Database::fresh(Backend::Sqlite).await;
        let [from, to] = [&self.database, &database].map(|database| database.path().expect("a file"));
        std::fs::copy(from, to).expect("the file is closed");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let ledger = Ledger::at(folder.path().join("ledger"));
        std::fs::copy(self.folder.path().join("ledger"), ledger.path()).expect("a ledger");
        Self { database, ledger, folder }
    }

    async fn wrong(&self) -> Vec<String> {
        final_audit(&self.database, WIDGETS, &self.ledger).await
    }
}

async fn every_wrong_row_is_found_and_named(database: Database) {
    let order = Order::in_the_books(database).await;
    let planted: BTreeSet<_> = ROWS.iter().map(|(name, _)| *name).collect();
    assert_eq!(planted, comparisons().collect(), "each comparison has its wrong row");

    for (name, row) in ROWS {
        let books = order.copy().await;
        books.database.execute(row).await;

        let wrong = books.wrong().await;

        assert!(wrong.iter().any(|sentence| sentence.starts_with(&format!("{name}: "))), "{name}: {wrong:?}");
    }
}

async fn every_promise_to_a_customer_that_is_broken_is_found(database: Database) {
    let order = Order::in_the_books(database).await;
    for (told, found) in [
        ("nobody checkout 200 nobody", "told: nobody checkout 200 nobody"),
        ("paid checkout 409 -", "paid was told two things about checkout"),
        ("denied paid 200 2", "told: denied paid 200 2"),
        ("paid failed 200 1", "told: paid failed 200 1"),
        ("paid failed 404 -", "told: paid failed 404 -"),
    ] {
        let books = order.copy().await;
        books.ledger.append(told).expect("the ledger can be written");

        let wrong = books.wrong().await;

        assert!(wrong.iter().any(|sentence| sentence.starts_with(found)), "{told}: {wrong:?}");
    }

    let books = order.copy().await;
    books.database.execute("DELETE FROM orders WHERE order_status = 1").await;
    let wrong = books.wrong().await;
    assert!(wrong.iter().any(|sentence| sentence.starts_with("told: paid paid 200")), "a lost order: {wrong:?}");

    let books = order.copy().await;
    books.database.execute("UPDATE operation_outputs SET output = '1' WHERE function_name = 'create_order'").await;
    let wrong = books.wrong().await;
    assert!(wrong.contains(&"2 orders for 2 checkouts with 1 numbers".to_owned()), "one order for two: {wrong:?}");
}

async fn a_widget_that_vanishes_for_a_moment_is_found_by_the_auditor(database: Database) {
    let branch = Branch::at(database.url());
    let _shop = branch.open().await;
    stock(&database, STOCK).await;
    let crowd = Crowd::enter(database, &[branch], 1);
    crowd.until_served().await;

    crowd.database().execute("UPDATE products SET inventory = inventory - 1").await;
    crowd.until_audited().await;
    crowd.database().execute("UPDATE products SET inventory = inventory + 1").await;

    let wrong = crowd.leave().await.wrong;
    assert!(!wrong.is_empty() && wrong.iter().all(|sentence| sentence.starts_with("units taken: ")), "{wrong:?}");
}

async fn a_commit_that_nobody_announced_is_counted(database: Database) {
    let _shop = Branch::at(database.url()).open().await;
    let commits = Commits::from_now(&database).await;

    stock(&database, WIDGETS + 1).await;

    assert_eq!(commits.count(&database).await, 1);
}
