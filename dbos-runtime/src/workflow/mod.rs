//! Workflows: functions that survive any crash.
//!
//! ```text
//!            start                    body returns
//!   (none) ─────────▶ PENDING ─────────────────────▶ SUCCESS | ERROR
//!                     │  ▲  │
//!       owner dies    │  │  └── cancel, timeout ───▶ CANCELLED ──┐
//!       claim by ─────┘  │                                      │
//!       another ─────────┤                                      ├── resume ──▶ ENQUEUED
//!                     └── claimed too often ───────▶ MAX_RECOVERY_ATTEMPTS_EXCEEDED
//! ```
//!
//! Every arrow is one commit that checks where it starts from, so none is taken twice.

mod call;
mod foreign;
mod handle;
mod result;
mod run;
mod start;

pub use call::{Start, WorkflowCall};
pub use handle::WorkflowHandle;
pub(crate) use run::{Execution, spawn};
