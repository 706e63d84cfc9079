//! Deleting what ended long ago, when somebody asks for it.

use std::time::Duration;

use super::Manager;
use crate::clock::pause;
use crate::config::Retention;
use crate::error::Result;
use crate::step::{Question, StepCall};

/// How long another process is left alone with it.
const TURN: Duration = Duration::from_millis(100);

impl Manager {
    /// Deletes the workflows of `application` that `retention` does not keep, and says how many.
    pub(crate) async fn collect_garbage(&self, application: &str, retention: Retention) -> Result<usize> {
        let now_ms = self.now_ms().await?;
        loop {
            if let Some(deleted) = self.store().delete_expired(application, retention, now_ms).await? {
                return Ok(deleted);
            }
            pause(TURN).await;
        }
    }
}

#[track_caller]
pub(crate) fn garbage_collect(retention: Retention) -> StepCall<'static, Result<usize>> {
    let question = Question::here("DBOS.garbageCollect");
    StepCall::operation(question.answer(move |executor| async move {
        let application = executor.application.clone();
        Manager::Engine(executor).collect_garbage(&application, retention).await
    }))
}
