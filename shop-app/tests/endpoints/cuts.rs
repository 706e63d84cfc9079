//! A database connection that is cut is nobody's outcome: not "sold out", not the end of an order.

use std::time::Duration;

use dbos_testkit::{Database, Fault, Proxy};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::shop::{Branch, Customer};

dbos_testkit::behaviours! { cuts:
    a_connection_cut_at_a_statement_changes_no_answer on postgres within 120,
    connections_cut_all_the_time_change_no_answer on postgres within 120,
    backends_terminated_all_the_time_change_no_answer on postgres within 120,
}

const BUYERS: usize = 12;

async fn a_connection_cut_at_a_statement_changes_no_answer(database: Database) {
    let proxy = Proxy::before(database.url()).await;
    let branch = Branch::at(proxy.url());
    let _shop = branch.open().await;
    let statements =
        ["UPDATE products", "INSERT INTO orders", "UPDATE orders", "operation_outputs", "workflow_status", "COMMIT"];
    let faults = statements.into_iter().flat_map(|text| [Fault::at(text), Fault::at(text).losing_the_reply()]);
    for (buyer, fault) in faults.enumerate() {
        proxy.arm(fault);
        buy(Customer::new(&branch, format!("buyer-{buyer}"), None)).await;
        proxy.struck(buyer + 1).await;
    }
    audit(&database).await;
}

async fn connections_cut_all_the_time_change_no_answer(database: Database) {
    let proxy = Proxy::before(database.url()).await;
    let branch = Branch::at(proxy.url());
    let _shop = branch.open().await;
    let buyers = crowd(&branch);
    let vandal = tokio::spawn(async move {
        for _ in 0..20 {
            sleep(Duration::from_millis(70)).await;
            proxy.reset_all();
        }
        proxy
    });
    buyers.join_all().await;
    let _proxy = vandal.await.expect("the vandal does not panic");
    audit(&database).await;
}

async fn backends_terminated_all_the_time_change_no_answer(database: Database) {
    let branch = Branch::at(database.url());
    let _shop = branch.open().await;
    let buyers = crowd(&branch);
    for _ in 0..20 {
        sleep(Duration::from_millis(70)).await;
        database
            .execute(
                "SELECT pg_terminate_backend(pid)
                   FROM pg_stat_activity
                  WHERE datname = current_database() AND pid <> pg_backend_pid()",
            )
            .await;
    }
    buyers.join_all().await;
    audit(&database).await;
}

fn crowd(branch: &Branch) -> JoinSet<()> {
    (0..BUYERS).map(|buyer| buy(Customer::new(branch, format!("buyer-{buyer}"), None))).collect()
}

/// One widget, paid for and dispatched.
async fn buy(customer: Customer) {
    let checkout = customer.checkout().await;
    assert_eq!(checkout.status, 200, "{}", checkout.body);
    let order = customer.pay("paid").await;
    assert_eq!(order.status, 200, "{}", order.body);
    customer.until_order(&order.body, 1).await;
}

async fn audit(database: &Database) {
    database.until_count("SELECT count(*) FROM dbos.workflow_status WHERE status = 'SUCCESS'", 24).await;
    assert_eq!(database.count("SELECT count(*) FROM dbos.workflow_status").await, 24);
    assert_eq!(database.count("SELECT count(*) FROM orders WHERE order_status = 1").await, 12);
    assert_eq!(database.count("SELECT inventory FROM products").await, 0);
}
