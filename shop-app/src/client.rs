//! Asks another service over HTTP, JSON both ways.
//!
//! What goes wrong is a [`dbos::Error`], which a step records and may retry: nobody there, an answer that breaks off, a
//! status that is no success, a body that is something else.

use std::sync::LazyLock;

use dbos::{Error, Result};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Method, Request};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The largest answer that is read.
const LARGEST_ANSWER: usize = 1024 * 1024;

static CLIENT: LazyLock<Client<HttpConnector, Full<Bytes>>> =
    LazyLock::new(|| Client::builder(TokioExecutor::new()).build_http());

/// What a service said.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    body: Bytes,
}

impl Answer {
    /// The answer, if it says that all went well.
    ///
    /// # Errors
    ///
    /// The status, if it is no success.
    pub fn success(self) -> Result<Self> {
        if (200..300).contains(&self.status) {
            return Ok(self);
        }
        Err(Error::new(format!("the service answered {}", self.status)))
    }

    /// The value in the body.
    ///
    /// # Errors
    ///
    /// What is wrong with the body.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|error| Error::new(format!("the answer is something else: {error}")))
    }
}

/// Asks for what is at `url`.
///
/// # Errors
///
/// If no whole answer comes.
pub async fn get(url: &str) -> Result<Answer> {
    send(Method::GET, url, &[], Bytes::new()).await
}

/// Sends a value.
///
/// # Errors
///
/// If no whole answer comes.
pub async fn post(url: &str, headers: &[(&'static str, &str)], body: &(impl Serialize + Sync)) -> Result<Answer> {
    let body = serde_json::to_vec(body).map_err(|error| Error::new(format!("the body is no JSON: {error}")))?;
    post_bytes(url, headers, body).await
}

/// Sends JSON as it is, for whoever has signed it.
///
/// # Errors
///
/// If no whole answer comes.
pub async fn post_bytes(url: &str, headers: &[(&'static str, &str)], body: Vec<u8>) -> Result<Answer> {
    send(Method::POST, url, headers, body.into()).await
}

async fn send(method: Method, url: &str, headers: &[(&'static str, &str)], body: Bytes) -> Result<Answer> {
    let failed = |error: &dyn std::fmt::Display| Error::new(format!("{method} {url}: {error}"));
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method.clone();
    *request.uri_mut() = url.parse().map_err(|error| failed(&error))?;
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in headers {
        let value = HeaderValue::from_str(value).map_err(|error| failed(&error))?;
        request.headers_mut().insert(HeaderName::from_static(name), value);
    }
    let (head, body) = CLIENT.request(request).await.map_err(|error| failed(&error))?.into_parts();
    let body = Limited::new(body, LARGEST_ANSWER).collect().await.map_err(|error| failed(&error))?;
    Ok(Answer { status: head.status.as_u16(), body: body.to_bytes() })
}
