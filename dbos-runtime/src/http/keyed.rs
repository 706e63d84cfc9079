//! Routes on steps and transactions. Under an idempotency key such a route runs as a workflow of its own, so that it
//! runs once and a repeated request gets the first one's answer.

use std::any::Any;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::HttpError;
use super::arguments::{Arguments, StoredArguments};
use super::route::{Answered, RouteRequest};
use crate::caller::caller;
use crate::codec::{Encoded, Probe, WorkflowCodec, check_size, nameless, workflow_failure};
use crate::id::MAX_KEY_BYTES;
use crate::registry::{AnyWorkflow, Function, WorkflowOptions};
use crate::workflow::WorkflowCall;

/// A route on a step or transaction.
#[derive(Debug)]
pub struct KeyedRoute {
    /// Where it is, and its name as a workflow: `POST /orders`.
    pub function: Function,
    /// The headers that its arguments come from.
    pub headers: &'static [&'static str],
    /// Reads the arguments, calls the step, shapes the answer.
    pub perform: fn(Arguments) -> Answered,
}

impl KeyedRoute {
    /// Answers a request: at once if it has no idempotency key, else as a workflow.
    ///
    /// # Errors
    ///
    /// What the step says; 422 if the key came with another request.
    pub async fn answer(&'static self, request: RouteRequest) -> Result<Response, HttpError> {
        let arguments = Arguments::read(request).await?;
        let Some(caller) = caller().filter(|caller| caller.has_key()) else {
            return (self.perform)(arguments).await;
        };
        caller.narrow_key(|key| self.workflow_id(&key));
        let inputs = self.encode(&arguments);
        let body = Box::pin(record((self.perform)(arguments)));
        WorkflowCall::new(self, inputs, codec(), body).await?.into_response()
    }

    /// The key is one of this route's; another route may have one of the same text.
    fn workflow_id(&self, key: &str) -> String {
        let id = format!("{} {key}", (self.function.name)());
        if id.len() <= MAX_KEY_BYTES {
            return id;
        }
        Sha256::digest(id).iter().fold("request ".to_owned(), |hex, byte| hex + &format!("{byte:02x}"))
    }

    fn encode(&self, arguments: &Arguments) -> Result<String, String> {
        let request = arguments.to_store(self.headers);
        let inputs = json!({ "positionalArgs": [], "namedArgs": { "request": request } }).to_string();
        check_size(&inputs)?;
        Ok(inputs)
    }
}

#[derive(Deserialize)]
struct Inputs {
    #[serde(rename = "namedArgs")]
    named: NamedInputs,
}

#[derive(Deserialize)]
struct NamedInputs {
    request: StoredArguments,
}

impl AnyWorkflow for KeyedRoute {
    fn function(&self) -> &Function {
        &self.function
    }

    fn options(&self) -> &WorkflowOptions {
        &WorkflowOptions::DEFAULT
    }

    fn run(&'static self, inputs: &str) -> Result<BoxFuture<'static, Result<Encoded, String>>, String> {
        let inputs: Inputs = serde_json::from_str(inputs).map_err(|error| format!("no request is stored: {error}"))?;
        let answered = (self.perform)(inputs.named.request.into());
        Ok(Box::pin(async move { codec().codec.encode(&record(answered).await) }))
    }

    fn codec(&self) -> Box<dyn Any> {
        Box::new(codec())
    }
}

type Outcome = Result<StoredAnswer, HttpError>;

/// An answer as its workflow records it.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct StoredAnswer {
    status: u16,
    headers: Vec<(String, String)>,
    body: StoredBody,
}

/// Bytes in JSON: as text where they are text.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(untagged)]
pub(super) enum StoredBody {
    Text(String),
    Bytes(Vec<u8>),
}

impl From<Bytes> for StoredBody {
    fn from(bytes: Bytes) -> Self {
        String::from_utf8(bytes.into()).map_or_else(|error| Self::Bytes(error.into_bytes()), Self::Text)
    }
}

impl From<StoredBody> for Bytes {
    fn from(body: StoredBody) -> Self {
        match body {
            StoredBody::Text(text) => text.into(),
            StoredBody::Bytes(bytes) => bytes.into(),
        }
    }
}

fn codec() -> WorkflowCodec<Outcome> {
    #[allow(clippy::wildcard_imports, reason = "the choice among them is the compiler's")]
    use nameless::*;
    let probe = Probe::<Outcome>::NEW;
    let codec = (&&&&&probe).codec().comparing((&&&&&probe).comparison()).describing((&&&probe).description());
    WorkflowCodec { codec, from_error: workflow_failure::<Outcome>() }
}

async fn record(answered: Answered) -> Outcome {
    let (parts, body) = answered.await?.into_parts();
    let body = body.collect().await.map_err(|error| HttpError::internal(format!("the answer broke off: {error}")))?;
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    Ok(StoredAnswer {
        status: parts.status.as_u16(),
        headers: parts.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        body: body.to_bytes().into(),
    })
}

impl StoredAnswer {
    fn into_response(self) -> Result<Response, HttpError> {
        let unreadable = || HttpError::internal("the recorded answer is none");
        let mut response = Response::new(Body::from(Bytes::from(self.body)));
        *response.status_mut() = StatusCode::from_u16(self.status).map_err(|_| unreadable())?;
        for (name, value) in self.headers {
            let name = HeaderName::try_from(name).map_err(|_| unreadable())?;
            response.headers_mut().append(name, HeaderValue::try_from(value).map_err(|_| unreadable())?);
        }
        Ok(response)
    }
}
