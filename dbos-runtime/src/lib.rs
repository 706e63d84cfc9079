//! DBOS.

#[doc(hidden)]
pub mod __private;
pub mod app;
mod engine_stub;
mod error;
pub mod http;

pub use app::serve;
pub use engine_stub::{Config, DBOS, Engine, Migrations};
pub use error::{Error, Result};
pub use http::HttpError;
pub use tracing;
