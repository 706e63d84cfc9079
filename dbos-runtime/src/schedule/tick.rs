//! What a scheduled workflow is given.

use std::any::type_name;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::clock::millis;

/// The tick for which a schedule starts a workflow: its instant, and what the schedule was created with.
///
/// ```
/// # use dbos::{Result, Tick, workflow};
/// #[workflow(schedule = "0 30 2 * * *", timezone = "Europe/Berlin")]
/// async fn nightly(tick: Tick) -> Result<()> {
///     println!("the books of {:?}", tick.scheduled_at());
///     Ok(())
/// }
/// ```
///
/// ```compile_fail
/// # use dbos::{Result, workflow};
/// #[workflow(schedule = "@hourly")]
/// async fn hourly(tick: String) -> Result<()> { // is given no text
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Tick<C = ()> {
    #[serde(rename = "scheduled_at", with = "instant")]
    scheduled_at_ms: i64,
    /// What the schedule was created with.
    pub context: C,
}

impl<C> Tick<C> {
    /// A tick at `instant`, to the millisecond: for tests, and for starts by hand.
    #[must_use]
    pub fn new(instant: SystemTime, context: C) -> Self {
        Self { scheduled_at_ms: millis(instant.duration_since(UNIX_EPOCH).unwrap_or_default()), context }
    }

    /// The instant of the tick. The workflow itself may have started later.
    #[must_use]
    pub fn scheduled_at(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.scheduled_at_ms.try_into().unwrap_or_default())
    }
}

/// What a workflow with a schedule in its attribute takes.
#[diagnostic::on_unimplemented(
    message = "a scheduled workflow takes its tick, and `{Self}` is none",
    label = "write `dbos::Tick`",
    note = "a tick with a context is given by a schedule that `DBOS::create_schedule` makes"
)]
pub trait IsTick {}

impl IsTick for Tick {}

/// Accepts what a scheduled workflow may take.
pub const fn takes_tick<T: IsTick>() {}

/// Whether `T` is a [`Tick`], whatever its context. Other libraries write its two parts as two arguments.
pub(crate) fn is_tick<T>() -> bool {
    let tick = type_name::<Tick>().trim_end_matches("<()>");
    type_name::<T>().strip_prefix(tick).is_some_and(|rest| rest.is_empty() || rest.starts_with('<'))
}

/// An instant as every DBOS library writes it.
pub(crate) fn rfc3339(instant_ms: i64) -> String {
    Timestamp::from_millisecond(instant_ms).map_or_else(|_| instant_ms.to_string(), |instant| format!("{instant:.3}"))
}

/// How it is stored: as text, like the dates of every DBOS library.
mod instant {
    use super::{Deserialize, Deserializer, Serializer, Timestamp, rfc3339};

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields so")]
    pub(super) fn serialize<S: Serializer>(instant_ms: &i64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&rfc3339(*instant_ms))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
        let text = String::deserialize(deserializer)?;
        let instant: Timestamp = text.parse().map_err(serde::de::Error::custom)?;
        Ok(instant.as_millisecond())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_tick_is_one() {
        assert!(is_tick::<Tick>() && is_tick::<Tick<String>>());
        assert!(!is_tick::<Vec<Tick>>() && !is_tick::<String>());
    }

    #[test]
    fn a_tick_is_read_as_any_library_writes_it() {
        for text in ["2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00+00:00", "2026-01-01T01:00:00+01:00"] {
            let tick: Tick<u8> = serde_json::from_str(&format!(r#"{{"scheduled_at":"{text}","context":7}}"#)).unwrap();
            assert_eq!(tick, Tick { scheduled_at_ms: 1_767_225_600_000, context: 7 }, "{text}");
        }
    }
}
