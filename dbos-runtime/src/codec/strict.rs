//! Writes JSON, and refuses what JSON would bend: NaN, `Some(None)`, odd map keys, NUL.
//!
//! A serialiser around `serde_json`'s that looks at every value on its way down.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::marker::PhantomData;

use serde::ser::{self, Impossible, Serialize, Serializer};

use super::marked::is_marked;

const NESTED_OPTION: &str =
    "`Some` of an empty value is written like `None`, so it would come back as `None`; use an enum, or a `Vec`";
const NOT_FINITE: &str = "NaN and infinity have no form in JSON; use an `Option`, or text";
const NUL: &str = "text with a NUL character cannot be stored by Postgres; remove it, or use bytes";
const MARK: &str =
    "an object with `json` and `__dbos_serializer` is how the library for TypeScript marks a value of its own";
const ODD_KEY: &str =
    "a map key must be text, a whole number, a `bool`, a `char` or a plain enum variant; use a list of pairs";

/// The JSON of `value`.
pub(super) fn to_string<T: Serialize + ?Sized>(value: &T) -> Result<String, String> {
    let mut json = Vec::with_capacity(128);
    let mut serializer = serde_json::Serializer::new(&mut json);
    value.serialize(Strict { inner: &mut serializer, in_option: false }).map_err(|error| error.to_string())?;
    let json = String::from_utf8(json).expect("serde_json writes UTF-8");
    if is_marked(&json) { Err(MARK.to_owned()) } else { Ok(json) }
}

/// The error of a part, with the part's place before it.
fn within<E: ser::Error>(place: impl Display, error: &E) -> E {
    E::custom(format!("in {place}: {error}"))
}

fn text<E: ser::Error>(text: &str) -> Result<(), E> {
    if text.contains('\0') { Err(E::custom(NUL)) } else { Ok(()) }
}

/// A serialiser that checks and passes on.
struct Strict<S> {
    inner: S,
    /// Whether an `Option` is directly around the value.
    in_option: bool,
}

/// A value that is serialised through [`Strict`] by whatever serialiser it meets.
struct Checked<'a, T: ?Sized> {
    value: &'a T,
    in_option: bool,
}

impl<'a, T: ?Sized> Checked<'a, T> {
    fn part(value: &'a T) -> Self {
        Self { value, in_option: false }
    }
}

impl<T: Serialize + ?Sized> Serialize for Checked<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(Strict { inner: serializer, in_option: self.in_option })
    }
}

impl<S: Serializer> Strict<S> {
    /// Refuses an empty value inside `Some`.
    fn empty(self, write: impl FnOnce(S) -> Result<S::Ok, S::Error>) -> Result<S::Ok, S::Error> {
        if self.in_option { Err(ser::Error::custom(NESTED_OPTION)) } else { write(self.inner) }
    }
}

/// Passes a plain value on.
macro_rules! pass_on {
    ($($method:ident($ty:ty)),* $(,)?) => {
        $(fn $method(self, value: $ty) -> Result<S::Ok, S::Error> {
            self.inner.$method(value)
        })*
    };
}

impl<S: Serializer> Serializer for Strict<S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Parts<S::SerializeSeq>;
    type SerializeTuple = Parts<S::SerializeTuple>;
    type SerializeTupleStruct = Parts<S::SerializeTupleStruct>;
    type SerializeTupleVariant = Parts<S::SerializeTupleVariant>;
    type SerializeMap = Parts<S::SerializeMap>;
    type SerializeStruct = Parts<S::SerializeStruct>;
    type SerializeStructVariant = Parts<S::SerializeStructVariant>;

    pass_on! {
        serialize_bool(bool), serialize_i8(i8), serialize_i16(i16), serialize_i32(i32), serialize_i64(i64),
        serialize_i128(i128), serialize_u8(u8), serialize_u16(u16), serialize_u32(u32), serialize_u64(u64),
        serialize_u128(u128), serialize_bytes(&[u8]),
    }

    fn serialize_f32(self, value: f32) -> Result<S::Ok, S::Error> {
        if value.is_finite() { self.inner.serialize_f32(value) } else { Err(ser::Error::custom(NOT_FINITE)) }
    }

    fn serialize_f64(self, value: f64) -> Result<S::Ok, S::Error> {
        if value.is_finite() { self.inner.serialize_f64(value) } else { Err(ser::Error::custom(NOT_FINITE)) }
    }

    fn serialize_char(self, value: char) -> Result<S::Ok, S::Error> {
        text(value.encode_utf8(&mut [0; 4]))?;
        self.inner.serialize_char(value)
    }

    fn serialize_str(self, value: &str) -> Result<S::Ok, S::Error> {
        text(value)?;
        self.inner.serialize_str(value)
    }

    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.empty(S::serialize_none)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.serialize_some(&Checked { value, in_option: true })
    }

    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.empty(S::serialize_unit)
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<S::Ok, S::Error> {
        self.empty(|inner| inner.serialize_unit_struct(name))
    }

    fn serialize_unit_variant(self, name: &'static str, index: u32, variant: &'static str) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit_variant(name, index, variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.serialize_newtype_struct(name, &Checked { value, in_option: self.in_option })
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let written = self.inner.serialize_newtype_variant(name, index, variant, &Checked::part(value));
        written.map_err(|error| within(format_args!("`{variant}`"), &error))
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        self.inner.serialize_seq(len).map(Parts::new)
    }

    fn serialize_tuple(self, len: usize) -> Result<Self::SerializeTuple, S::Error> {
        self.inner.serialize_tuple(len).map(Parts::new)
    }

    fn serialize_tuple_struct(self, name: &'static str, len: usize) -> Result<Self::SerializeTupleStruct, S::Error> {
        self.inner.serialize_tuple_struct(name, len).map(Parts::new)
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        self.inner.serialize_tuple_variant(name, index, variant, len).map(Parts::new)
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        self.inner.serialize_map(len).map(Parts::new)
    }

    fn serialize_struct(self, name: &'static str, len: usize) -> Result<Self::SerializeStruct, S::Error> {
        self.inner.serialize_struct(name, len).map(Parts::new)
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        self.inner.serialize_struct_variant(name, index, variant, len).map(Parts::new)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

/// The parts of a list, map or struct, each checked.
struct Parts<C> {
    inner: C,
    /// How many parts were written.
    count: usize,
    /// The keys of a map so far: written twice, one would swallow the other.
    keys: BTreeSet<String>,
    last_key: String,
}

impl<C> Parts<C> {
    fn new(inner: C) -> Self {
        Self { inner, count: 0, keys: BTreeSet::new(), last_key: String::new() }
    }
}

/// Checks the parts of something list-like.
macro_rules! list {
    ($trait:ident, $method:ident) => {
        impl<C: ser::$trait> ser::$trait for Parts<C> {
            type Ok = C::Ok;
            type Error = C::Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
                self.count += 1;
                let place = self.count;
                self.inner.$method(&Checked::part(value)).map_err(|error| within(format_args!("item {place}"), &error))
            }

            fn end(self) -> Result<C::Ok, C::Error> {
                self.inner.end()
            }
        }
    };
}

