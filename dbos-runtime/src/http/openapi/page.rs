//! What is served beside the routes: the document, and the three files of the page.

use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use super::super::page::escaped;
use super::super::path::Pattern;
use super::super::route::Route;
use super::Documentation;
use super::document::document;
use crate::{Error, Result};

/// Nothing from another host, nothing inline, and no other site may frame the buttons.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'";

/// A file that is made when the program starts.
#[derive(Clone, Debug)]
pub(in crate::http) struct File {
    pub(in crate::http) path: String,
    kind: &'static str,
    text: Bytes,
}

/// The files that tell of `routes`, if any are to be served.
pub(in crate::http) fn files(routes: &[&Route], documentation: &Documentation) -> Result<Vec<File>> {
    if !documentation.served {
        return Ok(Vec::new());
    }
    let Documentation { document: path, page, .. } = documentation;
    for path in [path, page] {
        check(path)?;
    }
    let document = document(routes, documentation).to_string();
    let folder = page.trim_end_matches('/');
    Ok(vec![
        File::new(path.clone(), "application/json", document),
        File::new(page.clone(), "text/html; charset=utf-8", html(documentation)),
        File::new(format!("{folder}/page.css"), "text/css; charset=utf-8", include_str!("web/page.css")),
        File::new(format!("{folder}/page.js"), "text/javascript; charset=utf-8", include_str!("web/page.js")),
    ])
}

/// Refuses a path with parameters.
fn check(path: &str) -> Result<()> {
    let fixed = Pattern::parse(path).is_ok_and(|pattern| pattern.names().next().is_none());
    if fixed {
        return Ok(());
    }
    Err(Error::Configuration(format!(
        "`{path}` is no path for a document; write one of plain letters, as `/openapi.json`"
    )))
}

/// The page. Its links lead from where it is, so that it works behind a proxy that puts a prefix in front.
fn html(documentation: &Documentation) -> String {
    let Documentation { document, page, title, .. } = documentation;
    let root = "../".repeat(page.matches('/').count().saturating_sub(1));
    let page = format!("{root}{}", page.trim_matches('/'));
    let folder = if page.is_empty() { String::new() } else { format!("{page}/") };
    let root = if root.is_empty() { "./" } else { &root };
    include_str!("web/page.html")
        .replace("{title}", &escaped(if title.is_empty() { "Routes" } else { title }))
        .replace("{folder}", &escaped(&folder))
        .replace("{root}", &escaped(root))
        .replace("{document}", &escaped(document.trim_start_matches('/')))
}

impl File {
    fn new(path: String, kind: &'static str, text: impl Into<Bytes>) -> Self {
        Self { path, kind, text: text.into() }
    }

    /// Where it is made.
    pub(in crate::http) fn place(&self) -> String {
        format!("the documentation of the routes (`openapi`, `openapi_path`, `docs_path`; here {})", self.path)
    }
}

impl IntoResponse for File {
    fn into_response(self) -> Response {
        let headers: [(HeaderName, &str); 5] = [
            (CONTENT_TYPE, self.kind),
            (CONTENT_SECURITY_POLICY, POLICY),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (REFERRER_POLICY, "same-origin"),
            // The files change with the program, which may be another one after a restart.
            (CACHE_CONTROL, "no-cache"),
        ];
        (headers, self.text).into_response()
    }
}
