//! Pages of other sites: which of them may call a route, and what their browsers are told about it (CORS).

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::header::{ACCESS_CONTROL_REQUEST_METHOD, HeaderName, HeaderValue};
use axum::http::{HeaderMap, Method};
use axum::middleware::{self, Next};
use axum::routing::MethodRouter;
use tower::{Layer, ServiceExt};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use super::guard::Guard;
use super::request::{REQUEST_ID, WORKFLOW_ID};
use super::trace::TRACEPARENT;

/// The origins that the routes of one path let in beside the server's, by method.
pub(super) type Origins = BTreeMap<&'static str, &'static [&'static str]>;

/// Tells browsers which pages may call these methods, if any may.
pub(super) fn announced(methods: MethodRouter, origins: Origins) -> MethodRouter {
    methods.layer(middleware::from_fn(move |request: Request, next: Next| {
        let allowed = allowed(&request, &origins);
        async move {
            if allowed.is_empty() {
                return next.run(request).await;
            }
            let answered = cors(allowed).layer(next).oneshot(request).await;
            answered.unwrap_or_else(|never| match never {})
        }
    }))
}

/// The origins that may make the request, or, if it only asks for that, the request it asks for.
fn allowed(request: &Request, origins: &Origins) -> Vec<HeaderValue> {
    let of_route = origins.get(asked_method(request.method(), request.headers())).copied().unwrap_or_default();
    let of_server = request.extensions().get::<Arc<Guard>>().map(|guard| guard.origins()).unwrap_or_default();
    let all = of_server.iter().map(String::as_str).chain(of_route.iter().copied());
    all.filter_map(|origin| HeaderValue::try_from(origin).ok()).collect()
}

fn asked_method<'a>(method: &'a Method, headers: &'a HeaderMap) -> &'a str {
    let asked = headers.get(ACCESS_CONTROL_REQUEST_METHOD).filter(|_| method == Method::OPTIONS);
    asked.and_then(|asked| asked.to_str().ok()).unwrap_or(method.as_str())
}

/// What pages of these origins may do: everything but send cookies.
fn cors(origins: Vec<HeaderValue>) -> CorsLayer {
    let exposed = [REQUEST_ID, TRACEPARENT, WORKFLOW_ID].map(HeaderName::from_static);
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(exposed)
}
