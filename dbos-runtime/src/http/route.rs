//! The routes a program declares, and the axum router made of them.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::http::Method;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter};
use futures_util::FutureExt;

use super::access::{Authenticator, authenticator};
use super::guard::Guard;
use super::limits::{Limits, RouteOptions};
use super::openapi::{self, Documentation, File, Operation};
use super::origins::{self, Origins};
use super::path::Pattern;
use super::request::{self, Current};
use super::{HttpError, health, layers, service};
use crate::caller::caller;
use crate::dbos::DBOS;
use crate::{Error, Result};

/// What a route's handler is handed: the request, and the path it was declared with.
#[derive(Debug)]
pub struct RouteRequest {
    pub(crate) pattern: Arc<Pattern>,
    pub(crate) largest_body: usize,
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
    /// Says what it takes and answers.
    pub describe: fn(&mut Operation),
    /// Whom it lets in, and what they may take.
    pub options: RouteOptions,
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
/// sent requests; and `/openapi.json` and `/docs`, which tell programs and people of the routes.
///
/// It answers 405 with `Allow` on its own paths and leaves every other path to you. Arguments, answers, idempotency,
/// authentication, the options and layers of routes, request ids, traces, panics and what pages of other sites may do are as
/// behind [`serve`](crate::serve); deadlines, the strict reading of requests, and the names you answer to are your server's.
///
/// # Errors
///
/// [`Error::Duplicate`] if two functions claim one method and path, or to be the authenticator, naming both;
/// [`Error::Configuration`] if a path cannot be read, or a route wants a user and nothing says who asks.
pub fn router() -> Result<Router> {
    router_with(&Documentation::default())
}

/// As [`router`], with this documentation instead.
///
/// # Errors
///
/// As [`router`]; [`Error::Configuration`] too if the paths of the documentation cannot be paths.
pub fn router_with(documentation: &Documentation) -> Result<Router> {
    documented(routes(), documentation)
}

impl DBOS {
    /// As [`http::router`](crate::http::router): every route, to merge into an axum application of your own.
    ///
    /// # Errors
    ///
    /// As [`http::router`](crate::http::router).
    pub fn router() -> Result<Router> {
        router()
    }

