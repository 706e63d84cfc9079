//! The page: three files that are part of the program.

use dbos::get_api;
use dbos::http::{IntoResponse, Response};

/// The shop.
#[get_api("/")]
async fn frontend() -> Response {
    file("text/html; charset=utf-8", include_str!("web/app.html"))
}

/// What the shop looks like.
#[get_api("/app.css")]
async fn style() -> Response {
    file("text/css; charset=utf-8", include_str!("web/app.css"))
}

/// What the shop does.
#[get_api("/app.js")]
async fn script() -> Response {
    file("text/javascript; charset=utf-8", include_str!("web/app.js"))
}

fn file(content_type: &'static str, text: &'static str) -> Response {
    let headers = [
        ("content-type", content_type),
        ("content-security-policy", CONTENT_SECURITY_POLICY),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        // The files change with the program, which may be another one after a restart.
        ("cache-control", "no-cache"),
    ];
    (headers, text).into_response()
}

/// Nothing from another host, nothing inline, and no other site may frame the buttons.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
