//! Hears what other processes tell, and keeps hearing when the line breaks.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::pause;
use crate::executor::Executor;

const RECONNECT_AFTER: Duration = Duration::from_secs(1);

/// Listens until the task is dropped. While the line is down everybody polls.
pub(crate) async fn run(executor: Arc<Executor>) {
    loop {
        let audience = executor.notifier.audience();
        match executor.store.listen(&executor.wakeups, audience).await {
            Ok(()) => tracing::debug!("lost the database's channel; connecting again"),
            Err(error) => tracing::warn!(%error, "cannot listen to the database; polling until it works again"),
        }
        // News may have been missed, and who else listens is not heard.
        audience.forget();
        executor.wakeups.wake_all();
        pause(RECONNECT_AFTER).await;
    }
}