    /// As [`http::router_with`](crate::http::router_with): every route, told of in another place, or in none.
    ///
    /// # Errors
    ///
    /// As [`http::router_with`](crate::http::router_with).
    pub fn router_with(documentation: &Documentation) -> Result<Router> {
        router_with(documentation)
    }
}

/// The routes, what tells of the process's health, and what tells of them all.
pub(crate) fn documented(routes: Vec<&'static Route>, documentation: &Documentation) -> Result<Router> {
    let routes: Vec<_> = health::ROUTES.iter().chain(routes).collect();
    let mut paths = Paths::of(&routes)?;
    for file in openapi::files(&routes, documentation)? {
        paths.add_file(file)?;
    }
    Ok(paths.into_router())
}

pub(crate) fn router_of(routes: &[&'static Route]) -> Result<Router> {
    Paths::of(routes).map(Paths::into_router)
}

/// What is served, by the router's spelling of its path.
#[derive(Default)]
struct Paths {
    /// Who has a path and method.
    claimed: BTreeMap<(String, &'static str), String>,
    methods: BTreeMap<String, (MethodRouter, Origins)>,
}

impl Paths {
    fn of(routes: &[&'static Route]) -> Result<Self> {
        let authenticator = authenticator()?;
        let mut paths = Self::default();
        for route in routes {
            paths.add(route, authenticator)?;
        }
        Ok(paths)
    }

    fn add(&mut self, route: &'static Route, authenticator: Option<&'static Authenticator>) -> Result<()> {
        let pattern = Pattern::parse(route.path).map_err(|reason| route.refused(&reason))?;
        let method = method_filter(route)?;
        if route.options.access.needs_authenticator() && authenticator.is_none() {
            return Err(
                route.refused("nobody could be let in; say who asks in an `async fn` with `#[dbos::authenticator]`")
            );
        }
        let served = Served { route, pattern: Arc::new(pattern), limits: Limits::of(route.options), authenticator };
        for spelling in served.pattern.spellings() {
            self.claim(&spelling, route.method, route.path, route.place())?;
            let own = layers::around(route, MethodRouter::new().on(method, handler(served.clone())));
            self.serve(spelling, own).insert(route.method, route.options.allowed_origins);
        }
        Ok(())
    }

    fn add_file(&mut self, file: File) -> Result<()> {
        let path = file.path.clone();
        self.claim(&path, "GET", &path, file.place())?;
        self.serve(path, MethodRouter::new().get(async move || file));
        Ok(())
    }

    /// Notes who has a path and method; refuses a second one.
    fn claim(&mut self, spelling: &str, method: &'static str, path: &str, place: String) -> Result<()> {
        match self.claimed.insert((spelling.to_owned(), method), place.clone()) {
            None => Ok(()),
            Some(first) => Err(Error::Duplicate { what: format!("route {method} {path}"), first, second: place }),
        }
    }

    /// Adds methods to a path; gives the origins whose pages may call them.
    fn serve(&mut self, spelling: String, own: MethodRouter) -> &mut Origins {
        let (methods, origins) = self.methods.remove(&spelling).unwrap_or_else(no_methods);
        &mut self.methods.entry(spelling).or_insert((methods.merge(own), origins)).1
    }

    fn into_router(self) -> Router {
        let with = |router: Router, (path, (methods, origins)): (String, _)| {
            router.route(&path, framed(origins::announced(methods, origins)))
        };
        self.methods.into_iter().fold(Router::new(), with)
    }
}

fn no_methods() -> (MethodRouter, Origins) {
    (MethodRouter::new().fallback(service::method_not_allowed), Origins::new())
}

/// What layers do belongs to the request too.
fn framed(methods: MethodRouter) -> MethodRouter {
    methods.layer(middleware::from_fn(|request: Request, next: Next| in_request(request, |request| next.run(request))))
}

fn method_filter(route: &Route) -> Result<MethodFilter> {
    Method::from_bytes(route.method.as_bytes())
        .ok()
        .and_then(|method| MethodFilter::try_from(method).ok())
        .ok_or_else(|| route.refused(&format!("`{}` is no HTTP method", route.method)))
}

/// A route with all that answering takes.
#[derive(Clone)]
struct Served {
    route: &'static Route,
    pattern: Arc<Pattern>,
    limits: Limits,
    authenticator: Option<&'static Authenticator>,
}

fn handler(
    served: Served,
) -> impl Fn(Request) -> Pin<Box<dyn Future<Output = Response> + Send>> + Clone + Send + Sync + 'static {
    move |request| {
        let served = served.clone();
        Box::pin(async move { served.respond(request).await })
    }
}

impl Served {
    /// The answer, whatever happens: a panic is one too.
    async fn respond(&self, request: Request) -> Response {
        let limit = self.limits.timeout(&request);
        let answer = AssertUnwindSafe(self.limits.within(limit, self.answer(request))).catch_unwind().await;
        let answer = answer.unwrap_or_else(|_| Err(HttpError::internal("the handler panicked")));
        let mut response = answer.unwrap_or_else(IntoResponse::into_response);
        response.headers_mut().extend(request::workflow_header());
        response.extensions_mut().insert(DeclaredPath(self.route.path));
        response
    }

    /// Who asks, from where, whether that is allowed, whether the request can be what it says it is; only then its handler.
    async fn answer(&self, request: Request) -> Result<Response, HttpError> {
        let guard = request.extensions().get::<Arc<Guard>>().cloned().unwrap_or_default();
        guard.check_origin(&request, self.route.options.allowed_origins)?;
        self.route.options.access.admit(self.authenticator).await?;
        let key = request::idempotency_key(request.headers())?;
        if let Some(caller) = caller() {
            caller.set_key(key);
        }
        let (pattern, largest_body) = (Arc::clone(&self.pattern), self.limits.largest_body(&request));
        (self.route.handler)(RouteRequest { pattern, largest_body, request }).await
    }
}

/// Runs `answer` inside the current request; one is made if a server other than ours is in front.
async fn in_request<F: Future<Output = Response>>(request: Request, answer: impl FnOnce(Request) -> F) -> Response {
    if request::is_running() {
        return answer(request).await;
    }
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
    let current = Current::new(peer, request.method(), request.uri(), request.headers());
    let current = Arc::new(current);
    let mut response = Arc::clone(&current).scope(answer(request)).await;
    response.headers_mut().extend(current.answer_headers());
    response
}
