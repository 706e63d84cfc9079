//! Webhooks that are forged, repeated, out of order, or late.

use std::time::{Duration, SystemTime};

use dbos_testkit::Database;
use dbos_testkit::http::Request;
use serde_json::{Value, json};
use shop_app::webhook::{SIGNATURE_HEADER, Secrets};
use tokio::task::JoinSet;

use crate::guide::{Bill, Guide, SECRET, Site};

dbos_testkit::behaviours! { webhooks:
    a_forged_webhook_is_refused_and_changes_nothing,
    rubbish_is_refused_even_with_a_signature,
    a_signed_lie_neither_sells_nor_cancels,
    a_webhook_that_is_sent_a_hundred_times_is_delivered_once,
    a_webhook_is_sent_until_the_shop_accepts_it,
    a_secret_is_replaced_while_both_programs_run,
}

const MESSAGES: &str = "SELECT count(*) FROM dbos.notifications";

/// What the service would say of the session.
fn event(bill: &Bill, id: &str, status: &str) -> String {
    json!({
        "event_id": id,
        "session_id": bill.session(),
        "payment_status": status,
        "client_reference_id": bill.checkout(),
    })
    .to_string()
}

fn signature(secret: &str, body: &str, time: SystemTime) -> String {
    Secrets::listed(secret).expect("a secret").sign(body.as_bytes(), time)
}

fn signed(shop: &Site, body: &str) -> Request {
    send(shop, body).header(SIGNATURE_HEADER, &signature(SECRET, body, SystemTime::now()))
}

fn send(shop: &Site, body: &str) -> Request {
    Request::new("POST", shop.url("/payment_webhook")).header("Content-Type", "application/json").body(body)
}

async fn status(request: Request) -> u16 {
    request.send().await.expect("an answer").status
}

async fn a_forged_webhook_is_refused_and_changes_nothing(database: Database) {
    let guide = Guide::on(database).await;
    let _open = guide.open().await;
    let bill = guide.checkout("/checkout/KEY").await;
    let (body, now) = (event(&bill, "event", "paid"), SystemTime::now());
    let genuine = signature(SECRET, &body, now);
    let digits = genuine.split_once("v1=").expect("a signature").1;
    let ago = |seconds| signature(SECRET, &body, now - Duration::from_secs(seconds));
    let ahead = signature(SECRET, &body, now + Duration::from_secs(400));

    assert_eq!(status(send(&guide.shop, &body)).await, 400, "without a signature");
    for forged in [
        "",
        "rubbish",
        "v1=",
        digits,
        &genuine.replace("v1", "v2"),
        &genuine[..genuine.len() - 1],
        &genuine[..genuine.len() - 2],
        &format!("{genuine}00"),
        &genuine.replacen("t=", "t=1", 1),
        &signature("another", &body, now),
        &signature(SECRET, &body.replace("paid", "cancelled"), now),
        &ago(400),
        &ahead,
    ] {
        let answer = status(send(&guide.shop, &body).header(SIGNATURE_HEADER, forged)).await;
        assert_eq!(answer, 400, "{forged}");
    }
    for bit in (0..body.len() * 8).step_by(13) {
        let mut changed = body.clone().into_bytes();
        changed[bit / 8] ^= 1 << (bit % 8);
        let request = send(&guide.shop, "").body(changed).header(SIGNATURE_HEADER, &genuine);
        assert_eq!(status(request).await, 400, "bit {bit}");
    }

    assert_eq!(guide.orders.count("SELECT count(*) FROM payment_events").await, 0);
    assert_eq!(guide.orders.count(MESSAGES).await, 0);
    assert_eq!(guide.books().await, (1, 0, 0));
    assert_eq!(status(send(&guide.shop, &body).header(SIGNATURE_HEADER, &ago(200))).await, 204, "within the window");
}

