//! The test kit itself: whether databases are fresh, servers and networks fail as told, and the harness
//! never takes a missing database for a passed test.

#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests are not replayed, and panic when they fail")]

use std::process::ExitCode;

mod crash;
mod database;
mod disk;
mod harness;
mod http;
mod ledger;
mod migrations;
mod pooler;
mod port;
mod process;
mod proxy;
mod server;
mod wall_clock;

fn main() -> ExitCode {
    if std::env::var_os(server::CHILD).is_some() {
        return server::run_until_killed();
    }
    dbos_testkit::main(&[
        harness::CASES,
        crash::CASES,
        database::CASES,
        disk::CASES,
        server::CASES,
        wall_clock::CASES,
        proxy::CASES,
        pooler::CASES,
        port::CASES,
        process::CASES,
        http::CASES,
        ledger::CASES,
        migrations::CASES,
    ])
}
