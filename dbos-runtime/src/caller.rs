//! On whose behalf code runs: what a request lends to the workflow it starts, and what it wants to know of it.

use std::future::Future;
use std::sync::{Arc, OnceLock};

tokio::task_local! {
    static CALLER: Arc<Caller>;
}

/// Whoever waits for an answer.
#[derive(Debug, Default)]
pub(crate) struct Caller {
    /// The first workflow that was started for it.
    started: OnceLock<String>,
}

impl Caller {
    /// The id of the first workflow that was started for it, or attached to.
    #[cfg(feature = "http")]
    pub(crate) fn started(&self) -> Option<&str> {
        self.started.get().map(String::as_str)
    }

    /// Runs `future` on its behalf.
    #[cfg(feature = "http")]
    pub(crate) async fn scope<F: Future>(self: Arc<Self>, future: F) -> F::Output {
        CALLER.scope(self, future).await
    }
}

/// Tells the caller, if there is one, that its workflow has this id.
pub(crate) fn note_started(workflow: &str) {
    CALLER.try_with(|caller| caller.started.set(workflow.to_owned())).ok();
}
