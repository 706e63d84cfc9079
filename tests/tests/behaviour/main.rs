//! What DBOS promises, on both databases from one definition. The list of modules is the list of
//! features.

use std::process::ExitCode;

mod app;

mod start;
mod transaction;

fn main() -> ExitCode {
    dbos_testkit::main(&[start::CASES, transaction::CASES])
}
