//! Random histories of a queue: workflows put into it, ended, cancelled, its limits changed, paused, time passing, its
//! process crashed. After each event those run that a reference of a hundred lines says; a history that shows a
//! difference is made small before it is printed.
//!
//! `DBOS_TEST_QUEUES` sets how many (default 6), `DBOS_TEST_SEED` which ones; both are printed.

use std::sync::Arc;
use std::time::Duration;

use dbos_testkit::{Database, behaviours, chance, report};
use proptest::prelude::*;

use reference::{Flaw, Reference};
use subject::Subject;

use crate::search::search;

mod reference;
mod subject;

behaviours! { model:
    a_random_queue_runs_what_the_reference_says within 3600,
    a_reference_with_a_flaw_is_found_out on sqlite within 600,
}

/// What befalls a queue. Numbers that choose among workflows wrap around.
#[derive(Clone, Debug)]
enum Event {
    Put {
        partition: usize,
        priority: u32,
    },
    End(usize),
    Cancel(usize),
    Change(Allowed),
    Pause,
    Resume,
    /// So many quarters of the period pass.
    Wait(u32),
    Crash,
}

/// Limits, by the names of the methods that set them.
#[derive(Clone, Copy, Debug)]
struct Allowed {
    concurrency: Option<u32>,
    worker_concurrency: Option<u32>,
    partition_concurrency: Option<u32>,
    starts: u32,
    partition_starts: u32,
}

/// How long the database may take to hold what the reference says; less if it is sure to say so at last.
const PATIENCE: Duration = Duration::from_secs(20);
const IMPATIENCE: Duration = Duration::from_secs(2);

const PERIOD: Duration = Duration::from_secs(60);

fn histories() -> impl Strategy<Value = (Allowed, Vec<Event>)> {
    let some = |most: u32| prop::option::of(1..=most);
    let allowed = || {
        (prop::option::of(2..5_u32), some(2), some(2), 2..8_u32, 1..5_u32).prop_map(
            |(concurrency, worker_concurrency, partition_concurrency, starts, partition_starts)| Allowed {
                concurrency,
                worker_concurrency,
                partition_concurrency,
                starts,
                partition_starts,
            },
        )
    };
    let event = prop_oneof![
        8 => (0..3_usize, 0..3_u32).prop_map(|(partition, priority)| Event::Put { partition, priority }),
        4 => (0..8_usize).prop_map(Event::End),
        1 => (0..8_usize).prop_map(Event::Cancel),
        1 => allowed().prop_map(Event::Change),
        1 => Just(Event::Pause),
        2 => Just(Event::Resume),
        2 => (1..5_u32).prop_map(Event::Wait),
        1 => Just(Event::Crash),
    ];
    (allowed(), prop::collection::vec(event, 1..40))
}

async fn a_random_queue_runs_what_the_reference_says(database: Database) {
    let (histories, seed) = (chance::setting("DBOS_TEST_QUEUES", 6), chance::seed());
    println!("{}: DBOS_TEST_QUEUES={histories} DBOS_TEST_SEED={seed}", database.backend());
    let backend = database.backend();
    if let Err((reason, history)) = find(database, None, seed, histories).await {
        panic!("{reason}\nin this history:\n{history:#?}");
    }
    report(backend, "random histories of a queue", u64::from(histories), Some(0), &[]);
}

async fn a_reference_with_a_flaw_is_found_out(database: Database) {
    let found = find(database, Some(Flaw::PartitionsHaveNoLimits), 1, 200).await;

    let (_, (_, events)) = found.expect_err("the flaw shows");
    println!("{} events show it: {events:?}", events.len());
}

/// Tries so many histories; the smallest that shows a difference, if one does.
async fn find(
    database: Database,
    flaw: Option<Flaw>,
    seed: u64,
    number: u32,
) -> Result<(), (String, (Allowed, Vec<Event>))> {
    let database = Arc::new(database);
    search(histories, (number, seed), 2_000, move |(allowed, events)| {
        let database = Arc::clone(&database);
        async move { go_through(&database, flaw, allowed, &events).await }
    })
    .await
}

/// `Err` says which event did not go as the reference says.
async fn go_through(database: &Database, flaw: Option<Flaw>, allowed: Allowed, events: &[Event]) -> Result<(), String> {
    let mut reference = Reference::new(allowed, flaw);
    let mut subject = Subject::launch(database, allowed).await;
    let patience = if flaw.is_some() { IMPATIENCE } else { PATIENCE };
    let mut went = Ok(());
    for (number, event) in events.iter().enumerate() {
        subject.live_through(event, &mut reference).await;
        went = subject
            .compare(&reference, patience)
            .await
            .map_err(|why| format!("after event {number}, {event:?}: {why}"));
        if went.is_err() {
            break;
        }
    }
    subject.leave().await;
    went
}
