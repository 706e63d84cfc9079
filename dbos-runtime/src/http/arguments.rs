//! A handler's arguments, taken from the request by name and by type.

use std::fmt::Display;

use axum::RequestExt;
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue};
use axum::response::IntoResponse;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::HttpError;
use super::body::{self, Field, Fields};
use super::keyed::StoredBody;
use super::path::parameter;
use super::query::{self, Query};
use super::route::RouteRequest;
use super::text::{Missing, Text};
use crate::caller::caller;

/// A type that can be the argument of a route.
#[diagnostic::on_unimplemented(
    message = "a route cannot read `{Self}` from a request",
    label = "this argument comes out of the request",
    note = "derive `serde::Deserialize` for it, and let it own its data"
)]
pub trait RouteArgument: DeserializeOwned {}

impl<T: DeserializeOwned> RouteArgument for T {}

/// A type that can hold the bytes of a body.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot hold the bytes of a body",
    label = "this argument is the whole body, byte by byte",
    note = "take `dbos::http::Bytes`, `Vec<u8>` or `String`; `#[body]` reads JSON"
)]
pub trait RawBody: Sized {
    /// What such bytes are called.
    const CONTENT_TYPE: &'static str = "application/octet-stream";

    /// The bytes as they came.
    ///
    /// # Errors
    ///
    /// 400 if they are no such value.
    fn from_bytes(bytes: Bytes) -> Result<Self, HttpError>;
}

impl RawBody for Bytes {
    fn from_bytes(bytes: Bytes) -> Result<Self, HttpError> {
        Ok(bytes)
    }
}

impl RawBody for Vec<u8> {
    fn from_bytes(bytes: Bytes) -> Result<Self, HttpError> {
        Ok(bytes.into())
    }
}

impl RawBody for String {
    const CONTENT_TYPE: &'static str = "text/plain";

    fn from_bytes(bytes: Bytes) -> Result<Self, HttpError> {
        Self::from_utf8(bytes.into()).map_err(|_| HttpError::new(400, "the body is not UTF-8"))
    }
}

/// An extractor of axum that reads the head of a request.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no extractor of axum that reads the head of a request",
    label = "this argument is `#[extract]`ed",
    note = "implement `axum::extract::FromRequestParts<()>` for it; without `#[extract]` it is read by name"
)]
pub trait RouteExtractor: FromRequestParts<()> {}

impl<T: FromRequestParts<()>> RouteExtractor for T {}

/// An extractor of axum that reads a whole request.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no extractor of axum that reads the body of a request",
    label = "this argument is `#[extract(body)]`ed",
    note = "implement `axum::extract::FromRequest<()>` for it; `#[body]` reads JSON and forms without any extractor"
)]
pub trait BodyExtractor: FromRequest<()> {}

impl<T: FromRequest<()>> BodyExtractor for T {}

/// What a request carries for the arguments of its handler.
///
/// Where an argument comes from is decided where the route is declared: a name in the path comes
/// from the path only, else `GET` and `DELETE` look at the query, everything else at the body, unless the argument
/// says otherwise.
#[derive(Debug)]
pub struct Arguments {
    path: Vec<(String, String)>,
    query: Query,
    /// The head of the request; of one that was stored, only the headers that were kept.
    head: Parts,
    body: Bytes,
    /// The fields of the body, once one is asked for.
    fields: Option<Fields>,
}

