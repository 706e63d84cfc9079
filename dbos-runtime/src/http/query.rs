//! The part of a URI after `?`, and percent-encoding.

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

use super::HttpError;
use super::text::Text;

/// The names and values of a query, decoded, in the order they were sent.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads `name=value&name=value`, where `+` is a blank.
    pub(crate) fn parse(text: &str) -> Result<Self, HttpError> {
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((form_decoded(name)?, form_decoded(value)?))
        });
        pairs.collect::<Result<_, _>>().map(Self)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// Every value under `name`.
    pub(crate) fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// Every name with its value; refuses a name that is given more than once.
    pub(crate) fn unrepeated(&self) -> Result<impl Iterator<Item = (&str, Text<'_>)>, HttpError> {
        for name in self.names() {
            self.get(name)?;
        }
        Ok(self.0.iter().map(|(name, value)| (name.as_str(), Text(value))))
    }

    /// The value under `name`, which may be given once only: of two, there is no telling which is meant.
    pub(crate) fn get(&self, name: &str) -> Result<Option<&str>, HttpError> {
        let mut values = self.values(name);
        let value = values.next();
        if values.next().is_some() {
            return Err(HttpError::new(400, format!("argument `{name}` is given more than once")));
        }
        Ok(value)
    }
}

fn form_decoded(text: &str) -> Result<String, HttpError> {
    check_escapes(text)?;
    let text = text.replace('+', " ");
    let decoded = percent_decode_str(&text).decode_utf8().map_err(|_| not_utf8())?;
    if decoded.contains('\0') {
        return Err(HttpError::new(400, "the query holds a zero byte"));
    }
    Ok(decoded.into_owned())
}

/// Refuses a `%` that two hexadecimal digits do not follow; decoders let it through unchanged.
pub(crate) fn check_escapes(text: &str) -> Result<(), HttpError> {
    let escapes_are_whole = text.split('%').skip(1).all(|rest| {
        let digits = rest.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    if escapes_are_whole {
        return Ok(());
    }
    Err(HttpError::new(400, "the URI holds a `%` without two hexadecimal digits after it"))
}

pub(crate) fn not_utf8() -> HttpError {
    HttpError::new(400, "the URI is not UTF-8 once decoded")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(query: &str, name: &str) -> Result<Option<String>, String> {
        let query = Query::parse(query).map_err(|error| error.message)?;
        query.get(name).map(|value| value.map(str::to_owned)).map_err(|error| error.message)
    }

    #[test]
    fn values_are_decoded_once() {
        assert_eq!(get("v=a%20b+c", "v"), Ok(Some("a b c".to_owned())));
        assert_eq!(get("v=%2541", "v"), Ok(Some("%41".to_owned())));
        assert_eq!(get("v=1%2B1=2", "v"), Ok(Some("1+1=2".to_owned())));
        assert_eq!(get("v=", "v"), Ok(Some(String::new())));
        assert_eq!(get("v", "v"), Ok(Some(String::new())));
        assert_eq!(get("w=1&&", "v"), Ok(None));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for query in ["v=%", "v=%4", "v=%zz", "v=%ff", "v=%00", "v=1&v=1"] {
            get(query, "v").expect_err(query);
        }
    }
}
