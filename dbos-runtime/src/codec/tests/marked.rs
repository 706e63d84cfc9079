//! Values in the format of the library for TypeScript.

use serde_json::{Value, json};

use super::*;

fn marked(json: &str, types: &str) -> String {
    format!(r#"{{"json":{json},"meta":{{"values":{types},"v":1}},"__dbos_serializer":"superjson"}}"#)
}

#[test]
fn a_value_is_read_without_its_mark() {
    for (stored, value) in [
        (r#"{"json":[1,"two",null],"__dbos_serializer":"superjson"}"#.to_owned(), json!([1, "two", null])),
        (marked("null", r#"["undefined"]"#), json!(null)),
        (
            marked(r#"{"at":["1970-01-01T00:00:00.000Z"]}"#, r#"{"at.0":["Date"]}"#),
            json!({ "at": ["1970-01-01T00:00:00.000Z"] }),
        ),
        (r#"{"json":1,"of":2}"#.to_owned(), json!({ "json": 1, "of": 2 })),
    ] {
        assert_eq!(decode_value::<Value>(&stored), Ok(value), "{stored}");
    }
    let date: std::result::Result<String, _> = decode_value(&marked(r#""1970-01-01""#, r#"["Date"]"#));
    assert_eq!(date.as_deref(), Ok("1970-01-01"));
}

#[test]
fn what_has_no_form_in_json_is_refused_by_its_type() {
    for (stored, kind) in [
        (marked(r#""1""#, r#"["bigint"]"#), "bigint"),
        (marked(r#""NaN""#, r#"["number"]"#), "number"),
        (marked(r#"[[1,"1970-01-01"]]"#, r#"["map",{"0.1":["Date"]}]"#), "map"),
        (marked(r#"{"a":[1]}"#, r#"{"a":[["typed-array","Uint8Array"]]}"#), "typed-array"),
    ] {
        let reason = decode_value::<Value>(&stored).unwrap_err();
        assert!(reason.contains(kind) && reason.contains("has no form in JSON"), "{reason}");
    }
}

#[test]
fn an_error_is_read_as_one() {
    let stored = marked(r#"{"name":"TypeError","message":"no"}"#, r#"["Error"]"#);

    assert_eq!(read_engine_error(&stored).to_string(), "no");
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Lookalike {
    json: u8,
    #[serde(rename = "__dbos_serializer")]
    mark: String,
}

/// It would come back as what is inside.
#[test]
fn a_value_that_looks_marked_is_refused() {
    let reason = refused!(Lookalike, Lookalike { json: 7, mark: "superjson".to_owned() });

    assert!(reason.contains("marks a value of its own"), "{reason}");
}