list!(SerializeSeq, serialize_element);
list!(SerializeTuple, serialize_element);
list!(SerializeTupleStruct, serialize_field);
list!(SerializeTupleVariant, serialize_field);

/// Checks the fields of something struct-like.
macro_rules! fields {
    ($trait:ident) => {
        impl<C: ser::$trait> ser::$trait for Parts<C> {
            type Ok = C::Ok;
            type Error = C::Error;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), C::Error> {
                self.inner
                    .serialize_field(key, &Checked::part(value))
                    .map_err(|error| within(format_args!("`{key}`"), &error))
            }

            fn skip_field(&mut self, key: &'static str) -> Result<(), C::Error> {
                self.inner.skip_field(key)
            }

            fn end(self) -> Result<C::Ok, C::Error> {
                self.inner.end()
            }
        }
    };
}

fields!(SerializeStruct);
fields!(SerializeStructVariant);

impl<C: ser::SerializeMap> ser::SerializeMap for Parts<C> {
    type Ok = C::Ok;
    type Error = C::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), C::Error> {
        self.last_key = key.serialize(Key(PhantomData))?;
        if !self.keys.insert(self.last_key.clone()) {
            return Err(ser::Error::custom(format!("the key `{}` is written twice", self.last_key)));
        }
        self.inner.serialize_key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        let key = &self.last_key;
        self.inner.serialize_value(&Checked::part(value)).map_err(|error| within(format_args!("`{key}`"), &error))
    }

    fn end(self) -> Result<C::Ok, C::Error> {
        self.inner.end()
    }
}

/// The text of a map key, if it is of a kind that comes back.
struct Key<E>(PhantomData<E>);

/// Accepts a key that is written as its text.
macro_rules! accept {
    ($($method:ident($ty:ty)),* $(,)?) => {
        $(fn $method(self, key: $ty) -> Result<String, E> {
            let key = key.to_string();
            text(&key)?;
            Ok(key)
        })*
    };
}

/// Refuses a key.
macro_rules! refuse {
    ($($method:ident($($ty:ty),*) -> $output:ty),* $(,)?) => {
        $(fn $method(self, $(_: $ty),*) -> Result<$output, E> {
            Err(E::custom(ODD_KEY))
        })*
    };
}

impl<E: ser::Error> Serializer for Key<E> {
    type Ok = String;
    type Error = E;
    type SerializeSeq = Impossible<String, E>;
    type SerializeTuple = Impossible<String, E>;
    type SerializeTupleStruct = Impossible<String, E>;
    type SerializeTupleVariant = Impossible<String, E>;
    type SerializeMap = Impossible<String, E>;
    type SerializeStruct = Impossible<String, E>;
    type SerializeStructVariant = Impossible<String, E>;

    accept! {
        serialize_bool(bool), serialize_i8(i8), serialize_i16(i16), serialize_i32(i32), serialize_i64(i64),
        serialize_i128(i128), serialize_u8(u8), serialize_u16(u16), serialize_u32(u32), serialize_u64(u64),
        serialize_u128(u128), serialize_char(char), serialize_str(&str),
    }

    refuse! {
        serialize_f32(f32) -> String,
        serialize_f64(f64) -> String,
        serialize_bytes(&[u8]) -> String,
        serialize_none() -> String,
        serialize_unit() -> String,
        serialize_unit_struct(&'static str) -> String,
        serialize_seq(Option<usize>) -> Self::SerializeSeq,
        serialize_tuple(usize) -> Self::SerializeTuple,
        serialize_tuple_struct(&'static str, usize) -> Self::SerializeTupleStruct,
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Self::SerializeTupleVariant,
        serialize_map(Option<usize>) -> Self::SerializeMap,
        serialize_struct(&'static str, usize) -> Self::SerializeStruct,
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Self::SerializeStructVariant,
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<String, E> {
        Err(E::custom(ODD_KEY))
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<String, E> {
        Ok(variant.to_owned())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<String, E> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<String, E> {
        Err(E::custom(ODD_KEY))
    }
}
