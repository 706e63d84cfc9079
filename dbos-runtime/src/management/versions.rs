//! The versions of the application.

use super::Manager;
use crate::error::{Error, Result};
use crate::step::{Question, StepCall};
use crate::store::versions::ApplicationVersion;

impl Manager {
    /// All that were launched, the latest first.
    pub(crate) async fn versions(&self, application: &str) -> Result<Vec<ApplicationVersion>> {
        self.store().versions(application).await
    }

    /// Makes one of them the latest.
    pub(crate) async fn set_latest_version(&self, application: &str, version: &str) -> Result<()> {
        let now_ms = self.now_ms().await?;
        if self.store().set_latest_version(application, version, now_ms).await? {
            return Ok(());
        }
        let reason = format!("`{application}` has never been launched under `{version}`");
        Err(Error::InvalidKey { what: "version".to_owned(), reason })
    }
}

#[track_caller]
pub(crate) fn list_versions() -> StepCall<'static, Result<Vec<ApplicationVersion>>> {
    let question = Question::here("DBOS.listApplicationVersions");
    StepCall::operation(question.answer(|executor| async move {
        let application = executor.application.clone();
        Manager::Engine(executor).versions(&application).await
    }))
}

#[track_caller]
pub(crate) fn set_latest_version(version: String) -> StepCall<'static, Result<()>> {
    let question = Question::here("DBOS.setLatestApplicationVersion");
    StepCall::operation(question.answer(|executor| async move {
        let application = executor.application.clone();
        Manager::Engine(executor).set_latest_version(&application, &version).await
    }))
}
