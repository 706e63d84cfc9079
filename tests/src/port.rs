//! Ports for the servers that the tests start.

use std::net::{TcpListener, UdpSocket};
use std::sync::{Mutex, PoisonError};

/// Below the ports that the operating system gives to connections (32768 and more on Linux, 49152 elsewhere): one of
/// those may be taken by anybody's connection before the server listens, or while it is killed and started anew.
const PORTS: std::ops::Range<u16> = 15_000..32_000;

/// Sockets of another protocol on the ports given out, which keep the other tests of this machine from them.
static RESERVED: Mutex<Vec<UdpSocket>> = Mutex::new(Vec::new());

/// A port that nobody listens on, and that no other caller gets while this process lives.
///
/// # Panics
///
/// If the machine has no free port.
#[must_use]
pub fn free_port() -> u16 {
    std::iter::repeat_with(|| fastrand::u16(PORTS))
        .take(usize::from(PORTS.end - PORTS.start))
        .find(|&port| reserve(port))
        .expect("a free port")
}

fn reserve(port: u16) -> bool {
    let Ok(reservation) = UdpSocket::bind(("127.0.0.1", port)) else { return false };
    let free = TcpListener::bind(("127.0.0.1", port)).is_ok();
    if free {
        RESERVED.lock().unwrap_or_else(PoisonError::into_inner).push(reservation);
    }
    free
}
