//! The tutorial, line by line.

use std::time::Duration;

use dbos_testkit::Database;
use dbos_testkit::http::get;

use crate::documents::unknown_values;
use crate::guide::{Guide, READY};

dbos_testkit::behaviours! { walk:
    both_programs_print_the_lines_of_the_tutorial,
    every_address_that_is_printed_answers,
    the_documents_of_both_programs_say_what_every_value_is,
    a_payment_that_is_submitted_is_fulfilled,
    a_payment_that_is_cancelled_is_not,
    doing_nothing_cancels_after_the_time_out,
    one_key_is_one_checkout_however_often_it_is_sent,
    a_browser_pays_and_cancels_too,
}

async fn both_programs_print_the_lines_of_the_tutorial(database: Database) {
    let guide = Guide::on(database).await;
    let (shop, service) = guide.open().await;

    for (process, site, endpoints) in [
        (
            &shop,
            &guide.shop,
            &[
                "    GET     :  /",
                "    POST    :  /checkout/:key?",
                "    GET     :  /payment/cancel",
                "    GET     :  /payment/success",
                "    POST    :  /payment_webhook",
            ][..],
        ),
        (
            &service,
            &guide.service,
            &[
                "    GET     :  /",
                "    POST    :  /api/cancel_payment",
                "    POST    :  /api/create_payment_session",
                "    GET     :  /api/session/:session_id",
                "    GET     :  /api/session_info/:session_id",
                "    POST    :  /api/submit_payment",
                "    GET     :  /payment/:session_id",
                "    POST    :  /payment/:session_id",
            ][..],
        ),
    ] {
        process.wait_for_line("DBOS Admin Server is running at http://localhost:").await;
        // The log goes to the other output, and may come between.
        let is_log = |line: &String| line.contains(" INFO ") || line.contains(" WARN ");
        let lines: Vec<_> = process.lines().into_iter().filter(|line| !is_log(line)).collect();
        let first = lines.iter().position(|line| line.starts_with("Workflow executor initialized")).expect("a start");
        assert_eq!(lines[first + 1], "HTTP endpoints supported:");
        assert_eq!(lines[first + 2..][..endpoints.len()], *endpoints);
        assert_eq!(lines[first + 2 + endpoints.len()], format!("{READY} {}", site.url("")));
    }
}

async fn every_address_that_is_printed_answers(database: Database) {
    let guide = Guide::on(database).await;
    let (shop, service) = guide.open().await;
    let bill = guide.checkout("/checkout").await;

    for process in [&shop, &service] {
        for kind in [READY, "DBOS Admin Server is running at", "OpenAPI document at", "Routes to read and try at"] {
            let line = process.wait_for_line(kind).await;
            let url = line.split_whitespace().last().expect("an address");
            assert_eq!(get(url).await.expect("an answer").status, 200, "{line}");
            if kind.ends_with("is running at") {
                assert_eq!(get(format!("{url}/dbos-healthz")).await.expect("an answer").body, "healthy", "{line}");
            }
        }
    }
    let session = guide.service.get(&format!("/api/session/{}", bill.session())).await.json::<serde_json::Value>();
    let page = get(session["url"].as_str().expect("a page")).await.expect("an answer");
    assert_eq!((page.status, page.body.contains("Submit Payment")), (200, true), "{}", page.body);
    for command in [&bill.submit, &bill.cancel] {
        assert_eq!(get(&command.url).await.expect("an answer").status, 405, "{} takes a POST", command.url);
    }
}

async fn the_documents_of_both_programs_say_what_every_value_is(database: Database) {
    let guide = Guide::on(database).await;
    let _programs = guide.open().await;

    for (site, operations) in [(&guide.shop, 8), (&guide.service, 10)] {
        let document: serde_json::Value = site.get("/openapi.json").await.json();

        assert_eq!(unknown_values(&document), [""; 0]);
        let paths = document["paths"].as_object().expect("paths");
        let told: usize = paths.values().map(|item| item.as_object().expect("methods").len()).sum();
        assert_eq!(told, operations);
    }
}

