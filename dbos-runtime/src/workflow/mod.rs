//! Workflows: functions that survive any crash.
//!
//! ```text
//!            start                    body returns
//!   (none) ─────────▶ PENDING ─────────────────────▶ SUCCESS | ERROR
//!                     │  ▲  │
//!       owner dies    │  │  └── cancel, timeout ───▶ CANCELLED
//!       claim by ─────┘  │
//!       another ─────────┘
//!                     └── claimed too often ───────▶ MAX_RECOVERY_ATTEMPTS_EXCEEDED
//!
//!   CANCELLED, MAX_RECOVERY_ATTEMPTS_EXCEEDED ── resume ──▶ ENQUEUED ── claim ──▶ PENDING
//!
//!   (none) ── enqueue ──▶ ENQUEUED ── room in its queue ──▶ PENDING ── owner dies ──▶ ENQUEUED
//!   (none) ── enqueue with a delay ──▶ DELAYED ── due ──▶ ENQUEUED
//! ```
//!
//! Every arrow is one commit that checks where it starts from, so none is taken twice.

mod admission;
mod bulk;
mod call;
mod continued;
mod debounce;
mod foreign;
mod handle;
mod rehearse;
mod resting;
mod result;
mod retried;
mod run;
mod several;
mod start;

pub use bulk::EnqueueAll;
pub(crate) use bulk::enqueue_all;
pub use call::{AtOnce, InQueue, Start, WorkflowCall};
pub use continued::ContinueAsNew;
pub use debounce::Debounce;
pub use handle::WorkflowHandle;
pub(crate) use rehearse::{Ending, Recording, rehearse};
pub(crate) use run::{Execution, spawn};
pub(crate) use several::{race_all, wait_all, wait_first};
