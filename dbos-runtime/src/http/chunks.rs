//! Finds where a chunked body ends.
//!
//! It decodes nothing; the parser behind it does. It must know the end, because what follows is the
//! head of the next request.

/// The most bytes a body may spend on sizes, extensions and trailers.
const MOST_OVERHEAD: usize = 16 * 1024;

/// The longest size of a chunk, in hexadecimal digits; more would not fit into its number.
const MOST_DIGITS: u8 = 15;

/// How far a chunked body has come.
#[derive(Debug, Default)]
pub(crate) struct Chunks {
    at: At,
    overhead: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Size { size: u64, digits: u8 },
    Extension { size: u64 },
    SizeEnd { size: u64 },
    Data { left: u64 },
    DataReturn,
    DataEnd,
    TrailerStart,
    Trailer,
    TrailerEnd,
    LastEnd,
    Done,
}

impl Default for At {
    fn default() -> Self {
        Self::Size { size: 0, digits: 0 }
    }
}

/// The body breaks the rules of chunks.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl Chunks {
    pub(crate) fn is_done(&self) -> bool {
        self.at == At::Done
    }

    /// How many bytes of `buffer` belong to this body.
    pub(crate) fn advance(&mut self, buffer: &[u8]) -> Result<usize, Malformed> {
        let mut taken = 0;
        while taken < buffer.len() && !self.is_done() {
            if let At::Data { left } = self.at {
                let here = left.min((buffer.len() - taken) as u64);
                taken += usize::try_from(here).expect("no more than the buffer holds");
                self.at = if left == here { At::DataReturn } else { At::Data { left: left - here } };
            } else {
                self.at = self.at.after(buffer[taken]).ok_or(Malformed)?;
                taken += 1;
                self.overhead += 1;
            }
            if self.overhead > MOST_OVERHEAD {
                return Err(Malformed);
            }
        }
        Ok(taken)
    }
}

impl At {
    fn after(self, byte: u8) -> Option<Self> {
        match (self, byte) {
            (Self::Size { size, digits: 1.. } | Self::Extension { size }, b'\r') => Some(Self::SizeEnd { size }),
            (Self::Size { size, digits: 1.. }, b';') => Some(Self::Extension { size }),
            (Self::Size { size, digits }, _) if digits < MOST_DIGITS => {
                let digit = char::from(byte).to_digit(16)?;
                Some(Self::Size { size: size * 16 + u64::from(digit), digits: digits + 1 })
            }
            (Self::Extension { size }, _) if byte != b'\n' => Some(Self::Extension { size }),
            (Self::SizeEnd { size: 0 } | Self::TrailerEnd, b'\n') => Some(Self::TrailerStart),
            (Self::SizeEnd { size }, b'\n') => Some(Self::Data { left: size }),
            (Self::DataReturn, b'\r') => Some(Self::DataEnd),
            (Self::DataEnd, b'\n') => Some(Self::default()),
            (Self::TrailerStart, b'\r') => Some(Self::LastEnd),
            (Self::Trailer, b'\r') => Some(Self::TrailerEnd),
            (Self::TrailerStart | Self::Trailer, _) if byte != b'\n' => Some(Self::Trailer),
            (Self::LastEnd, b'\n') => Some(Self::Done),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(body: &str) -> Result<Option<usize>, Malformed> {
        let mut chunks = Chunks::default();
        let taken = chunks.advance(body.as_bytes())?;
        Ok(chunks.is_done().then_some(taken))
    }

    #[test]
    fn the_end_is_after_the_last_chunk_and_its_trailers() {
        assert_eq!(length("0\r\n\r\nGET"), Ok(Some(5)));
        assert_eq!(length("3\r\nabc\r\n0\r\n\r\nGET"), Ok(Some(13)));
        assert_eq!(length("3;x=y\r\nabc\r\n0\r\nA: b\r\n\r\nGET"), Ok(Some(23)));
        assert_eq!(length("A\r\n0\r\n\r\n"), Ok(None));
    }

    #[test]
    fn it_makes_no_difference_where_the_body_is_cut() {
        let body = b"3;x=y\r\nabc\r\n0\r\nA: b\r\n\r\n";
        for cut in 0..body.len() {
            let mut chunks = Chunks::default();
            assert_eq!(chunks.advance(&body[..cut]), Ok(cut));
            assert_eq!(chunks.advance(&body[cut..]), Ok(body.len() - cut));
            assert!(chunks.is_done());
        }
    }

    #[test]
    fn malformed_chunks_are_refused() {
        for body in [
            "x\r\n",
            "\r\n",
            "3\nabc",
            "3\r\nabcd\r\n",
            "ffffffffffffffff\r\n",
            " 3\r\n",
            "3 \r\n",
            "-1\r\n",
            "0\r\n\n",
        ] {
            assert_eq!(length(body), Err(Malformed), "{body:?}");
        }
        assert_eq!(length(&format!("1;{}\r\n", "x".repeat(MOST_OVERHEAD))), Err(Malformed));
    }
}
