//! Requests as `fuzz/` makes them up.

use super::chunks::Chunks;
use super::head::{end_of, judge};
use super::path::Pattern;
use super::query::Query;

/// Heads, chunked bodies, paths and queries.
pub fn fuzz_requests(bytes: &[u8]) {
    judge(bytes).ok();
    if let Some(end) = end_of(bytes, 0) {
        assert_eq!(end_of(bytes, end / 2), Some(end), "the end is where it is, wherever reading stopped");
        judge(&bytes[..end]).ok();
    }
    if let Ok(whole) = Chunks::default().advance(bytes) {
        let mut chunks = Chunks::default();
        let (one, other) = bytes.split_at(bytes.len() / 2);
        let mut taken = chunks.advance(one).expect("a part of what is good is good");
        if !chunks.is_done() {
            taken += chunks.advance(other).expect("and so is the rest");
        }
        assert_eq!(taken, whole, "a body ends where it ends, however it arrives");
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(query) = Query::parse(text) {
        for name in query.names().map(str::to_owned).collect::<Vec<_>>() {
            assert!(query.values(&name).next().is_some(), "a name has a value");
            query.get(&name).ok();
        }
    }
    if let Ok(pattern) = Pattern::parse(text) {
        assert!(!pattern.spellings().is_empty(), "a path can be written");
    }
}
