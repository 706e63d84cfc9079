//! What the bodies of workflows and steps tell a test in the same process, and what it tells them.
//!
//! Counts and gates go by name; take a [`unique`] one, for tests run side by side.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

use tokio::sync::watch;

/// A name that no other test uses.
#[must_use]
pub fn unique(name: &str) -> String {
    format!("{name}-{}", uuid::Uuid::new_v4().simple())
}

/// Counts one run of `name`; gives the number of it.
pub fn ran(name: &str) -> u32 {
    let mut count = 0;
    runs(name).send_modify(|runs| {
        *runs += 1;
        count = *runs;
    });
    count
}

/// How often `name` ran.
#[must_use]
pub fn runs_of(name: &str) -> u32 {
    *runs(name).borrow()
}

/// Waits in the test until `name` has run so many times.
pub async fn ran_times(name: &str, times: u32) {
    runs(name).subscribe().wait_for(|runs| *runs >= times).await.expect("counts last for ever");
}

/// Waits in a body until the test opens the gate.
pub async fn pass(name: &str) {
    let gate = gate(name);
    gate.reached.send_modify(|reached| *reached += 1);
    gate.open.subscribe().wait_for(|open| *open).await.expect("gates last for ever");
}

/// Waits in the test until a body stands at the gate.
pub async fn reached(name: &str) {
    reached_times(name, 1).await;
}

/// Waits in the test until bodies have come to the gate so many times.
pub async fn reached_times(name: &str, times: u32) {
    gate(name).reached.subscribe().wait_for(|reached| *reached >= times).await.expect("gates last for ever");
}

/// Lets everybody through, now and later.
pub fn open(name: &str) {
    gate(name).open.send_replace(true);
}

#[derive(Default)]
struct Board {
    runs: Mutex<HashMap<String, Arc<watch::Sender<u32>>>>,
    gates: Mutex<HashMap<String, Arc<Gate>>>,
}

#[derive(Default)]
struct Gate {
    open: watch::Sender<bool>,
    reached: watch::Sender<u32>,
}

fn board() -> &'static Board {
    static BOARD: OnceLock<Board> = OnceLock::new();
    BOARD.get_or_init(Board::default)
}

fn gate(name: &str) -> Arc<Gate> {
    Arc::clone(board().gates.lock().expect("no panic while held").entry(name.to_owned()).or_default())
}

fn runs(name: &str) -> Arc<watch::Sender<u32>> {
    Arc::clone(board().runs.lock().expect("no panic while held").entry(name.to_owned()).or_default())
}
