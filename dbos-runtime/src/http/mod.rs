//! HTTP: routes declared by attribute, arguments by name and type, one shape of error, and a server
//! that is safe to put on a port.
//!
//! A program that has an axum application of its own merges [`router`] into it instead of letting
//! [`serve`](crate::serve) run.

pub(crate) mod access;
pub(crate) mod admin;
pub(crate) mod arguments;
mod body;
mod chunks;
pub(crate) mod error;
mod framing;
#[cfg(feature = "fuzzing")]
mod fuzz;
mod guard;
mod head;
mod health;
pub(crate) mod keyed;
pub(crate) mod layers;
pub(crate) mod limits;
pub(crate) mod openapi;
mod options;
mod origins;
mod page;
pub(crate) mod path;
mod query;
mod reply;
pub(crate) mod request;
pub(crate) mod respond;
pub(crate) mod route;
pub(crate) mod server;
mod service;
mod sse;
#[cfg(test)]
mod tests;
mod text;
mod trace;

pub use axum::response::{Html, IntoResponse, Response};
pub use bytes::Bytes;

pub use crate::caller::Identity;
pub use error::HttpError;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub use fuzz::fuzz_requests;
pub use openapi::Documentation;
pub use options::ServerOptions;
pub use reply::{Redirect, Reply};
pub use request::{bearer_token, header, peer, request_id};
pub use route::{router, router_with};
pub use sse::{Sse, SseEvent, last_event_id};

/// The code in the guide compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/http.md")]
struct Guide;
