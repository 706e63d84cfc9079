//! Queues, on both databases from one definition. They have a program of their own, because its applications share a
//! database with no other: the name of a queue belongs to one application.

#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests are not replayed, and panic when they fail")]

use std::process::ExitCode;

mod app;

mod children;
mod crashes;
mod cancelling;
mod debounce;
mod declared;
mod fairness;
mod limits;
mod made;
mod many;
mod model;
mod options;
mod partitions;
mod paused;
mod places;
mod processes;
mod resumed;
#[path = "../search/mod.rs"]
mod search;
mod transactions;
mod unclaimed;

fn main() -> ExitCode {
    dbos_testkit::main(&[
        declared::CASES,
        limits::CASES,
        options::CASES,
        partitions::CASES,
        made::CASES,
        many::CASES,
        model::CASES,
        fairness::CASES,
        transactions::CASES,
        paused::CASES,
        places::CASES,
        resumed::CASES,
        children::CASES,
        crashes::CASES,
        processes::CASES,
        debounce::CASES,
        cancelling::CASES,
        unclaimed::CASES,
    ])
}
