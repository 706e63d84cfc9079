//! HTTP: routes declared by attribute, arguments by name and type, one shape of error, and a server
//! that is safe to put on a port.
//!
//! A program that has an axum application of its own merges [`router`] into it instead of letting
//! [`serve`](crate::serve) run.

pub(crate) mod path;
pub(crate) mod route;
pub(crate) mod request;
pub(crate) mod arguments;
mod text;
mod query;
mod body;
pub(crate) mod respond;
pub(crate) mod error;
mod guard;
mod head;
mod chunks;
mod framing;
mod service;
pub(crate) mod server;
mod options;
#[cfg(test)]
mod tests;

pub use axum::response::{Html, IntoResponse, Response};

pub use error::HttpError;
pub use options::ServerOptions;
pub use request::{header, peer, request_id};
pub use route::router;
