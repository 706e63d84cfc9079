//! What happens to every request, whichever route it is for.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use tower::ServiceExt;

use super::guard::Guard;
use super::head::Refusal;
use super::limits::ServerLimits;
use super::request::Current;
use super::route::DeclaredPath;
use super::{HttpError, ServerOptions, layers};

/// A router with everything around it that a server on a port needs.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    router: Router,
    guard: Arc<Guard>,
    limits: ServerLimits,
}

impl Service {
    pub(crate) fn new(router: Router, options: &ServerOptions, address: SocketAddr) -> Self {
        let mut router = router.fallback(not_found).method_not_allowed_fallback(method_not_allowed);
        if options.compress {
            router = router.layer(layers::compression());
        }
        Self { router, guard: Arc::new(Guard::new(options, address)), limits: ServerLimits::new(options) }
    }

    /// Answers a request that came from `socket`; one that is `refused` is told why, whatever it says.
    pub(crate) async fn answer(
        self,
        mut request: Request<Body>,
        socket: SocketAddr,
        refused: Option<Refusal>,
    ) -> Response {
        let started = Instant::now();
        request.extensions_mut().insert(self.limits);
        request.extensions_mut().insert(Arc::clone(&self.guard));
        let (method, uri, headers) = (request.method(), request.uri(), request.headers());
        let current = Arc::new(Current::new(self.guard.peer(socket, headers), method, uri, headers));
        let admitted = match refused {
            Some(refusal) => Err(HttpError::new(refusal.status, refusal.message)),
            None => self.guard.check(uri, headers),
        };

        let answer = async {
            match admitted {
                Ok(()) => route(self.router, request).await,
                Err(error) => error.into_response(),
            }
        };
        let mut response = Arc::clone(&current).scope(answer).await;

        response.headers_mut().extend(current.answer_headers());
        log(&current, &response, started);
        response
    }
}

/// Runs the route; its panic is an answer too.
async fn route(router: Router, request: Request<Body>) -> Response {
    match AssertUnwindSafe(router.oneshot(request)).catch_unwind().await {
        Ok(answered) => answered.unwrap_or_else(|never: Infallible| match never {}),
        Err(_) => HttpError::internal("the handler panicked").into_response(),
    }
}

/// One line a request, without anything the caller sent but an unknown path.
fn log(current: &Current, response: &Response, started: Instant) {
    let path = response.extensions().get::<DeclaredPath>().map_or_else(|| current.path(), |declared| declared.0);
    let (method, status, request_id) = (current.method(), response.status().as_u16(), current.id());
    let took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    // Pages poll; what only reads and goes well would bury everything else.
    if response.status().is_server_error() {
        tracing::warn!(request_id, took_ms, "{method} {path:?} answered {status}");
    } else if method.is_safe() && response.status().is_success() {
        tracing::debug!(request_id, took_ms, "{method} {path:?} answered {status}");
    } else {
        tracing::info!(request_id, took_ms, "{method} {path:?} answered {status}");
    }
}

async fn not_found() -> HttpError {
    HttpError::new(404, "Not Found")
}

/// The answer to a method that a path does not have; the router adds `Allow`.
pub(crate) async fn method_not_allowed(method: Method) -> HttpError {
    HttpError::new(405, format!("{method} is not allowed here"))
}
