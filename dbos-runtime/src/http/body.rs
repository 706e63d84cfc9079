//! The body of a request: bounded, and JSON or a form; for arguments by name, with one object at its top.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::error::Error as StdError;
use std::fmt::{self, Display};
use std::io;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use serde::de::value::MapDeserializer;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;

use super::HttpError;
use super::error::sources;
use super::query::Query;
use super::text::{self, Missing};

/// The largest body that is read unless another size is chosen.
pub(crate) const LARGEST_BODY: usize = 1024 * 1024;

/// How much of a body that is too large is still taken off the line. A client that is cut off while
/// it sends often never sees the answer.
const LARGEST_DISCARD: usize = 16 * LARGEST_BODY;

/// The fields of a body.
#[derive(Debug)]
pub(crate) enum Fields {
    Json(BTreeMap<String, Value>),
    Form(Query),
}

/// A field as it was sent.
#[derive(Debug)]
pub(crate) enum Field {
    Json(Value),
    Text(String),
}

impl Fields {
    /// Reads the fields; a body of no bytes has none.
    pub(crate) fn parse(headers: &HeaderMap, body: &[u8]) -> Result<Self, HttpError> {
        if body.is_empty() {
            return Ok(Self::Json(BTreeMap::new()));
        }
        match Kind::of(headers)? {
            Kind::Form => form(body).map(Self::Form),
            Kind::Json => serde_json::from_slice(body).map(|JsonFields(fields)| Self::Json(fields)).map_err(refused),
        }
    }

    /// The field under `name`, which a form may give once only.
    pub(crate) fn take(&mut self, name: &str) -> Result<Option<Field>, HttpError> {
        match self {
            Self::Json(fields) => Ok(fields.remove(name).map(Field::Json)),
            Self::Form(fields) => Ok(fields.get(name)?.map(|text| Field::Text(text.to_owned()))),
        }
    }
}

/// The whole body as one value.
pub(crate) fn whole<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<T, HttpError> {
    if body.is_empty() {
        return T::deserialize(Missing).map_err(|_| HttpError::new(400, "the body is missing"));
    }
    match Kind::of(headers)? {
        Kind::Json => serde_json::from_slice(body).map_err(refused),
        Kind::Form => {
            let fields = form(body)?;
            T::deserialize(MapDeserializer::new(fields.unrepeated()?)).map_err(refused::<text::Refused>)
        }
    }
}

/// How the content of a body is written.
enum Kind {
    Json,
    Form,
}

impl Kind {
    fn of(headers: &HeaderMap) -> Result<Self, HttpError> {
        let Some(sent) = headers.get(CONTENT_TYPE) else { return Ok(Self::Json) };
        let sent = sent.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if sent == "application/x-www-form-urlencoded" {
            Ok(Self::Form)
        } else if sent == "application/json" || (sent.starts_with("application/") && sent.ends_with("+json")) {
            Ok(Self::Json)
        } else {
            Err(HttpError::new(415, "send the body as JSON, with `Content-Type: application/json`, or as a form"))
        }
    }
}

fn form(body: &[u8]) -> Result<Query, HttpError> {
    let badly_encoded = || HttpError::new(400, "the form is not well encoded");
    let text = std::str::from_utf8(body).map_err(|_| badly_encoded())?;
    // As `curl -d` sends it; no form begins like this, because there `{` is escaped.
    if text.trim_start().starts_with('{') {
        return Err(HttpError::new(
            400,
            "the body looks like JSON and says that it is a form; send `Content-Type: application/json`",
        ));
    }
    Query::parse(text).map_err(|_| badly_encoded())
}

fn refused<E: Display>(reason: E) -> HttpError {
    HttpError::new(400, format!("the body is refused: {reason}"))
}

struct JsonFields(BTreeMap<String, Value>);

impl<'de> Deserialize<'de> for JsonFields {
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
pub(crate) fn check_length(headers: &HeaderMap, largest: usize) -> Result<(), HttpError> {
    match content_length(headers) {
        Some(length) if length > largest.max(LARGEST_DISCARD) => Err(too_large(largest)),
        _ => Ok(()),
    }
}

fn content_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Reads all of `body`, up to `largest` bytes.
pub(crate) async fn read(mut body: Body, largest: usize) -> Result<Bytes, HttpError> {
    let mut whole = BytesMut::new();
    let mut seen = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|error| unreadable(&error))?.into_data() else { continue };
        seen += data.len();
        if seen > largest.max(LARGEST_DISCARD) {
            break;
        }
        if seen <= largest {
            whole.extend_from_slice(&data);
        }
    }
    if seen > largest { Err(too_large(largest)) } else { Ok(whole.freeze()) }
}

fn too_large(largest: usize) -> HttpError {
    HttpError::new(413, format!("the body is larger than {largest} bytes"))
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
    fn fields_come_from_an_object_or_nothing() {
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
