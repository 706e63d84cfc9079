//! Bad input, row by row: each is refused by a sentence, and leaves nothing behind.

use dbos_testkit::Database;
use dbos_testkit::http::{Request, Response};
use serde_json::{Value, json};

use crate::guide::{Bill, Guide};

dbos_testkit::behaviours! { table:
    a_session_needs_everything_that_makes_it_payable,
    what_there_is_not_is_not_found,
    a_key_that_cannot_be_written_everywhere_is_refused_before_anything_happens,
    a_key_in_the_body_does_not_replace_the_one_in_the_path,
    one_key_makes_one_session_and_no_other,
    a_session_says_what_is_to_be_paid,
}

/// A session that is fine.
fn request() -> Value {
    json!({
        "webhook": "http://localhost:1/payment_webhook",
        "success_url": "http://localhost:1/success",
        "cancel_url": "http://localhost:1/cancel",
        "items": [{"description": "a pen", "quantity": 2, "price": "10.00"}],
        "client_reference_id": "mine",
    })
}

fn assert_refused(answer: &Response, status: u16, about: &str) {
    let shape: Value = answer.json();
    let message = shape["message"].as_str().unwrap_or_default();
    let insides = ["SELECT", "INSERT", "sqlx", "panicked", "postgres", "sqlite", "src/"];
    assert_eq!((answer.status, &shape["status"]), (status, &json!(status)), "{about}: {answer:?}");
    assert!(!message.is_empty() && !insides.iter().any(|inside| message.contains(inside)), "{about}: {message}");
}

async fn a_session_needs_everything_that_makes_it_payable(database: Database) {
    let guide = Guide::on(database).await;
    let _service = guide.service.open().await;
    let create = "/api/create_payment_session";

    for name in ["webhook", "success_url", "cancel_url", "items"] {
        let mut request = request();
        request.as_object_mut().expect("an object").remove(name);
        let answer = guide.service.post_json(create, &request).await;
        assert_refused(&answer, 400, name);
        assert!(answer.body.contains(&format!("missing field `{name}`")), "{}", answer.body);
    }
    let long = "x".repeat(256);
    for (name, value) in [
        ("items", json!([])),
        ("items", json!("a pen")),
        ("items", json!([{"description": "a pen", "quantity": 1}])),
        ("items", json!([{"description": "a pen", "quantity": 0, "price": "10.00"}])),
        ("items", json!([{"description": "a pen", "quantity": -1, "price": "10.00"}])),
        ("items", json!([{"description": "a pen", "quantity": 1.5, "price": "10.00"}])),
        ("items", json!([{"description": "a pen", "quantity": 1, "price": "ten"}])),
        ("items", json!([{"description": "a pen", "quantity": 1, "price": "-10.00"}])),
        ("items", json!([{"description": "a pen", "quantity": 1, "price": "0.001"}])),
        ("items", json!([{"description": "a pen", "quantity": 1, "price": "1000000.00"}])),
        ("items", json!([{"description": "", "quantity": 1, "price": "10.00"}])),
        ("items", json!([{"description": "\u{0}", "quantity": 1, "price": "10.00"}])),
        ("items", json!(vec![json!({"description": "a pen", "quantity": 1, "price": "1.00"}); 101])),
        ("webhook", json!("")),
        ("webhook", json!("localhost")),
        ("webhook", json!("file:///etc/passwd")),
        ("success_url", json!("javascript:alert(1)")),
        ("cancel_url", json!(7)),
        ("client_reference_id", json!(long)),
        ("client_reference_id", json!("a\u{0}b")),
    ] {
        let mut request = request();
        request[name] = value.clone();
        assert_refused(&guide.service.post_json(create, &request).await, 400, &format!("{name}: {value}"));
    }
    for (body, status) in [("[1", 400), ("[1]", 400), ("null", 400), ("{}", 400)] {
        let answer = Request::new("POST", guide.service.url(create)).header("Content-Type", "application/json");
        assert_refused(&answer.body(body).send().await.expect("an answer"), status, body);
    }
    let keyed = Request::new("POST", guide.service.url(create)).header("dbos-idempotency-key", &long);
    assert_refused(&keyed.json(&request()).send().await.expect("an answer"), 400, "a long key");
    assert_eq!(guide.sessions.count("SELECT count(*) FROM dbos.workflow_status").await, 0);
}

async fn what_there_is_not_is_not_found(database: Database) {
    let guide = Guide::on(database).await;
    let _open = guide.open().await;

    for path in ["/api/session/nope", "/api/session_info/nope", "/payment/nope", "/api/session/", "/nope"] {
        assert_refused(&guide.service.get(path).await, 404, path);
    }
    for path in ["/api/submit_payment", "/api/cancel_payment"] {
        assert_refused(&guide.service.post_json(path, &json!({"session_id": "nope"})).await, 404, path);
        assert_refused(&guide.service.post_json(path, &json!({})).await, 400, path);
        assert_refused(&guide.service.post_json(path, &json!({"session_id": 7})).await, 400, path);
    }
    for path in ["/nope", "/checkout/a/b", "/api/session/nope"] {
        assert_refused(&guide.shop.post(path).await, 404, path);
    }
}

