//! Framing, limits, ids, and who is let in.

use super::{TestServer, post, route};
use crate::http::route::Route;
use crate::http::{ServerOptions, peer, request_id};

const ROUTES: &[&Route] = &[
    route!("GET", "/", |a| "home"),
    route!("GET", "/peer", |a| peer().map(|peer| peer.ip().to_string())),
    route!("GET", "/id", |a| request_id()),
    route!("POST", "/echo", |a| a.body::<String>("v")),
];

#[tokio::test]
async fn a_connection_serves_one_request_after_another() {
    let server = TestServer::start(ROUTES).await;
    let mut client = server.connect().await;
    for _ in 0..3 {
        client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        assert_eq!(client.answer().await.body, "home");
    }

    let chunked = "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{\"v\r\n6;x=y\r\n\":\"a\"}\r\n0\r\n\r\n";
    let pipelined = format!("{}{chunked}\r\nGET / HTTP/1.1\r\nHost: localhost\r\n\r\n", post("/echo", r#"{"v":"b"}"#));
    client.send(&pipelined).await;
    let mut bodies = Vec::new();
    for _ in 0..3 {
        bodies.push(client.answer().await.body);
    }
    assert_eq!(bodies, ["b", "a", "home"]);
}

#[tokio::test]
async fn a_request_may_arrive_byte_by_byte() {
    let server = TestServer::start(ROUTES).await;
    let mut client = server.connect().await;
    for byte in post("/echo", r#"{"v":"slow"}"#).chars() {
        client.send(&byte.to_string()).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(client.answer().await.body, "slow");
}

#[tokio::test]
async fn a_request_with_two_readings_is_refused_and_the_connection_closed() {
    let server = TestServer::start(ROUTES).await;
    for (request, status) in [
        ("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", 400),
        (
            "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
            400,
        ),
        ("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}", 400),
        ("POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n{}", 400),
        ("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n{}", 400),
        ("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 18446744073709551616\r\n\r\n{}", 400),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("GET / HTTP/1.1\nHost: localhost\n\n", 400),
        ("GET / HTTP/1.1\r\nHost : localhost\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: localhost\r\n folded\r\n\r\n", 400),
        ("nonsense\r\n\r\n", 400),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ] {
        let mut client = server.connect().await;
        client.send(request).await;
        let answer = client.answer().await;
        assert_eq!(answer.status, status, "{request:?}: {}", answer.message());
        client.closed().await;
    }
}

#[tokio::test]
async fn a_refusal_waits_for_the_answers_before_it() {
    let server = TestServer::start(ROUTES).await;
    let mut client = server.connect().await;
    client
        .send(
            "GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        )
        .await;
    assert_eq!(client.answer().await.body, "home");
    assert_eq!(client.answer().await.status, 400);
    client.closed().await;
}

#[tokio::test]
async fn what_is_too_long_is_refused_in_the_common_shape() {
    let server = TestServer::start(ROUTES).await;
    let long = "a".repeat(8192);
    let uri = server.get(&format!("/{long}")).await;
    assert_eq!((uri.status, uri.message().as_str()), (414, "the URI is longer than 8192 bytes"));
    let large = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", long.repeat(3));
    assert_eq!(server.ask(&large).await.status, 431);
    let many = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X: 1\r\n".repeat(64));
    assert_eq!(server.ask(&many).await.status, 431);
}

#[tokio::test]
async fn broken_chunks_are_the_callers_mistake() {
    let server = TestServer::start(ROUTES).await;
    for chunk in ["zz\r\n", &format!("1;{}\r\n{{\r\n", "x".repeat(1 << 20)), "ffffffffffffffff1\r\n"] {
        let request = format!("POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}");
        let answer = server.ask(&request).await;
        assert_eq!((answer.status, answer.message().as_str()), (400, "the body is broken off or wrongly framed"));
    }
}

#[tokio::test]
async fn a_request_keeps_a_good_id_and_gets_one_otherwise() {
    let server = TestServer::start(ROUTES).await;
    let ask = async |id: &str| {
        server.ask(&format!("GET /id HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: {id}\r\n\r\n")).await
    };

    let kept = ask("order-7.a_B").await;
    assert_eq!((kept.header("x-request-id"), kept.body.as_str()), (Some("order-7.a_B"), "order-7.a_B"));
    for bad in ["", "a b", "<script>", &"x".repeat(129)] {
        let made = ask(bad).await;
        assert_eq!(made.body.len(), 36, "{bad}");
        assert_eq!(made.header("x-request-id"), Some(made.body.as_str()));
    }
}

#[tokio::test]
async fn strangers_are_turned_away() {
    let server = TestServer::start(ROUTES).await;
    let port = server.address.port();
    let own = format!("Host: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}");
    for (method, headers, status) in [
        ("GET /", "Host: evil.example", 403),
        ("GET /", "Host: localhost\r\nOrigin: http://evil.example", 200),
        ("GET /", "Host: localhost\r\nVia: 1.1 proxy", 403),
        ("POST /echo", "Host: localhost\r\nOrigin: http://evil.example", 403),
        ("POST /echo", "Host: localhost\r\nOrigin: null", 403),
        ("POST /echo", "Host: localhost\r\nSec-Fetch-Site: cross-site", 403),
        ("POST /echo", "Host: localhost\r\nX-Forwarded-For: 127.0.0.1", 403),
        ("POST /echo", "Host: localhost\r\nForwarded: for=127.0.0.1", 403),
        // Let in, and told what is missing.
        ("POST /echo", &own, 400),
    ] {
        let answer = server.ask(&format!("{method} HTTP/1.1\r\n{headers}\r\n\r\n")).await;
        assert_eq!(answer.status, status, "{method} {headers}");
        if status != 200 {
            answer.message();
        }
    }
}

#[tokio::test]
async fn an_absolute_target_must_name_the_same_host() {
    let server = TestServer::start(ROUTES).await;
    assert_eq!(server.get("http://localhost/").await.status, 200);
    assert_eq!(server.get("http://evil.example/").await.status, 400);
}

#[tokio::test]
async fn a_handler_knows_where_the_request_came_from() {
    let server = TestServer::start(ROUTES).await;
    assert_eq!(server.get("/peer").await.body, "127.0.0.1");
    let options = ServerOptions { trust_forwarded: true, ..ServerOptions::default() };
    let behind_a_proxy = TestServer::start_with(ROUTES, options).await;
    let request = "GET /peer HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 127.0.0.1, 192.0.2.7\r\n\r\n";
    assert_eq!(behind_a_proxy.ask(request).await.body, "192.0.2.7");
    assert_eq!(peer(), None);
}
