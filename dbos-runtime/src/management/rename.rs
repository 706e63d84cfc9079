//! Renaming an application: all that was the old name's is the new one's.

use super::Manager;
use crate::error::{Error, Result};
use crate::id::check_key;
use crate::service::identity::is_dead;
use crate::step::{Question, StepCall};
use crate::store::renaming::{RenamedApplication, Renaming};
use crate::wakeup::Fact;

impl Manager {
    /// Gives all that belongs to the application `old` to `new`, all of it or nothing.
    pub(crate) async fn rename_application(&self, old: &str, new: &str) -> Result<RenamedApplication> {
        check_key("application name", old)?;
        check_key("application name", new)?;
        if old == new {
            let reason = format!("`{old}` is its name already");
            return Err(Error::InvalidKey { what: "application name".to_owned(), reason });
        }
        let now_ms = self.lease_now_ms().await?;
        let store = self.store();
        match store.rename_application(old, new, |executor| !is_dead(executor, store, now_ms)).await? {
            Renaming::InUse(executor) => Err(Error::ApplicationInUse { application: old.to_owned(), executor }),
            Renaming::Done(renamed) => {
                self.tell(&Fact::Queues).await;
                self.tell(&Fact::Scheduled).await;
                Ok(renamed)
            }
        }
    }
}

#[track_caller]
pub(crate) fn rename_application(old: String, new: String) -> StepCall<'static, Result<RenamedApplication>> {
    let question = Question::here("DBOS.renameApplication");
    StepCall::operation(
        question.answer(move |executor| async move { Manager::Engine(executor).rename_application(&old, &new).await }),
    )
}
