//! The command `config`: what is in force, and where it comes from.

use serde_json::{Map, Value, json};

use super::{KEYS, Key, Settings};

/// Prints every setting with its value and its source; secrets are masked.
pub(in crate::app) fn print(settings: &Settings, json: bool) {
    let text = if json { as_json(settings) } else { as_table(settings) };
    crate::app::print(&text);
}

fn as_json(settings: &Settings) -> String {
    let entries: Map<_, _> = KEYS
        .iter()
        .map(|key| {
            let entry = json!({ "value": key.field.value(settings), "source": source(key, settings) });
            (key.name.to_owned(), entry)
        })
        .collect();
    format!("{:#}", Value::Object(entries))
}

fn as_table(settings: &Settings) -> String {
    let rows = KEYS.iter().map(|key| (key.name, key.shown(settings).unwrap_or_default(), source(key, settings)));
    let rows: Vec<_> = rows.collect();
    let names = rows.iter().map(|(name, ..)| name.len()).max().unwrap_or_default();
    let values = rows.iter().map(|(_, value, _)| value.chars().count()).max().unwrap_or_default();
    let lines = rows.iter().map(|(name, value, source)| format!("{name:<names$}  {value:<values$}  {source}"));
    lines.collect::<Vec<_>>().join("\n")
}

fn source(key: &Key, settings: &Settings) -> String {
    settings.sources.get(key.name).map_or_else(|| "default".to_owned(), ToString::to_string)
}
