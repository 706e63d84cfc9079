//! What a request may take, said by attribute or for the whole server; and what other sites may do.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::{TestServer, post, route};
use crate::http::ServerOptions;
use crate::http::limits::RouteOptions;
use crate::http::route::Route;

/// Closed until a test opens it; each test that waits has its own.
static GATE: Semaphore = Semaphore::const_new(0);

const SHORT: Duration = Duration::from_millis(50);

const PARTNER: &str = "https://partner.example";

const ROUTES: &[&Route] = &[
    route!("POST", "/any", |a| a.raw_body::<String>()),
    route!("POST", "/small", RouteOptions { max_body_bytes: Some(10), ..RouteOptions::DEFAULT }, |a| a
        .raw_body::<String>()),
    route!("POST", "/large", RouteOptions { max_body_bytes: Some(40), ..RouteOptions::DEFAULT }, |a| a
        .raw_body::<String>()),
    route!("GET", "/never", |a| std::future::pending::<()>().await),
    route!("GET", "/short", RouteOptions { timeout: Some(SHORT), ..RouteOptions::DEFAULT }, |a| {
        std::future::pending::<()>().await
    }),
    route!("GET", "/one", RouteOptions { max_concurrent: Some(1), ..RouteOptions::DEFAULT }, |a| {
        GATE.acquire().await.expect("the gate stays").forget();
    }),
    route!("GET", "/long", |a| "compressible ".repeat(1000)),
    route!("GET", "/short-of-cpu", RouteOptions { compress: Some(false), ..RouteOptions::DEFAULT }, |a| {
        "compressible ".repeat(1000)
    }),
    route!("GET", "/short-of-bytes", RouteOptions { compress: Some(true), ..RouteOptions::DEFAULT }, |a| {
        "compressible ".repeat(1000)
    }),
    route!("POST", "/partner", RouteOptions { allowed_origins: &[PARTNER], ..RouteOptions::DEFAULT }, |a| a
        .raw_body::<String>()),
    route!("PUT", "/partner", |a| a.raw_body::<String>()),
];

#[tokio::test]
async fn the_largest_body_is_the_routes_else_the_servers() {
    let server = TestServer::start_with(ROUTES, ServerOptions { max_body_bytes: 20, ..ServerOptions::default() }).await;
    for (path, fits) in [("/any", 20), ("/small", 10), ("/large", 40)] {
        assert_eq!(server.post(path, &"x".repeat(fits)).await.status, 200, "{path}");
        let refused = server.post(path, &"x".repeat(fits + 1)).await;
        assert_eq!((refused.status, refused.message()), (413, format!("the body is larger than {fits} bytes")));
    }
}

#[tokio::test]
async fn a_body_may_be_larger_than_what_is_usual() {
    let largest = 20 << 20;
    let options = ServerOptions { max_body_bytes: largest, ..ServerOptions::default() };
    let server = TestServer::start_with(ROUTES, options).await;

    assert_eq!(server.post("/any", &"x".repeat(largest)).await.status, 200);
}

#[tokio::test]
async fn an_answer_that_takes_too_long_is_503() {
    let server = TestServer::start(ROUTES).await;
    let late = server.get("/short").await;
    assert_eq!((late.status, late.message().as_str()), (503, "the answer took longer than 50 ms"));

    let hurried = ServerOptions { answer_deadline: SHORT * 2, ..ServerOptions::default() };
    let server = TestServer::start_with(ROUTES, hurried).await;
    for (path, limit_ms) in [("/never", 100), ("/short", 50)] {
        let late = server.get(path).await;
        assert_eq!((late.status, late.message()), (503, format!("the answer took longer than {limit_ms} ms")));
    }
}

#[tokio::test]
async fn more_than_may_run_at_a_time_are_turned_away() {
    let server = Arc::new(TestServer::start(ROUTES).await);
    // Whichever comes first waits at the gate, so the other is turned away.
    let mut both = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let server = Arc::clone(&server);
        both.spawn(async move { server.get("/one").await });
    }

    let turned_away = both.join_next().await.expect("one answer").expect("no panic");
    GATE.add_permits(1);
    let answered = both.join_next().await.expect("the other answer").expect("no panic");

    assert_eq!((turned_away.status, answered.status), (503, 204));
    GATE.add_permits(1);
    assert_eq!(server.get("/one").await.status, 204, "the place is free again");
}

