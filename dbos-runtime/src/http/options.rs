//! How the server listens and what it puts up with.

use std::time::Duration;

use super::body::LARGEST_BODY;
use super::openapi::Documentation;

/// Options of the HTTP server.
///
/// ```
/// use dbos::http::ServerOptions;
///
/// let options = ServerOptions { port: 8080, ..ServerOptions::default() };
/// ```
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// The name or address to listen on; `127.0.0.1`, so that only this computer is served.
    pub host: String,
    /// The port to listen on; 3000. 0 takes any free one.
    pub port: u16,
    /// Names, without port, under which browsers may ask for this server beside the loopback ones.
    /// Listening elsewhere than on loopback, an empty list allows every name.
    pub hosts: Vec<String>,
    /// Whether a proxy that sets `X-Forwarded-For` stands in front. Without it forwarded requests are
    /// refused, because they would seem to come from this computer.
    pub trust_forwarded: bool,
    /// How long the head of a request may take to arrive; 10 s.
    pub header_deadline: Duration,
    /// How long the body of a request may take to arrive; 30 s.
    pub body_deadline: Duration,
    /// How long a connection may stay open with nothing asked; 60 s.
    pub idle_deadline: Duration,
    /// How long a client may take no byte of an answer that is ready; 30 s.
    pub write_deadline: Duration,
    /// How long a route that says nothing itself may take to answer; no time is no limit, and the default.
    pub answer_deadline: Duration,
    /// The largest body of a request, in bytes, for a route that says nothing itself; 1 MiB.
    pub max_body_bytes: usize,
    /// The origins of other sites whose pages may call the routes, as `https://shop.example`; none. They get the headers
    /// that browsers ask for (CORS), without cookies.
    pub allowed_origins: Vec<String>,
    /// Whether answers are compressed for clients that take it; they are not.
    pub compress: bool,
    /// How long open requests may go on once the server is asked to stop; 30 s.
    pub drain: Duration,
    /// How many connections are served at a time; 1024. More wait until one closes.
    pub max_connections: usize,
    /// Where the program tells of its routes; `/openapi.json` and `/docs`.
    pub documentation: Documentation,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: 3000,
            hosts: Vec::new(),
            trust_forwarded: false,
            header_deadline: Duration::from_secs(10),
            body_deadline: Duration::from_secs(30),
            idle_deadline: Duration::from_mins(1),
            write_deadline: Duration::from_secs(30),
            answer_deadline: Duration::ZERO,
            max_body_bytes: LARGEST_BODY,
            allowed_origins: Vec::new(),
            compress: false,
            drain: Duration::from_secs(30),
            max_connections: 1024,
            documentation: Documentation::default(),
        }
    }
}
