//! Times as JSON shows them: RFC 3339 with milliseconds, `2026-11-21T23:45:51.703Z`.
#![expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes every field by reference")]

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serializer, de, ser};

pub(crate) fn serialize<S: Serializer>(time_ms: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    let time = Timestamp::from_millisecond(*time_ms).map_err(ser::Error::custom)?;
    serializer.collect_str(&format_args!("{time:.3}"))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let time: Timestamp = String::deserialize(deserializer)?.parse().map_err(de::Error::custom)?;
    Ok(time.as_millisecond())
}
