//! The Postgres protocol, cut into messages.

/// What a client sends, in the place of a protocol version, to offer encryption (SSL, GSS).
const OFFERS: [u32; 2] = [80_877_103, 80_877_104];

/// Bytes as they arrive, given back a whole message at a time.
#[derive(Debug, Default)]
pub(super) struct Frames {
    buffer: Vec<u8>,
    started: bool,
}

/// One whole message.
#[derive(Debug)]
pub(super) struct Frame {
    bytes: Vec<u8>,
    typed: bool,
}

impl Frames {
    /// The messages of a server, which begin with their kind from the first.
    pub(super) fn of_server() -> Self {
        Self { started: true, ..Self::default() }
    }

    /// Where to put what has arrived.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// The next message, if all of it has arrived.
    pub(super) fn next_frame(&mut self) -> Option<Frame> {
        let typed = self.started;
        let length = self.number_at(usize::from(typed))?;
        let end = usize::try_from(length).ok()? + usize::from(typed);
        if self.buffer.len() < end {
            return None;
        }
        let rest = self.buffer.split_off(end);
        let frame = Frame { bytes: std::mem::replace(&mut self.buffer, rest), typed };
        self.started = !frame.offers_encryption();
        Some(frame)
    }

    fn number_at(&self, start: usize) -> Option<u32> {
        number_at(&self.buffer, start)
    }
}

fn number_at(bytes: &[u8], start: usize) -> Option<u32> {
    let bytes = bytes.get(start..start + 4)?;
    Some(u32::from_be_bytes(bytes.try_into().expect("four bytes")))
}

impl Frame {
    /// The message as it came.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its kind, or 0 before the start.
    pub(super) fn kind(&self) -> u8 {
        if self.typed { self.bytes[0] } else { 0 }
    }

    /// Whether a client offers to encrypt before it says anything else.
    pub(super) fn offers_encryption(&self) -> bool {
        !self.typed && number_at(&self.bytes, 4).is_some_and(|code| OFFERS.contains(&code))
    }

    /// Whether a client waits for the server after this message.
    pub(super) fn asks_for_an_answer(&self) -> bool {
        matches!(self.kind(), b'Q' | b'S')
    }

    /// Whether a server has said all there is to say to a request.
    pub(super) fn ends_an_answer(&self) -> bool {
        self.kind() == b'Z'
    }

    /// The texts it begins with: each ends with a zero byte.
    pub(super) fn texts(&self) -> impl Iterator<Item = String> + '_ {
        let body = self.bytes.get(5..).unwrap_or_default();
        body.split(|byte| *byte == 0).map(|text| String::from_utf8_lossy(text).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).expect("short");
        [&[kind], length.to_be_bytes().as_slice(), body].concat()
    }

    #[test]
    fn messages_come_out_whole_however_they_arrive() {
        let start = [8_u32.to_be_bytes(), 196_608_u32.to_be_bytes()].concat();
        let stream = [start, message(b'Q', b"SELECT 1\0"), message(b'S', b"")].concat();
        let mut frames = Frames::default();
        let mut seen = Vec::new();

        for byte in stream {
            frames.buffer().push(byte);
            seen.extend(std::iter::from_fn(|| frames.next_frame()).map(|frame| (frame.kind(), frame.texts().next())));
        }

        let text = |text: &str| Some(text.to_owned());
        assert_eq!(seen[1..], [(b'Q', text("SELECT 1")), (b'S', text(""))]);
    }

    #[test]
    fn an_offer_to_encrypt_is_not_the_start() {
        let mut frames = Frames::default();
        frames.buffer().extend([8_u32.to_be_bytes(), OFFERS[0].to_be_bytes()].concat());

        assert!(frames.next_frame().is_some_and(|frame| frame.offers_encryption()));
        assert!(!frames.started);
    }
}
