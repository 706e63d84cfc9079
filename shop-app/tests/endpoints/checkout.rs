//! A checkout that is too late, comes twice, or finds nothing left.

use std::time::{Duration, Instant};

use dbos_testkit::Database;
use serde_json::Value;

use crate::shop::{Branch, Customer, stock};

dbos_testkit::behaviours! { checkout:
    sold_out_is_told_at_once,
    a_late_payment_is_refused_with_the_state_of_the_order,
    a_notice_about_an_ended_checkout_is_answered_at_once,
    orders_stay_in_order_and_their_time_moves,
    the_page_is_back_within_a_second_of_the_crash_button within 120,
}

/// The answer to what needs no waiting.
const AT_ONCE: Duration = Duration::from_secs(2);

async fn sold_out_is_told_at_once(database: Database) {
    let branch = Branch::at(database.url());
    let _shop = branch.open().await;
    stock(&database, 0).await;
    let customer = Customer::new(&branch, "late", None);
    for _ in 0..2 {
        let since = Instant::now();
        let answer = customer.checkout().await;
        assert_eq!(answer.status, 409);
        assert!(answer.body.contains("Sold out"), "{}", answer.body);
        assert!(since.elapsed() < AT_ONCE, "it took {:?}", since.elapsed());
    }
    let since = Instant::now();
    assert_eq!(customer.pay("paid").await.status, 404);
    assert!(since.elapsed() < AT_ONCE);
    assert_eq!(customer.insist("GET", "/orders").await.body, "[]");

    customer.insist("POST", "/restock").await;
    assert_eq!(customer.checkout().await.status, 409, "a key has one answer for ever");
    assert_eq!(Customer::new(&branch, "next", None).checkout().await.status, 200);
}

async fn a_late_payment_is_refused_with_the_state_of_the_order(database: Database) {
    let branch = Branch::at(database.url());
    let branch = branch.env("WIDGET_STORE_PAYMENT_TIMEOUT_MS", "100");
    let _shop = branch.open().await;
    let customer = Customer::new(&branch, "slow", None);
    customer.checkout().await;
    ended(&database, 1).await;

    let answer = customer.pay("paid").await;
    assert_eq!(answer.status, 409);
    assert!(answer.body.contains("Order 1 is CANCELLED"), "{}", answer.body);
    assert_eq!(customer.pay("failed").await.body, "1");
    assert_eq!(product(&customer).await["inventory"], 12);
}

async fn a_notice_about_an_ended_checkout_is_answered_at_once(database: Database) {
    let branch = Branch::at(database.url());
    let _shop = branch.open().await;
    let customer = Customer::new(&branch, "KEY", None);
    customer.checkout().await;
    let order = customer.pay("paid").await.body;
    customer.until_order(&order, 1).await;
    ended(&database, 2).await;

    let since = Instant::now();
    assert_eq!(customer.pay("paid").await.body, order);
    assert_eq!(customer.pay("failed").await.status, 409);
    let dispatch = Customer::new(&branch, "KEY-7", None);
    assert_eq!(dispatch.pay("paid").await.status, 404, "a dispatch is no checkout");
    assert_eq!(dispatch.checkout().await.status, 409, "nor is its name free");
    assert!(since.elapsed() < AT_ONCE, "it took {:?}", since.elapsed());
}

async fn orders_stay_in_order_and_their_time_moves(database: Database) {
    let branch = Branch::at(database.url());
    let _shop = branch.open().await;
    let first = Customer::new(&branch, "first", None);
    first.checkout().await;
    for key in ["second", "third"] {
        Customer::new(&branch, key, None).checkout().await;
    }
    let before = orders(&first).await;
    first.until_order(&first.pay("paid").await.body, 1).await;
    let after = orders(&first).await;

    let numbers = |orders: &[Value]| orders.iter().map(|order| order["order_id"].as_i64()).collect::<Vec<_>>();
    assert_eq!(numbers(&before), [Some(1), Some(2), Some(3)]);
    assert_eq!(numbers(&after), numbers(&before), "also after the first was changed last");
    let time = |orders: &[Value], nth: usize| orders[nth]["last_update_time"].as_str().expect("a time").to_owned();
    assert!(time(&after, 0) > time(&before, 0), "{} is after {}", time(&after, 0), time(&before, 0));
    assert_eq!(time(&after, 1), time(&before, 1));
    let shape = time(&after, 0);
    assert!(shape.len() == 24 && shape.ends_with('Z') && shape.as_bytes()[10] == b'T', "{shape}");
}

async fn the_page_is_back_within_a_second_of_the_crash_button(database: Database) {
    let branch = Branch::at(database.url());
    let branch = branch.supervised().env("WIDGET_STORE_DISPATCH_INTERVAL_MS", "300");
    let shop = branch.open().await;
    let customer = Customer::new(&branch, "KEY", None);
    customer.checkout().await;
    let order = customer.pay("paid").await.body;
    for _ in 0..2 {
        // A life of some length: one that dies of its start is not restarted as fast.
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        let pressed = dbos_testkit::http::post(branch.url("/crash_application")).await;
        assert!(pressed.is_err(), "a crash answers nothing: {pressed:?}");
        let since = Instant::now();
        assert_eq!(customer.insist("GET", "/").await.status, 200);
        let away = since.elapsed();
        assert!(away < Duration::from_secs(1), "the page was away for {away:?}");
    }
    customer.until_order(&order, 1).await;
    ended(&database, 2).await;
    shop.terminate();
    assert!(shop.wait().await.success());
}

async fn ended(database: &Database, workflows: i64) {
    database.until_count("SELECT count(*) FROM dbos.workflow_status WHERE status = 'SUCCESS'", workflows).await;
}

async fn orders(customer: &Customer) -> Vec<Value> {
    customer.insist("GET", "/orders").await.json()
}

async fn product(customer: &Customer) -> Value {
    customer.insist("GET", "/product").await.json()
}
