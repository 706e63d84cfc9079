//! The server as a client on a socket sees it.

mod answers;
mod binding;
mod lifecycle;
mod limits;
mod protocol;

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::ServerOptions;
use super::route::{Route, router_of};
use super::server::Server;

/// Nothing here takes this long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// A route as an attribute would register it.
macro_rules! route {
    ($method:literal, $path:literal, |$arguments:ident| $returned:expr) => {
        route!($method, $path, $crate::http::limits::RouteOptions::DEFAULT, |$arguments| $returned)
    };
    ($method:literal, $path:literal, $options:expr, |$arguments:ident| $returned:expr) => {
        &$crate::http::route::Route {
            method: $method,
            path: $path,
            function: stringify!($returned),
            module: module_path!(),
            file: file!(),
            line: line!(),
            handler: |request| {
                Box::pin(async move {
                    #[allow(unused_imports)]
                    use $crate::http::respond::nameless::*;
                    #[allow(unused_variables, unused_mut)]
                    let mut $arguments = $crate::http::arguments::Arguments::read(request).await?;
                    #[allow(clippy::let_unit_value)]
                    let returned = $returned;
                    $crate::http::respond::Respond::of(&returned).respond(returned)
                })
            },
            describe: |_| (),
            options: $options,
        }
    };
}
pub(super) use route;

struct TestServer {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
}

impl TestServer {
    async fn start(routes: &[&'static Route]) -> Self {
        Self::start_with(routes, ServerOptions::default()).await
    }

    async fn start_with(routes: &[&'static Route], options: ServerOptions) -> Self {
        let app = router_of(routes).expect("good routes");
        let drain = options.drain;
        let server = Server::bind(ServerOptions { port: 0, ..options }, "--port or PORT").await.expect("a free port");
        let address = server.address();
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(async move {
            server.run(app, async { stopped.await.expect("the test stops the server") }, drain).await;
        });
        Self { address, stop, running }
    }

    async fn connect(&self) -> Client {
        Client { socket: TcpStream::connect(self.address).await.expect("a connection"), buffer: Vec::new() }
    }

    /// Sends one request on a connection of its own.
    async fn ask(&self, request: &str) -> Answer {
        let mut client = self.connect().await;
        client.send(request).await;
        client.answer().await
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await
    }

    async fn post(&self, path: &str, json: &str) -> Answer {
        self.ask(&post(path, json)).await
    }

    async fn stop(self) {
        self.stop.send(()).expect("the server runs");
        timeout(PATIENCE, self.running).await.expect("the server ends").expect("the server does not panic");
    }
}

fn post(path: &str, json: &str) -> String {
    let length = json.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{json}"
    )
}

struct Client {
    socket: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    async fn send(&mut self, request: impl AsRef<[u8]>) {
        self.socket.write_all(request.as_ref()).await.expect("the server reads");
    }

    /// The next answer, its body as long as `Content-Length` says.
    async fn answer(&mut self) -> Answer {
        self.read_answer(true).await
    }

    /// The next answer, to a `HEAD` request.
    async fn head(&mut self) -> Answer {
        self.read_answer(false).await
    }

    async fn read_answer(&mut self, has_body: bool) -> Answer {
        loop {
            if let Some((answer, length)) = Answer::parse(&self.buffer, has_body) {
                self.buffer.drain(..length);
                return answer;
            }
            assert!(self.read().await > 0, "the connection ended in: {:?}", String::from_utf8_lossy(&self.buffer));
        }
    }

    /// Waits until the server closes the connection; anything it still sends fails the test.
    async fn closed(mut self) {
        let read = self.read().await;
        assert_eq!((read, String::from_utf8_lossy(&self.buffer).as_ref()), (0, ""));
    }

    async fn read(&mut self) -> usize {
        let read = timeout(PATIENCE, self.socket.read_buf(&mut self.buffer)).await;
        read.expect("the server answers or closes").expect("the connection is not reset")
    }
}

#[derive(Debug)]
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Answer {
    fn parse(buffer: &[u8], has_body: bool) -> Option<(Self, usize)> {
        let text = std::str::from_utf8(buffer).expect("answers are UTF-8");
        let (head, rest) = text.split_once("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().expect("a status");
        let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
        let headers = lines.map(|line| header(line).expect("a header")).collect();
        let mut answer = Self { status, headers, body: String::new() };
        let length =
            answer.header("content-length").filter(|_| has_body).map_or(0, |length| length.parse().expect("a length"));
        rest.get(..length)?.clone_into(&mut answer.body);
        Some((answer, head.len() + 4 + length))
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The message of an error, its shape checked.
    fn message(&self) -> String {
        let error: Value = serde_json::from_str(&self.body).expect(&self.body);
        assert_eq!(self.header("content-type"), Some("application/json"));
        assert_eq!(error["status"], self.status);
        assert_eq!(error["request_id"].as_str(), self.header("x-request-id"));
        error["message"].as_str().expect("a message").to_owned()
    }
}
