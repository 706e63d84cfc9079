//! What DBOS promises, on both databases from one definition. The list of modules is the list of
//! features.

use std::process::ExitCode;

mod app;

mod fence;
mod start;
mod transaction;
mod replay;
mod messages;
mod events;
mod children;
mod retry;
mod sleep;
mod cancel;
mod select;
mod wakeups;
mod recovery;
mod values;
mod model;

fn main() -> ExitCode {
    dbos_testkit::main(&[
        fence::CASES,
        start::CASES,
        transaction::CASES,
        replay::CASES,
        messages::CASES,
        events::CASES,
        children::CASES,
        retry::CASES,
        sleep::CASES,
        cancel::CASES,
        select::CASES,
        wakeups::CASES,
        recovery::CASES,
        values::CASES,
        model::CASES,
    ])
}
