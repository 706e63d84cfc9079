//! Places where a test may stop an engine: before and after each durable write.
//!
//! They exist with the feature `failpoints` only; without it they are nothing.

#[cfg(not(feature = "failpoints"))]
mod absent;
#[cfg(feature = "failpoints")]
mod armed;

#[cfg(not(feature = "failpoints"))]
pub(crate) use absent::{DurableWrite, Failpoints};
#[cfg(feature = "failpoints")]
pub(crate) use armed::DurableWrite;
#[cfg(feature = "failpoints")]
pub use armed::{Failpoints, Side};
