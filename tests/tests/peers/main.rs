//! DBOS libraries of other languages, as they are published, and programs in Rust on one database: each does what it
//! would do with its own kind, and what it does is checked by itself, in `tests/peers/`.
//!
//! `.ci/peers` installs them and says where in `DBOS_TEST_PEERS`. Without it nothing of this is run.

#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests are not replayed, and panic when they fail")]

use std::process::ExitCode;

mod installed;

mod apps;
mod clients;
mod load;
mod page;
mod schema;
mod turns;
mod values;

fn main() -> ExitCode {
    if installed::peers().is_none() {
        println!("no other DBOS libraries are named by {}; run .ci/peers", installed::VARIABLE);
        return ExitCode::SUCCESS;
    }
    dbos_testkit::main(&[
        clients::CASES,
        apps::CASES,
        schema::CASES,
        values::CASES,
        turns::CASES,
        page::CASES,
        load::CASES,
    ])
}
