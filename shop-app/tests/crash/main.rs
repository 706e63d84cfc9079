//! The shop, killed wherever it can be killed: at each durable write, at any time, beside a second one.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests are not replayed, and panic when they fail"
)]
#![expect(clippy::disallowed_methods, reason = "a test lets time go by for another process")]

use std::process::ExitCode;

mod books;
mod clocks;
#[path = "../chance/mod.rs"]
mod chance;
mod commits;
mod crowd;
mod failing_flushes;
mod full_disk;
mod grid;
mod paths;
mod planted;
mod random_kills;
#[path = "../shop/mod.rs"]
mod shop;
mod storm;
mod terminations;
mod two_processes;

fn main() -> ExitCode {
    dbos_testkit::main(&[
        planted::CASES,
        grid::CASES,
        random_kills::CASES,
        storm::CASES,
        terminations::CASES,
        full_disk::CASES,
        failing_flushes::CASES,
        clocks::CASES,
        two_processes::CASES,
    ])
}
