//! Signed webhooks: who receives one can tell who sent it, when, and that nobody has changed it.
//!
//! The header is `Payment-Signature: t=1700000000,v1=5257a869…`: the time in seconds, and the HMAC-SHA256 of that time, a
//! dot and the body as it was sent. There is one `v1` for each secret that the sender has, so that a secret can be
//! replaced: tell the receiver the new one, then the sender, then let both forget the old one.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};

use crate::settings::text;

/// The header that carries the signatures.
pub const SIGNATURE_HEADER: &str = "payment-signature";

/// The secret of two programs that were told none. It keeps nobody out who has read this line, and is for trying out.
const TUTORIAL_SECRET: &str = "tutorial";

/// How far the sender's clock may be from the receiver's, either way. What was overheard is of no use after that.
pub const TOLERANCE: Duration = Duration::from_secs(300);

/// What sender and receiver share, and nobody else knows.
#[derive(Clone)]
pub struct Secrets(Vec<String>);

/// Why a webhook is not believed to be the sender's.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Forged {
    /// The header is not of the form described above.
    #[error("the signature cannot be read")]
    Unreadable,
    /// It was signed too long ago, or too far ahead.
    #[error("the signature is more than {} seconds old, or as far ahead", TOLERANCE.as_secs())]
    Untimely,
    /// No secret makes this signature of this body.
    #[error("the signature is not that of this body")]
    Wrong,
}

impl Secrets {
    /// The secrets in the variable `name` of the environment, with commas between; without it, the one of the tutorial.
    ///
    /// # Errors
    ///
    /// If it names none.
    pub fn of_variable(name: &str) -> dbos::Result<Self> {
        Self::listed(&text(name, TUTORIAL_SECRET)).ok_or_else(|| {
            dbos::Error::Configuration(format!("{name} names no secret; webhooks could be neither signed nor believed"))
        })
    }

    /// The secrets in this text, with commas between. `None` if there is none.
    pub fn listed(text: &str) -> Option<Self> {
        let secrets: Vec<_> =
            text.split(',').map(str::trim).filter(|secret| !secret.is_empty()).map(str::to_owned).collect();
        (!secrets.is_empty()).then_some(Self(secrets))
    }

    /// The header for a body that is sent now.
    pub fn sign(&self, body: &[u8], now: SystemTime) -> String {
        let time = seconds(now).to_string();
        let signatures: Vec<_> = self.signatures(&time, body).map(|signature| format!("v1={signature}")).collect();
        format!("t={time},{}", signatures.join(","))
    }

    /// Whether the header is one that a holder of any of the secrets has made for this body a short while ago.
    ///
    /// # Errors
    ///
    /// [`Forged`] says why not.
    pub fn verify(&self, header: &str, body: &[u8], now: SystemTime) -> Result<(), Forged> {
        let Header { time, signatures } = Header::read(header).ok_or(Forged::Unreadable)?;
        let signed_at: u64 = time.parse().map_err(|_| Forged::Unreadable)?;
        if signed_at.abs_diff(seconds(now)) > TOLERANCE.as_secs() {
            return Err(Forged::Untimely);
        }
        // All are compared to the last byte, so that the time this takes tells nothing.
        let fits = self.signatures(time, body).fold(Choice::from(0), |fits, expected| {
            signatures.iter().fold(fits, |fits, given| fits | expected.as_bytes().ct_eq(given.as_bytes()))
        });
        if bool::from(fits) { Ok(()) } else { Err(Forged::Wrong) }
    }

    fn signatures(&self, time: &str, body: &[u8]) -> impl Iterator<Item = String> {
        self.0.iter().map(move |secret| {
            let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a secret may have any length");
            let mac = mac.chain_update(time).chain_update(".").chain_update(body);
            hex::encode(mac.finalize().into_bytes())
        })
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} secrets", self.0.len())
    }
}

/// The parts of a header. Those with other names are for other receivers.
struct Header<'h> {
    time: &'h str,
    signatures: Vec<&'h str>,
}

