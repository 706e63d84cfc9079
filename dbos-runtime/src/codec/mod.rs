//! How values are written to the database as portable JSON, and read back.
//!
//! The rule: what is accepted comes back equal. Anything JSON would bend is refused when it is written,
//! with the reason; so the first run and every replay see the same values.

mod attributes;
mod database_error;
mod exact;
mod inputs;
mod marked;
mod opaque;
mod outcome;
mod portable;
mod strict;
mod tiers;

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) use attributes::read_attributes;
pub use inputs::WorkflowArgument;
pub(crate) use inputs::{ArgsCodec, inputs_of};
pub use opaque::Recorded;
pub use outcome::{CarriesErrors, Fallible, Outcome, WorkflowCodec, from_error, workflow_failure};
pub(crate) use portable::{engine_error, read_engine_error};
pub use tiers::{Probe, Recordable, RecordableError, nameless};

/// The largest value that is stored, in bytes of JSON.
pub(crate) const MAX_BYTES: usize = 16 * 1024 * 1024;

/// What a step or workflow ended with, as the database holds it.
#[derive(Clone, Debug, PartialEq)]
pub enum Encoded {
    /// A value: JSON.
    Value(String),
    /// An error: `{"name", "message", "code", "data"}`, which every language can read.
    Error(String),
}

impl Encoded {
    /// Whether it is an error.
    #[must_use]
    pub fn is_error(&self) -> bool {
        matches!(self, Self::Error(_))
    }

    /// The JSON, whichever it is.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Value(text) | Self::Error(text) => text,
        }
    }
}

/// How a function's return type is stored. The macros choose it by what the type can do.
pub struct Codec<R> {
    encode: fn(&R, Description<R>) -> Result<Encoded, String>,
    decode: fn(&Encoded) -> Result<R, String>,
    comparison: Comparison<R>,
    description: Description<R>,
}

impl<R> Clone for Codec<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Codec<R> {}

impl<R> fmt::Debug for Codec<R> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Codec<{}>", std::any::type_name::<R>())
    }
}

impl<R> Codec<R> {
    fn new(
        encode: fn(&R, Description<R>) -> Result<Encoded, String>,
        decode: fn(&Encoded) -> Result<R, String>,
    ) -> Self {
        Self { encode, decode, comparison: Comparison::NONE, description: Description::NONE }
    }

    /// Checks by `comparison` that values come back equal.
    #[must_use]
    pub fn comparing(self, comparison: Comparison<R>) -> Self {
        Self { comparison, ..self }
    }

    /// Takes the message of errors from `description`.
    #[must_use]
    pub fn describing(self, description: Description<R>) -> Self {
        Self { description, ..self }
    }

    /// The form of `value` in the database.
    ///
    /// # Errors
    ///
    /// Why the value would not come back as it is.
    pub fn encode(&self, value: &R) -> Result<Encoded, String> {
        let encoded = (self.encode)(value, self.description)?;
        check_size(encoded.text())?;
        let back = (self.decode)(&encoded).map_err(|reason| format!("it could not be read back: {reason}"))?;
        self.comparison.check(value, &back)?;
        if encoded.is_error() {
            self.description.check(value, &back)?;
        }
        Ok(encoded)
    }

    /// The value that was encoded.
    ///
    /// # Errors
    ///
    /// Why the stored text does not fit the type.
    pub fn decode(&self, encoded: &Encoded) -> Result<R, String> {
        (self.decode)(encoded)
    }
}

/// How two values of a type are told apart, if they can be.
pub struct Comparison<R>(Option<fn(&R, &R) -> bool>);

impl<R> Clone for Comparison<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Comparison<R> {}

impl<R> fmt::Debug for Comparison<R> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Comparison").field(&self.0.is_some()).finish()
    }
}

impl<R> Comparison<R> {
    const NONE: Self = Self(None);

    fn check(self, value: &R, back: &R) -> Result<(), String> {
        match self.0 {
            Some(equal) if !equal(value, back) => {
                Err("it would not come back equal; look for fields that serde skips or writes in another form"
                    .to_owned())
            }
            _ => Ok(()),
        }
    }
}

/// How the error in a result is put into words, if it can be.
pub struct Description<R>(Option<fn(&R) -> Option<String>>);

impl<R> Clone for Description<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Description<R> {}

impl<R> fmt::Debug for Description<R> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Description").field(&self.0.is_some()).finish()
    }
}

impl<R> Description<R> {
    const NONE: Self = Self(None);

    fn of(self, value: &R) -> Option<String> {
        self.0.and_then(|describe| describe(value))
    }

    fn check(self, value: &R, back: &R) -> Result<(), String> {
        let (before, after) = (self.of(value), self.of(back));
        if before == after {
            return Ok(());
        }
        let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
        Err(format!(
            "the error says {before:?} now and would say {after:?} when it comes back; look for fields that serde skips"
        ))
    }
}

/// The JSON of a message, event or other plain value.
///
/// # Errors
///
/// Why the value would not come back as it is.
pub(crate) fn encode_value<T: Serialize + DeserializeOwned>(value: &T) -> Result<String, String> {
    let text = encode_text(value)?;
    decode_value::<T>(&text).map_err(|reason| format!("it could not be read back: {reason}"))?;
    Ok(text)
}

/// The JSON of a value that only others read.
pub(crate) fn encode_text<T: Serialize + ?Sized>(value: &T) -> Result<String, String> {
    let text = strict::to_string(value)?;
    check_size(&text)?;
    Ok(text)
}

/// The value whose JSON is `text`.
///
/// # Errors
///
/// Why the text does not fit the type.
pub(crate) fn decode_value<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let json = marked::unmarked(text)?;
    exact::check::<T>(json)?;
    serde_json::from_str(json).map_err(|error| reason(&error))
}

pub(crate) fn check_size(text: &str) -> Result<(), String> {
    if text.len() <= MAX_BYTES {
        return Ok(());
    }
    Err(format!(
        "it takes {} bytes as JSON, and {MAX_BYTES} is the most; store it elsewhere and pass where it is",
        text.len()
    ))
}

/// What serde found wrong, without the position in a text that nobody sees.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((reason, _)) => reason.to_owned(),
        None => text,
    }
}

/// The last word of a type's path, without its parameters: `ShopError`.
fn short_type_name<T: ?Sized>() -> &'static str {
    let path = std::any::type_name::<T>();
    let without_parameters = path.split('<').next().unwrap_or(path);
    without_parameters.rsplit("::").next().unwrap_or(path)
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "what comes back must be the same number")]
mod tests;
