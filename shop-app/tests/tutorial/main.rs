//! The checkout tutorial: its lines, its promises, and everybody who tries to break them.

#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests are not replayed, and panic when they fail")]

use std::process::ExitCode;

mod crowds;
mod guide;
mod money;
mod table;
mod walk;
mod webhooks;

fn main() -> ExitCode {
    dbos_testkit::main(&[walk::CASES, table::CASES, webhooks::CASES, money::CASES, crowds::CASES])
}