async fn a_key_that_cannot_be_written_everywhere_is_refused_before_anything_happens(database: Database) {
    let guide = Guide::on(database).await;
    let _open = guide.open().await;
    let longest = "x".repeat(255);
    let long = "x".repeat(256);
    let very_long = "x".repeat(7_000);

    for key in [
        "%00",
        "a%00b",
        "a%0Ab",
        "%7F",
        "%ff",
        "%zz",
        "a%20b",
        "a%22b",
        "%24%28reboot%29",
        "%E2%82%AC",
        &long,
        &very_long,
    ] {
        assert_refused(&guide.shop.post(&format!("/checkout/{key}")).await, 400, key);
    }
    assert_eq!(guide.orders.count("SELECT count(*) FROM dbos.workflow_status").await, 0);

    let in_header =
        |path: &str, key: &str| Request::new("POST", guide.shop.url(path)).header("dbos-idempotency-key", key).send();
    for key in ["$(reboot)", "a\"b", "a b", &long] {
        assert_refused(&in_header("/checkout", key).await.expect("an answer"), 400, key);
    }
    assert_eq!(guide.orders.count("SELECT count(*) FROM dbos.workflow_status").await, 0);

    for (path, key) in [("/checkout", "header"), ("/checkout/path", "path")] {
        let answer = in_header(path, "header").await.expect("an answer");
        assert_eq!(Bill::read(&answer.body).checkout(), key);
    }
    for key in ["0", "..", "a.b_c~d-1", &longest] {
        assert_eq!(guide.checkout(&format!("/checkout/{key}")).await.checkout(), key);
    }
}

async fn a_key_in_the_body_does_not_replace_the_one_in_the_path(database: Database) {
    let guide = Guide::on(database).await;
    let _open = guide.open().await;

    let answer = guide.shop.post_json("/checkout/mine", &json!({"key": "another"})).await;

    let bill = Bill::read(&answer.body);
    assert_eq!(bill.checkout(), "mine");
    let workflows = guide.orders.query("SELECT workflow_uuid FROM dbos.workflow_status").await;
    assert_eq!(workflows, [[Some("mine".to_owned())]]);
}

async fn one_key_makes_one_session_and_no_other(database: Database) {
    let guide = Guide::on(database).await;
    let _service = guide.service.open().await;
    let create = async |request: &Value| {
        let create = Request::new("POST", guide.service.url("/api/create_payment_session"));
        create.header("dbos-idempotency-key", "key").json(request).send().await.expect("an answer")
    };

    let first = create(&request()).await;
    assert_eq!(first.status, 200, "{}", first.body);
    assert_eq!(create(&request()).await.body, first.body);
    for (name, value) in [
        ("client_reference_id", json!("yours")),
        ("webhook", json!("http://localhost:2/payment_webhook")),
        ("items", json!([{"description": "a pen", "quantity": 2, "price": "0.01"}])),
    ] {
        let mut other = request();
        other[name] = value;
        assert_refused(&create(&other).await, 422, name);
    }
    assert_eq!(guide.sessions.count("SELECT count(*) FROM session").await, 1);
    let other = guide.service.post_json("/api/create_payment_session", &request()).await;
    assert_ne!(other.body, first.body, "without a key each is another");
}

async fn a_session_says_what_is_to_be_paid(database: Database) {
    let guide = Guide::on(database).await;
    let _service = guide.service.open().await;
    let mut request = request();
    request["items"][0]["description"] = json!("<script>alert('a pen')</script>");

    let session: Value = guide.service.post_json("/api/create_payment_session", &request).await.json();
    let id = session["session_id"].as_str().expect("an id");
    let url = guide.service.url(&format!("/payment/{id}"));
    assert_eq!(session, json!({"session_id": id, "url": url, "payment_status": "pending"}));
    assert_eq!(guide.service.get(&format!("/api/session/{id}")).await.json::<Value>(), session);
    let information: Value = guide.service.get(&format!("/api/session_info/{id}")).await.json();
    assert_eq!(
        information,
        json!({
            "session_id": id,
            "success_url": "http://localhost:1/success",
            "cancel_url": "http://localhost:1/cancel",
            "status": "pending",
            "items": request["items"],
        })
    );
    let page = guide.service.get(&format!("/payment/{id}")).await;
    assert!(page.header("Content-Type").is_some_and(|kind| kind.starts_with("text/html")), "{page:?}");
    assert!(page.body.contains("&lt;script&gt;") && !page.body.contains("<script>"), "{}", page.body);
    assert!(page.body.contains("$10.00"), "{}", page.body);
}
