//! A network between an application and Postgres that can be told to fail.
//!
//! The proxy understands as much of the protocol as it takes to know which statement is executed when,
//! prepared or not, so that a fault strikes at exactly one of them.

use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

mod connection;
mod frames;

/// A fault that strikes once.
#[derive(Clone, Debug)]
#[must_use = "a fault does nothing until it is armed"]
pub struct Fault {
    trigger: Trigger,
    effect: Effect,
}

#[derive(Clone, Debug)]
enum Trigger {
    Statement { text: String, skip: usize },
    Bytes(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    LoseRequest,
    LoseReply,
    SilenceReply,
    HoldRequest,
}

impl Fault {
    /// When a statement that contains the text is executed. It never reaches the server, and the
    /// connection is reset, unless told otherwise below.
    pub fn at(text: impl Into<String>) -> Self {
        Self { trigger: Trigger::Statement { text: text.into(), skip: 0 }, effect: Effect::LoseRequest }
    }

    /// After so many more bytes of requests, all connections together. The connection is reset.
    pub fn after_bytes(bytes: usize) -> Self {
        Self { trigger: Trigger::Bytes(bytes), effect: Effect::LoseRequest }
    }

    /// Strikes at the n-th such statement from now, counted from 1, instead of the first.
    pub fn nth(mut self, number: usize) -> Self {
        if let Trigger::Statement { skip, .. } = &mut self.trigger {
            *skip = number.saturating_sub(1);
        }
        self
    }

    /// The server executes the statement, then the connection is reset before the answer arrives.
    pub fn losing_the_reply(mut self) -> Self {
        self.effect = Effect::LoseReply;
        self
    }

    /// The statement is kept back, as by [`Proxy::hold`], until [`Proxy::pass`].
    pub fn holding(mut self) -> Self {
        self.effect = Effect::HoldRequest;
        self
    }

    /// The server executes the statement, and no answer ever arrives: the connection stays open, silent.
    pub fn silencing_the_reply(mut self) -> Self {
        self.effect = Effect::SilenceReply;
        self
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Pass,
    Hold,
    SwallowReplies,
    SwallowAll,
    Refuse,
}

/// A proxy in front of a Postgres server, within the test process.
#[derive(Debug)]
pub struct Proxy {
    url: String,
    state: Arc<State>,
    listener: JoinHandle<()>,
}

impl Proxy {
    /// Opens a proxy to the server of this URL.
    ///
    /// # Panics
    ///
    /// If the URL is not one of Postgres, or its host has no address.
    pub async fn before(url: &str) -> Self {
        let options = PgConnectOptions::from_str(url).expect("a Postgres URL");
        let server = tokio::net::lookup_host((options.get_host(), options.get_port())).await;
        let server = server.ok().and_then(|mut addresses| addresses.next()).expect("the server has an address");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("a bound listener has an address").port();
        let state = Arc::new(State::default());
        Self {
            // Encrypted traffic could not be read.
            url: options.host("127.0.0.1").port(port).ssl_mode(PgSslMode::Disable).to_url_lossy().into(),
            listener: tokio::spawn(accept(listener, server, Arc::clone(&state))),
            state,
        }
    }

    /// The URL of the same database, through the proxy.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Lets everything through again. A connection that lost bytes meanwhile stays silent for ever.
    pub fn pass(&self) {
        self.state.mode.send_replace(Mode::Pass);
    }

    /// Keeps all bytes back until [`Proxy::pass`], as a network does that is away for a while.
    pub fn hold(&self) {
        self.state.mode.send_replace(Mode::Hold);
    }

    /// Swallows all bytes of both directions, as a firewall does that has forgotten its connections.
    pub fn swallow(&self) {
        self.state.mode.send_replace(Mode::SwallowAll);
    }

    /// Swallows the server's answers; requests still arrive and are executed.
    pub fn swallow_replies(&self) {
        self.state.mode.send_replace(Mode::SwallowReplies);
    }

    /// Resets every open connection. New ones are let through.
    pub fn reset_all(&self) {
        self.state.resets.send_modify(|resets| *resets += 1);
    }

    /// Resets every open connection, and each new one, until [`Proxy::pass`].
    pub fn refuse(&self) {
        self.state.mode.send_replace(Mode::Refuse);
        self.reset_all();
    }

    /// Sets a fault to strike.
    pub fn arm(&self, fault: Fault) {
        self.state.record().faults.push(fault);
    }

    /// Waits until so many faults have struck since the proxy was opened.
    ///
    /// # Panics
    ///
    /// Never: the proxy itself keeps the count.
    pub async fn struck(&self, faults: usize) {
        let mut struck = self.state.struck.subscribe();
        struck.wait_for(|struck| *struck >= faults).await.expect("the count lives in the proxy");
    }

    /// How many connections are open.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.state.record().connections
    }

    /// The text of every statement a client has asked to execute so far, in order.
    #[must_use]
    pub fn statements(&self) -> Vec<String> {
        self.state.record().statements.clone()
    }

    /// How many of these statements contain the text.
    #[must_use]
    pub fn count(&self, text: &str) -> usize {
        self.state.record().statements.iter().filter(|statement| statement.contains(text)).count()
    }

    /// How often a client has asked for an answer so far.
    #[must_use]
    pub fn round_trips(&self) -> usize {
        self.state.record().round_trips
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

#[derive(Debug)]
struct State {
    mode: watch::Sender<Mode>,
    resets: watch::Sender<usize>,
    struck: watch::Sender<usize>,
    record: Mutex<Record>,
}

#[derive(Debug, Default)]
struct Record {
    faults: Vec<Fault>,
    statements: Vec<String>,
    round_trips: usize,
    connections: usize,
}

impl Default for State {
    fn default() -> Self {
        Self {
            mode: watch::Sender::new(Mode::Pass),
            resets: watch::Sender::new(0),
            struck: watch::Sender::new(0),
            record: Mutex::default(),
        }
    }
}

impl State {
    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the execution of a statement and tells which fault it meets, if any.
    fn execute(&self, statement: &str) -> Option<Effect> {
        let mut record = self.record();
        record.statements.push(statement.to_owned());
        let met = record.faults.iter_mut().position(|fault| match &mut fault.trigger {
            Trigger::Statement { text, skip } if statement.contains(text.as_str()) => {
                *skip == 0 || {
                    *skip -= 1;
                    false
                }
            }
            _ => false,
        })?;
        let fault = record.faults.remove(met);
        self.struck.send_modify(|struck| *struck += 1);
        Some(fault.effect)
    }

    /// Notes bytes about to be sent and tells how many of them still may be.
    fn allowance(&self, bytes: usize) -> Option<usize> {
        let mut record = self.record();
        let met = record.faults.iter_mut().position(|fault| match &mut fault.trigger {
            Trigger::Bytes(left) if *left < bytes => true,
            Trigger::Bytes(left) => {
                *left -= bytes;
                false
            }
            Trigger::Statement { .. } => false,
        })?;
        let Trigger::Bytes(left) = record.faults.remove(met).trigger else {
            return None;
        };
        self.struck.send_modify(|struck| *struck += 1);
        Some(left)
    }
}

async fn accept(listener: TcpListener, server: SocketAddr, state: Arc<State>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        connections.spawn(connection::serve(client, server, Arc::clone(&state)));
    }
}
