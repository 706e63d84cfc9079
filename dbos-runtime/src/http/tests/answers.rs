//! From a function's return value to a status and a body.

use std::collections::BTreeMap;
use std::fmt;

use axum::http::StatusCode;
use serde::Serialize;

use super::{TestServer, route};
use crate::http::access::Access;
use crate::http::limits::RouteOptions;
use crate::http::route::{Route, documented, router_of};
use crate::http::{Documentation, Html, HttpError, IntoResponse, Redirect, Reply};
use crate::{Error, Result};

#[derive(Serialize)]
struct Product {
    price: f64,
}

/// An error that only the log may read.
#[derive(Debug)]
struct Secret;

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("password is hunter2")
    }
}

#[derive(Debug, thiserror::Error)]
#[error("checkout failed")]
struct Wrapped(#[source] Error);

fn invalid_key() -> Error {
    Error::InvalidKey { what: "workflow id".to_owned(), reason: "it is empty".to_owned() }
}

fn anything() -> impl IntoResponse {
    (StatusCode::CREATED, "made")
}

const ROUTES: &[&Route] = &[
    route!("GET", "/string", |a| "<b>".to_owned()),
    route!("GET", "/html", |a| Html("<b>")),
    route!("GET", "/json", |a| Product { price: 99.99 }),
    route!("GET", "/list", |a| Ok::<_, Error>(vec![Product { price: 1.0 }])),
    route!("GET", "/number", |a| Ok::<i32, Error>(7)),
    route!("GET", "/unit", |a| ()),
    route!("GET", "/unit/result", |a| Result::<()>::Ok(())),
    route!("GET", "/none", |a| Result::<Option<i32>>::Ok(None)),
    route!("GET", "/none/text", |a| None::<String>),
    route!("GET", "/some/text", |a| Some("text".to_owned())),
    route!("GET", "/status", |a| StatusCode::OK),
    route!("GET", "/anything", |a| anything()),
    route!("GET", "/unwritable", |a| BTreeMap::from([(Some(vec![1]), 1)])),
];

#[tokio::test]
async fn a_value_is_answered_by_its_type() {
    let server = TestServer::start(ROUTES).await;
    let text = Some("text/plain; charset=utf-8");
    let json = Some("application/json");
    for (path, status, kind, body) in [
        ("/string", 200, text, "<b>"),
        ("/html", 200, Some("text/html; charset=utf-8"), "<b>"),
        ("/json", 200, json, r#"{"price":99.99}"#),
        ("/list", 200, json, r#"[{"price":1.0}]"#),
        ("/number", 200, json, "7"),
        ("/unit", 204, None, ""),
        ("/unit/result", 204, None, ""),
        ("/none", 204, None, ""),
        ("/none/text", 204, None, ""),
        ("/some/text", 200, text, "text"),
        ("/status", 200, None, ""),
        ("/anything", 201, text, "made"),
    ] {
        let answer = server.get(path).await;
        assert_eq!((answer.status, answer.body.as_str()), (status, body), "{path}");
        assert_eq!(answer.header("content-type"), kind, "{path}");
    }
    assert_eq!(server.get("/unwritable").await.status, 500);
}

const REPLIES: &[&Route] = &[
    route!("GET", "/text", |a| Reply::new("made".to_owned()).status(201).header("location", "/orders/7")),
    route!("GET", "/json", |a| Ok::<_, Error>(Reply::new(Product { price: 1.0 }).status(202))),
    route!("GET", "/unit", |a| Reply::new(())),
    route!("GET", "/unit/status", |a| Result::<Reply<()>>::Ok(Reply::new(()).status(410))),
    route!("GET", "/none", |a| Reply::new(None::<i32>)),
    route!("GET", "/kind", |a| Reply::new(Product { price: 1.0 }).header("Content-Type", "application/hal+json")),
    route!("GET", "/cookies", |a| Reply::new("a").header("set-cookie", "a=1").header("set-cookie", "b=2")),
    route!("GET", "/split", |a| Reply::new("a").header("x", "1\r\nset-cookie: admin=1")),
    route!("GET", "/nameless", |a| Reply::new("a").header("a b", "1")),
    route!("GET", "/informational", |a| Reply::new("a").status(100)),
    route!("GET", "/failed", |a| Err::<Reply<Product>, _>(HttpError::new(409, "sold out"))),
    route!("GET", "/redirect", |a| Redirect::to("/cart?a=1")),
    route!("GET", "/redirect/other", |a| Ok::<_, Error>(Redirect::see_other("https://pay.example/1"))),
    route!("GET", "/redirect/permanent", |a| Redirect::permanent("/new")),
    route!("GET", "/redirect/split", |a| Redirect::to("/a\r\nset-cookie: admin=1")),
];

#[tokio::test]
async fn a_reply_chooses_status_and_headers() {
    let server = TestServer::start(REPLIES).await;
    for (path, status, header, body) in [
        ("/text", 201, ("location", "/orders/7"), "made"),
        ("/text", 201, ("content-type", "text/plain; charset=utf-8"), "made"),
        ("/json", 202, ("content-type", "application/json"), r#"{"price":1.0}"#),
        ("/kind", 200, ("content-type", "application/hal+json"), r#"{"price":1.0}"#),
        ("/redirect", 302, ("location", "/cart?a=1"), ""),
        ("/redirect/other", 303, ("location", "https://pay.example/1"), ""),
        ("/redirect/permanent", 308, ("location", "/new"), ""),
    ] {
        let answer = server.get(path).await;
        assert_eq!((answer.status, answer.body.as_str()), (status, body), "{path}");
        assert_eq!(answer.header(header.0), Some(header.1), "{path}");
    }
    for (path, status) in [("/unit", 204), ("/unit/status", 410), ("/none", 204), ("/failed", 409)] {
        assert_eq!(server.get(path).await.status, status, "{path}");
    }
    let cookies = server.get("/cookies").await.headers;
    assert_eq!(cookies.iter().filter(|(name, _)| name == "set-cookie").count(), 2, "{cookies:?}");
}

#[tokio::test]
async fn an_answer_that_cannot_be_sent_is_a_mistake_of_the_program() {
    let server = TestServer::start(REPLIES).await;
    for path in ["/split", "/nameless", "/informational", "/redirect/split"] {
        let answer = server.get(path).await;
        assert_eq!((answer.status, answer.message().as_str()), (500, "Internal Server Error"), "{path}");
        assert_eq!(answer.header("set-cookie"), None, "{path}");
    }
}

const FAILING: &[&Route] = &[
    route!("GET", "/told", |a| Err::<String, _>(HttpError::new(409, "sold out"))),
    route!("GET", "/told/500", |a| Err::<(), _>(HttpError::new(500, "Error starting checkout"))),
    route!("GET", "/told/odd", |a| Err::<(), _>(HttpError::new(200, "odd"))),
    route!("GET", "/status", |a| Err::<String, _>(StatusCode::IM_A_TEAPOT)),
    route!("GET", "/invalid", |a| Result::<()>::Err(invalid_key())),
    route!("GET", "/unknown", |a| Result::<String>::Err(Error::NonExistentWorkflow { workflow: "w".to_owned() })),
    route!("GET", "/taken", |a| {
        let [workflow, recorded, called] = ["w", "a", "b"].map(str::to_owned);
        Result::<Option<i32>>::Err(Error::ConflictingWorkflow { workflow, recorded, called })
    }),
    route!("GET", "/stopping", |a| Result::<i32>::Err(Error::ShuttingDown)),
    route!("GET", "/application", |a| Result::<i32>::Err(Error::new("password is hunter2"))),
    route!("GET", "/display", |a| Err::<Product, _>(Secret)),
    route!("GET", "/string", |a| Err::<i32, _>("password is hunter2".to_owned())),
    route!("GET", "/wrapped", |a| Err::<String, _>(Wrapped(invalid_key()))),
    route!("GET", "/wrapped/other", |a| Err::<String, _>(Wrapped(Error::new("password is hunter2")))),
    route!("GET", "/anyhow", |a| anyhow::Result::<String>::Err(anyhow::Error::from(invalid_key()).context("more"))),
    route!("GET", "/anyhow/other", |a| anyhow::Result::<String>::Err(anyhow::anyhow!("password is hunter2"))),
    route!("GET", "/boxed", |a| {
        Err::<i32, Box<dyn std::error::Error + Send + Sync>>(Box::new(HttpError::new(402, "pay first")))
    }),
    route!("GET", "/panic", |a| panics()),
];

fn panics() {
    panic!("password is hunter2");
}

#[tokio::test]
async fn an_error_is_answered_in_one_shape_and_keeps_its_secrets() {
    let server = TestServer::start(FAILING).await;
    for (path, status, message) in [
        ("/told", 409, "sold out"),
        ("/told/500", 500, "Error starting checkout"),
        ("/told/odd", 500, "odd"),
        ("/status", 418, "I'm a teapot"),
        ("/invalid", 400, "workflow id is refused: it is empty"),
        ("/unknown", 404, "no workflow has the id `w`"),
        ("/taken", 409, "workflow id `w` belongs to `a`, so `b` cannot start under it; use another id"),
        ("/stopping", 503, "DBOS is shutting down"),
        ("/application", 500, "Internal Server Error"),
        ("/display", 500, "Internal Server Error"),
        ("/string", 500, "Internal Server Error"),
        ("/wrapped", 400, "workflow id is refused: it is empty"),
        ("/wrapped/other", 500, "Internal Server Error"),
        ("/anyhow", 400, "workflow id is refused: it is empty"),
        ("/anyhow/other", 500, "Internal Server Error"),
        ("/boxed", 402, "pay first"),
        ("/panic", 500, "Internal Server Error"),
    ] {
        let answer = server.get(path).await;
        assert_eq!((answer.status, answer.message().as_str()), (status, message), "{path}");
        assert!(!answer.body.contains("hunter2"), "{path}");
    }
}

#[tokio::test]
async fn a_browser_is_shown_a_page_and_a_program_reads_json() {
    let server = TestServer::start(&[
        route!("GET", "/told", |a| Err::<(), _>(HttpError::new(409, "<b>sold</b> & \"out\"").with_data([1, 2]))),
        route!("GET", "/hidden", |a| Err::<(), _>("password is hunter2".to_owned())),
    ])
    .await;
    let ask = async |path: &str, accept: &str| {
        server.ask(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n")).await
    };

    for accept in [
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "application/json;q=0.5, text/html;q=0.6",
        "TEXT/HTML",
    ] {
        let page = ask("/told", accept).await;
        assert_eq!((page.status, page.header("content-type")), (409, Some("text/html; charset=utf-8")), "{accept}");
        assert!(page.body.contains("&lt;b&gt;sold&lt;/b&gt; &amp; &quot;out&quot;"), "{}", page.body);
        assert!(page.body.contains(page.header("x-request-id").expect("an id")), "{}", page.body);
        assert!(page.header("content-security-policy").is_some_and(|policy| policy.contains("default-src 'none'")));
    }
    for accept in ["*/*", "application/json", "application/json, text/html", "text/html;q=0, */*", "text/html;q=x", ""]
    {
        let told = ask("/told", accept).await;
        assert_eq!(told.message(), "<b>sold</b> & \"out\"", "{accept}");
        let told: serde_json::Value = serde_json::from_str(&told.body).expect("JSON");
        assert_eq!(told["data"], serde_json::json!([1, 2]), "{accept}");
    }
    let hidden = ask("/hidden", "text/html").await;
    assert!(hidden.body.contains("Internal Server Error") && !hidden.body.contains("hunter2"), "{}", hidden.body);
    let missing = ask("/nope", "text/html").await;
    assert!(missing.status == 404 && missing.body.contains("<h1>404 Not Found</h1>"), "{}", missing.body);
}

#[tokio::test]
async fn unknown_paths_and_methods_are_told_apart() {
    let server = TestServer::start(&[
        route!("GET", "/thing/:id", |a| "got"),
        route!("POST", "/thing/:key", |a| "posted"),
        route!("DELETE", "/other", |a| "gone"),
    ])
    .await;

    let missing = server.get("/nope").await;
    assert_eq!((missing.status, missing.message().as_str()), (404, "Not Found"));
    let put = server.ask("PUT /thing/1 HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert_eq!((put.status, put.message().as_str()), (405, "PUT is not allowed here"));
    assert_eq!(put.header("allow"), Some("GET,HEAD,POST"));
    assert_eq!(server.get("/other").await.header("allow"), Some("DELETE"));
    let mut client = server.connect().await;
    for (path, status) in [("/thing/1", 200), ("/nope", 404), ("/other", 405)] {
        client.send(&format!("HEAD {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
        assert_eq!(client.head().await.status, status, "{path}");
    }
}

#[test]
fn a_route_that_is_claimed_twice_is_refused_naming_both_places() {
    for (first, second) in [("/a/:x", "/a/{y}"), ("/a/:x?", "/a")] {
        let routes = [first, second].map(|path| -> &'static Route {
            Box::leak(Box::new(Route {
                path,
                method: "GET",
                function: "get",
                module: "shop",
                file: "shop.rs",
                line: if path == first { 1 } else { 2 },
                handler: |_| Box::pin(async { Err(HttpError::new(500, "never called")) }),
                describe: |_| (),
                options: RouteOptions::DEFAULT,
            }))
        });
        let error = router_of(&routes).expect_err("a duplicate").to_string();
        assert!(error.contains("shop.rs:1") && error.contains("shop.rs:2"), "{error}");
    }
}

#[test]
fn a_route_on_the_path_of_a_health_check_is_refused() {
    static MINE: Route = Route {
        path: "/dbos-healthz",
        method: "GET",
        function: "mine",
        module: "shop",
        file: "shop.rs",
        line: 7,
        handler: |_| Box::pin(async { Err(HttpError::new(500, "never called")) }),
        describe: |_| (),
        options: RouteOptions::DEFAULT,
    };
    let error = documented(vec![&MINE], &Documentation::default()).expect_err("the path is taken").to_string();
    assert!(error.contains("health check") && error.contains("shop.rs:7"), "{error}");
}

#[test]
fn a_route_that_could_let_nobody_in_is_refused() {
    for access in [Access::User, Access::Roles(&["admin"])] {
        let route: &'static Route = Box::leak(Box::new(Route {
            path: "/refunds",
            method: "POST",
            function: "refund",
            module: "shop",
            file: "shop.rs",
            line: 7,
            handler: |_| Box::pin(async { Err(HttpError::new(500, "never called")) }),
            describe: |_| (),
            options: RouteOptions { access, ..RouteOptions::DEFAULT },
        }));
        let error = router_of(&[route]).expect_err("nothing says who asks").to_string();
        assert!(error.contains("shop.rs:7") && error.contains("#[dbos::authenticator]"), "{error}");
    }
}
