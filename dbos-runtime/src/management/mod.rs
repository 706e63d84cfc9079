//! What people and programs may do to workflows from outside: list them, look into them, cancel, resume, fork, rewind
//! and delete them. A running engine does it, or a terminal that has nothing but the database.

// Some of it is for terminals and the admin server alone, which come with the feature.
#![cfg_attr(not(feature = "http"), allow(dead_code, unused_imports))]

mod aggregates;
mod attributes;
mod cancel;
mod delete;
mod details;
mod export;
mod fork;
mod import;
mod many;
mod queues;
mod recover;
mod rename;
mod report;
mod resume;
mod retention;
mod rewind;
mod start_from;
mod target;
mod versions;
mod schedules;
mod update_schedule;

use std::sync::Arc;

use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::executor::{Executor, Signal};
use crate::status::Status;
use crate::step::{Question, StepCall};
use crate::store::Store;
use crate::store::filter::WorkflowFilter;
use crate::store::notify::tell_now;
use crate::store::steps::StepStatus;
use crate::store::workflow_row::WorkflowStatus;
use crate::wakeup::Fact;

pub(crate) use aggregates::{count_steps, count_workflows};
pub(crate) use attributes::{set_priority, update_attributes};
pub use cancel::CancelWorkflow;
pub(crate) use cancel::{Reach, cancel_started_before, cancel_workflow};
pub use delete::DeleteWorkflow;
pub(crate) use delete::delete_workflow;
pub(crate) use details::{Details, Payload};
pub(crate) use export::{Scope, export_workflow};
pub use fork::ForkWorkflow;
pub(crate) use fork::{Forking, fork_workflow};
pub(crate) use import::import_workflows;
pub use many::{CancelWorkflows, DeleteWorkflows, ForkWorkflows, ResumeWorkflows, RewindWorkflows};
pub(crate) use many::{cancel_workflows, delete_workflows, fork_workflows, resume_workflows, rewind_workflows};
pub use queues::ChangeQueue;
pub(crate) use queues::{
    Change as QueueChange, change_queue, delete_queue, list_queues, pause_queue, queue, resume_queue,
};
pub(crate) use rename::rename_application;
pub(crate) use report::Verb;
pub use report::{ReportedOutcome, WorkflowReport};
pub use resume::ResumeWorkflow;
pub(crate) use resume::resume_workflow;
pub(crate) use retention::garbage_collect;
pub use rewind::RewindWorkflow;
pub(crate) use rewind::rewind_workflow;
pub use schedules::{Schedule, ScheduleFilter};
pub(crate) use schedules::{
    backfill_schedule, create_schedule, delete_schedule, get_schedule, list_schedules, pause_schedule, resume_schedule,
    trigger_schedule,
};
pub(crate) use start_from::Rerun;
pub use start_from::StartFrom;
pub use update_schedule::UpdateSchedule;
pub(crate) use update_schedule::update_schedule;
pub(crate) use versions::{list_versions, set_latest_version};

/// Who manages.
#[derive(Clone)]
pub(crate) enum Manager {
    /// An engine, which may run the workflows itself.
    Engine(Arc<Executor>),
    /// A process that runs none.
    Database(Store),
}

/// What became of a workflow that was to be changed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    /// It was changed, and so were these of its descendants.
    Made { descendants: Vec<String> },
    /// This new workflow was made of it.
    Forked { workflow: String },
    /// It has ended so, and stays as it is. These of its descendants were changed.
    Ended { status: Option<Status>, descendants: Vec<String> },
}

impl Manager {
    /// The workflows that `filter` asks for.
    pub(crate) async fn list(&self, filter: &WorkflowFilter) -> Result<Vec<WorkflowStatus>> {
        self.store().list_workflows(filter).await
    }

    /// One workflow.
    pub(crate) async fn workflow(&self, workflow: &str) -> Result<WorkflowStatus> {
        self.store().workflow_status(workflow).await?.ok_or_else(|| nobody(workflow))
    }

    /// One workflow with what it was given and what it gave.
    pub(crate) async fn details(&self, workflow: &str) -> Result<Details> {
        let status = self.workflow(workflow).await?;
        let payloads = self.store().payloads(workflow).await?.ok_or_else(|| nobody(workflow))?;
        Ok(Details::new(status, payloads))
    }

    /// The recorded steps of a workflow.
    pub(crate) async fn steps(&self, workflow: &str) -> Result<Vec<StepStatus>> {
        let steps = self.store().list_steps(workflow).await?;
        if steps.is_empty() && !self.store().exists(workflow).await? {
            return Err(nobody(workflow));
        }
        Ok(steps)
    }

    fn store(&self) -> &Store {
        match self {
            Self::Engine(executor) => &executor.store,
            Self::Database(store) => store,
        }
    }

    /// The time that rows carry: by the clock the workflows live by.
    pub(crate) async fn now_ms(&self) -> Result<i64> {
        match self {
            Self::Engine(executor) => Ok(executor.clock.now_ms()),
            Self::Database(_) => self.lease_now_ms().await,
        }
    }

    /// The time that leases are told by, which is the database's in any case.
    async fn lease_now_ms(&self) -> Result<i64> {
        Ok(self.store().database_now_ms().await?.unwrap_or_else(|| Clock::new().now_ms()))
    }

    async fn tell(&self, fact: &Fact) {
        match self {
            Self::Engine(executor) => executor.notifier.told(fact),
            Self::Database(store) => tell_now(store, fact).await,
        }
    }

    /// Its run stops at once if it is here; elsewhere its executor finds out within a second.
    async fn was_cancelled(&self, workflow: &str) {
        if let Self::Engine(executor) = self {
            executor.stop_run(workflow, Signal::Cancelled);
        }
        self.tell(&Fact::Ended { workflow: workflow.to_owned() }).await;
    }
}

fn nobody(workflow: &str) -> Error {
    Error::NonExistentWorkflow { workflow: workflow.to_owned() }
}

#[track_caller]
pub(crate) fn list_workflows(filter: WorkflowFilter) -> StepCall<'static, Result<Vec<WorkflowStatus>>> {
    let question = Question::here("DBOS.listWorkflows");
    StepCall::operation(question.answer(|executor| async move { Manager::Engine(executor).list(&filter).await }))
}

#[track_caller]
pub(crate) fn list_steps(workflow: String) -> StepCall<'static, Result<Vec<StepStatus>>> {
    let question = Question::here("DBOS.listWorkflowSteps");
    StepCall::operation(question.answer(|executor| async move { Manager::Engine(executor).steps(&workflow).await }))
}
