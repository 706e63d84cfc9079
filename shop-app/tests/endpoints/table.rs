//! One row for each request and its answer.

use dbos_testkit::Database;
use dbos_testkit::http::{Request, Response};

use crate::documents::unknown_values;
use crate::shop::Branch;

dbos_testkit::behaviours! { table:
    each_endpoint_answers_what_the_table_says,
    unusable_input_is_refused_by_a_sentence,
    the_wrong_method_is_told_the_right_one,
    the_page_needs_nothing_from_another_host,
    the_document_of_the_shop_says_what_every_value_is,
}

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

/// In this order, on a shop that has just been opened.
const ANSWERS: &[(&str, &str, u16, &str, &str)] = &[
    ("GET", "/orders", 200, JSON, "[]"),
    (
        "GET",
        "/product",
        200,
        JSON,
        r#"{"product_id":1,"product":"Premium Quality Widget","description":"Enhance your productivity with our top-rated widgets!","inventory":12,"price":99.99}"#,
    ),
    ("GET", "/order/1", 404, JSON, "Order 1 not found"),
    ("POST", "/checkout/abcde-12345", 200, TEXT, "abcde-12345"),
    ("POST", "/checkout/abcde-12345", 200, TEXT, "abcde-12345"),
    ("GET", "/product", 200, JSON, r#""inventory":11"#),
    ("GET", "/order/1", 200, JSON, r#""order_status":0"#),
    ("GET", "/orders", 200, JSON, r#"[{"order_id":1,"order_status":0,"#),
    ("POST", "/payment_webhook/abcde-12345/paid", 200, JSON, "1"),
    ("POST", "/payment_webhook/abcde-12345/paid", 200, JSON, "1"),
    ("POST", "/payment_webhook/abcde-12345/failed", 409, JSON, "Order 1 is "),
    ("POST", "/checkout/second", 200, TEXT, "second"),
    ("POST", "/payment_webhook/second/failed", 200, JSON, "2"),
    ("POST", "/payment_webhook/second/failed", 200, JSON, "2"),
    ("POST", "/payment_webhook/second/paid", 409, JSON, "Order 2 is CANCELLED"),
    ("GET", "/order/2", 200, JSON, r#""order_status":-1"#),
    ("GET", "/product", 200, JSON, r#""inventory":11"#),
    ("POST", "/restock", 200, TEXT, ""),
    ("GET", "/product", 200, JSON, r#""inventory":12"#),
    // As the page sends it, and as nobody should: bodies are ignored.
    ("POST {}", "/checkout/abcde-12345", 200, TEXT, "abcde-12345"),
    ("POST {", "/checkout/abcde-12345", 200, TEXT, "abcde-12345"),
    ("HEAD", "/product", 200, JSON, ""),
];

async fn each_endpoint_answers_what_the_table_says(database: Database) {
    // Nothing is dispatched while the table is gone through.
    let branch = Branch::at(database.url()).env("WIDGET_STORE_DISPATCH_INTERVAL_MS", "60000");
    let _shop = branch.open().await;
    for (request, path, status, content_type, body) in ANSWERS {
        let (method, sent) = request.split_once(' ').unwrap_or((request, ""));
        let request = Request::new(method, branch.url(path));
        let request = if sent.is_empty() { request } else { request.header("Content-Type", JSON).body(sent) };
        let answer = request.send().await.expect("an answer");
        let as_told = answer.status == *status
            && answer.header("Content-Type") == Some(content_type)
            && answer.body.contains(body)
            && (!body.is_empty() || answer.body.is_empty());
        assert!(as_told, "{method} {path} is answered {answer:?}");
    }
}

async fn the_document_of_the_shop_says_what_every_value_is(database: Database) {
    let branch = Branch::at(database.url());
    let _shop = branch.open().await;

    let mut document: serde_json::Value =
        Request::new("GET", branch.url("/openapi.json")).send().await.expect("an answer").json();

    assert_eq!(unknown_values(&document), [""; 0]);
    let order = &document["components"]["schemas"]["Order"]["properties"];
    assert_eq!(order["last_update_time"], serde_json::json!({ "type": "string", "format": "date-time" }));
    let sold_out = &document["paths"]["/checkout/{key}"]["post"]["responses"]["409"]["description"];
    assert_eq!(sold_out, "The widgets are sold out.");

    // What nobody finds proves nothing.
    let product = "/components/schemas/Product/properties/product";
    *document.pointer_mut(product).expect("a field") = serde_json::json!({});
    assert_eq!(unknown_values(&document), [product]);
}

async fn unusable_input_is_refused_by_a_sentence(database: Database) {
    let branch = Branch::at(database.url());
    let _shop = branch.open().await;
    let long = "x".repeat(256);
    let longest = "x".repeat(255);
    let orders = [
        "abc",
        "-1",
        "0",
        "1.5",
        "2147483648",
        "99999999999999999999",
        "0x1",
        "1e0",
        "%201",
        "+1",
        "01",
        "1%00",
        "%D9%A1",
    ];
    let keys = ["%00", "a%00b", "a%0Ab", "%7F", "%C2%85", "%ff", "%zz", "%", "a%2", &long];
    let mut requests: Vec<(&str, String, u16)> = Vec::new();
    requests.extend(orders.map(|order| ("GET", format!("/order/{order}"), 400)));
    requests.extend(keys.map(|key| ("POST", format!("/checkout/{key}"), 400)));
    requests.extend(keys.map(|key| ("POST", format!("/payment_webhook/{key}/paid"), 400)));
    requests.extend(["PAID", "banana", "paid%20", "%00", ""].map(|status| {
        ("POST", format!("/payment_webhook/nobody/{status}"), if status.is_empty() { 404 } else { 400 })
    }));
    requests.extend(["nobody", &longest].map(|key| ("POST", format!("/payment_webhook/{key}/paid"), 404)));
    requests.extend(
        [
            ("GET", "/order/"),
            ("GET", "/order/2147483647"),
            ("POST", "/checkout/"),
            ("POST", "/checkout/a/b"),
            ("GET", "/nope"),
        ]
        .map(|(method, path)| (method, path.to_owned(), 404)),
    );
    for (method, path, status) in &requests {
        let answer = Request::new(method, branch.url(path)).send().await.expect("an answer");
        assert_eq!(answer.status, *status, "{method} {path} is answered {answer:?}");
        assert!(is_a_sentence(&answer), "{method} {path} is answered {answer:?}");
    }
    assert_eq!(database.count("SELECT count(*) FROM dbos.workflow_status").await, 0);

    // What looks odd but can be stored is a key like any other.
    for key in ["%E2%82%AC", "a%20b", "a%2Fb", "'%3B--", "..", "0", &longest] {
        let answer = Request::new("POST", branch.url(&format!("/checkout/{key}"))).send().await.expect("an answer");
        assert_eq!(answer.status, 200, "{key} is answered {answer:?}");
    }
}

/// Says what is wrong, and nothing of how the shop is made.
fn is_a_sentence(answer: &Response) -> bool {
    let shape: serde_json::Value = answer.json();
    let message = shape["message"].as_str().unwrap_or_default();
    let insides = ["SELECT", "INSERT", "sqlx", "panicked", "postgres", "sqlite"];
    shape["status"] == answer.status && !message.is_empty() && !insides.iter().any(|inside| message.contains(inside))
}

async fn the_wrong_method_is_told_the_right_one(database: Database) {
    let branch = Branch::at(database.url());
    let _shop = branch.open().await;
    for (methods, path, allow) in [
        (["POST", "PUT"], "/", "GET,HEAD"),
        (["POST", "DELETE"], "/product", "GET,HEAD"),
        (["POST", "PATCH"], "/orders", "GET,HEAD"),
        (["POST", "PUT"], "/order/1", "GET,HEAD"),
        (["GET", "HEAD"], "/restock", "POST"),
        (["GET", "PUT"], "/checkout/key", "POST"),
        (["GET", "DELETE"], "/payment_webhook/key/paid", "POST"),
        (["GET", "PUT"], "/crash_application", "POST"),
    ] {
        for method in methods {
            let answer = Request::new(method, branch.url(path)).send().await.expect("an answer");
            let told = answer.header("Allow").unwrap_or_default().replace(' ', "");
            assert_eq!((answer.status, told.as_str()), (405, allow), "{method} {path} is answered {answer:?}");
        }
    }
}

async fn the_page_needs_nothing_from_another_host(database: Database) {
    let branch = Branch::at(database.url());
    let _shop = branch.open().await;
    for (path, content_type) in
        [("/", "text/html"), ("/app.css", "text/css"), ("/app.js", "text/javascript"), ("/?payment=x", "text/html")]
    {
        let answer = Request::new("GET", branch.url(path)).send().await.expect("an answer");
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.header("Content-Type").is_some_and(|given| given.starts_with(content_type)), "{path}");
        assert!(answer.header("Content-Security-Policy").is_some_and(|policy| policy.contains("default-src 'none'")));
        for elsewhere in ["src=\"http", "href=\"http", "src=\"//", "url(http", "@import", "fetch(\"http"] {
            assert!(!answer.body.contains(elsewhere), "{path} has {elsewhere}");
        }
    }
}
