//! What the programs of this package share. None of their routes, workflows or tables is here: each program has its own.

pub mod client;
pub mod payment;
pub mod settings;
pub mod webhook;