impl Arguments {
    /// Reads the request.
    ///
    /// # Errors
    ///
    /// 400 for a URI or body that cannot be read, 408 for a body that comes too slowly, 413 for
    /// one that is too large.
    pub async fn read(route: RouteRequest) -> Result<Self, HttpError> {
        let RouteRequest { pattern, largest_body, mut request } = route;
        body::check_length(request.headers(), largest_body)?;
        query::check_escapes(request.uri().path())?;
        let query = Query::parse(request.uri().query().unwrap_or_default())?;
        let mut path = Vec::new();
        if pattern.names().next().is_some() {
            let values: RawPathParams = request.extract_parts().await.map_err(|_| query::not_utf8())?;
            path = named_values(pattern.names(), &values)?;
        }
        let (head, body) = request.into_parts();
        let body = body::read(body, largest_body).await?;
        if let Some(caller) = caller().filter(|caller| caller.has_key()) {
            caller.learn(|known| {
                let note = known.request.get_or_insert_default();
                note.fingerprint = Some(fingerprint(&head, &body));
            });
        }
        Ok(Self { path, query, head, body, fields: None })
    }

    /// The argument called `name`, from the path.
    ///
    /// # Errors
    ///
    /// 400 if it is missing, or is no `T`.
    pub fn path<T: RouteArgument>(&mut self, name: &str) -> Result<T, HttpError> {
        let value = self.path.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str());
        from_text(name, value)
    }

    /// The argument called `name`, from the query.
    ///
    /// # Errors
    ///
    /// 400 if it is missing, is given more than once, or is no `T`.
    pub fn query<T: RouteArgument>(&mut self, name: &str) -> Result<T, HttpError> {
        from_text(name, self.query.get(name)?)
    }

    /// The argument that the header `name` holds.
    ///
    /// # Errors
    ///
    /// 400 if it is missing, is given more than once, or is no `T`.
    pub fn header<T: RouteArgument>(&mut self, name: &str) -> Result<T, HttpError> {
        let refused = |reason: &dyn Display| HttpError::new(400, format!("header `{name}`: {reason}"));
        let mut values = self.head.headers.get_all(name).iter();
        let Some(value) = values.next() else {
            return T::deserialize(Missing).map_err(|_| HttpError::new(400, format!("missing header `{name}`")));
        };
        if values.next().is_some() {
            return Err(refused(&"it is given more than once"));
        }
        let text = value.to_str().map_err(|_| refused(&"it holds more than plain ASCII"))?;
        T::deserialize(Text(text)).map_err(|reason| refused(&reason))
    }

    /// What an extractor of axum makes of the request's head.
    ///
    /// # Errors
    ///
    /// The extractor's own status and words.
    pub async fn extract<T: RouteExtractor>(&mut self) -> Result<T, HttpError> {
        match T::from_request_parts(&mut self.head, &()).await {
            Ok(value) => Ok(value),
            Err(rejection) => Err(HttpError::of_response(rejection.into_response()).await),
        }
    }

    /// What an extractor of axum makes of the whole request.
    ///
    /// # Errors
    ///
    /// The extractor's own status and words.
    pub async fn extract_body<T: BodyExtractor>(&mut self) -> Result<T, HttpError> {
        let request = Request::from_parts(self.head.clone(), self.body.clone().into());
        match T::from_request(request, &()).await {
            Ok(value) => Ok(value),
            Err(rejection) => Err(HttpError::of_response(rejection.into_response()).await),
        }
    }

    /// Every value that the query gives to `name`.
    pub(crate) fn query_values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.query.values(name)
    }

    /// Refuses a query with any name but these: a filter with a typing mistake would let everything pass.
    pub(crate) fn check_query(&self, known: &[&str]) -> Result<(), HttpError> {
        match self.query.names().find(|name| !known.contains(name)) {
            None => Ok(()),
            Some(name) => Err(HttpError::new(400, format!("there is no argument `{name}` here"))),
        }
    }

    /// The argument called `name`, from the fields of the body. `null` is as good as missing.
    ///
    /// # Errors
    ///
    /// 400 if it is missing, or is no `T`, or the body cannot be read; 415 if it is neither JSON nor a form.
    pub fn body<T: RouteArgument>(&mut self, name: &str) -> Result<T, HttpError> {
        let fields = match &mut self.fields {
            Some(fields) => fields,
            unread => unread.insert(Fields::parse(&self.head.headers, &self.body)?),
        };
        match fields.take(name)? {
            None => missing(name),
            Some(Field::Text(text)) => from_text(name, Some(&text)),
            Some(Field::Json(Value::Null)) => T::deserialize(Value::Null).or_else(|_| missing(name)),
            Some(Field::Json(value)) => serde_json::from_value(value).map_err(|reason| refused(name, reason)),
        }
    }

    /// The whole body as one value.
    ///
    /// # Errors
    ///
    /// 400 if it is missing, or is no `T`; 415 if it is neither JSON nor a form.
    pub fn whole_body<T: RouteArgument>(&mut self) -> Result<T, HttpError> {
        body::whole(&self.head.headers, &self.body)
    }

    /// The whole body, byte by byte, whatever its type.
    ///
    /// # Errors
    ///
    /// 400 if it is to be text and is not UTF-8.
    pub fn raw_body<T: RawBody>(&mut self) -> Result<T, HttpError> {
        T::from_bytes(self.body.clone())
    }
}

