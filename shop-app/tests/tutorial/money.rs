//! Never charge without fulfilling, never charge twice, reserve if and only if fulfilled: one trouble at a time.

use std::time::Duration;

use dbos_testkit::http::Request;
use dbos_testkit::{Database, Process};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::guide::{Bill, Guide, READY, Site, insist};

dbos_testkit::behaviours! { money:
    without_a_payment_service_nothing_stays_reserved,
    answers_of_something_else_are_no_session within 120,
    who_pays_while_the_shop_is_down_is_served,
    who_pays_while_nobody_listens_is_served_when_the_time_is_over,
    a_shop_that_cannot_ask_waits_until_it_can,
    a_crash_while_a_session_is_made_leaves_one_session,
    a_shop_that_crashes_after_any_write_fulfils_once within 180,
    a_service_that_crashes_after_any_write_charges_once within 180,
}

async fn without_a_payment_service_nothing_stays_reserved(database: Database) {
    let guide = Guide::on(database).await;
    let shop = guide.shop.open().await;

    assert_refused(&guide.shop, &shop).await;

    guide.orders.until_count("SELECT count(*) FROM dbos.workflow_status WHERE status = 'PENDING'", 0).await;
    assert_eq!(guide.orders.count("SELECT inventory FROM products WHERE product_id = 1").await, 100_000);
    assert_eq!(guide.shop.post("/checkout/KEY").await.status, 409, "a key has one answer for ever");
}

async fn answers_of_something_else_are_no_session(database: Database) {
    let session = |members: &str| format!(r#"{{"session_id":"s-1","payment_status":"pending"{members}}}"#);
    for (kind, body) in [
        ("text/html", "<!doctype html><p>Welcome!".to_owned()),
        ("application/json", session("")),
        ("application/json", session(r#","url":null"#)),
        (
            "application/json",
            r#"{"session_id":"$(reboot)","url":"http://localhost/","payment_status":"pending"}"#.to_owned(),
        ),
        ("application/json", format!("\"{}\"", "x".repeat(2 * 1024 * 1024))),
    ] {
        let guide = Guide::on(Database::fresh(database.backend()).await).await;
        let site = guide.shop.clone().env("SHOP_GUIDE_PAYMENT_HOST", impostor(kind, body).await);
        let shop = site.open().await;

        assert_refused(&site, &shop).await;

        assert_eq!(guide.orders.count("SELECT inventory FROM products WHERE product_id = 1").await, 100_000);
    }
}

/// The checkout fails, and says so.
async fn assert_refused(site: &Site, shop: &Process) {
    let answer = site.post("/checkout/KEY").await;
    assert_eq!(answer.status, 409, "{}", answer.body);
    shop.wait_for_line("Failed to create payment session").await;
    shop.wait_for_line("workflow failed").await;
}

/// A server that answers everything with this.
async fn impostor(kind: &'static str, body: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut customer, _)) = listener.accept().await {
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            tokio::spawn(async move {
                // One read is enough of a question that fits a packet.
                let _ = customer.read(&mut [0; 4096]).await;
                let _ = customer.write_all(answer.as_bytes()).await;
            });
        }
    });
    format!("http://{address}")
}

async fn who_pays_while_the_shop_is_down_is_served(database: Database) {
    let guide = Guide::on(database).await.waiting(300, 60_000);
    let (shop, service) = guide.open().await;
    let bill = guide.checkout("/checkout/KEY").await;
    shop.kill().await;

    assert_eq!(bill.submit.run().await.status, 204);
    // The service is gone too when the shop comes back, too late by its own clock.
    service.kill().await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    let shop = guide.shop.open().await;
    let _service = guide.service.open().await;

    shop.wait_for_line("Checkout with UUID KEY succeeded!").await;
    guide.until_all_is_over().await;
    assert_eq!(guide.books().await, (1, 1, 1));
}

async fn who_pays_while_nobody_listens_is_served_when_the_time_is_over(database: Database) {
    // Webhooks go nowhere, so that silence is all the shop hears.
    let guide = Guide::on(database).await.waiting(1_000, 60_000);
    let deaf = guide.shop.clone().env("SHOP_GUIDE_SHOP_HOST", "http://localhost:1");
    let (shop, _service) = (deaf.open().await, guide.service.open().await);

    let bill = guide.checkout("/checkout/KEY").await;
    assert_eq!(bill.submit.run().await.status, 204);

    shop.wait_for_line("Checkout with UUID KEY succeeded!").await;
    assert_eq!(guide.books().await, (1, 1, 1));
}