/// What a browser asks before a page of another site may call.
fn preflight(method: &str, path: &str, origin: &str) -> String {
    format!(
        "OPTIONS {path} HTTP/1.1\r\nHost: localhost\r\nOrigin: {origin}\r\nSec-Fetch-Site: cross-site\r\n\
         Access-Control-Request-Method: {method}\r\nAccess-Control-Request-Headers: authorization,content-type\r\n\r\n"
    )
}

fn cross_site(method: &str, path: &str, origin: &str) -> String {
    let from = format!("Host: localhost\r\nOrigin: {origin}\r\nSec-Fetch-Site: cross-site");
    post(path, "hello").replacen("POST", method, 1).replace("Host: localhost", &from)
}

#[tokio::test]
async fn pages_of_other_sites_may_call_if_their_origin_is_allowed() {
    let preflight = |origin: &str| preflight("POST", "/any", origin);
    let call = |origin: &str| cross_site("POST", "/any", origin);
    let (shop, other) = ("https://shop.example", "https://other.example");
    let header = "access-control-allow-origin";

    let closed = TestServer::start(ROUTES).await;
    assert_eq!(closed.ask(&preflight(shop)).await.header(header), None);
    assert_eq!(closed.ask(&call(shop)).await.status, 403);

    let options = ServerOptions { allowed_origins: vec![shop.to_owned()], ..ServerOptions::default() };
    let open = TestServer::start_with(ROUTES, options).await;
    let allowed = open.ask(&preflight(shop)).await;
    assert_eq!((allowed.status, allowed.header(header)), (200, Some(shop)));
    assert_eq!(allowed.header("access-control-allow-headers"), Some("authorization,content-type"));
    assert_eq!(allowed.header("access-control-allow-credentials"), None);
    let called = open.ask(&call(shop)).await;
    assert_eq!((called.status, called.body.as_str(), called.header(header)), (200, "hello", Some(shop)));
    assert!(called.header("access-control-expose-headers").is_some_and(|names| names.contains("dbos-workflow-id")));
    assert_eq!(open.ask(&preflight(other)).await.header(header), None);
    assert_eq!(open.ask(&call(other)).await.status, 403);
}

#[tokio::test]
async fn a_route_may_let_in_pages_that_the_server_does_not() {
    let (shop, other) = ("https://shop.example", "https://other.example");
    let options = ServerOptions { allowed_origins: vec![shop.to_owned()], ..ServerOptions::default() };
    for (options, origins) in [(ServerOptions::default(), &[PARTNER][..]), (options, &[PARTNER, shop])] {
        let server = TestServer::start_with(ROUTES, options).await;
        for origin in [PARTNER, shop, other] {
            let may = |method: &str| origins.contains(&origin) && (method == "POST" || origin != PARTNER);
            for method in ["POST", "PUT"] {
                let told = server.ask(&preflight(method, "/partner", origin)).await;
                let called = server.ask(&cross_site(method, "/partner", origin)).await;
                let expected = may(method).then_some(origin);
                assert_eq!(told.header("access-control-allow-origin"), expected, "{method} from {origin}");
                assert_eq!(called.header("access-control-allow-origin"), expected, "{method} from {origin}");
                assert_eq!(called.status, if may(method) { 200 } else { 403 }, "{method} from {origin}");
            }
            assert_eq!(
                server.ask(&cross_site("POST", "/any", origin)).await.status == 200,
                origins[1..].contains(&origin)
            );
        }
    }
}

#[tokio::test]
async fn answers_are_compressed_if_both_sides_want_it() {
    let ask = |path: &str, encoding: &str| {
        format!("HEAD {path} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: {encoding}\r\n\r\n")
    };
    let compressing =
        TestServer::start_with(ROUTES, ServerOptions { compress: true, ..ServerOptions::default() }).await;
    let plain = TestServer::start(ROUTES).await;

    for (server, path, encoding, expected) in [
        (&compressing, "/long", "gzip", Some("gzip")),
        (&compressing, "/long", "identity", None),
        (&compressing, "/short-of-cpu", "gzip", None),
        (&plain, "/long", "gzip", None),
        (&plain, "/short-of-bytes", "gzip", Some("gzip")),
        (&plain, "/short-of-bytes", "identity", None),
    ] {
        let mut client = server.connect().await;
        client.send(&ask(path, encoding)).await;
        let answer = client.head().await;
        assert_eq!((answer.status, answer.header("content-encoding")), (200, expected), "{path} in {encoding}");
    }
}
