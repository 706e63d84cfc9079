//! Random histories of a few workflows: started, sent messages, cancelled, resumed, their process crashed at any write.
//! After each event the database holds what a reference of a hundred lines says; a history that shows a difference is
//! made small before it is printed.
//!
//! `DBOS_TEST_HISTORIES` sets how many (default 4), `DBOS_TEST_SEED` which ones; both are printed.

use std::sync::Arc;
use std::time::Duration;

use dbos_testkit::{Database, behaviours, chance, report};

use reference::{Flaw, Reference};
use script::{History, histories};
use subject::Subject;

use crate::search::search;

mod reference;
mod script;
mod subject;

behaviours! { histories:
    a_random_history_goes_as_the_reference_says within 3600,
    a_reference_with_a_flaw_is_found_out_by_a_small_history on sqlite within 300,
}

async fn a_random_history_goes_as_the_reference_says(database: Database) {
    let (histories, seed) = (chance::setting("DBOS_TEST_HISTORIES", 4), chance::seed());
    println!("{}: DBOS_TEST_HISTORIES={histories} DBOS_TEST_SEED={seed}", database.backend());
    let backend = database.backend();
    let check = Check { database, flaw: None };
    if let Err((reason, history)) = find(check, seed, histories).await {
        panic!("{reason}\nin this history:\n{history}");
    }
    report(backend, "random histories with crashes, cancels and resumes", u64::from(histories), Some(0), &[]);
}

/// Three events can show that a cancelled workflow may be resumed.
async fn a_reference_with_a_flaw_is_found_out_by_a_small_history(database: Database) {
    let check = Check { database, flaw: Some(Flaw::ResumeIsRefused) };

    let (_, history) = find(check, 1, 200).await.expect_err("the flaw shows");

    let smallest = |who: &str| format!("{who} does: receive\nstart {who}\ncancel {who}\nresume {who}\n");
    assert!(["a", "b", "c"].map(smallest).contains(&history.to_string()), "{history}");
}

/// How long the database may take to hold what the reference says.
const PATIENCE: Duration = Duration::from_secs(10);

/// What each history is checked against.
struct Check {
    database: Database,
    flaw: Option<Flaw>,
}

/// Tries so many histories; the smallest that shows a difference, if one does.
async fn find(check: Check, seed: u64, number: u32) -> Result<(), (String, History)> {
    let check = Arc::new(check);
    search(histories, (number, seed), 10_000, move |history| {
        let check = Arc::clone(&check);
        async move { check.go_through(&history).await }
    })
    .await
}

impl Check {
    /// `Err` says which event did not go as the reference says.
    async fn go_through(&self, history: &History) -> Result<(), String> {
        let mut reference = Reference::new(history, self.flaw);
        let mut subject = Subject::launch(&self.database, history).await;
        let mut went = Ok(());
        for event in &history.events {
            went = subject.live_through(event, &mut reference).await.map_err(|why| format!("after `{event}`, {why}"));
            if went.is_err() {
                break;
            }
        }
        if went.is_ok() {
            went = subject.compare_results(&reference).await;
        }
        subject.leave().await;
        went
    }
}
