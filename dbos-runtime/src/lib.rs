//! Durable execution for Rust: annotated async functions that survive any crash.

mod app;
pub mod http;
mod dbos;
mod engine;
mod service;
mod select;
mod workflow;
mod message;
mod event;
mod step;
mod checkpoint;
mod context;
mod executor;
mod registry;
mod store;
mod codec;
mod config;
mod id;
mod status;
mod error;
mod clock;
mod wakeup;

pub use app::serve;
pub use clock::Clock;
pub use config::{Config, Migrations};
pub use dbos::DBOS;
pub use engine::Engine;
pub use error::{Error, Result};
pub use event::{Event, GetEvent};
pub use http::HttpError;
pub use id::IntoWorkflowId;
pub use message::{Send, Topic};
pub use status::Status;
pub use step::StepCall;
pub use store::backend::Dialect;
pub use store::connection::Isolation;
pub use store::tx::{FromTx, Parameter, PortableRow, Query, Scalar, Tx};
pub use store::workflows::WorkflowStatus;
pub use tracing;
pub use workflow::{Start, WorkflowCall, WorkflowHandle};

/// What generated code names. Not for people: it changes without notice.
#[doc(hidden)]
pub mod __private {
    pub use {inventory, serde, serde_json, sqlx, tokio};

    pub use crate::app::{Application, run};
    pub use crate::codec::*;
    pub use crate::config::Migrations;
    pub use crate::http::arguments::Arguments;
    pub use crate::http::respond::{Respond, respond_tiers};
    pub use crate::http::route::{Route, RouteRequest};
    pub use crate::registry::*;
    pub use crate::select::Race;
    pub use crate::step::{Attempts, Step, StepOptions, Transaction, TransactionOptions};
}
