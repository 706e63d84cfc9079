//! The one shape in which a request fails: `{"status":409,"message":"sold out","request_id":"…"}`; for people, a page.

use std::error::Error as StdError;

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::{HeaderValue, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::body::{self, LARGEST_BODY};
use super::{page, request};
use crate::Error;

/// An answer that says why the request failed.
///
/// Return it from a route as the error of its `Result`. An error type of your own is answered with
/// the status you choose once it has `impl From<Yours> for HttpError`; without one it is answered
/// with a bare 500, and what it says goes to the log only.
///
/// ```
/// use dbos::HttpError;
///
/// let sold_out = HttpError::new(409, "sold out");
/// assert_eq!(sold_out.status, 409);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, thiserror::Error)]
#[error("{message}")]
pub struct HttpError {
    /// The HTTP status; anything that is not 400–599 is answered as 500.
    pub status: u16,
    /// The sentence the caller reads.
    pub message: String,
    /// What else a program may want to know, in a form of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    /// What only the log may say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// An error, as every program reads it.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "HttpError")]
pub(super) struct Shape<'a> {
    /// The status of the answer.
    status: u16,
    /// Why the request failed.
    message: &'a str,
    /// The id under which the log knows the request.
    request_id: String,
    /// What else a program may want to know.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Value>,
}

impl HttpError {
    /// An answer with this status and this sentence.
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), data: None, detail: None }
    }

    /// The same with `data` for programs, as the field of that name; what cannot be written as JSON is left out.
    ///
    /// ```
    /// let sold_out = dbos::HttpError::new(409, "sold out").with_data(["nut", "bolt"]);
    /// assert_eq!(sold_out.data, Some(serde_json::json!(["nut", "bolt"])));
    /// ```
    pub fn with_data(self, data: impl Serialize) -> Self {
        Self { data: serde_json::to_value(data).ok(), ..self }
    }

    /// A 500 that keeps `detail` from the caller and writes it to the log.
    pub(crate) fn internal(detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..Self::new(500, "Internal Server Error") }
    }

    /// Looks for an error with a status of its own in `error` and everything it came from.
    pub(crate) fn from_chain(error: &(dyn StdError + 'static)) -> Self {
        sources(error).find_map(told).unwrap_or_else(|| Self::internal(chain(error)))
    }

    /// An answer that somebody else made, in our shape.
    pub(crate) async fn of_response(response: Response) -> Self {
        let status = response.status().as_u16();
        match body::read(response.into_body(), LARGEST_BODY).await {
            Ok(words) => Self::new(status, String::from_utf8_lossy(&words).into_owned()),
            Err(error) => Self::internal(error.message),
        }
    }

    fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status)
            .ok()
            .filter(|status| status.is_client_error() || status.is_server_error())
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// The answer `error` itself asks for, if it is one of the two types that know.
fn told(error: &(dyn StdError + 'static)) -> Option<HttpError> {
    if let Some(error) = error.downcast_ref::<HttpError>() {
        return Some(error.clone());
    }
    error.downcast_ref::<Error>().map(|error| HttpError::from(error.clone())).filter(|answer| answer.detail.is_none())
}

/// `error`, what it came from, what that came from, …
pub(crate) fn sources<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

/// `error` and its sources, in one line.
fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut line = error.to_string();
    for source in sources(error).skip(1) {
        let source = source.to_string();
        if !line.contains(&source) {
            line = format!("{line}: {source}");
        }
    }
    line
}

impl From<Error> for HttpError {
    fn from(error: Error) -> Self {
        match &error {
            Error::InvalidKey { .. } => Self::new(400, error.to_string()),
            Error::NonExistentWorkflow { .. } | Error::NonExistentQueue { .. } | Error::NonExistentSchedule { .. } => {
                Self::new(404, error.to_string())
            }
            Error::ConflictingWorkflow { .. }
            | Error::AlreadyStarted { .. }
            | Error::Deduplicated { .. }
            | Error::QueueExists { .. }
            | Error::QueueInUse { .. }
            | Error::ApplicationInUse { .. }
            | Error::ScheduleExists { .. }
            | Error::StillRunning { .. }
            | Error::NotEnded { .. } => Self::new(409, error.to_string()),
            Error::KeyReused { .. } => Self::new(422, error.to_string()),
            Error::ShuttingDown => Self::new(503, error.to_string()),
            _ => Self::internal(chain(&error)),
        }
    }
}

impl From<StatusCode> for HttpError {
    fn from(status: StatusCode) -> Self {
        Self::new(status.as_u16(), status.canonical_reason().unwrap_or("Unknown"))
    }
}

impl From<(StatusCode, String)> for HttpError {
    fn from((status, message): (StatusCode, String)) -> Self {
        Self::new(status.as_u16(), message)
    }
}

impl From<(StatusCode, &str)> for HttpError {
    fn from((status, message): (StatusCode, &str)) -> Self {
        Self::new(status.as_u16(), message)
    }
}

impl IntoResponse for HttpError {
    fn into_response(self) -> Response {
        let status = self.status();
        let request_id = request::request_id().unwrap_or_default();
        if let Some(detail) = &self.detail {
            tracing::error!(request_id, "a request failed: {detail}");
        }
        let mut response = if request::wants_page() {
            (status, page::of_error(status, &self.message, &request_id)).into_response()
        } else {
            let data = self.data.as_ref();
            let shape = Shape { status: status.as_u16(), message: &self.message, request_id, data };
            (status, Json(shape)).into_response()
        };
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
