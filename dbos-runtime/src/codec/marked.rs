//! Values that the library for TypeScript has written in its own format: JSON inside a mark, and beside it the types that
//! JSON has no words for. What only looks different as JSON is read here; what would be another value is refused.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

const BEGINNING: &str = r#"{"json":"#;
const END: &str = r#""__dbos_serializer":"superjson"}"#;

/// Types whose JSON says it all: a date is text, what is undefined is null.
const HARMLESS: &[&str] = &["Date", "undefined", "URL", "Error"];

#[derive(Deserialize)]
struct Marked<'a> {
    #[serde(borrow)]
    json: &'a RawValue,
    #[serde(default)]
    meta: Meta,
}

#[derive(Default, Deserialize)]
struct Meta {
    #[serde(default)]
    values: Value,
}

/// Whether the text is such a value.
pub(super) fn is_marked(text: &str) -> bool {
    text.starts_with(BEGINNING) && text.ends_with(END)
}

/// The JSON inside the mark, or the text itself if there is none.
///
/// # Errors
///
/// A type that is there and has no form in JSON.
pub(super) fn unmarked(text: &str) -> Result<&str, String> {
    if !is_marked(text) {
        return Ok(text);
    }
    let Ok(Marked { json, meta }) = serde_json::from_str(text) else { return Ok(text) };
    match types(&meta.values).into_iter().find(|kind| !HARMLESS.contains(&kind.as_ref())) {
        Some(kind) => {
            Err(format!("it holds a `{kind}` of JavaScript, which has no form in JSON; send it as portable JSON"))
        }
        None => Ok(json.get()),
    }
}

/// The types in a tree of them: a list is a type and the tree below it, an object has a tree for each place.
fn types(tree: &Value) -> Vec<Cow<'_, str>> {
    match tree {
        Value::Array(node) => {
            let own = node.first().map(|kind| kind.as_str().map_or_else(|| kind.to_string().into(), Cow::Borrowed));
            own.into_iter().chain(node.iter().skip(1).flat_map(types)).collect()
        }
        Value::Object(places) => places.values().flat_map(types).collect(),
        _ => Vec::new(),
    }
}
