//! What the shop answers: every endpoint, every mistake of a caller, and strangers of every kind.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests are not replayed, and panic when they fail"
)]
#![expect(clippy::disallowed_methods, reason = "a test lets time go by for another process")]

use std::process::ExitCode;

mod checkout;
mod crowds;
mod cuts;
#[path = "../documents/mod.rs"]
mod documents;
#[path = "../shop/mod.rs"]
mod shop;
mod strangers;
mod table;

fn main() -> ExitCode {
    dbos_testkit::main(&[table::CASES, checkout::CASES, crowds::CASES, strangers::CASES, cuts::CASES])
}
