//! Deadlines, limits on connections, and the end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::stream;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::{TestServer, post, route};
use crate::http::route::Route;
use crate::http::server::Server;
use crate::http::{ServerOptions, Sse, SseEvent};

const SHORT: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_mins(10);

/// Deadlines that no test reaches, so that the one it shortens is the one that acts.
fn patient() -> ServerOptions {
    ServerOptions {
        header_deadline: LONG,
        body_deadline: LONG,
        idle_deadline: LONG,
        write_deadline: LONG,
        drain: LONG,
        ..ServerOptions::default()
    }
}

const ROUTES: &[&Route] = &[
    route!("GET", "/", |a| "home"),
    route!("GET", "/large", |a| "x".repeat(64 << 20)),
    route!("POST", "/echo", |a| a.body::<String>("v")),
];

#[tokio::test]
async fn a_slow_head_is_cut_off() {
    let server = TestServer::start_with(ROUTES, ServerOptions { header_deadline: SHORT, ..patient() }).await;

    server.connect().await.closed().await;

    let mut stalled = server.connect().await;
    stalled.send("GET / HTTP/1.1\r\nHost: local").await;
    assert_eq!(stalled.answer().await.status, 408);
    stalled.closed().await;
}

#[tokio::test]
async fn a_slow_body_is_cut_off() {
    let server = TestServer::start_with(ROUTES, ServerOptions { body_deadline: SHORT, ..patient() }).await;
    let mut client = server.connect().await;
    client.send(&post("/echo", r#"{"v":"a"}"#).replace(r#""a"}"#, "")).await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.message().as_str()), (408, "the body took too long to arrive"));
    client.closed().await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_quietly() {
    let server = TestServer::start_with(ROUTES, ServerOptions { idle_deadline: SHORT, ..patient() }).await;
    let mut client = server.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    client.answer().await;
    client.closed().await;
}

#[tokio::test]
async fn a_client_that_takes_no_bytes_is_given_up() {
    let server = TestServer::start_with(ROUTES, ServerOptions { write_deadline: SHORT, ..patient() }).await;
    let mut client = server.connect().await;
    client.send("GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    // With its only connection given up, the server has nothing to wait for.
    server.stop().await;
    drop(client);
}

#[tokio::test]
async fn a_slow_reader_of_events_costs_no_memory() {
    const EVENT_BYTES: usize = 64 << 10;
    static MADE: AtomicUsize = AtomicUsize::new(0);
    static BEGUN: Notify = Notify::const_new();
    let routes: &[&Route] = &[route!("GET", "/events", |a| Sse::new(stream::repeat_with(|| {
        MADE.fetch_add(1, Ordering::SeqCst);
        BEGUN.notify_one();
        SseEvent::new("x".repeat(EVENT_BYTES))
    })))];
    let server = TestServer::start_with(routes, ServerOptions { write_deadline: SHORT, ..patient() }).await;
    let mut client = server.connect().await;
    client.send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    BEGUN.notified().await;

    // The client takes nothing, so in the end it is given up; by then all that was made is in the socket's buffers.
    server.stop().await;

    let made = MADE.load(Ordering::SeqCst);
    assert!(made < 1000, "{made} events of {EVENT_BYTES} bytes were made for a client that reads none");
    drop(client);
}

#[tokio::test]
async fn a_long_answer_is_not_idleness() {
    static ASKED: Notify = Notify::const_new();
    static ANSWER: Notify = Notify::const_new();
    let routes: &[&Route] = &[route!("GET", "/wait", |a| {
        ASKED.notify_one();
        ANSWER.notified().await;
        "waited"
    })];
    let short = ServerOptions { header_deadline: SHORT, body_deadline: SHORT, idle_deadline: SHORT, ..patient() };
    let server = TestServer::start_with(routes, short).await;
    let mut client = server.connect().await;
    client.send("GET /wait HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx").await;
    ASKED.notified().await;

    // The passing of the deadlines is what is tested.
    crate::clock::pause(3 * SHORT).await;
    ANSWER.notify_one();

    assert_eq!(client.answer().await.body, "waited");
}

#[tokio::test]
async fn more_connections_than_allowed_wait_for_a_place() {
    let server = TestServer::start_with(ROUTES, ServerOptions { max_connections: 1, ..patient() }).await;
    let mut first = server.connect().await;
    first.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    first.answer().await;
    let mut second = server.connect().await;
    second.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;

    drop(first);

    assert_eq!(second.answer().await.body, "home");
}

#[tokio::test]
async fn stopping_closes_the_port_and_lets_open_requests_end() {
    static ASKED: Notify = Notify::const_new();
    static ANSWER: Notify = Notify::const_new();
    let routes: &[&Route] = &[route!("GET", "/wait", |a| {
        ASKED.notify_one();
        ANSWER.notified().await;
        "waited"
    })];
    let server = TestServer::start_with(routes, patient()).await;
    let mut open = server.connect().await;
    open.send("GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    ASKED.notified().await;
    let idle = server.connect().await;
    let address = server.address;

    let stopping = tokio::spawn(server.stop());
    idle.closed().await;
    TcpStream::connect(address).await.expect_err("nobody listens");
    ANSWER.notify_one();

    let answer = open.answer().await;
    assert_eq!((answer.body.as_str(), answer.header("connection")), ("waited", Some("close")));
    stopping.await.expect("the server ends");
}

#[tokio::test]
async fn a_request_that_outlives_the_drain_is_cut_off() {
    static ASKED: Notify = Notify::const_new();
    let routes: &[&Route] = &[route!("GET", "/forever", |a| {
        ASKED.notify_one();
        std::future::pending::<()>().await;
    })];
    let server = TestServer::start_with(routes, ServerOptions { drain: SHORT, ..patient() }).await;
    let mut client = server.connect().await;
    client.send("GET /forever HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    ASKED.notified().await;

    server.stop().await;

    client.closed().await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let server = TestServer::start(ROUTES).await;
    let port = server.address.port();
    let error = Server::bind(ServerOptions { port, ..ServerOptions::default() }, "--port or PORT")
        .await
        .expect_err("a busy port")
        .to_string();
    assert!(error.starts_with(&format!("cannot listen on 127.0.0.1:{port}: another program has the port")), "{error}");
}

#[tokio::test]
async fn a_client_that_leaves_takes_nobody_along() {
    let server = TestServer::start(ROUTES).await;
    let mut client = server.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET").await;
    client.socket.shutdown().await.expect("half closed");
    drop(client);
    assert_eq!(server.get("/").await.body, "home");
}
