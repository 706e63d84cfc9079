//! What happens at random, and happens again under the same seed.

use std::time::Duration;

use sqlx::{Connection, SqliteConnection};
use tokio::time::sleep;

/// Numbers that are the same for the same seed (`SplitMix64`).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % limit
    }

    /// Up to so many milliseconds.
    pub(crate) fn moment(&mut self, longest_ms: u64) -> Duration {
        Duration::from_millis(self.below(longest_ms))
    }
}

/// Keeps everybody else from writing to an SQLite file for so long.
#[allow(dead_code, reason = "not every test that has a seed has a file")]
pub(crate) async fn occupy(url: &str, time: Duration) {
    let mut outsider = SqliteConnection::connect(url).await.expect("the file can be opened");
    // Somebody else may be writing just now.
    while sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut outsider).await.is_err() {}
    sleep(time).await;
    sqlx::raw_sql("ROLLBACK").execute(&mut outsider).await.expect("nothing was written");
}
