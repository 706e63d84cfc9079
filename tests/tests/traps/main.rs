//! The traps that databases and networks set, each provoked on the real thing. The list of modules is
//! the list of traps.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests are not replayed, and panic when they fail"
)]

use std::process::ExitCode;

mod app;

mod bad_files;
mod black_hole;
mod budget;
mod busy_file;
mod cancelled;
mod containers;
mod dropped;
mod durability;
mod failing_flushes;
mod first_launch;
mod health;
mod lease;
mod many_processes;
mod many_rows;
mod mutated_rows;
mod new_code;
mod notify;
mod older_tables;
mod one_bad_row;
mod out_there;
mod outage;
mod planted;
mod secrets;
mod stopped;
mod terminal;
mod two_processes;
mod unknown_commit;
mod user_errors;
mod waiting;

fn main() -> ExitCode {
    dbos_testkit::main(&[
        planted::CASES,
        unknown_commit::CASES,
        black_hole::CASES,
        cancelled::CASES,
        dropped::CASES,
        outage::CASES,
        out_there::CASES,
        busy_file::CASES,
        bad_files::CASES,
        user_errors::CASES,
        one_bad_row::CASES,
        mutated_rows::CASES,
        notify::CASES,
        budget::CASES,
        two_processes::CASES,
        containers::CASES,
        many_processes::CASES,
        many_rows::CASES,
        first_launch::CASES,
        older_tables::CASES,
        waiting::CASES,
        stopped::CASES,
        terminal::CASES,
        health::CASES,
        lease::CASES,
        durability::CASES,
        failing_flushes::CASES,
        new_code::CASES,
        secrets::CASES,
    ])
}
