//! The form errors have in the database: `{"name", "message", "code", "data"}`, as every language of the
//! family writes and reads it. What only Rust needs lies in `data`.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Encoded, decode_value, encode_text, short_type_name, strict};
use crate::error::Error;

/// An error as it is stored, with `D` as its `data`.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Portable<D> {
    pub(super) name: String,
    pub(super) message: String,
    #[serde(default)]
    pub(super) code: Option<Value>,
    pub(super) data: D,
}

impl<D: Serialize> Portable<D> {
    /// The stored form of an error called `name` that says `message`.
    pub(super) fn encode(name: &str, message: String, data: D) -> Result<Encoded, String> {
        let portable = Self { name: name.to_owned(), message, code: None, data };
        strict::to_string(&portable).map(Encoded::Error)
    }
}

/// A typed error: `data` holds the value itself.
pub(super) fn encode<E: Serialize>(error: &E, message: Option<String>) -> Result<Encoded, String> {
    let message = match message {
        Some(message) => message,
        None => encode_text(error)?,
    };
    Portable::encode(name_of::<E>(), message, error)
}

/// The typed error in `data`.
pub(super) fn decode<E: DeserializeOwned>(text: &str) -> Result<E, String> {
    let whole = decode_value::<Portable<E>>(text);
    whole.map(|portable| portable.data).map_err(|reason| match decode_value::<Foreign>(text) {
        Ok(error) => format!("`{}: {}` is not one of this function's errors: {reason}", error.name, error.message),
        Err(_) => reason,
    })
}

/// What other languages know the error as.
fn name_of<E>() -> &'static str {
    match short_type_name::<E>() {
        "String" | "str" | "()" => "Error",
        name => name,
    }
}

/// An error of which only the common part is known.
#[derive(Deserialize)]
struct Foreign {
    #[serde(default)]
    name: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    data: Option<Value>,
}

/// `data` of an error that the engine raised. The key says so to [`decode_marked`], whatever the function's error type accepts.
#[derive(Deserialize, Serialize)]
struct Marked<E> {
    #[serde(rename = "dbos.rust.error")]
    error: E,
}

/// The stored form of our own error type.
///
/// [`Error::Application`] is the portable form already; the other variants are kept whole in `data`.
pub(super) fn encode_engine_error(error: &Error) -> Result<Encoded, String> {
    match error {
        Error::Application { name, message, data } => Portable::encode(name, message.clone(), data),
        other => Portable::encode(&variant_name(other), other.to_string(), Marked { error: other }),
    }
}

/// The stored form of an error that the engine raises itself, for example when a workflow panicked.
pub(crate) fn engine_error(error: &Error) -> Encoded {
    encode_engine_error(error).unwrap_or_else(|reason| {
        // Only texts with a NUL are refused; show them without it.
        let message = format!("{error} ({reason})").replace('\0', "\u{fffd}");
        let text = serde_json::json!({ "name": variant_name(error), "message": message, "code": null, "data": null });
        Encoded::Error(text.to_string())
    })
}

/// The error that the engine stored, or whatever else is stored in its place.
pub(crate) fn read_engine_error(text: &str) -> Error {
    decode_engine_error(text).unwrap_or_else(|reason| Error::Unreadable { what: "a recorded error".to_owned(), reason })
}

/// Our own error type, from whatever error is stored.
pub(super) fn decode_engine_error(text: &str) -> Result<Error, String> {
    if let Some(error) = decode_marked(text) {
        return Ok(error);
    }
    let Foreign { name, message, data } = decode_value(text)?;
    Ok(Error::Application { name, message, data })
}

/// The error, if the engine or a function with our own error type raised it.
pub(super) fn decode_marked(text: &str) -> Option<Error> {
    decode_value::<Portable<Marked<Error>>>(text).ok().map(|portable| portable.data.error)
}

/// The variant's name, for programs in other languages to match on.
fn variant_name(error: &Error) -> String {
    match serde_json::to_value(error) {
        Ok(Value::Object(variant)) => variant.into_iter().next().map_or_else(|| "Error".to_owned(), |(name, _)| name),
        Ok(Value::String(name)) => name,
        _ => "Error".to_owned(),
    }
}
