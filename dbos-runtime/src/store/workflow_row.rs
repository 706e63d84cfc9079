//! A row of `workflow_status` as people and programs see it.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::sql::Row;
use super::tx::Scalar;
use crate::status::Status;

/// The columns that [`WorkflowStatus::read`] reads, of the table `workflow`.
macro_rules! workflow_columns {
    () => {
        "workflow.workflow_uuid, workflow.name, workflow.status, workflow.executor_id, workflow.application_name,
         workflow.application_version, workflow.queue_name, workflow.recovery_attempts, workflow.parent_workflow_id,
         workflow.created_at, workflow.updated_at, workflow.started_at_epoch_ms, workflow.completed_at,
         workflow.workflow_timeout_ms, workflow.workflow_deadline_epoch_ms, workflow.creator_xid,
         workflow.authenticated_user, workflow.authenticated_roles, workflow.assumed_role,
         CAST(workflow.attributes AS TEXT) AS attributes, workflow.forked_from, workflow.was_forked_from,
         workflow.deduplication_id, CAST(workflow.priority AS BIGINT) AS priority, workflow.queue_partition_key,
         workflow.delay_until_epoch_ms, workflow.schedule_name"
    };
}
pub(super) use workflow_columns;

/// A workflow as its row tells it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
#[non_exhaustive]
pub struct WorkflowStatus {
    /// The workflow's id.
    pub workflow_id: String,
    /// Its function.
    pub name: String,
    /// Where it stands; `None` if another library wrote a status unknown here.
    pub status: Option<Status>,
    /// That status, as it is written.
    pub unknown_status: Option<String>,
    /// The executor that runs it or ran it last.
    pub executor_id: Option<String>,
    /// The application it belongs to.
    pub application_name: Option<String>,
    /// The version of the application it was started under.
    pub application_version: Option<String>,
    /// The queue it waits in or came from.
    pub queue_name: Option<String>,
    /// How often it was started or recovered.
    pub recovery_attempts: i64,
    /// The workflow that started it as a child.
    pub parent_workflow_id: Option<String>,
    /// When it was started, in milliseconds since 1970.
    pub created_at_ms: i64,
    /// When its row changed last.
    pub updated_at_ms: i64,
    /// When it left a queue.
    pub dequeued_at_ms: Option<i64>,
    /// When it ended.
    pub completed_at_ms: Option<i64>,
    /// How long it may take.
    pub timeout_ms: Option<i64>,
    /// When it is cancelled if it has not ended.
    pub deadline_ms: Option<i64>,
    /// The user on whose behalf it runs.
    pub authenticated_user: Option<String>,
    /// What that user may act as.
    pub authenticated_roles: Vec<String>,
    /// The role that opened the way.
    pub assumed_role: Option<String>,
    /// What it was marked with, a JSON object.
    pub attributes: Option<Json>,
    /// The workflow it is a fork of.
    pub forked_from: Option<String>,
    /// Whether it has been forked.
    pub was_forked: bool,
    /// What it is alone with in its queue.
    pub deduplication_id: Option<String>,
    /// Its place in its queue: lower goes first.
    pub priority: i64,
    /// Its part of a queue that has parts.
    pub partition_key: Option<String>,
    /// When its delay has passed.
    pub delayed_until_ms: Option<i64>,
    /// The schedule that started it.
    pub schedule_name: Option<String>,
    /// What it was given, as it is stored; read only where [`with_inputs`](crate::WorkflowFilter::with_inputs) asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inputs: Option<String>,
    /// What it gave, as it is stored; read only where [`with_outputs`](crate::WorkflowFilter::with_outputs) asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// The error it gave, as it is stored; read along with the output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The columns that hold what cannot be read, and why. Their fields are as if they were empty.
    pub unreadable: Vec<String>,
    #[serde(skip)]
    pub(crate) creator: Option<String>,
    /// What it was given, for whoever starts it again.
    #[serde(skip)]
    pub(crate) given: Option<String>,
}

