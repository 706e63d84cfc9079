//! Many at once.

use std::collections::BTreeMap;

use dbos_testkit::Database;
use tokio::task::JoinSet;

use crate::shop::{Branch, Customer};

dbos_testkit::behaviours! { crowds:
    a_hundred_buyers_share_twelve_widgets within 120,
    thirty_presses_of_one_button_are_one_order,
    of_twenty_contradicting_notices_one_counts,
}

async fn a_hundred_buyers_share_twelve_widgets(database: Database) {
    let branch = Branch::at(database.url());
    let _shop = branch.open().await;
    let buyers = (0..100).map(|buyer| customer(&branch, &format!("buyer-{buyer}")));
    let answers = all(buyers, |buyer| async move { buyer.checkout().await.status }).await;

    assert_eq!(answers, BTreeMap::from([(200, 12), (409, 88)]));
    assert_eq!(database.count("SELECT count(*) FROM orders").await, 12);
    assert_eq!(database.count("SELECT inventory FROM products").await, 0);
}

async fn thirty_presses_of_one_button_are_one_order(database: Database) {
    let branch = Branch::at(database.url());
    let _shop = branch.open().await;
    let presses = (0..30).map(|_| customer(&branch, "same"));
    let answers = all(presses, |buyer| async move { buyer.checkout().await.body }).await;

    assert_eq!(answers, BTreeMap::from([("same".to_owned(), 30)]));
    assert_eq!(database.count("SELECT count(*) FROM orders").await, 1);
    assert_eq!(database.count("SELECT inventory FROM products").await, 11);
}

async fn of_twenty_contradicting_notices_one_counts(database: Database) {
    let branch = Branch::at(database.url());
    let _shop = branch.open().await;
    let buyer = customer(&branch, "same");
    buyer.checkout().await;
    let notices = (0..20).map(|notice| (buyer.clone(), if notice % 2 == 0 { "paid" } else { "failed" }));
    let answers = all(notices, |(buyer, status)| async move { (status, buyer.pay(status).await.status) }).await;

    let paid = database.count("SELECT count(*) FROM orders WHERE order_status IN (1, 2)").await == 1;
    let expected = if paid { [("failed", 409), ("paid", 200)] } else { [("failed", 200), ("paid", 409)] };
    assert_eq!(answers, BTreeMap::from(expected.map(|answer| (answer, 10))));
    assert_eq!(database.count("SELECT inventory FROM products").await, if paid { 11 } else { 12 });
}

/// All at the same time; how many had which answer.
async fn all<I, A, F>(items: impl Iterator<Item = I>, ask: impl Fn(I) -> F) -> BTreeMap<A, usize>
where
    A: Ord + Send + 'static,
    F: Future<Output = A> + Send + 'static,
{
    let asked: JoinSet<A> = items.map(ask).collect();
    let mut answers = BTreeMap::new();
    for answer in asked.join_all().await {
        *answers.entry(answer).or_default() += 1;
    }
    answers
}

fn customer(branch: &Branch, key: &str) -> Customer {
    Customer::new(branch, key, None)
}
