//! A workflow's arguments: stored by name, `{"positionalArgs":[],"namedArgs":{…}}`, and read in every form that
//! other languages and SQL write them in.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::marked::unmarked;
use super::{Comparison, Probe, check_size, decode_value, reason, strict};
use crate::schedule::is_tick;

/// A type that can be the argument of a workflow.
///
/// Nothing implements it: it is asked for only where a type turned out to be none, for the sake of its message.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the argument of a workflow",
    label = "arguments are stored when a workflow starts and read back when it recovers",
    note = "derive `serde::Serialize` and `serde::Deserialize` for it; it must be `Send` and own its data"
)]
pub trait WorkflowArgument {}

/// How one argument is stored.
pub struct ArgCodec<T> {
    name: &'static str,
    encode: fn(&T) -> Result<String, String>,
    decode: fn(&str) -> Result<T, String>,
    comparison: fn() -> Comparison<T>,
}

impl<T> fmt::Debug for ArgCodec<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("ArgCodec").field(&self.name).finish()
    }
}

/// A type that can be stored.
#[derive(Debug)]
pub struct Storable<T>(PhantomData<fn(T)>);

/// A type that cannot.
#[derive(Debug)]
pub struct Unstorable<T>(PhantomData<fn(T)>);

impl<T: Serialize + DeserializeOwned + Send + 'static> Probe<T> {
    /// How an argument of this type is stored. For other types, [`NoArgument::ARGUMENT`] is found in its place.
    pub const ARGUMENT: Storable<T> = Storable(PhantomData);
}

/// What is found for types that cannot be stored. A trait of one's own, not a bound on `Storable::named`, because
/// the compiler would report each of the bounds by itself.
pub trait NoArgument<T> {
    /// Cannot be named.
    const ARGUMENT: Unstorable<T> = Unstorable(PhantomData);
}

impl<T> NoArgument<T> for Probe<T> {}

impl<T: Serialize + DeserializeOwned> Storable<T> {
    /// How the argument called `name` is stored.
    #[must_use]
    #[allow(clippy::unused_self, reason = "the kind of `self` decides which of the two is called")]
    pub const fn named(self, name: &'static str, comparison: fn() -> Comparison<T>) -> ArgCodec<T> {
        ArgCodec { name, encode: |value| strict::to_string(value), decode: decode_value::<T>, comparison }
    }
}

impl<T> Unstorable<T> {
    /// Never callable. There for its message.
    #[must_use]
    #[allow(clippy::unused_self, reason = "the kind of `self` decides which of the two is called")]
    pub const fn named(self, _: &'static str, _: fn() -> Comparison<T>) -> ArgCodec<T>
    where
        T: WorkflowArgument,
    {
        panic!("nothing implements `WorkflowArgument`")
    }
}

impl<T> ArgCodec<T> {
    /// Writes `"name":value`, after a comma if it is not the first.
    fn write(&self, value: &T, object: &mut String) -> Result<(), String> {
        let named = |reason: String| format!("argument `{}`: {reason}", self.name);
        let json = (self.encode)(value).map_err(named)?;
        let back = (self.decode)(&json).map_err(|reason| named(format!("it could not be read back: {reason}")))?;
        (self.comparison)().check(value, &back).map_err(named)?;
        if !object.is_empty() {
            object.push(',');
        }
        let name = strict::to_string(self.name)?;
        object.extend([name.as_str(), ":", json.as_str()]);
        Ok(())
    }

    /// Takes the argument out of `given`, by name or else by position. What is absent is read as null, which suits an `Option`.
    fn read(&self, position: usize, given: &mut Given<'_>) -> Result<T, String> {
        match given.named.remove(self.name).or_else(|| given.positional.get(position).copied()) {
            Some(json) => (self.decode)(json.get()).map_err(|reason| format!("argument `{}`: {reason}", self.name)),
            None => (self.decode)("null").map_err(|_| format!("argument `{}` is missing", self.name)),
        }
    }
}

/// Arguments that are JSON already: by name if they are an object, by position if they are a list.
pub(crate) fn inputs_of(arguments: Value) -> Result<String, String> {
    let inputs = match arguments {
        Value::Object(named) => json!({ "positionalArgs": [], "namedArgs": named }),
        Value::Array(positional) => json!({ "positionalArgs": positional, "namedArgs": {} }),
        other => return Err(format!("arguments are an object or a list, and not `{other}`")),
    };
    let inputs = strict::to_string(&inputs)?;
    check_size(&inputs)?;
    Ok(inputs)
}

/// How a tuple of arguments is stored.
pub trait ArgsCodec<A>: Sync {
    /// The JSON of the arguments.
    ///
    /// # Errors
    ///
    /// Which argument would not come back as it is, and why.
    fn encode(&self, args: &A) -> Result<String, String>;

