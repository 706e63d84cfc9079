//! Errors of which only their words can be kept: `anyhow::Error`, `Box<dyn Error + Send + Sync>` and the like.

use std::error::Error as StdError;
use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};

use super::portable::Portable;
use super::{Encoded, decode_value};

/// An opaque error as it comes back from the database: its message, and those of its sources.
///
/// It reads as it did before, with `{}` and with `{:#}`; downcasting to the original type no longer works.
#[derive(Debug)]
pub struct Recorded {
    message: String,
    /// With `{:#}`, if that differs.
    detail: Option<String>,
    source: Option<Box<Recorded>>,
}

impl Display for Recorded {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.detail {
            Some(detail) if formatter.alternate() => formatter.write_str(detail),
            _ => formatter.write_str(&self.message),
        }
    }
}

impl StdError for Recorded {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

/// `data` of an opaque error.
#[derive(Deserialize, Serialize)]
struct Words {
    /// The messages of its sources, the nearest first.
    #[serde(default)]
    sources: Vec<String>,
    /// The message with `{:#}`, if that differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// The stored form of an opaque error. `chain` is where its sources are found, if it shows them.
pub(super) fn encode<E: Display>(
    error: &E,
    chain: Option<&(dyn StdError + Send + Sync + 'static)>,
) -> Result<Encoded, String> {
    let message = error.to_string();
    let first = chain.and_then(StdError::source);
    let sources = std::iter::successors(first, |&error| error.source()).map(ToString::to_string).collect();
    let detail = Some(format!("{error:#}")).filter(|detail| *detail != message);
    Portable::encode("Error", message, Words { sources, detail })
}

/// The opaque error that was stored, or the words of one from elsewhere.
pub(super) fn decode(text: &str) -> Result<Recorded, String> {
    let portable: Portable<Option<serde_json::Value>> = decode_value(text)?;
    let words = portable.data.and_then(|data| serde_json::from_value(data).ok());
    let Words { sources, detail } = words.unwrap_or(Words { sources: Vec::new(), detail: None });
    let chain = sources
        .into_iter()
        .rev()
        .fold(None, |source, message| Some(Box::new(Recorded { message, detail: None, source })));
    Ok(Recorded { message: portable.message, detail, source: chain })
}
