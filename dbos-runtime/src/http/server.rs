//! Accepts connections and serves them until told to stop.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::ServerOptions;
use super::framing::{Answering, Framed, Shared};
use super::head::MOST_HEADERS;
use super::service::Service;
use crate::{Error, Result, clock};

/// The first and the longest pause after the system refused to accept; most often it is out of files.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What the parser may hold of one request; a head is at most 24 kB.
const PARSER_BUFFER: usize = 64 * 1024;

/// A port that is taken, and not served yet.
#[derive(Debug)]
pub(crate) struct Server {
    listener: TcpListener,
    address: SocketAddr,
    options: ServerOptions,
}

impl Server {
    /// Takes the port, which was `chosen_by` these settings.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] says which address cannot be had, why, and what to change.
    pub(crate) async fn bind(options: ServerOptions, chosen_by: &str) -> Result<Self> {
        let host = options.host.trim_start_matches('[').trim_end_matches(']');
        let refused = |error: io::Error| Error::Configuration(unbound(&options, chosen_by, &error));
        let listener = TcpListener::bind((host, options.port)).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        Ok(Self { listener, address, options })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves `router` until `stop` is done; then closes the port at once and lets open requests end,
    /// for no longer than `drain`. Tells when it was told to stop.
    pub(crate) async fn run(self, router: Router, stop: impl Future<Output = ()>, drain: Duration) -> Instant {
        let Self { listener, address, options } = self;
        let room = Arc::new(Semaphore::new(options.max_connections));
        let service = Service::new(router, &options, address);
        let (stopping, stopped) = watch::channel(false);
        let options = Arc::new(options);
        let mut connections = JoinSet::new();
        let mut stop = pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                Some(_) = connections.join_next() => {}
                (socket, peer, place) = accept(&listener, &room) => {
                    let (service, options, stopped) = (service.clone(), Arc::clone(&options), stopped.clone());
                    connections.spawn(async move {
                        serve(socket, peer, service, &options, stopped).await;
                        drop(place);
                    });
                }
            }
        }
        drop(listener);
        let stopping_since = Instant::now();
        stopping.send_replace(true);
        let finished = async { while connections.join_next().await.is_some() {} };
        if timeout(drain, finished).await.is_err() {
            tracing::warn!("{} requests were still open after {drain:?} and are cut off", connections.len());
        }
        stopping_since
    }
}

fn unbound(options: &ServerOptions, chosen_by: &str, error: &io::Error) -> String {
    let ServerOptions { host, port, .. } = options;
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!(
                "cannot listen on {host}:{port}: another program has the port; stop it, or choose another with {chosen_by}"
            )
        }
        io::ErrorKind::PermissionDenied => {
            format!("cannot listen on {host}:{port}: this user may not; choose a port above 1023 with {chosen_by}")
        }
        _ => format!("cannot listen on {host}:{port}: {error}"),
    }
}

/// The next connection, once there is room for it.
async fn accept(listener: &TcpListener, room: &Arc<Semaphore>) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    let place = Arc::clone(room).acquire_owned().await.expect("the semaphore is never closed");
    let mut pause = SHORTEST_PAUSE;
    loop {
        match listener.accept().await {
            Ok((socket, peer)) => return (socket, peer, place),
            Err(error) if concerns_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!("cannot accept connections, trying again in {pause:?}: {error}");
                clock::pause(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

async fn serve(
    socket: TcpStream,
    peer: SocketAddr,
    service: Service,
    options: &ServerOptions,
    mut stopped: watch::Receiver<bool>,
) {
    // Answers are small and wanted now; a socket that cannot be told so is slower, not wrong.
    let _ = socket.set_nodelay(true);
    let shared = Arc::new(Shared::default());
    let io = TokioIo::new(Framed::new(socket, options, Arc::clone(&shared)));
    let answer = service_fn(move |request: Request<Incoming>| {
        // Taken when the request arrives: by the time the answer is made, the next may have been refused.
        let (answering, refusal) = (shared.begin(), shared.take_refusal());
        let answer = service.clone().answer(request.map(Body::new), peer, refusal);
        async move {
            let response = answer.await;
            // The error mapping changes nothing; it ties `answering` to the body's end.
            Ok::<_, Infallible>(response.map(|body| body.map_err(move |error| tied(&answering, error))))
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_headers(MOST_HEADERS)
        .max_buf_size(PARSER_BUFFER)
        .serve_connection(io, answer);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop_requested(&mut stopped) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!("a connection from {peer} broke: {error}");
    }
}

async fn stop_requested(stopped: &mut watch::Receiver<bool>) {
    // The sender lives until every connection has ended.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

fn tied(_: &Answering, error: axum::Error) -> axum::Error {
    error
}
