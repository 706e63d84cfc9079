//! What DBOS promises, on both databases from one definition. The list of modules is the list of
//! features.

use std::process::ExitCode;

mod app;

mod fence;
mod start;
mod transaction;

fn main() -> ExitCode {
    dbos_testkit::main(&[fence::CASES, start::CASES, transaction::CASES])
}
