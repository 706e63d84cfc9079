//! What the OpenAPI documents of the shops leave open.

use serde_json::{Value, json};

/// The places at which a document says nothing of a value that a type describes.
pub(crate) fn unknown_values(document: &Value) -> Vec<String> {
    let mut found = Vec::new();
    look(document, "", &mut found);
    found
}

fn look(value: &Value, place: &str, found: &mut Vec<String>) {
    match value {
        Value::Array(parts) => parts.iter().for_each(|part| look(part, place, found)),
        Value::Object(fields) => {
            for (name, part) in fields {
                let place = format!("{place}/{name}");
                let holds_a_schema =
                    name == "schema" || name == "items" || place.rsplit('/').nth(1) == Some("properties");
                if holds_a_schema && (*part == json!({}) || *part == json!(true)) {
                    found.push(place.clone());
                }
                look(part, &place, found);
            }
        }
        _ => {}
    }
}
