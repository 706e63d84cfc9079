//! What DBOS promises, on both databases from one definition. The list of modules is the list of
//! features.

#![allow(
    clippy::async_yields_async,
    clippy::float_cmp,
    clippy::needless_for_each,
    clippy::option_option,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests are not replayed, and panic when they fail"
)]

use std::process::ExitCode;

mod app;

mod again;
mod aggregates;
mod attributes;
mod cancel;
mod children;
mod continued;
mod events;
mod fence;
mod foreign_waits;
mod histories;
mod http;
mod import;
mod layers;
mod listing;
mod manage;
mod many;
mod messages;
mod model;
mod recovery;
mod parked;
mod rehearsal;
mod replay;
mod retention;
mod retried;
mod retry;
mod saga;
mod schema;
#[path = "../search/mod.rs"]
mod search;
mod select;
mod several;
mod sleep;
mod start;
mod streams;
mod transaction;
mod values;
mod versions;
mod wakeups;

fn main() -> ExitCode {
    // Which tells no news.
    let through_a_pooler = std::env::var_os(dbos_testkit::POOLER_VARIABLE).is_some();
    dbos_testkit::main(&[
        fence::CASES,
        foreign_waits::CASES,
        start::CASES,
        transaction::CASES,
        replay::CASES,
        parked::CASES,
        rehearsal::CASES,
        messages::CASES,
        events::CASES,
        streams::CASES,
        several::CASES,
        saga::CASES,
        children::CASES,
        continued::CASES,
        retried::CASES,
        retry::CASES,
        sleep::CASES,
        cancel::CASES,
        manage::CASES,
        many::CASES,
        listing::CASES,
        again::CASES,
        aggregates::CASES,
        import::CASES,
        attributes::CASES,
        retention::CASES,
        versions::CASES,
        http::CASES,
        layers::CASES,
        select::CASES,
        schema::CASES,
        if through_a_pooler { &[] } else { wakeups::CASES },
        recovery::CASES,
        values::CASES,
        model::CASES,
        histories::CASES,
    ])
}