impl WorkflowStatus {
    /// The status as it is written in the row.
    #[must_use]
    pub fn status_text(&self) -> &str {
        match self.status {
            Some(status) => status.as_str(),
            None => self.unknown_status.as_deref().unwrap_or_default(),
        }
    }

    /// Reads a row. Other libraries and other hands write these rows too, so what cannot be read is
    /// noted and passed over: it must not hide the rest of the row, nor the other rows of a list.
    pub(super) fn read(row: &Row) -> Self {
        let mut columns = Columns::of(row);
        let written: Option<String> = columns.read("status");
        let status = written.as_deref().and_then(Status::parse);
        Self {
            workflow_id: columns.or_default("workflow_uuid"),
            name: columns.or_default("name"),
            status,
            unknown_status: written.filter(|_| status.is_none()),
            executor_id: columns.read("executor_id"),
            application_name: columns.read("application_name"),
            application_version: columns.read("application_version"),
            queue_name: columns.read("queue_name"),
            recovery_attempts: columns.or_default("recovery_attempts"),
            parent_workflow_id: columns.read("parent_workflow_id"),
            created_at_ms: columns.or_default("created_at"),
            updated_at_ms: columns.or_default("updated_at"),
            dequeued_at_ms: columns.read("started_at_epoch_ms"),
            completed_at_ms: columns.read("completed_at"),
            timeout_ms: columns.read("workflow_timeout_ms"),
            deadline_ms: columns.read("workflow_deadline_epoch_ms"),
            authenticated_user: columns.read("authenticated_user"),
            authenticated_roles: columns.json("authenticated_roles").unwrap_or_default(),
            assumed_role: columns.read("assumed_role"),
            attributes: columns.json("attributes"),
            forked_from: columns.read("forked_from"),
            was_forked: columns.or_default("was_forked_from"),
            deduplication_id: columns.read("deduplication_id"),
            priority: columns.or_default("priority"),
            partition_key: columns.read("queue_partition_key"),
            delayed_until_ms: columns.read("delay_until_epoch_ms"),
            schedule_name: columns.read("schedule_name"),
            creator: columns.read("creator_xid"),
            given: None,
            inputs: None,
            output: None,
            error: None,
            unreadable: columns.unreadable,
        }
    }

    /// The same for a row that has the payloads, where they were asked for.
    pub(super) fn read_with_payloads(row: &Row) -> Self {
        let mut columns = Columns::of(row);
        let (inputs, output, error) = (columns.read("inputs"), columns.read("output"), columns.read("error"));
        let mut status = Self::read(row);
        status.unreadable.extend(columns.unreadable);
        Self { inputs, output, error, ..status }
    }
}

/// The columns of a row, read one by one; those that cannot be read are empty, and noted.
pub(super) struct Columns<'r> {
    row: &'r Row,
    pub(super) unreadable: Vec<String>,
}

impl<'r> Columns<'r> {
    pub(super) fn of(row: &'r Row) -> Self {
        Self { row, unreadable: Vec::new() }
    }

    pub(super) fn read<T>(&mut self, name: &str) -> Option<T>
    where
        Option<T>: Scalar,
    {
        self.row.get(name).unwrap_or_else(|error| {
            self.unreadable.push(format!("{name}: {error}"));
            None
        })
    }

    pub(super) fn or_default<T: Default>(&mut self, name: &str) -> T
    where
        Option<T>: Scalar,
    {
        self.read(name).unwrap_or_default()
    }

    /// What a column holds as JSON. Other libraries write `null`, or an empty text, for nothing.
    fn json<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        let text: String = self.read(name).filter(|text: &String| !text.is_empty())?;
        serde_json::from_str::<Option<T>>(&text).unwrap_or_else(|error| {
            self.unreadable.push(format!("{name}: {error}"));
            None
        })
    }
}
