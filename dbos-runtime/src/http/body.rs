//! The body of a request: bounded, and JSON with one object at its top.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::error::Error as StdError;
use std::fmt;
use std::io;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;

use super::HttpError;
use super::error::sources;

/// The largest body that is read.
pub(crate) const LARGEST_BODY: usize = 1024 * 1024;

/// How much of a body that is too large is still taken off the line. A client that is cut off while
/// it sends often never sees the answer.
const LARGEST_DISCARD: usize = 16 * LARGEST_BODY;

/// The fields of a body.
#[derive(Debug, Default)]
pub(crate) struct Fields(BTreeMap<String, Value>);

impl Fields {
    /// Reads the fields; a body of no bytes has none.
    pub(crate) fn parse(headers: &HeaderMap, body: &[u8]) -> Result<Self, HttpError> {
        if body.is_empty() {
            return Ok(Self::default());
        }
        if !headers.get(CONTENT_TYPE).is_none_or(|kind| kind.to_str().is_ok_and(is_json)) {
            return Err(HttpError::new(415, "send the body as JSON, with `Content-Type: application/json`"));
        }
        serde_json::from_slice(body).map_err(|error| HttpError::new(400, format!("the body is refused: {error}")))
    }

    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name)
    }
}

fn is_json(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor).map(Self)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = BTreeMap<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut fields = BTreeMap::new();
        while let Some(name) = map.next_key::<String>()? {
            match fields.entry(name) {
                Entry::Vacant(place) => place.insert(map.next_value()?),
                Entry::Occupied(first) => {
                    return Err(M::Error::custom(format_args!("field `{}` is given twice", first.key())));
                }
            };
        }
        Ok(fields)
    }
}

/// Refuses a body that announces itself as too large to be worth taking off the line.
pub(crate) fn check_length(headers: &HeaderMap) -> Result<(), HttpError> {
    match content_length(headers) {
        Some(length) if length > LARGEST_DISCARD => Err(too_large()),
        _ => Ok(()),
    }
}

fn content_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Reads all of `body`, up to [`LARGEST_BODY`].
pub(crate) async fn read(mut body: Body) -> Result<Bytes, HttpError> {
    let mut whole = BytesMut::new();
    let mut seen = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|error| unreadable(&error))?.into_data() else { continue };
        seen += data.len();
        if seen > LARGEST_DISCARD {
            break;
        }
        if seen <= LARGEST_BODY {
            whole.extend_from_slice(&data);
        }
    }
    if seen > LARGEST_BODY { Err(too_large()) } else { Ok(whole.freeze()) }
}

fn too_large() -> HttpError {
    HttpError::new(413, format!("the body is larger than {LARGEST_BODY} bytes"))
}

fn unreadable(error: &(dyn StdError + 'static)) -> HttpError {
    let late = sources(error)
        .filter_map(|error| error.downcast_ref::<io::Error>())
        .any(|error| error.kind() == io::ErrorKind::TimedOut);
    if late {
        HttpError::new(408, "the body took too long to arrive")
    } else {
        HttpError::new(400, "the body is broken off or wrongly framed")
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn parse(kind: Option<&'static str>, body: &str) -> Result<Fields, u16> {
        let mut headers = HeaderMap::new();
        if let Some(kind) = kind {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        Fields::parse(&headers, body.as_bytes()).map_err(|error| error.status)
    }

    #[test]
    fn a_body_is_an_object_or_nothing() {
        assert!(parse(None, "").is_ok());
        assert!(parse(Some("text/plain"), "").is_ok());
        assert!(parse(None, "{}").is_ok());
        assert!(parse(Some("application/json; charset=utf-8"), r#"{"v":1}"#).is_ok());
        for wrong in ["[1]", "1", "null", "{", "{}x", r#"{"v":1,"v":1}"#, r#"{"v":NaN}"#] {
            assert_eq!(parse(Some("application/json"), wrong).err(), Some(400), "{wrong}");
        }
        assert_eq!(parse(Some("text/xml"), "<v/>").err(), Some(415));
    }
}
