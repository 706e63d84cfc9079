//! What operating systems do each in their own way. Nothing else in the runtime knows which of them it runs on.

#[cfg(feature = "http")]
mod signals;

#[cfg(feature = "http")]
pub(crate) use signals::Signals;

/// Tells one run of the operating system from another, where it says so: on Linux.
pub(crate) fn boot_id() -> Option<String> {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok().map(|text| text.trim().to_owned())
}
