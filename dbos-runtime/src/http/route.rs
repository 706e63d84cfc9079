//! The routes a program declares, and the axum router made of them.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter};

use super::path::Pattern;
use super::request::{self, Current};
use super::{HttpError, health, service};
use crate::{Error, Result};

/// What a route's handler is handed: the request, and the path it was declared with.
#[derive(Debug)]
pub struct RouteRequest {
    pub(crate) pattern: Arc<Pattern>,
    pub(crate) request: Request,
}

/// What a route's handler gives back.
pub(crate) type Answered = Pin<Box<dyn Future<Output = Result<Response, HttpError>> + Send>>;

/// A function that answers requests, as its attribute registers it.
#[derive(Debug)]
pub struct Route {
    /// `GET`, `POST`, …
    pub method: &'static str,
    /// The path as written.
    pub path: &'static str,
    /// The function's name.
    pub function: &'static str,
    /// The module it is in.
    pub module: &'static str,
    /// The file it is in.
    pub file: &'static str,
    /// The line it is at.
    pub line: u32,
    /// Reads the arguments, runs the function, shapes the answer.
    pub handler: fn(RouteRequest) -> Answered,
}

inventory::collect!(Route);

/// Marks a response with the path its route was declared with, so that logs need not name what callers sent.
#[derive(Clone, Copy)]
pub(crate) struct DeclaredPath(pub(crate) &'static str);

impl Route {
    fn place(&self) -> String {
        format!("`{}` ({}:{})", self.function, self.file, self.line)
    }

    fn refused(&self, reason: &str) -> Error {
        Error::Configuration(format!("route {} of {}: {reason}", self.path, self.place()))
    }
}

/// Every route of the program, by path.
pub(crate) fn routes() -> Vec<&'static Route> {
    let mut routes: Vec<_> = inventory::iter::<Route>.into_iter().collect();
    routes.sort_by_key(|route| (route.path, route.method, route.file, route.line));
    routes
}

/// Every route that an attribute declares, as an axum router to merge into one of your own; and
/// `/dbos-healthz` and `/dbos-readyz`, which tell whether the process lives and whether it should be
/// sent requests.
///
/// It answers 405 with `Allow` on its own paths and leaves every other path to you.
///
/// # Errors
///
/// [`Error::Duplicate`] if two functions claim one method and path, naming both;
/// [`Error::Configuration`] if a path cannot be read.
pub fn router() -> Result<Router> {
    router_with_health(routes())
}

pub(crate) fn router_with_health(routes: Vec<&'static Route>) -> Result<Router> {
    router_of(&health::ROUTES.iter().chain(routes).collect::<Vec<_>>())
}

pub(crate) fn router_of(routes: &[&'static Route]) -> Result<Router> {
    let mut claimed: BTreeMap<(String, &str), &Route> = BTreeMap::new();
    let mut by_path: BTreeMap<String, MethodRouter> = BTreeMap::new();
    for route in routes {
        let pattern = Arc::new(Pattern::parse(route.path).map_err(|reason| route.refused(&reason))?);
        let method = method_filter(route)?;
        for spelling in pattern.spellings() {
            if let Some(first) = claimed.insert((spelling.clone(), route.method), route) {
                return Err(duplicate(first, route));
            }
            let methods =
                by_path.remove(&spelling).unwrap_or_else(|| MethodRouter::new().fallback(service::method_not_allowed));
            by_path.insert(spelling, methods.on(method, handler(route, Arc::clone(&pattern))));
        }
    }
    Ok(by_path.into_iter().fold(Router::new(), |router, (path, methods)| router.route(&path, methods)))
}

fn duplicate(first: &Route, second: &Route) -> Error {
    Error::Duplicate {
        what: format!("route {} {}", second.method, second.path),
        first: first.place(),
        second: second.place(),
    }
}

fn method_filter(route: &Route) -> Result<MethodFilter> {
    Method::from_bytes(route.method.as_bytes())
        .ok()
        .and_then(|method| MethodFilter::try_from(method).ok())
        .ok_or_else(|| route.refused(&format!("`{}` is no HTTP method", route.method)))
}

fn handler(
    route: &'static Route,
    pattern: Arc<Pattern>,
) -> impl Fn(Request) -> Pin<Box<dyn Future<Output = Response> + Send>> + Clone + Send + Sync + 'static {
    move |request| {
        let pattern = Arc::clone(&pattern);
        Box::pin(in_request(request, move |request| async move {
            let answer = (route.handler)(RouteRequest { pattern, request }).await;
            let mut response = answer.unwrap_or_else(IntoResponse::into_response);
            response.headers_mut().extend(request::workflow_header());
            response.extensions_mut().insert(DeclaredPath(route.path));
            response
        }))
    }
}

/// Runs `answer` inside the current request; one is made if a server other than ours is in front.
async fn in_request<F: Future<Output = Response>>(request: Request, answer: impl FnOnce(Request) -> F) -> Response {
    if request::is_running() {
        return answer(request).await;
    }
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
    let current = Current::new(peer, request.method(), request.uri(), request.headers());
    Arc::new(current).scope(answer(request)).await
}