/// What a workflow records of a request whose arguments it is to read once more.
#[derive(Deserialize, Serialize)]
pub(super) struct StoredArguments {
    path: Vec<(String, String)>,
    query: Query,
    headers: Vec<(String, String)>,
    body: StoredBody,
}

impl Arguments {
    /// All of it, with no more headers than these and the one that says what the body is.
    pub(super) fn to_store(&self, headers: &[&str]) -> StoredArguments {
        let kept = |(name, value): (&HeaderName, &HeaderValue)| {
            let text = value.to_str().ok().filter(|_| name == CONTENT_TYPE || headers.contains(&name.as_str()))?;
            Some((name.to_string(), text.to_owned()))
        };
        StoredArguments {
            path: self.path.clone(),
            query: self.query.clone(),
            headers: self.head.headers.iter().filter_map(kept).collect(),
            body: self.body.clone().into(),
        }
    }
}

impl From<StoredArguments> for Arguments {
    fn from(StoredArguments { path, query, headers, body }: StoredArguments) -> Self {
        let header = |(name, value): (String, String)| {
            Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))
        };
        let (mut head, ()) = axum::http::Request::new(()).into_parts();
        head.headers = headers.into_iter().filter_map(header).collect();
        Self { path, query, head, body: body.into(), fields: None }
    }
}

fn named_values<'a>(
    names: impl Iterator<Item = &'a str>,
    values: &RawPathParams,
) -> Result<Vec<(String, String)>, HttpError> {
    let mut pairs = Vec::new();
    for (index, name) in names.enumerate() {
        let key = parameter(index);
        let Some((_, value)) = values.iter().find(|(given, _)| *given == key) else { continue };
        // No database stores a zero byte, and no log or terminal is safe from the others.
        if value.chars().any(char::is_control) {
            return Err(refused(name, "it holds a control character"));
        }
        pairs.push((name.to_owned(), value.to_owned()));
    }
    Ok(pairs)
}

/// Tells requests under one idempotency key apart.
fn fingerprint(head: &Parts, body: &[u8]) -> String {
    let target = head.uri.path_and_query().map_or("", |target| target.as_str());
    let head = format!("{} {target}\n", head.method);
    let digest = Sha256::new().chain_update(head).chain_update(body).finalize();
    digest.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

fn from_text<T: DeserializeOwned>(name: &str, text: Option<&str>) -> Result<T, HttpError> {
    match text {
        None => missing(name),
        Some(text) => T::deserialize(Text(text)).map_err(|reason| refused(name, reason)),
    }
}

fn missing<T: DeserializeOwned>(name: &str) -> Result<T, HttpError> {
    T::deserialize(Missing).map_err(|_| HttpError::new(400, format!("missing argument `{name}`")))
}

fn refused(name: &str, reason: impl Display) -> HttpError {
    HttpError::new(400, format!("argument `{name}`: {reason}"))
}
