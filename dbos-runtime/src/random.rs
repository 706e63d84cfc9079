//! Randomness for those who would otherwise do the same at the same time.

use std::hash::{BuildHasher, RandomState};

/// A number in 0..1 from the hasher's random seed: enough to part competitors.
pub(crate) fn random_fraction() -> f64 {
    let bits = RandomState::new().hash_one(0_u8) >> 32;
    #[expect(clippy::cast_precision_loss, reason = "32 bits fit")]
    let fraction = bits as f64 / 4_294_967_296.0;
    fraction
}
