//! What workflows are marked with: a JSON object that both databases store.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// The object that `attributes` is written as.
pub(crate) fn read_attributes(attributes: &impl Serialize) -> Result<Map<String, Value>> {
    let refuse = |reason: String| Error::InvalidKey { what: "an attribute".to_owned(), reason };
    match serde_json::to_value(attributes) {
        Ok(Value::Object(attributes)) if Value::from(attributes.clone()).to_string().contains("\\u0000") => {
            Err(refuse("it has a NUL character; leave it out".to_owned()))
        }
        Ok(Value::Object(attributes)) => Ok(attributes),
        Ok(other) => Err(refuse(format!("`{other}` is no JSON object; give names and values"))),
        Err(error) => Err(refuse(error.to_string())),
    }
}
