//! Schedules, on both databases from one definition. They have a program of their own, because its schedules belong to
//! one application, and tick in every engine that it launches.

#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests are not replayed, and panic when they fail")]

use std::process::ExitCode;

mod app;

mod ticks;
mod managed;
mod updates;
mod renamed;
mod crashes;
mod processes;
mod terminal;

fn main() -> ExitCode {
    dbos_testkit::main(&[
        ticks::CASES,
        managed::CASES,
        updates::CASES,
        renamed::CASES,
        crashes::CASES,
        processes::CASES,
        terminal::CASES,
    ])
}