async fn a_payment_that_is_submitted_is_fulfilled(database: Database) {
    let guide = Guide::on(database).await;
    let (shop, _service) = guide.open().await;

    let bill = guide.checkout("/checkout").await;
    assert_eq!(bill.submit.url, guide.service.url("/api/submit_payment"));
    assert_eq!(bill.cancel.url, guide.service.url("/api/cancel_payment"));
    assert_eq!((&bill.cancel.key, &bill.cancel.body), (&bill.submit.key, &bill.submit.body));
    assert_eq!(guide.books().await, (1, 0, 0), "it is reserved");

    assert_eq!(bill.submit.run().await.status, 204);
    shop.wait_for_line(&format!("Checkout with UUID {} succeeded!", bill.checkout())).await;
    assert_eq!(guide.books().await, (1, 1, 1));
    guide.until_all_is_over().await;
}

async fn a_payment_that_is_cancelled_is_not(database: Database) {
    let guide = Guide::on(database).await;
    let (shop, _service) = guide.open().await;

    let bill = guide.checkout("/checkout/").await;
    assert_eq!(bill.cancel.run().await.status, 204);

    shop.wait_for_line(&format!("Checkout with UUID {} failed or timed out...", bill.checkout())).await;
    guide.until_all_is_over().await;
    assert_eq!(guide.books().await, (0, 0, 0));
}

async fn doing_nothing_cancels_after_the_time_out(database: Database) {
    for (news_ms, customer_ms) in [(300, 60_000), (60_000, 300)] {
        let guide = Guide::on(Database::fresh(database.backend()).await).await.waiting(news_ms, customer_ms);
        let (shop, _service) = guide.open().await;

        let bill = guide.checkout("/checkout").await;

        shop.wait_for_line(&format!("Checkout with UUID {} failed or timed out...", bill.checkout())).await;
        guide.until_all_is_over().await;
        assert_eq!(guide.books().await, (0, 0, 0));
        assert_eq!(bill.submit.run().await.status, 409, "who pays now is refused");
        assert_eq!(guide.books().await, (0, 0, 0));
    }
}

async fn one_key_is_one_checkout_however_often_it_is_sent(database: Database) {
    let guide = Guide::on(database).await;
    let (shop, _service) = guide.open().await;

    let bill = guide.checkout("/checkout/abcde-12345").await;
    assert_eq!(bill.checkout(), "abcde-12345");
    for _ in 0..3 {
        assert_eq!(guide.checkout("/checkout/abcde-12345").await, bill);
    }
    shop.wait_for_line_number(4, "Checkout workflow started with UUID: abcde-12345").await;

    for _ in 0..3 {
        assert_eq!(bill.submit.run().await.status, 204, "it is paid, whoever asks");
    }
    assert_eq!(bill.cancel.run().await.status, 409, "it is too late to cancel");
    guide.until_all_is_over().await;
    assert_eq!(guide.checkout("/checkout/abcde-12345").await, bill, "also when all is over");
    assert_eq!(guide.books().await, (1, 1, 1));
    assert_eq!(guide.sessions.count("SELECT count(*) FROM session").await, 1);
}

async fn a_browser_pays_and_cancels_too(database: Database) {
    let guide = Guide::on(database).await;
    let _open = guide.open().await;
    let press = async |bill: &crate::guide::Bill, button: &str| {
        let page = guide.service.url(&format!("/payment/{}", bill.session()));
        let form = dbos_testkit::http::Request::new("POST", page)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(button);
        let answer = form.send().await.expect("an answer");
        (answer.status, answer.header("Location").map(str::to_owned))
    };
    let (success, cancel) = (guide.shop.url("/payment/success"), guide.shop.url("/payment/cancel"));

    let bill = guide.checkout("/checkout").await;
    assert_eq!(press(&bill, "").await.0, 400);
    assert_eq!(press(&bill, "submit=submit").await, (303, Some(success.clone())));
    assert_eq!(press(&bill, "cancel=cancel").await, (303, Some(success.clone())), "it is paid all the same");
    let other = guide.checkout("/checkout").await;
    assert_eq!(press(&other, "cancel=cancel").await, (303, Some(cancel.clone())));
    assert_eq!(press(&other, "submit=submit").await, (303, Some(cancel.clone())));

    for url in [success, cancel] {
        assert_eq!(get(url).await.expect("an answer").status, 200);
    }
    let page = guide.service.get(&format!("/payment/{}", bill.session())).await;
    assert!(page.body.contains("This session is paid.") && page.body.contains("a pen"), "{}", page.body);
    tokio::time::timeout(Duration::from_secs(20), guide.until_all_is_over()).await.expect("all is over");
    assert_eq!(guide.books().await, (1, 1, 1));
}
