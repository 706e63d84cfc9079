//! Pages for people: what a browser shows where a program would read JSON.

use axum::http::StatusCode;
use axum::http::header::{CONTENT_SECURITY_POLICY, HeaderName};
use axum::response::{Html, IntoResponse};

/// Nothing is loaded from anywhere, and nothing runs.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// Why the request failed.
pub(super) fn of_error(status: StatusCode, message: &str, request_id: &str) -> impl IntoResponse {
    let title = format!("{} {}", status.as_u16(), status.canonical_reason().unwrap_or_default());
    let (title, message, request_id) = (escaped(&title), escaped(message), escaped(request_id));
    let page = format!(
        "<!doctype html>\n\
         <html lang=\"en\">\n\
         <meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{title}</title>\n\
         <style>:root {{ color-scheme: light dark; font-family: system-ui, sans-serif }} \
         body {{ max-width: 40rem; margin: 10vh auto; padding: 0 1rem }} code {{ overflow-wrap: anywhere }}</style>\n\
         <h1>{title}</h1>\n\
         <p>{message}</p>\n\
         <p>Request <code>{request_id}</code></p>\n"
    );
    let policy: [(HeaderName, &str); 1] = [(CONTENT_SECURITY_POLICY, POLICY)];
    (policy, Html(page))
}

/// Text that means nothing but itself in HTML.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}
