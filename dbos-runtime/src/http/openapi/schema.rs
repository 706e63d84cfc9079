//! Which values a type has, in JSON Schema.
//!
//! A type says so itself if it is `schemars::JsonSchema`; of any other nothing is known. The choice is the compiler's, by
//! the order in which a method call looks at references.

use std::marker::PhantomData;

use schemars::generate::SchemaGenerator;
use schemars::{JsonSchema, Schema, json_schema};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::super::text::Missing;

/// Writes down the values of a type.
pub(super) type Write = fn(&mut SchemaGenerator) -> Schema;

/// A type of which a route says something.
#[derive(Debug)]
pub struct Described<T>(PhantomData<fn() -> T>);

impl<T> Clone for Described<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Described<T> {}

impl<T> Described<T> {
    /// The type `T`.
    pub const NEW: Self = Self(PhantomData);
}

/// What a route takes as an argument.
#[derive(Clone, Debug)]
pub struct Input {
    pub(super) write: Write,
    pub(super) required: bool,
    pub(super) default: Option<Value>,
}

impl Input {
    fn of<T: DeserializeOwned>(write: Write) -> Self {
        // The same question that is asked of it when a request leaves it out.
        Self { write, required: T::deserialize(Missing).is_err(), default: None }
    }

    /// The same with a value that it has where the request leaves it out.
    #[must_use]
    pub fn defaulting(self, default: Option<Value>) -> Self {
        Self { required: false, default, ..self }
    }
}

/// Of which nothing is known.
pub(super) fn unknown(_: &mut SchemaGenerator) -> Schema {
    json_schema!({})
}

pub(super) fn known<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// The traits without names, to import into generated code.
pub mod nameless {
    pub use super::tiers::{Known as _, Readable as _, Unreadable as _, Unwritable as _, Writable as _};
}

/// The choices, best first.
#[allow(missing_docs)]
mod tiers {
    use super::{Described, DeserializeOwned, Input, JsonSchema, Serialize, Value, known, unknown};

    pub trait Known {
        fn input(&self) -> Input;
    }

    impl<T: JsonSchema + DeserializeOwned> Known for &&Described<T> {
        fn input(&self) -> Input {
            Input::of::<T>(known::<T>)
        }
    }

    pub trait Readable {
        fn input(&self) -> Input;
    }

    impl<T: DeserializeOwned> Readable for &Described<T> {
        fn input(&self) -> Input {
            Input::of::<T>(unknown)
        }
    }

    /// No route takes it, and the compiler says so elsewhere.
    pub trait Unreadable {
        fn input(&self) -> Input;
    }

    impl<T> Unreadable for Described<T> {
        fn input(&self) -> Input {
            Input { write: unknown, required: true, default: None }
        }
    }

    pub trait Writable<T> {
        fn written(&self, value: impl FnOnce() -> T) -> Option<Value>;
    }

    impl<T: Serialize> Writable<T> for &Described<T> {
        fn written(&self, value: impl FnOnce() -> T) -> Option<Value> {
            serde_json::to_value(value()).ok()
        }
    }

    /// A default that cannot be told.
    pub trait Unwritable<T> {
        fn written(&self, value: impl FnOnce() -> T) -> Option<Value>;
    }

    impl<T> Unwritable<T> for Described<T> {
        fn written(&self, _: impl FnOnce() -> T) -> Option<Value> {
            None
        }
    }
}

/// What the whole numbers of a machine can hold, which schemas leave to the word `format`.
pub(super) fn bounded(schema: &mut Value) {
    let Value::Object(fields) = schema else {
        if let Value::Array(parts) = schema {
            parts.iter_mut().for_each(bounded);
        }
        return;
    };
    let bounds = match fields.get("format").and_then(Value::as_str) {
        Some("int32") => Some((json!(i32::MIN), json!(i32::MAX))),
        Some("int64") => Some((json!(i64::MIN), json!(i64::MAX))),
        Some("uint32") => Some((json!(u32::MIN), json!(u32::MAX))),
        Some("uint64" | "uint") => Some((json!(u64::MIN), json!(u64::MAX))),
        _ => None,
    };
    if let Some((least, most)) = bounds {
        fields.entry("minimum").or_insert(least);
        fields.entry("maximum").or_insert(most);
    }
    fields.values_mut().for_each(bounded);
}

/// The schema of a value that is written as text, where `null` cannot be: what is missing is left out instead.
pub(super) fn as_text(schema: Schema, letters: &str) -> Value {
    let mut schema = without_null(schema.to_value());
    let is_free = |fields: &Map<String, Value>| {
        fields.get("type") == Some(&json!("string"))
            && !["pattern", "format", "enum", "const"].iter().any(|word| fields.contains_key(*word))
    };
    if let Some(fields) = schema.as_object_mut().filter(|fields| is_free(fields)) {
        fields.insert("pattern".to_owned(), json!(letters));
    }
    schema
}

/// The schema without the value `null`.
pub(super) fn without_null(schema: Value) -> Value {
    let Value::Object(mut fields) = schema else { return schema };
    if let Some(Value::Array(types)) = fields.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            fields.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(values)) = fields.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    if let Some(Value::Array(choices)) = fields.get_mut("anyOf") {
        choices.retain(|choice| choice.get("type") != Some(&json!("null")));
        if let [Value::Object(only)] = choices.as_slice() {
            let only = only.clone();
            fields.remove("anyOf");
            fields.extend(only);
        }
    }
    Value::Object(fields)
}

/// Whether `null` is among the values.
pub(super) fn admits_null(schema: &Value) -> bool {
    let Value::Object(fields) = schema else { return schema != &json!(false) };
    match fields.get("type") {
        Some(Value::String(name)) => name == "null",
        Some(Value::Array(names)) => names.iter().any(|name| name == "null"),
        _ if fields.contains_key("$ref") => false,
        _ => match fields.get("anyOf").or(fields.get("oneOf")) {
            Some(Value::Array(choices)) => choices.iter().any(admits_null),
            _ => !["enum", "const", "allOf"].iter().any(|word| fields.contains_key(*word)),
        },
    }
}
