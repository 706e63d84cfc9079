//! Durable execution for Rust: annotated async functions that survive any crash.

mod again;
mod app;
mod catalog;
mod checkpoint;
mod clock;
mod codec;
mod config;
mod context;
mod dbos;
mod engine;
mod error;
mod event;
mod executor;
pub mod http;
mod id;
mod message;
mod registry;
mod select;
mod service;
mod status;
mod step;
mod store;
mod wakeup;
mod workflow;

pub use app::serve;
pub use clock::Clock;
pub use codec::Recorded;
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

pub use dbos_macros::*;

/// What annotated functions are asked for. Generated code calls it too, but the compiler names it to the user when a type
/// does not fit, so it goes by names that a user can make sense of.
#[doc(hidden)]
pub mod requirements {
    pub use crate::again::{Repeatable, again as repeatable};
    pub use crate::app::{EndsProgram, main_outcome};
    pub use crate::codec::{
        CarriesErrors, Fallible, Recordable, RecordableError, WorkflowArgument, from_error as failure, workflow_failure,
    };
    pub use crate::http::arguments::{Arguments, RouteArgument};
    pub use crate::http::respond::{RouteError, RouteValue};
    pub use crate::step::connection;
}

/// What generated code names. Not for people: it changes without notice.
#[doc(hidden)]
pub mod __private {
    pub use {inventory, sqlx, tokio};

    pub use crate::app::{Application, run};
    pub use crate::codec::{Outcome, Probe, WorkflowCodec, nameless as tiers};
    pub use crate::config::Migrations;
    pub use crate::http::respond::{Respond, nameless as respond_tiers};
    pub use crate::http::route::{Route, RouteRequest};
    pub use crate::registry::{Function, Registered, StepFunction, WorkflowDefinition, WorkflowOptions, function_name};
    pub use crate::select::Race;
    pub use crate::step::{Attempts, Step, StepOptions, TransactionOptions};
    pub use crate::store::connection::Isolation;

    /// Whether the database error in what a transaction returned is worth another run of its body.
    #[must_use]
    pub fn is_transient(error: Option<&sqlx::Error>) -> bool {
        error.is_some_and(crate::store::retry::is_worth_rerunning)
    }
}
