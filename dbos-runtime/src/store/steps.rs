//! `operation_outputs`: the history of a workflow.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::Store;
use super::backend::Access;
use super::sql::{Row, Statement};
use super::workflow_row::Columns;
use crate::error::{Error, Result};

/// A recorded step as people and programs see it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
#[non_exhaustive]
pub struct StepStatus {
    /// Its number in the order of the calls, from 1.
    pub step_id: i64,
    /// The step's function, the child's function, or `DBOS.…` for an operation of the library.
    pub name: String,
    /// The child it started or awaited.
    pub child_workflow_id: Option<String>,
    /// When it began, in milliseconds since 1970.
    pub started_at_ms: Option<i64>,
    /// When it ended; when a sleep will have ended.
    pub completed_at_ms: Option<i64>,
    /// What it gave, as it is stored: JSON, unless another library wrote it.
    pub output: Option<String>,
    /// The error it gave, as it is stored.
    pub error: Option<String>,
    /// How that is written; `None` if it gave nothing.
    pub serialization: Option<String>,
    /// The columns that hold what cannot be read, and why. Their fields are as if they were empty.
    pub unreadable: Vec<String>,
}

/// What is recorded of one step.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct RecordedStep {
    pub(crate) name: String,
    pub(crate) output: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) child: Option<String>,
}

/// A workflow's steps by id.
pub(crate) type History = HashMap<u32, RecordedStep>;

/// What a refused write finds when it looks why.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// Who owns the run now.
    pub(crate) owner: Option<String>,
    /// What is recorded at the step's id.
    pub(crate) recorded: Option<RecordedStep>,
}

impl Store {
    /// Everything recorded of `workflow`.
    pub(crate) async fn read_history(&self, workflow: &str) -> Result<History> {
        let statement = Statement::new(
            "SELECT CAST(function_id AS BIGINT) AS function_id, function_name, output, error, child_workflow_id
               FROM dbos.operation_outputs
              WHERE workflow_uuid = $1",
        )
        .bind(workflow);
        let rows = self.insist("read the history of a workflow", Access::Read, &statement).await?;
        let history: sqlx::Result<History> =
            rows.iter().map(|row| Ok((row.step_id("function_id")?, recorded_step(row)?))).collect();
        history.map_err(|error| Error::database("read the history of a workflow", error))
    }

    /// The recorded steps of `workflow`, in the order of their calls.
    pub(crate) async fn list_steps(&self, workflow: &str) -> Result<Vec<StepStatus>> {
        let statement = Statement::new(
            "SELECT CAST(function_id AS BIGINT) AS function_id, function_name, child_workflow_id,
                    started_at_epoch_ms, completed_at_epoch_ms, output, error, serialization
               FROM dbos.operation_outputs
              WHERE workflow_uuid = $1
              ORDER BY function_id",
        )
        .bind(workflow);
        let rows = self.insist("list the steps of a workflow", Access::Read, &statement).await?;
        Ok(rows.iter().map(step_status).collect())
    }

    /// Why a write for `step` was refused.
    pub(crate) async fn explain_refusal(&self, workflow: &str, step: u32) -> Result<Refusal> {
        let statement = Statement::new(
            "SELECT workflow.owner_xid, step.function_name, step.output, step.error, step.child_workflow_id
               FROM dbos.workflow_status AS workflow
               LEFT JOIN dbos.operation_outputs AS step
                 ON step.workflow_uuid = workflow.workflow_uuid AND step.function_id = $2
              WHERE workflow.workflow_uuid = $1",
        )
        .bind(workflow)
        .bind(step);
        // The writer's connection: it sees what the refused write saw.
        let rows = self.insist("look why a step was refused", Access::Write, &statement).await?;
        let Some(row) = rows.first() else { return Ok(Refusal { owner: None, recorded: None }) };
        let read = |error| Error::database("look why a step was refused", error);
        let recorded = match row.get::<Option<String>>("function_name").map_err(read)? {
            Some(_) => Some(recorded_step(row).map_err(read)?),
            None => None,
        };
        Ok(Refusal { owner: row.get("owner_xid").map_err(read)?, recorded })
    }
}

fn step_status(row: &Row) -> StepStatus {
    let mut columns = Columns::of(row);
    StepStatus {
        step_id: columns.or_default("function_id"),
        name: columns.or_default("function_name"),
        child_workflow_id: columns.read("child_workflow_id"),
        started_at_ms: columns.read("started_at_epoch_ms"),
        completed_at_ms: columns.read("completed_at_epoch_ms"),
        output: columns.read("output"),
        error: columns.read("error"),
        serialization: columns.read("serialization"),
        unreadable: columns.unreadable,
    }
}

pub(super) fn recorded_step(row: &Row) -> sqlx::Result<RecordedStep> {
    Ok(RecordedStep {
        name: row.text("function_name")?,
        output: row.get("output")?,
        error: row.get("error")?,
        child: row.get("child_workflow_id")?,
    })
}
