//! A workflow with everything that is recorded of it, as a file.

use std::collections::{BTreeSet, VecDeque};

use super::Manager;
use crate::error::Result;
use crate::history::{Histories, StepHistory, WorkflowHistory, payload};
use crate::step::{Question, StepCall};
use crate::store::listing::Payloads;

/// How far an export reaches.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Scope {
    /// The workflows alone.
    Themselves,
    /// And those they started, and those that these started.
    WithDescendants,
}

impl Manager {
    /// What is recorded of these workflows.
    pub(crate) async fn export(&self, workflows: Vec<String>, scope: Scope) -> Result<Histories> {
        let (mut waiting, mut seen) = (VecDeque::from(workflows), BTreeSet::new());
        let mut exported = Vec::new();
        while let Some(workflow) = waiting.pop_front() {
            if !seen.insert(workflow.clone()) {
                continue;
            }
            exported.push(self.history(&workflow).await?);
            if scope == Scope::WithDescendants {
                waiting.extend(self.store().children(&workflow).await?);
            }
        }
        Ok(Histories::new(exported))
    }

    async fn history(&self, workflow: &str) -> Result<WorkflowHistory> {
        let status = self.workflow(workflow).await?;
        let payloads = self.store().payloads(workflow).await?.ok_or_else(|| super::nobody(workflow))?;
        let Payloads { serialization, inputs, output, error } = payloads;
        let steps = self.store().list_steps(workflow).await?.into_iter().map(|step| StepHistory {
            step_id: u32::try_from(step.step_id).unwrap_or_default(),
            name: step.name,
            child_workflow_id: step.child_workflow_id,
            started_at_ms: step.started_at_ms,
            completed_at_ms: step.completed_at_ms,
            serialization: step.serialization,
            output: payload(step.output),
            error: payload(step.error),
        });
        let archive = self.store().archive(workflow).await?;
        Ok(WorkflowHistory {
            steps: steps.collect(),
            status: status.status_text().to_owned(),
            workflow_id: status.workflow_id,
            name: status.name,
            parent_workflow_id: status.parent_workflow_id,
            application_name: status.application_name,
            application_version: status.application_version,
            serialization,
            created_at_ms: status.created_at_ms,
            completed_at_ms: status.completed_at_ms,
            inputs: payload(inputs),
            output: payload(output),
            error: payload(error),
            archive: Some(archive),
        })
    }
}

#[track_caller]
pub(crate) fn export_workflow(workflow: String) -> StepCall<'static, Result<String>> {
    let question = Question::here("DBOS.exportWorkflow");
    StepCall::operation(question.answer(|executor| async move {
        let exported = Manager::Engine(executor).export(vec![workflow], Scope::WithDescendants).await?;
        Ok(exported.written())
    }))
}
