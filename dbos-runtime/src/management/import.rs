//! Importing what another database has exported.

use super::Manager;
use crate::error::{Error, Result};
use crate::history::Histories;
use crate::status::Status;
use crate::step::{Question, StepCall};
use crate::store::archive::Import;

impl Manager {
    /// Puts the workflows of a file into the tables, all or none of them, and gives their ids. One that has not ended is
    /// refused: it may run where it comes from.
    pub(crate) async fn import(&self, histories: &Histories) -> Result<Vec<String>> {
        let has_ended = |status: &str| Status::parse(status).is_some_and(Status::is_terminal);
        if let Some(open) = histories.workflows.iter().find(|workflow| !has_ended(&workflow.status)) {
            return Err(Error::NotEnded { workflow: open.workflow_id.clone(), status: open.status.clone() });
        }
        match self.store().import(&histories.workflows, self.now_ms().await?).await? {
            Import::Done => Ok(histories.workflows.iter().map(|workflow| workflow.workflow_id.clone()).collect()),
            Import::Taken(workflow) => Err(Error::AlreadyStarted { workflow }),
        }
    }
}

#[track_caller]
pub(crate) fn import_workflows(exported: String) -> StepCall<'static, Result<Vec<String>>> {
    let question = Question::here("DBOS.importWorkflow");
    StepCall::operation(question.answer(|executor| async move {
        let histories = Histories::read(&exported)
            .map_err(|error| Error::InvalidKey { what: "the export".to_owned(), reason: error.to_string() })?;
        Manager::Engine(executor).import(&histories).await
    }))
}
