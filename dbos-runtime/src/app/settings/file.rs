//! The settings file.

use std::fs;
use std::io;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::keys::KEYS;
use super::nearest;
use crate::{Error, Result};

/// The file that is read if no other is named.
pub(super) const DEFAULT_FILE: &str = "dbos.toml";

/// What a settings file says.
pub(super) struct File {
    path: String,
    entries: Vec<Entry>,
}

/// A key with its value as text, as a flag would have it.
pub(super) struct Entry {
    key: &'static str,
    value: String,
    line: usize,
}

impl File {
    /// Reads the file called `named`, or the default one if it is there.
    pub(super) fn read(named: Option<&Path>) -> Result<Self> {
        let path = named.unwrap_or(Path::new(DEFAULT_FILE));
        let entries = match fs::read_to_string(path) {
            Ok(text) => parse(&text)
                .map_err(|(line, reason)| Error::Configuration(format!("{}, line {line}: {reason}", path.display())))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound && named.is_none() => Vec::new(),
            Err(error) => return Err(Error::Configuration(format!("cannot read {}: {error}", path.display()))),
        };
        Ok(Self { path: path.display().to_string(), entries })
    }

    /// What it says about `key`, and where.
    pub(super) fn get(&self, key: &str) -> Option<(String, String)> {
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        Some((entry.value.clone(), format!("{}, line {}", self.path, entry.line)))
    }
}

/// The entries of `text`, or the line of the first mistake and what is wrong there.
pub(super) fn parse(text: &str) -> Result<Vec<Entry>, (usize, String)> {
    let line = |at: usize| 1 + text[..at].matches('\n').count();
    let table = DeTable::parse(text).map_err(|error| {
        (error.span().map_or(1, |span| line(span.start)), error.message().lines().collect::<Vec<_>>().join(", "))
    })?;
    let entries = table.get_ref().iter().map(|(name, value)| {
        let line = line(name.span().start);
        let key = KEYS.iter().find(|key| key.name == name.get_ref()).ok_or_else(|| {
            let nearest = nearest(name.get_ref(), KEYS.iter().map(|key| key.name));
            (line, format!("there is no setting `{}`; did you mean `{nearest}`?", name.get_ref()))
        })?;
        let value = as_text(value.get_ref()).ok_or_else(|| {
            (line, format!("`{}` is of type {}; it must be {}", key.name, value.get_ref().type_str(), key.field.kind()))
        })?;
        Ok(Entry { key: key.name, value, line })
    });
    entries.collect()
}

fn as_text(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Boolean(switch) => Some(switch.to_string()),
        DeValue::Array(values) => {
            let texts: Option<Vec<_>> = values.iter().map(|value| value.get_ref().as_str()).collect();
            texts.map(|texts| texts.join(","))
        }
        DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Table(_) => None,
    }
}