async fn rubbish_is_refused_even_with_a_signature(database: Database) {
    let guide = Guide::on(database).await;
    let _open = guide.open().await;
    let bill = guide.checkout("/checkout/KEY").await;
    let valid: Value = serde_json::from_str(&event(&bill, "event", "paid")).expect("JSON");
    let but = |name: &str, value: Value| {
        let mut event = valid.clone();
        event[name] = value;
        event.to_string()
    };

    for rubbish in [
        String::new(),
        "[1".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        "null".to_owned(),
        but("payment_status", json!("PAID")),
        but("payment_status", Value::Null),
        but("client_reference_id", Value::Null),
        but("client_reference_id", json!("")),
        but("client_reference_id", json!("a\u{0}b")),
        but("client_reference_id", json!("x".repeat(256))),
        but("event_id", json!("")),
        but("event_id", json!("x".repeat(256))),
    ] {
        assert_eq!(status(signed(&guide.shop, &rubbish)).await, 400, "{rubbish}");
    }
    assert_eq!(status(signed(&guide.shop, &but("client_reference_id", json!("nobody")))).await, 404);
    assert_eq!(guide.orders.count(MESSAGES).await, 0);
    assert_eq!(guide.orders.count("SELECT count(*) FROM payment_events").await, 0);
}

async fn a_signed_lie_neither_sells_nor_cancels(database: Database) {
    let guide = Guide::on(database).await;
    let (shop, _service) = guide.open().await;
    let bill = guide.checkout("/checkout/KEY").await;
    let asked = "SELECT count(*) FROM dbos.operation_outputs WHERE function_name = 'retrieve_payment_session'";

    for (nth, lie) in (1..).zip(["paid", "cancelled"]) {
        assert_eq!(status(signed(&guide.shop, &event(&bill, lie, lie))).await, 204);
        guide.orders.until_count(asked, nth).await;
    }
    assert_eq!(guide.books().await, (1, 0, 0), "the shop has asked, and waits");

    assert_eq!(bill.submit.run().await.status, 204);
    shop.wait_for_line("Checkout with UUID KEY succeeded!").await;
    assert_eq!(status(signed(&guide.shop, &event(&bill, "late", "cancelled"))).await, 204);
    guide.until_all_is_over().await;
    assert_eq!(guide.books().await, (1, 1, 1));
}

async fn a_webhook_that_is_sent_a_hundred_times_is_delivered_once(database: Database) {
    let guide = Guide::on(database).await;
    let _open = guide.open().await;
    let bill = guide.checkout("/checkout/KEY").await;

    let sent: JoinSet<u16> = (0..100).map(|_| status(signed(&guide.shop, &event(&bill, "event", "paid")))).collect();

    assert_eq!(sent.join_all().await, [204; 100]);
    assert_eq!(guide.orders.count(MESSAGES).await, 1);
    assert_eq!(guide.orders.count("SELECT count(*) FROM payment_events").await, 1);
}

async fn a_webhook_is_sent_until_the_shop_accepts_it(database: Database) {
    let guide = Guide::on(database).await;
    let (shop, service) = guide.open().await;
    let bill = guide.checkout("/checkout/KEY").await;
    shop.kill().await;

    assert_eq!(bill.submit.run().await.status, 204);
    service.wait_for_line_number(4, "step failed; next attempt").await;
    let shop = guide.shop.open().await;

    shop.wait_for_line("Checkout with UUID KEY succeeded!").await;
    guide.until_all_is_over().await;
    assert_eq!(guide.orders.count(MESSAGES).await, 1);
    assert_eq!(guide.books().await, (1, 1, 1));
}

async fn a_secret_is_replaced_while_both_programs_run(database: Database) {
    const SHOP: &str = "SHOP_GUIDE_WEBHOOK_SECRETS";
    const SERVICE: &str = "PAYMENT_SERVICE_WEBHOOK_SECRETS";
    let guide = Guide::on(database).await;
    let with =
        |shop: &str, service: &str| (guide.shop.clone().env(SHOP, shop), guide.service.clone().env(SERVICE, service));
    for (nth, (shop, service)) in
        (1..).zip([with("old", "old"), with("new,old", "old"), with("new,old", "new"), with("new", "new")])
    {
        let (shop, service) = (shop.open().await, service.open().await);
        let bill = guide.checkout("/checkout").await;

        assert_eq!(bill.submit.run().await.status, 204);
        shop.wait_for_line(&format!("Checkout with UUID {} succeeded!", bill.checkout())).await;

        guide.until_all_is_over().await;
        assert_eq!(guide.orders.count(MESSAGES).await, nth, "each piece of news was believed");
        // Killed to the end, as the next ones have the same ports.
        tokio::join!(shop.kill(), service.kill());
    }

    let refused = guide.shop.clone().env(SHOP, ",").start();
    assert_eq!(refused.wait().await.code(), Some(2));
    let said = refused.all_lines().await;
    assert!(said.iter().any(|line| line.contains(SHOP)), "{said:?}");
}
