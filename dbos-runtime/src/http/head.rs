//! Judges the head of a request before the parser sees it.
//!
//! Parsers forgive, each in its own way, and two that stand in a row and forgive differently can be
//! made to disagree about where a request ends. So anything with two readings is refused here, in
//! the same shape as every other error.

/// The longest request target.
const LONGEST_TARGET: usize = 8 * 1024;

/// The longest head, target included.
const LONGEST_HEAD: usize = LONGEST_TARGET + 16 * 1024;

/// The most header lines.
pub(crate) const MOST_HEADERS: usize = 64;

/// A method and a version are short; a first line longer than target and this has a target too long.
const REST_OF_FIRST_LINE: usize = 64;

/// How the body of a request is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyLength {
    Bytes(u64),
    Chunked,
}

/// Why a request is turned away unread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) message: &'static str,
}

/// Where the head ends, if its end is there.
pub(crate) fn end_of(buffer: &[u8], scanned: usize) -> Option<usize> {
    let from = scanned.saturating_sub(3);
    buffer[from..].windows(4).position(|window| window == b"\r\n\r\n").map(|at| from + at + 4)
}

/// Refuses a head that is too long already, or can no longer become a good one.
pub(crate) fn check_beginning(buffer: &[u8]) -> Result<(), Refusal> {
    let first_line = buffer.iter().position(|byte| *byte == b'\n').unwrap_or(buffer.len());
    if first_line > LONGEST_TARGET + REST_OF_FIRST_LINE {
        return Err(TARGET_TOO_LONG);
    }
    if buffer.len() > LONGEST_HEAD {
        return Err(HEAD_TOO_LARGE);
    }
    let bare = buffer.iter().enumerate().any(|(at, byte)| *byte == b'\n' && (at == 0 || buffer[at - 1] != b'\r'));
    if bare { Err(bad("lines of a request end in CR LF")) } else { Ok(()) }
}

/// Judges a whole head, its empty line included.
pub(crate) fn judge(head: &[u8]) -> Result<BodyLength, Refusal> {
    check_beginning(head)?;
    let text = head.strip_suffix(b"\r\n\r\n").unwrap_or(head);
    let mut lines = text.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let version = request_line(lines.next().unwrap_or_default())?;
    let mut headers = Headers::default();
    for (index, line) in lines.enumerate() {
        if index >= MOST_HEADERS {
            return Err(HEAD_TOO_LARGE);
        }
        headers.read(line)?;
    }
    headers.judge(version)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    Http10,
    Http11,
}

fn request_line(line: &[u8]) -> Result<Version, Refusal> {
    let mut words = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(bad("the first line of the request is not `METHOD target HTTP/1.1`"));
    };
    if target.len() > LONGEST_TARGET {
        return Err(TARGET_TOO_LONG);
    }
    if !is_token(method) || target.is_empty() || !target.iter().all(u8::is_ascii_graphic) {
        return Err(bad("the first line of the request is not `METHOD target HTTP/1.1`"));
    }
    match version {
        b"HTTP/1.1" => Ok(Version::Http11),
        b"HTTP/1.0" => Ok(Version::Http10),
        _ => Err(Refusal { status: 505, message: "this server speaks HTTP/1.1" }),
    }
}

/// The headers that say where a request goes and where it ends.
#[derive(Default)]
struct Headers<'a> {
    hosts: usize,
    lengths: Vec<&'a [u8]>,
    encodings: Vec<&'a [u8]>,
}

impl<'a> Headers<'a> {
    fn read(&mut self, line: &'a [u8]) -> Result<(), Refusal> {
        let colon = line.iter().position(|byte| *byte == b':').ok_or(bad("a header line has no colon"))?;
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if !is_token(name) {
            return Err(bad("a header line does not begin with a name"));
        }
        if value.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
            return Err(bad("a header holds a control character"));
        }
        if name.eq_ignore_ascii_case(b"host") {
            self.hosts += 1;
        } else if name.eq_ignore_ascii_case(b"content-length") {
            self.lengths.push(value);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.encodings.push(value);
        }
        Ok(())
    }

    fn judge(&self, version: Version) -> Result<BodyLength, Refusal> {
        if self.hosts > 1 || (self.hosts == 0 && version == Version::Http11) {
            return Err(bad("a request has one `Host` header"));
        }
        match (self.lengths.as_slice(), self.encodings.as_slice()) {
            ([], []) => Ok(BodyLength::Bytes(0)),
            ([length], []) => content_length(length).map(BodyLength::Bytes),
            ([], [encoding]) if encoding.eq_ignore_ascii_case(b"chunked") && version == Version::Http11 => {
                Ok(BodyLength::Chunked)
            }
            ([], _) => Err(bad("the only `Transfer-Encoding` is `chunked`, once, in HTTP/1.1")),
            (_, []) => Err(bad("a request has one `Content-Length` at most")),
            _ => Err(bad("a request has `Content-Length` or `Transfer-Encoding`, not both")),
        }
    }
}

