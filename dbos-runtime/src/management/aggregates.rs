//! Counting workflows and steps.

use super::Manager;
use crate::error::Result;
use crate::step::{Question, StepCall};
use crate::store::aggregates::{Group, Grouping};

impl Manager {
    pub(crate) async fn count_workflows(&self, grouping: &Grouping) -> Result<Vec<Group>> {
        self.store().count_workflows(grouping).await
    }

    pub(crate) async fn count_steps(&self, grouping: &Grouping) -> Result<Vec<Group>> {
        self.store().count_steps(grouping).await
    }
}

#[track_caller]
pub(crate) fn count_workflows(grouping: Grouping) -> StepCall<'static, Result<Vec<Group>>> {
    let question = Question::here("DBOS.countWorkflows");
    let count = |executor| async move { Manager::Engine(executor).count_workflows(&grouping).await };
    StepCall::operation(question.answer(count))
}

#[track_caller]
pub(crate) fn count_steps(grouping: Grouping) -> StepCall<'static, Result<Vec<Group>>> {
    let question = Question::here("DBOS.countSteps");
    let count = |executor| async move { Manager::Engine(executor).count_steps(&grouping).await };
    StepCall::operation(question.answer(count))
}
