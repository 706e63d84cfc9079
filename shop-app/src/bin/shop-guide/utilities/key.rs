//! Names that may stand in a URL, in a header and in a command as they are.

use schemars::JsonSchema;
use serde::Deserialize;

const LONGEST: usize = 255;

/// What a customer calls his checkout: the workflow's ID.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(extend("pattern" = "^[A-Za-z0-9._~-]{1,255}$"))]
pub(crate) struct Key(String);

/// Whether a name needs no quoting anywhere.
pub(crate) fn is_plain(name: &str) -> bool {
    (1..=LONGEST).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

impl TryFrom<String> for Key {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if is_plain(&text) {
            return Ok(Self(text));
        }
        Err(format!("a key has 1 to {LONGEST} letters, digits, `-`, `.`, `_` and `~`"))
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.0
    }
}
