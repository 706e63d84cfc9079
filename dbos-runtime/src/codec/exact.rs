//! Whole numbers beyond 64 bits, which other languages write. Types of that width read them; a JSON value would take the
//! nearest float without a word.

use std::any::type_name;

/// Refuses a number in `text` that would be another one as a `T`.
pub(super) fn check<T>(text: &str) -> Result<(), String> {
    if !type_name::<T>().contains("serde_json::value::Value") {
        return Ok(());
    }
    match numbers(text).find(|number| is_bent(number)) {
        Some(number) => {
            Err(format!("the number {number} has no exact form in a JSON value; take an `i128`, or send text"))
        }
        None => Ok(()),
    }
}

/// What starts like a number outside of strings.
fn numbers(text: &str) -> impl Iterator<Item = &str> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let bytes = text.as_bytes();
        loop {
            match bytes.get(at)? {
                b'"' => at = end_of_string(bytes, at + 1),
                b'-' | b'0'..=b'9' => {
                    let start = at;
                    at += bytes[at..].iter().take_while(|byte| b"+-.0123456789Ee".contains(byte)).count();
                    return text.get(start..at);
                }
                _ => at += 1,
            }
        }
    })
}

fn end_of_string(bytes: &[u8], mut at: usize) -> usize {
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    at
}

/// Whether a whole number is too large for 64 bits, and neither a float nor what JavaScript writes for one.
fn is_bent(number: &str) -> bool {
    let is_whole = number.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit());
    if !is_whole || number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok() {
        return false;
    }
    number.parse::<f64>().is_ok_and(|nearest| format!("{nearest:.0}") != number && nearest.to_string() != number)
}
