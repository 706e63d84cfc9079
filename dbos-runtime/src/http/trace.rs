//! The trace a request belongs to, as the header `traceparent` of the W3C carries it from program to program.

use crate::id::random_id;

/// The header, in and out.
pub(crate) const TRACEPARENT: &str = "traceparent";

/// The header of what happens here: the trace that `received` names, or one of our own, and a span of our own.
pub(crate) fn continued(received: Option<&str>) -> String {
    let random = random_id().replace('-', "");
    let (trace, flags) = received.and_then(read).unwrap_or((&random, "01"));
    // The variant bits of a random id are not zero, so neither is its second half.
    let span = random_id().replace('-', "").split_off(16);
    format!("00-{trace}-{span}-{flags}")
}

/// Trace and flags of a header that follows the rules; with any other, a new trace begins.
fn read(header: &str) -> Option<(&str, &str)> {
    let mut parts = header.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let known = is_hex(version, 2) && version != "ff" && (version != "00" || parts.next().is_none());
    let whole = is_hex(trace, 32) && is_hex(span, 16) && is_hex(flags, 2);
    let named = |id: &str| id.bytes().any(|digit| digit != b'0');
    (known && whole && named(trace) && named(span)).then_some((trace, flags))
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    #[test]
    fn a_good_header_is_continued_under_a_span_of_our_own() {
        for (header, flags) in [
            (format!("00-{TRACE}-{SPAN}-01"), "01"),
            (format!("00-{TRACE}-{SPAN}-00"), "00"),
            (format!("cc-{TRACE}-{SPAN}-01-more"), "01"),
        ] {
            let ours = continued(Some(&header));
            let span = ours.split('-').nth(2).expect("a span");
            assert_eq!(ours, format!("00-{TRACE}-{span}-{flags}"), "{header}");
            assert!(span != SPAN && read(&ours).is_some(), "{ours}");
        }
    }

    #[test]
    fn with_any_other_header_a_trace_begins() {
        let zeros = "0".repeat(32);
        for header in [
            String::new(),
            "nonsense".to_owned(),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("00-{zeros}-{SPAN}-01"),
            format!("00-{TRACE}-{}-01", &zeros[..16]),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("00-{TRACE}-{SPAN}"),
            format!("00-{}é-{SPAN}-01", &TRACE[..30]),
        ] {
            let ours = continued(Some(&header));
            assert!(read(&ours).is_some_and(|(trace, _)| trace != TRACE), "{header} gave {ours}");
        }
    }
}