impl<'h> Header<'h> {
    fn read(text: &'h str) -> Option<Self> {
        let (mut time, mut signatures) = (None, Vec::new());
        for part in text.split(',') {
            match part.split_once('=')? {
                ("t", _) if time.is_some() => return None,
                ("t", value) => time = Some(value),
                ("v1", value) => signatures.push(value),
                _ => {}
            }
        }
        (!signatures.is_empty()).then_some(Self { time: time?, signatures })
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"event_id":"1","payment_status":"paid"}"#;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn secrets(text: &str) -> Secrets {
        Secrets::listed(text).expect("a secret")
    }

    #[test]
    fn a_signature_is_what_any_other_program_would_make() {
        // printf '1700000000.hello' | openssl dgst -sha256 -hmac secret
        let expected = "47b1df0ab12338b2685470b0d2b37033add7c3b2bc8172f313e77413f1bb78c8";
        assert_eq!(secrets("secret").sign(b"hello", at(1_700_000_000)), format!("t=1700000000,v1={expected}"));
    }

    #[test]
    fn what_was_signed_is_believed_for_five_minutes_either_way() {
        let header = secrets("old").sign(BODY, at(10_000));
        for (now, verdict) in [
            (10_000, Ok(())),
            (10_300, Ok(())),
            (9_700, Ok(())),
            (10_301, Err(Forged::Untimely)),
            (9_699, Err(Forged::Untimely)),
            (0, Err(Forged::Untimely)),
        ] {
            assert_eq!(secrets("old").verify(&header, BODY, at(now)), verdict, "at {now}");
        }
    }

    #[test]
    fn a_secret_can_be_replaced_without_a_webhook_lost() {
        let now = at(10_000);
        for (sender, receiver, believed) in [
            ("old", "old", true),
            ("old", "new,old", true),
            ("new", "new,old", true),
            ("old, new", "new", true),
            ("new", "new", true),
            ("old", "new", false),
        ] {
            let header = secrets(sender).sign(BODY, now);
            assert_eq!(secrets(receiver).verify(&header, BODY, now).is_ok(), believed, "{sender} to {receiver}");
        }
    }

    #[test]
    fn no_bit_of_body_or_header_can_be_changed() {
        let (secrets, now) = (secrets("secret"), at(10_000));
        let header = secrets.sign(BODY, now);
        for bit in 0..BODY.len() * 8 {
            let mut body = BODY.to_vec();
            body[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(secrets.verify(&header, &body, now), Err(Forged::Wrong), "bit {bit} of the body");
        }
        for bit in 0..header.len() * 8 {
            let mut changed = header.clone().into_bytes();
            changed[bit / 8] ^= 1 << (bit % 8);
            let Ok(changed) = String::from_utf8(changed) else { continue };
            assert!(secrets.verify(&changed, BODY, now).is_err(), "bit {bit} of the header: {changed}");
        }
        assert_eq!(secrets.verify(&header, &BODY[1..], now), Err(Forged::Wrong));
        assert_eq!(secrets.verify(&header, &[BODY, b"\n"].concat(), now), Err(Forged::Wrong));
    }

    #[test]
    fn a_header_of_any_other_shape_is_refused() {
        let (secrets, now) = (secrets("secret"), at(10_000));
        let header = secrets.sign(BODY, now);
        let signature = header.split_once("v1=").expect("a signature").1;
        for forged in [
            String::new(),
            "rubbish".to_owned(),
            signature.to_owned(),
            "t=10000".to_owned(),
            "t=10000,v1=".to_owned(),
            "t=10000,v1=00".to_owned(),
            format!("v1={signature}"),
            format!("t=,v1={signature}"),
            format!("t=+10000,v1={signature}"),
            format!("t=010000,v1={signature}"),
            format!("t=10000,t=10000,v1={signature}"),
            format!("t=10000,v0={signature}"),
            format!("t=10000, v1={signature}"),
            format!("t=10000,v1={}", signature.to_uppercase()),
            format!("t=10000,v1={signature}00"),
            format!("t=99999999999999999999,v1={signature}"),
        ] {
            assert!(secrets.verify(&forged, BODY, now).is_err(), "{forged}");
        }
        for length in 0..signature.len() {
            let truncated = format!("t=10000,v1={}", &signature[..length]);
            assert_eq!(secrets.verify(&truncated, BODY, now), Err(Forged::Wrong), "{length} digits");
        }
    }

    #[test]
    fn no_secret_is_no_empty_secret() {
        for text in ["", " ", ",", " , "] {
            assert!(Secrets::listed(text).is_none(), "`{text}`");
        }
        assert_eq!(format!("{:?}", secrets("one,two")), "2 secrets");
    }
}
