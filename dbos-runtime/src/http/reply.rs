//! Answers that say more than a value: a status, headers, another address.

use axum::http::StatusCode;
use axum::http::header::{HeaderMap, HeaderName, HeaderValue, LOCATION};
use axum::response::{IntoResponse, Response};

use super::HttpError;

/// A value with a status and headers of your choice.
///
/// The value is answered by its type, as it would be alone: text for a `String`, JSON for what serialises, nothing
/// for `()`.
///
/// ```
/// use dbos::http::Reply;
/// use dbos::{HttpError, post_api};
///
/// #[post_api("/orders")]
/// async fn order(item: String) -> Result<Reply<String>, HttpError> {
///     Ok(Reply::new(item).status(201).header("location", "/orders/7"))
/// }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a reply answers only when the route returns it"]
pub struct Reply<T> {
    value: T,
    changes: Changes,
}

/// What a reply changes about the answer its value would have been.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes {
    status: Option<u16>,
    headers: Vec<(String, String)>,
}

impl<T> Reply<T> {
    /// Answers with `value`, and the status it would have alone.
    pub fn new(value: T) -> Self {
        Self { value, changes: Changes::default() }
    }

    /// Sets the status, 200–599; any other is a mistake of the program, and answered as 500.
    pub fn status(mut self, status: u16) -> Self {
        self.changes.status = Some(status);
        self
    }

    /// Sets a header, or adds to one that this reply has set. A name or value that no header can have is a mistake of
    /// the program, and answered as 500.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.changes.headers.push((name.into(), value.into()));
        self
    }

    /// The value, and what is to be changed about its answer.
    pub(crate) fn into_parts(self) -> (T, Changes) {
        (self.value, self.changes)
    }
}

impl Changes {
    /// Makes the changes.
    pub(crate) fn apply(self, mut response: Response) -> Result<Response, HttpError> {
        if let Some(status) = self.status {
            *response.status_mut() = final_status(status)?;
        }
        let mut headers = HeaderMap::new();
        for (name, value) in self.headers {
            let (name, value) = header(&name, &value)?;
            headers.append(name, value);
        }
        // One that is set here takes the place of the value's own; `extend` keeps what was set more than once.
        response.headers_mut().extend(headers);
        Ok(response)
    }
}

fn final_status(status: u16) -> Result<StatusCode, HttpError> {
    let known = StatusCode::from_u16(status).ok().filter(|_| (200..600).contains(&status));
    known.ok_or_else(|| HttpError::internal(format!("{status} is no status that an answer can have")))
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), HttpError> {
    let refused = |what: &str| HttpError::internal(format!("the answer cannot have the header {name:?}: {what}"));
    let name = HeaderName::try_from(name).map_err(|_| refused("this is no name"))?;
    let value = HeaderValue::try_from(value).map_err(|_| refused("its value is more than a line of text"))?;
    Ok((name, value))
}

/// An answer that sends the client to another address.
///
/// ```
/// use dbos::get_api;
/// use dbos::http::Redirect;
///
/// #[get_api("/old")]
/// async fn old() -> Redirect {
///     Redirect::to("/new")
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Redirect {
    status: StatusCode,
    location: String,
}

impl Redirect {
    /// 302: this time, look there.
    pub fn to(location: impl Into<String>) -> Self {
        Self { status: StatusCode::FOUND, location: location.into() }
    }

    /// 303: done; the answer is there, to be fetched with `GET`.
    pub fn see_other(location: impl Into<String>) -> Self {
        Self { status: StatusCode::SEE_OTHER, location: location.into() }
    }

    /// 308: from now on, send the same request there.
    pub fn permanent(location: impl Into<String>) -> Self {
        Self { status: StatusCode::PERMANENT_REDIRECT, location: location.into() }
    }
}

impl IntoResponse for Redirect {
    fn into_response(self) -> Response {
        match header(LOCATION.as_str(), &self.location) {
            Ok(location) => (self.status, [location]).into_response(),
            Err(error) => error.into_response(),
        }
    }
}