    /// The arguments whose JSON is `inputs`.
    ///
    /// # Errors
    ///
    /// Which argument does not fit, and why.
    fn decode(&self, inputs: &str) -> Result<A, String>;
}

/// Implements [`ArgsCodec`] for tuples.
macro_rules! args_codec {
    ($($ty:ident $index:tt),*) => {
        impl<$($ty: 'static),*> ArgsCodec<($($ty,)*)> for ($(ArgCodec<$ty>,)*) {
            #[allow(unused_mut, unused_variables, reason = "the empty tuple has no arguments")]
            fn encode(&self, args: &($($ty,)*)) -> Result<String, String> {
                let mut named = String::new();
                $(self.$index.write(&args.$index, &mut named)?;)*
                let inputs = format!(r#"{{"positionalArgs":[],"namedArgs":{{{named}}}}}"#);
                check_size(&inputs)?;
                Ok(inputs)
            }

            #[allow(unused_mut, clippy::unused_unit, reason = "the empty tuple has no arguments")]
            fn decode(&self, inputs: &str) -> Result<($($ty,)*), String> {
                let names: &[&str] = &[$(self.$index.name),*];
                let ticks: &[bool] = &[$(is_tick::<$ty>()),*];
                let mut given = Given::parse(inputs)?;
                if let Some(tick) = given.in_two_parts().filter(|_| ticks == [true]) {
                    return self.decode(&tick);
                }
                given.check_count(names)?;
                let args = ($(self.$index.read($index, &mut given)?,)*);
                given.check_names(names)?;
                Ok(args)
            }
        }
    };
}

args_codec!();
args_codec!(A 0);
args_codec!(A 0, B 1);
args_codec!(A 0, B 1, C 2);
args_codec!(A 0, B 1, C 2, D 3);
args_codec!(A 0, B 1, C 2, D 3, E 4);
args_codec!(A 0, B 1, C 2, D 3, E 4, F 5);
args_codec!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
args_codec!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
args_codec!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8);
args_codec!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9);
args_codec!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10);
args_codec!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11);

/// The arguments that are stored, each as the JSON it was written in.
struct Given<'a> {
    positional: Vec<&'a RawValue>,
    named: BTreeMap<String, &'a RawValue>,
}

/// The forms that have names: ours, and the one older writers use.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, rename = "positionalArgs", alias = "args")]
    positional: Option<Vec<&'a RawValue>>,
    #[serde(borrow, rename = "namedArgs", alias = "kwargs")]
    named: Option<BTreeMap<String, &'a RawValue>>,
}

impl<'a> Given<'a> {
    fn parse(inputs: &'a str) -> Result<Self, String> {
        let unreadable = |error: serde_json::Error| format!("the arguments cannot be read: {}", reason(&error));
        let inputs = unmarked(inputs).map_err(|reason| format!("the arguments cannot be read: {reason}"))?;
        let (positional, named) = match inputs.trim_start().as_bytes().first() {
            Some(b'[') => (serde_json::from_str(inputs).map_err(unreadable)?, None),
            Some(b'{') => {
                let Envelope { positional, named } = serde_json::from_str(inputs).map_err(unreadable)?;
                if positional.is_none() && named.is_none() {
                    return Err(
                        "the arguments cannot be read: there is neither `positionalArgs` nor `namedArgs`".to_owned()
                    );
                }
                (positional, named)
            }
            _ if inputs.trim() == "null" => (None, None),
            _ => return Err("the arguments cannot be read: they are neither a list nor an object".to_owned()),
        };
        Ok(Self { positional: positional.unwrap_or_default(), named: named.unwrap_or_default() })
    }

    /// Two arguments as the one that a [`Tick`](crate::Tick) is: every DBOS library starts what is scheduled with
    /// the instant and the context.
    fn in_two_parts(&self) -> Option<String> {
        let [instant, context] = self.positional[..] else { return None };
        let context = bare(context);
        Some(format!(r#"[{{"scheduled_at":{instant},"context":{context}}}]"#))
    }

    /// Refuses more arguments than there are places.
    fn check_count(&self, names: &[&str]) -> Result<(), String> {
        if self.positional.len() <= names.len() {
            return Ok(());
        }
        Err(format!("{} arguments are given, but {}", self.positional.len(), takes(names)))
    }

    /// Refuses names that no argument has taken.
    fn check_names(&self, names: &[&str]) -> Result<(), String> {
        match self.named.keys().next() {
            Some(unknown) => Err(format!("there is no argument `{unknown}`: {}", takes(names))),
            None => Ok(()),
        }
    }
}

/// The context of a schedule without what this library keeps beside it: who starts a tick by hand in another library
/// leaves the context as it is stored.
fn bare(context: &RawValue) -> &RawValue {
    #[derive(Deserialize)]
    struct Kept<'a> {
        #[serde(borrow)]
        json: &'a RawValue,
        #[serde(rename = "__dbos_serializer")]
        _mark: IgnoredAny,
    }

    serde_json::from_str(context.get()).map_or(context, |Kept { json, .. }| json)
}

/// What the workflow takes, in words.
fn takes(names: &[&str]) -> String {
    if names.is_empty() {
        return "the workflow takes none".to_owned();
    }
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    format!("the workflow takes {}", names.join(", "))
}
