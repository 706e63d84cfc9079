//! Values written as text: what stands in a path or after a `?`.
//!
//! The whole text must be the value. Forms that a language's parser happens to accept (`+1`, ` 1`,
//! `1e0` for a whole number) are refused, so that one thing has one spelling.

use std::fmt::{self, Display};
use std::str::FromStr;

use serde::de::value::StrDeserializer;
use serde::de::{self, Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

/// How much of a refused text is repeated to the caller.
const SHOWN_CHARS: usize = 40;

/// A text, as a value of whatever type is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text<'a>(pub(crate) &'a str);

/// Why a text is no such value, to be read after the argument's name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused(String);

impl Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

impl de::Error for Refused {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

impl Text<'_> {
    fn refused(self, expected: impl Display) -> Refused {
        let shown: String = self.0.chars().take(SHOWN_CHARS).collect();
        let dots = if shown.len() < self.0.len() { "…" } else { "" };
        Refused(format!("`{shown}{dots}` is not {expected}"))
    }

    fn parse<T: FromStr>(self, expected: impl Display) -> Result<T, Refused> {
        if self.0.starts_with('+') {
            return Err(self.refused(expected));
        }
        self.0.parse().map_err(|_| self.refused(expected))
    }
}

impl<'de> IntoDeserializer<'de, Refused> for Text<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! whole_numbers {
    ($($deserialize:ident $visit:ident $number:ty)*) => {$(
        fn $deserialize<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
            let expected = format_args!("a whole number from {} to {}", <$number>::MIN, <$number>::MAX);
            visitor.$visit(self.parse::<$number>(expected)?)
        }
    )*};
}

impl<'de> Deserializer<'de> for Text<'de> {
    type Error = Refused;

    whole_numbers! {
        deserialize_i8 visit_i8 i8
        deserialize_i16 visit_i16 i16
        deserialize_i32 visit_i32 i32
        deserialize_i64 visit_i64 i64
        deserialize_i128 visit_i128 i128
        deserialize_u8 visit_u8 u8
        deserialize_u16 visit_u16 u16
        deserialize_u32 visit_u32 u32
        deserialize_u64 visit_u64 u64
        deserialize_u128 visit_u128 u128
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let number: f32 = self.parse("a number")?;
        if number.is_finite() { visitor.visit_f32(number) } else { Err(self.refused("a number")) }
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let number: f64 = self.parse("a number")?;
        if number.is_finite() { visitor.visit_f64(number) } else { Err(self.refused("a number")) }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_bool(self.parse("true or false")?)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_char(self.parse("a single character")?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        if !variants.is_empty() && !variants.contains(&self.0) {
            return Err(self.refused(format_args!("one of {}", variants.join(", "))));
        }
        let variant: StrDeserializer<'de, Refused> = self.0.into_deserializer();
        visitor.visit_enum(variant)
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_borrowed_str(self.0)
    }

    forward_to_deserialize_any! {
        str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// No value at all: an `Option` is `None`, everything else is an error.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Missing;

impl<'de> Deserializer<'de> for Missing {
    type Error = Refused;

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_none()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Refused> {
        Err(Refused("is missing".to_owned()))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    fn read<T: de::DeserializeOwned>(text: &str) -> Result<T, String> {
        T::deserialize(Text(text)).map_err(|refused| refused.to_string())
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Status {
        Paid,
        Failed,
        Refunded(u8),
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct OrderId(i32);

    #[test]
    fn a_whole_number_has_one_spelling() {
        assert_eq!(read::<i32>("7"), Ok(7));
        assert_eq!(read::<i32>("-7"), Ok(-7));
        for wrong in ["0x1", "1e0", " 1", "1 ", "+1", "1.5", "", "12abc", "2147483648", "١"] {
            let reason = read::<i32>(wrong).expect_err(wrong);
            assert_eq!(reason, format!("`{wrong}` is not a whole number from -2147483648 to 2147483647"));
        }
        read::<u64>("-1").expect_err("a negative u64");
    }

    #[test]
    fn other_types_read_the_whole_text_too() {
        assert_eq!(read::<f64>("1.5"), Ok(1.5));
        assert_eq!(read::<bool>("true"), Ok(true));
        assert_eq!(read::<String>(""), Ok(String::new()));
        assert_eq!(read::<Option<i32>>("3"), Ok(Some(3)));
        assert_eq!(read::<OrderId>("3"), Ok(OrderId(3)));
        for wrong in ["NaN", "inf", "+1.0", "1,5"] {
            read::<f64>(wrong).expect_err(wrong);
        }
        read::<bool>("True").expect_err("another spelling of true");
        read::<Vec<i32>>("1,2").expect_err("a list");
    }

    #[test]
    fn an_enum_is_read_by_the_names_of_its_plain_variants() {
        assert_eq!(read::<Status>("paid"), Ok(Status::Paid));
        assert_eq!(read::<Status>("failed"), Ok(Status::Failed));
        assert_eq!(read::<Status>("Paid"), Err("`Paid` is not one of paid, failed, refunded".to_owned()));
        read::<Status>("refunded").expect_err("a variant that holds a value");
    }

    #[test]
    fn what_is_missing_is_none_or_an_error() {
        assert_eq!(Option::<i32>::deserialize(Missing), Ok(None));
        i32::deserialize(Missing).expect_err("a missing number");
        String::deserialize(Missing).expect_err("a missing text");
    }

    #[test]
    fn a_long_text_is_not_repeated_in_full() {
        let reason = read::<i32>(&"é".repeat(1000)).expect_err("no number");
        assert!(reason.len() < 200, "{reason}");
    }
}