async fn a_shop_that_cannot_ask_waits_until_it_can(database: Database) {
    let guide = Guide::on(database).await.waiting(100, 60_000);
    let (shop, service) = guide.open().await;
    guide.checkout("/checkout/KEY").await;
    service.kill().await;

    shop.wait_for_line_number(6, "step failed; next attempt").await;
    assert_eq!(guide.orders.count("SELECT inventory FROM products WHERE product_id = 1").await, 99_999);
    let _service = guide.service.open().await;

    shop.wait_for_line("Checkout with UUID KEY failed or timed out...").await;
    guide.until_all_is_over().await;
    assert_eq!(guide.books().await, (0, 0, 0));
}

async fn a_crash_while_a_session_is_made_leaves_one_session(database: Database) {
    let guide = Guide::on(database).await;
    let _service = guide.service.open().await;
    // The start, the reservation, and then the record of the session.
    let shop = guide.shop.clone().env("DBOS_FAILPOINT", "before:3").start();
    shop.wait_for_line(READY).await;
    let asked = tokio::spawn({
        let site = guide.shop.clone();
        async move { dbos_testkit::http::post(site.url("/checkout/KEY")).await }
    });
    guide.sessions.until_count("SELECT count(*) FROM dbos.workflow_events", 1).await;
    shop.wait_for_line("dbos::failpoint").await;
    shop.kill().await;
    assert!(asked.await.expect("no panic").is_err(), "a dead shop answers nothing");

    let shop = guide.shop.open().await;
    let bill = guide.checkout("/checkout/KEY").await;
    assert_eq!(bill.submit.run().await.status, 204);

    shop.wait_for_line("Checkout with UUID KEY succeeded!").await;
    guide.until_all_is_over().await;
    assert_eq!(guide.sessions.count("SELECT count(*) FROM session").await, 1);
    assert_eq!(guide.books().await, (1, 1, 1));
}

async fn a_shop_that_crashes_after_any_write_fulfils_once(database: Database) {
    let guide = Guide::on(database).await;
    let _service = guide.service.open().await;
    let writes = crash_after_each_write(&guide, &guide.shop).await;
    // The start, the reservation, the session, its event, the wait, the message and its receipt, the answer, the order.
    assert!(writes >= 9, "there are only {writes} writes");
}

async fn a_service_that_crashes_after_any_write_charges_once(database: Database) {
    let guide = Guide::on(database).await;
    let _shop = guide.shop.open().await;
    let writes = crash_after_each_write(&guide, &guide.service).await;
    // The start, an id, the session, its event, the wait, the message and its receipt, the charge, an id, the webhook.
    assert!(writes >= 10, "there are only {writes} writes");
}

/// Sells a pen for each durable write that one of the programs makes of it, and kills that program right after the
/// write. Gives how many writes there are.
async fn crash_after_each_write(guide: &Guide, crashing: &Site) -> i64 {
    for writes in 0.. {
        let process = crashing.clone().env("DBOS_FAILPOINT", format!("after:{}", writes + 1)).open().await;
        let mut customer = tokio::spawn(buy(guide.shop.clone(), format!("KEY-{writes}")));
        let served = async {
            (&mut customer).await.expect("the customer is patient");
            guide.until_all_is_over().await;
        };
        let crashed = tokio::select! {
            _ = process.wait_for_line("dbos::failpoint") => true,
            () = served => false,
        };
        process.kill().await;
        if !crashed {
            assert_eq!(guide.books().await, (writes + 1, writes + 1, writes + 1));
            return writes;
        }
        let restarted = crashing.open().await;
        if !customer.is_finished() {
            customer.await.expect("the customer is patient");
        }
        guide.until_all_is_over().await;
        assert_eq!(guide.books().await, (writes + 1, writes + 1, writes + 1), "killed after write {}", writes + 1);
        restarted.kill().await;
    }
    unreachable!("a pen is sold in fewer writes")
}

/// Checks out and pays, however often that has to be asked for.
async fn buy(shop: Site, key: String) {
    let answer = insist(&Request::new("POST", shop.url(&format!("/checkout/{key}")))).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let paid = insist(&Bill::read(&answer.body).submit.request()).await;
    assert_eq!(paid.status, 204, "{}", paid.body);
}
