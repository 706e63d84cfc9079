//! One request to end, whoever makes it: a signal, or a supervisor that is gone.

use std::io::{Read, stdin};
use std::thread;

use tokio::sync::watch;

use super::{cannot, supervise};
use crate::Result;
use crate::platform::Signals;

/// What a shell reports for a program ended by Ctrl-C.
pub(super) const INTERRUPTED: u8 = 130;

/// Becomes done once the program is asked to end.
#[derive(Clone, Debug)]
pub(super) struct Shutdown(watch::Receiver<bool>);

impl Shutdown {
    /// Listens from now on. A second signal ends the process where it stands.
    pub(super) fn listen() -> Result<Self> {
        let mut signals = Signals::listen().map_err(|error| cannot("listen for signals", &error))?;
        let (request, requested) = watch::channel(false);
        if supervise::is_supervised() {
            let request = request.clone();
            thread::spawn(move || {
                wait_for_end_of_input();
                request.send_replace(true);
            });
        }
        tokio::spawn(async move {
            signals.next().await;
            tracing::info!("stopping: open requests are finished first; signal again to stop at once");
            request.send_replace(true);
            signals.next().await;
            std::process::exit(INTERRUPTED.into());
        });
        Ok(Self(requested))
    }

    /// Waits for the request.
    pub(super) async fn requested(&self) {
        // The signal task holds the sender for as long as the process lives.
        let _ = self.0.clone().wait_for(|requested| *requested).await;
    }
}

/// The supervisor writes nothing; its end of the pipe closes when it ends, however it ends. A thread
/// of its own, because a read of standard input cannot be called off and would hold up the runtime.
fn wait_for_end_of_input() {
    let mut ignored = [0; 64];
    while stdin().read(&mut ignored).is_ok_and(|count| count > 0) {}
}
