//! DBOS.

pub mod codec;
pub mod registry;
pub mod workflow;

mod again;
mod error;

pub use dbos_macros::*;
pub use error::*;
pub use workflow::WorkflowCall;

#[doc(hidden)]
pub mod __private {
    pub use inventory;
    pub use sqlx;

    pub use crate::again::again;
    pub use crate::codec::{Outcome, Probe, WorkflowCodec, arg, from_error, nameless as tiers};
    pub use crate::registry::{Function, Registered, StepFunction, WorkflowDefinition, WorkflowOptions, function_name};
}
