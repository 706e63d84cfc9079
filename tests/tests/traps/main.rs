//! The traps that databases and networks set, each provoked on the real thing. The list of modules is
//! the list of traps.

use std::process::ExitCode;

mod app;

mod budget;
mod notify;
mod one_bad_row;
mod unknown_commit;
mod user_errors;

fn main() -> ExitCode {
    dbos_testkit::main(&[unknown_commit::CASES, user_errors::CASES, one_bad_row::CASES, notify::CASES, budget::CASES])
}
