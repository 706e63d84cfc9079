//! The checkout tutorial: its lines, its promises, and everybody who tries to break them.

#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests are not replayed, and panic when they fail")]

use std::process::ExitCode;

mod audit;
#[path = "../chance/mod.rs"]
mod chance;
mod crowds;
mod customer;
#[path = "../documents/mod.rs"]
mod documents;
mod guide;
mod money;
mod properties;
mod table;
mod walk;
mod webhooks;

fn main() -> ExitCode {
    dbos_testkit::main(&[walk::CASES, table::CASES, webhooks::CASES, money::CASES, crowds::CASES, properties::CASES])
}
