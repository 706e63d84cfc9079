//! Schedules: when a workflow is started without anybody asking. Arithmetic of time, and no database.

mod cron;
mod due;
mod tick;

use std::fmt;

use serde::{Deserialize, Serialize};

pub(crate) use cron::Cron;
pub(crate) use due::due;
pub use tick::{IsTick, Tick, takes_tick};
pub(crate) use tick::{is_tick, rfc3339};

/// What becomes of the ticks that passed while no process of the application could start their workflow. A tick is late
/// once 10 seconds have passed.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Late {
    /// They are left out. The default.
    #[default]
    Skip,
    /// The last of them runs, unless a newer tick is on time.
    RunLast,
    /// All of them run, the newest 1000 if there are more.
    RunAll,
}

impl fmt::Display for Late {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Skip => "skip",
            Self::RunLast => "run_last",
            Self::RunAll => "run_all",
        })
    }
}

/// The id of the workflow that is a tick: whoever starts it, starts the same one.
pub(crate) fn tick_id(schedule: &str, instant_ms: i64) -> String {
    format!("sched-{schedule}-{}", rfc3339(instant_ms))
}