fn content_length(value: &[u8]) -> Result<u64, Refusal> {
    let digits = std::str::from_utf8(value).ok().filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()));
    digits.and_then(|digits| digits.parse().ok()).ok_or(bad("`Content-Length` is no number of bytes"))
}

fn is_token(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

const TARGET_TOO_LONG: Refusal = Refusal { status: 414, message: "the URI is longer than 8192 bytes" };
const HEAD_TOO_LARGE: Refusal = Refusal { status: 431, message: "the headers are too many or too long" };

const fn bad(message: &'static str) -> Refusal {
    Refusal { status: 400, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(head: &str) -> u16 {
        judge(head.as_bytes()).map_or_else(|refusal| refusal.status, |_| 200)
    }

    fn with(headers: &str) -> Result<BodyLength, Refusal> {
        judge(format!("POST / HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n").as_bytes())
    }

    #[test]
    fn a_body_is_delimited_in_one_way() {
        assert_eq!(with(""), Ok(BodyLength::Bytes(0)));
        assert_eq!(with("Content-Length: 12\r\n"), Ok(BodyLength::Bytes(12)));
        assert_eq!(with("transfer-encoding: Chunked\r\n"), Ok(BodyLength::Chunked));
        for two_readings in [
            "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n",
            "Content-Length: 1\r\nContent-Length: 2\r\n",
            "Content-Length: 1\r\nContent-Length: 1\r\n",
            "Content-Length: 1, 1\r\n",
            "Content-Length: -1\r\n",
            "Content-Length: +1\r\n",
            "Content-Length: 0x1\r\n",
            "Content-Length: \r\n",
            "Content-Length: 99999999999999999999999\r\n",
            "Transfer-Encoding: xchunked\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding : chunked\r\n",
            "Transfer-Encoding:\x0bchunked\r\n",
            "X: a\r\n b\r\n",
            "X: a\nContent-Length: 1\r\n",
            "X: a\0b\r\n",
            "X: a\rb\r\n",
            "Host: other\r\n",
            "nothing\r\n",
            ": nothing\r\n",
        ] {
            assert_eq!(with(two_readings).map_err(|refusal| refusal.status), Err(400), "{two_readings:?}");
        }
        assert_eq!(status("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
    }

    #[test]
    fn the_first_line_is_three_words() {
        assert_eq!(status("GET / HTTP/1.0\r\n\r\n"), 200);
        assert_eq!(status("GET / HTTP/1.1\r\n\r\n"), 400);
        for wrong in [
            "GET  / HTTP/1.1",
            "GET /",
            "GET /a b HTTP/1.1",
            "G(T / HTTP/1.1",
            "GET /\x7f HTTP/1.1",
            "GET /é HTTP/1.1",
            "",
        ] {
            assert_eq!(status(&format!("{wrong}\r\nHost: localhost\r\n\r\n")), 400, "{wrong}");
        }
        assert_eq!(status("PRI * HTTP/2.0\r\n\r\n"), 505);
    }

    #[test]
    fn what_is_too_long_has_a_status_of_its_own() {
        let long = "a".repeat(LONGEST_TARGET);
        assert_eq!(status(&format!("GET /{long} HTTP/1.1\r\nHost: localhost\r\n\r\n")), 414);
        assert_eq!(check_beginning(format!("GET /{long}{long}").as_bytes()), Err(TARGET_TOO_LONG));
        assert_eq!(with(&format!("X: {long}{long}{long}\r\n")), Err(HEAD_TOO_LARGE));
        assert_eq!(with(&"X: 1\r\n".repeat(MOST_HEADERS)), Err(HEAD_TOO_LARGE));
        assert_eq!(with(&"X: 1\r\n".repeat(MOST_HEADERS - 1)), Ok(BodyLength::Bytes(0)));
    }

    #[test]
    fn the_end_is_found_wherever_reading_stopped() {
        let head = b"GET / HTTP/1.1\r\n\r\nrest";
        for scanned in 0..18 {
            assert_eq!(end_of(head, scanned), Some(18), "{scanned}");
        }
        assert_eq!(end_of(&head[..17], 0), None);
    }
}
