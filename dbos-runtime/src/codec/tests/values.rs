//! Values that come back equal, and those that are refused.

use serde_json::Value;

use super::*;

#[test]
fn numbers_come_back_to_the_last_digit() {
    comes_back!(u64, u64::MAX);
    comes_back!(u64, (1 << 53) + 1);
    comes_back!(i64, i64::MIN);
    comes_back!(u128, u128::MAX);
    comes_back!(i128, i128::MIN);
    comes_back!(f32, 0.1);
    comes_back!(f32, f32::MIN_POSITIVE);
    comes_back!(f64, 0.1 + 0.2);
    comes_back!(f64, f64::MAX);
    comes_back!(f64, 5e-324);
    comes_back!(f64, -0.0);
    // One that a fast parser gets wrong in its last bit.
    comes_back!(f64, 1.234_567_890_123_456_7e-300);
    comes_back!(f64, 2.638_344_616_030_823_5e-256);
}

/// As other languages write them.
#[test]
fn whole_numbers_beyond_64_bits_are_exact_or_refused() {
    assert_eq!(decode_value::<i128>("-18446744073709551617"), Ok(-18_446_744_073_709_551_617));
    // A float, exactly or as JavaScript writes it.
    for text in ["18446744073709551615", "18446744073709551616", "18446744073709552000", "-0", "1e21", "[0.1,{}]"] {
        assert_eq!(decode_value::<Value>(text), Ok(serde_json::from_str(text).unwrap()), "{text}");
    }
    for text in ["18446744073709551617", "-18446744073709551617", r#"{"a":["\"1",{"b":36893488147419103233}]}"#] {
        let reason = decode_value::<Value>(text).unwrap_err();
        assert!(reason.contains("has no exact form in a JSON value"), "{reason}");
    }
    assert_eq!(decode_value::<Value>(r#""18446744073709551617""#), Ok(json!("18446744073709551617")));
}

#[test]
fn what_is_no_number_is_refused() {
    for reason in [refused!(f64, f64::NAN), refused!(f32, f32::INFINITY), refused!(Vec<f64>, vec![1.0, f64::NAN])] {
        assert!(reason.contains("NaN and infinity have no form in JSON"), "{reason}");
    }
}

#[test]
fn text_comes_back() {
    comes_back!(char, '\u{1f980}');
    comes_back!(String, "\u{1} \" \\ \u{2028} \u{ffff}".to_owned());
    comes_back!((), ());
    comes_back!(Vec<u8>, vec![0, 255]);
    comes_back!(Option<Order>, None);
    comes_back!(Option<Order>, Some(Order { id: 1, note: None }));
}

#[test]
fn a_nul_character_is_refused_with_its_place() {
    let reason =
        refused!(Vec<Order>, vec![Order { id: 1, note: None }, Order { id: 2, note: Some("a\0b".to_owned()) }]);

    assert_eq!(
        reason,
        "in item 2: in `note`: text with a NUL character cannot be stored by Postgres; remove it, or use bytes"
    );
    refused!(char, '\0');
    refused!(BTreeMap<String, u8>, BTreeMap::from([("\0".to_owned(), 1)]));
}

#[test]
fn an_option_in_an_option_is_refused_only_where_it_would_be_lost() {
    comes_back!(Option<Option<u8>>, None);
    comes_back!(Option<Option<u8>>, Some(Some(1)));

    for reason in [
        refused!(Option<Option<u8>>, Some(None)),
        refused!(Option<()>, Some(())),
        refused!(Vec<Option<serde_json::Value>>, vec![Some(json!(null))]),
        refused!(Option<Box<Option<u8>>>, Some(Box::new(None))),
    ] {
        assert!(reason.contains("would come back as `None`"), "{reason}");
    }
}

#[test]
fn a_newtype_does_not_hide_an_empty_value() {
    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    struct Note(Option<String>);

    assert!(refused!(Option<Note>, Some(Note(None))).contains("would come back as `None`"));
}

#[test]
fn map_keys_are_text_or_what_reads_like_it() {
    #[derive(Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
    enum Color {
        Red,
    }
    #[derive(Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
    struct Sku(u64);

    comes_back!(BTreeMap<u64, u8>, BTreeMap::from([(u64::MAX, 1)]));
    comes_back!(BTreeMap<i128, u8>, BTreeMap::from([(i128::MIN, 1)]));
    comes_back!(HashMap<String, u8>, HashMap::from([("a".to_owned(), 1), ("b".to_owned(), 2)]));
    comes_back!(BTreeMap<bool, u8>, BTreeMap::from([(true, 1)]));
    comes_back!(BTreeMap<char, u8>, BTreeMap::from([('x', 1)]));
    comes_back!(BTreeMap<Color, u8>, BTreeMap::from([(Color::Red, 1)]));
    comes_back!(BTreeMap<Sku, u8>, BTreeMap::from([(Sku(7), 1)]));

    for reason in [
        refused!(BTreeMap<(u8, u8), u8>, BTreeMap::from([((1, 2), 3)])),
        refused!(BTreeMap<Option<String>, u8>, BTreeMap::from([(None, 3)])),
        refused!(BTreeMap<(), u8>, BTreeMap::from([((), 3)])),
    ] {
        assert!(reason.contains("a map key must be text"), "{reason}");
    }
}

#[test]
fn enums_of_every_form_come_back() {
    macro_rules! form {
        ($($attribute:tt)*) => {{
            #[derive(Debug, Deserialize, PartialEq, Serialize)]
            $($attribute)*
            enum Form {
                Unit,
                Struct { value: u64, text: Option<String> },
            }
            comes_back!(Form, Form::Unit);
            comes_back!(Form, Form::Struct { value: u64::MAX, text: None });
        }};
    }
    form!();
    form!(#[serde(tag = "type")]);
    form!(#[serde(tag = "type", content = "content")]);
    form!(#[serde(rename_all = "snake_case")]);
}

#[test]
fn an_untagged_enum_that_comes_back_as_another_variant_is_refused() {
    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    #[serde(untagged)]
    enum Id {
        Number(u64),
        Small(u8),
        Text(String),
    }

    comes_back!(Id, Id::Number(1));
    comes_back!(Id, Id::Text("1".to_owned()));
    assert!(refused!(Id, Id::Small(1)).contains("would not come back equal"));
}

#[test]
fn a_skipped_field_is_refused_unless_it_is_what_reading_gives() {
    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    struct Session {
        user: String,
        #[serde(skip)]
        token: String,
    }

    comes_back!(Session, Session { user: "ann".to_owned(), token: String::new() });
    let reason = refused!(Session, Session { user: "ann".to_owned(), token: "secret".to_owned() });
    assert_eq!(reason, "it would not come back equal; look for fields that serde skips or writes in another form");
}

#[test]
fn keys_that_swallow_each_other_are_refused() {
    #[derive(Debug, Deserialize, Serialize)]
    struct Twice {
        id: u8,
        #[serde(flatten)]
        rest: BTreeMap<String, u8>,
    }

    let reason = refused!(Twice, Twice { id: 1, rest: BTreeMap::from([("id".to_owned(), 2)]) });

    assert_eq!(reason, "the key `id` is written twice");
}

#[test]
fn a_value_that_cannot_be_read_is_refused_when_it_is_written() {
    #[derive(Deserialize, Serialize)]
    struct Lopsided {
        #[serde(rename(serialize = "out", deserialize = "in"))]
        value: u8,
    }

    assert_eq!(refused!(Lopsided, Lopsided { value: 1 }), "it could not be read back: missing field `in`");
}

#[test]
fn size_has_a_limit() {
    let reason = refused!(String, "x".repeat(MAX_BYTES));

    assert!(reason.starts_with("it takes 16777218 bytes as JSON, and 16777216 is the most"), "{reason}");
}
