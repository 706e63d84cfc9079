//! Marking workflows, and giving them another place in their queue.

use serde::Serialize;
use serde_json::{Map, Value};

use super::{Manager, nobody};
use crate::codec::read_attributes;
use crate::error::Result;
use crate::queue::check_priority;
use crate::step::{Question, StepCall};
use crate::store::attributes::Update;

impl Manager {
    pub(crate) async fn update_attributes(
        &self,
        workflow: &str,
        attributes: &Map<String, Value>,
        update: Update,
    ) -> Result<()> {
        let now_ms = self.now_ms().await?;
        let found = self.store().update_attributes(workflow, attributes, update, now_ms).await?;
        if found { Ok(()) } else { Err(nobody(workflow)) }
    }

    /// No effect on one that waits in no queue.
    pub(crate) async fn set_priority(&self, workflow: &str, priority: u32) -> Result<()> {
        check_priority(priority)?;
        let waits = self.store().set_priority(workflow, priority, self.now_ms().await?).await?;
        if waits || self.store().exists(workflow).await? { Ok(()) } else { Err(nobody(workflow)) }
    }
}

#[track_caller]
pub(crate) fn update_attributes(
    workflow: String,
    attributes: &impl Serialize,
    update: Update,
) -> StepCall<'static, Result<()>> {
    let question = Question::here("DBOS.updateWorkflowAttributes");
    let attributes = read_attributes(attributes);
    StepCall::operation(question.answer(move |executor| async move {
        Manager::Engine(executor).update_attributes(&workflow, &attributes?, update).await
    }))
}

#[track_caller]
pub(crate) fn set_priority(workflow: String, priority: u32) -> StepCall<'static, Result<()>> {
    let question = Question::here("DBOS.setWorkflowPriority");
    StepCall::operation(
        question
            .answer(move |executor| async move { Manager::Engine(executor).set_priority(&workflow, priority).await }),
    )
}
