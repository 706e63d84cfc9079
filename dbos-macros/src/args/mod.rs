//! What stands in the parentheses of an attribute: the syntax, one struct per attribute.

mod binding;
mod duration;
mod from_row;
mod main;
mod options;
mod queue;
mod retry;
mod route;
mod schedule;
mod step;
mod transaction;
mod workflow;

pub(crate) use binding::{Binding, Origin, is_binding};
pub(crate) use from_row::ColumnArgs;
pub(crate) use main::MainArgs;
pub(crate) use queue::QueueArgs;
pub(crate) use retry::RetryArgs;
pub(crate) use route::{RouteArgs, RouteOptions, Segment};
pub(crate) use step::StepArgs;
pub(crate) use transaction::TransactionArgs;
pub(crate) use workflow::{ScheduleArgs, WorkflowArgs};
