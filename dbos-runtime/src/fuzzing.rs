//! What comes from outside, as `fuzz/` gives it: each of these must take any bytes.

use serde_json::Value;

use crate::codec::{decode_value, encode_value, engine_error, read_engine_error};
use crate::history::Histories;
use crate::id::{MAX_KEY_BYTES, check_key};

pub use crate::app::fuzz_settings as settings;
pub use crate::http::fuzz_requests as requests;

/// Values and errors as they are stored, and the file of `workflow export`.
pub fn envelopes(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(value) = decode_value::<Value>(text)
        && let Ok(stored) = encode_value(&value)
    {
        assert_eq!(decode_value::<Value>(&stored), Ok(value), "what is stored comes back");
    }
    let error = read_engine_error(text);
    // A value that cannot be stored is named as that where it is stored again.
    if engine_error(&error).text().contains("cannot be stored") {
        return;
    }
    assert_eq!(
        read_engine_error(engine_error(&error).text()).to_string(),
        error.to_string(),
        "an error that was read is stored as itself"
    );
    if let Ok(histories) = Histories::read(text) {
        Histories::read(&histories.written()).expect("what was written can be read");
    }
}

/// Workflow ids, topics and event keys.
pub fn keys(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if check_key("workflow id", text).is_ok() {
        assert!((1..=MAX_KEY_BYTES).contains(&text.len()) && !text.contains('\0'), "a database can store it");
    }
}
