//! What generated code names. Not for people, and free to change in any release.

pub use crate::app::{Application, run};
pub use crate::engine_stub::Migrations;
pub use crate::http::arguments::Arguments;
pub use crate::http::respond::{Answer, Settle, tiers};
pub use crate::http::route::{Route, RouteRequest};
pub use crate::respond;
pub use inventory;
