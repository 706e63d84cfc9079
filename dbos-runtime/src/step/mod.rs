//! Steps: calls whose outcome is recorded, so that a replay gets it back instead of running them.
//!
//! A step's body runs at least once; until its outcome is recorded a crash makes it run again. After
//! that it never runs again. A [transaction](transaction) commits its rows with that record, so for
//! it the two are one instant.

mod attempts;
mod call;
mod patch;
mod question;
mod recorded;
mod sleep;
mod transaction;

pub use attempts::{Attempts, StepOptions};
pub use call::{Step, StepCall};
pub(crate) use patch::{deprecate_patch, patch};
pub(crate) use question::Question;
pub(crate) use recorded::{now, random, uuid};
pub(crate) use sleep::{record_wake_up, sleep};
pub use transaction::{TransactionOptions, connection};
