//! A row of `workflow_status` as people and programs see it.

use serde::{Deserialize, Serialize};

use super::sql::Row;
use super::tx::Scalar;
use crate::status::Status;

/// A workflow as its row tells it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
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
    /// The columns that hold what cannot be read, and why. Their fields are as if they were empty.
    pub unreadable: Vec<String>,
    #[serde(skip)]
    pub(crate) creator: Option<String>,
    /// Read where they are asked for only.
    #[serde(skip)]
    pub(crate) inputs: Option<String>,
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
            creator: columns.read("creator_xid"),
            inputs: None,
            unreadable: columns.unreadable,
        }
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
}
