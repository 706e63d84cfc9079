//! People and pages that mean no good.

use std::net::{IpAddr, UdpSocket};

use dbos_testkit::Database;
use dbos_testkit::http::Request;

use crate::shop::{Branch, Customer, stock};

dbos_testkit::behaviours! { strangers:
    a_strangers_key_does_not_stop_a_dispatch,
    a_page_from_elsewhere_can_neither_crash_nor_restock_nor_pay,
    only_a_browser_on_the_shops_own_computer_may_crash_it,
}

async fn a_strangers_key_does_not_stop_a_dispatch(database: Database) {
    let branch = Branch::at(database.url());
    let _shop = branch.open().await;
    stock(&database, 100).await;
    let customer = customer(&branch, "KEY");
    for step in 0..=11 {
        let stranger = self::customer(&branch, &format!("KEY-{step}"));
        assert_eq!(stranger.checkout().await.status, 200);
    }
    customer.checkout().await;
    let order = customer.pay("paid").await;
    assert_eq!(order.status, 200, "{}", order.body);
    customer.until_order(&order.body, 1).await;
    let strangers = "SELECT count(*) FROM orders WHERE order_status = 0";
    assert_eq!(database.count(strangers).await, 12, "and the strangers may still pay");
    assert_eq!(self::customer(&branch, "KEY-7").pay("paid").await.status, 200);
}

async fn a_page_from_elsewhere_can_neither_crash_nor_restock_nor_pay(database: Database) {
    let branch = Branch::at(database.url());
    let shop = branch.open().await;
    let customer = customer(&branch, "KEY");
    customer.checkout().await;
    for (header, value) in [
        ("Host", "shop.example"),
        ("Host", "127.0.0.1.shop.example"),
        ("Origin", "http://shop.example"),
        ("Origin", "https://127.0.0.1"),
        ("Origin", "http://localhost:1"),
        ("Origin", "null"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
        ("X-Forwarded-For", "127.0.0.1"),
        ("X-Forwarded-Host", "localhost"),
        ("Forwarded", "for=127.0.0.1"),
        ("Via", "1.1 proxy"),
    ] {
        for path in ["/crash_application", "/restock", "/payment_webhook/KEY/paid", "/checkout/other"] {
            let answer = Request::new("POST", branch.url(path)).header(header, value).send().await.expect("an answer");
            assert_eq!(answer.status, 403, "{path} with {header}: {value} is answered {answer:?}");
        }
    }
    assert_eq!(shop.status(), None);
    assert_eq!(database.count("SELECT inventory FROM products").await, 11);
    assert_eq!(database.count("SELECT count(*) FROM orders WHERE order_status = 0").await, 1);
    assert_eq!(database.count("SELECT count(*) FROM orders").await, 1);

    let own = branch.url("");
    let answer =
        Request::new("POST", branch.url("/restock")).header("Origin", &own).header("Sec-Fetch-Site", "same-origin");
    assert_eq!(answer.send().await.expect("an answer").status, 200, "the shop's own page may");
}

async fn only_a_browser_on_the_shops_own_computer_may_crash_it(database: Database) {
    let Some(address) = outer_address() else { return };
    let branch = Branch::at(database.url()).env("HOST", "0.0.0.0");
    let shop = branch.open().await;
    let url = branch.url("/crash_application");
    let from_outside = url.replace("127.0.0.1", &address.to_string());

    let answer = Request::new("POST", from_outside).send().await.expect("an answer");
    assert_eq!(answer.status, 403, "{answer:?}");
    assert_eq!(shop.status(), None);

    Request::new("POST", url).send().await.expect_err("a crash answers nothing");
    assert_eq!(shop.wait().await.code(), Some(1));
}

/// An address of this computer that is not loopback; a packet from it looks like a neighbour's. No
/// packet is sent to find it.
fn outer_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}

fn customer(branch: &Branch, key: &str) -> Customer {
    Customer::new(branch, key, None)
}
