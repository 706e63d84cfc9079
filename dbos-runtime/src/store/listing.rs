//! Lists of workflows: which ones, in which order, a page at a time.

use super::Store;
use super::backend::{Access, Dialect};
use super::sql::{Row, Statement, Value};
use super::workflow_row::{Columns, WorkflowStatus};
use crate::error::Result;
use crate::status::Status;

/// How many workflows a list has unless it is told.
const DEFAULT_LIMIT: u32 = 100;

/// Which workflows a list has: those that fit all that is asked for. Without anything, the newest 100.
///
/// ```
/// use dbos::{Status, WorkflowFilter};
///
/// let stuck = WorkflowFilter::new().name("checkout").status(Status::Pending).oldest_first().limit(20);
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a filter lists nothing by itself"]
pub struct WorkflowFilter {
    ids: Vec<String>,
    names: Vec<String>,
    statuses: Vec<Status>,
    application_name: Option<String>,
    application_version: Option<String>,
    executor_id: Option<String>,
    queue: Option<String>,
    parent: Option<String>,
    id_prefix: Option<String>,
    created_from_ms: Option<i64>,
    created_before_ms: Option<i64>,
    after: Option<(i64, String)>,
    order: Order,
    limit: Option<u32>,
}

#[derive(Clone, Copy, Debug, Default)]
enum Order {
    #[default]
    NewestFirst,
    OldestFirst,
}

impl WorkflowFilter {
    /// The newest 100 workflows, whatever they are.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only the one with this id; given again, that one too.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.ids.push(id.into());
        self
    }

    /// Only runs of this function; given again, of that one too.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.names.push(name.into());
        self
    }

    /// Only those that stand here; given again, there too.
    pub fn status(mut self, status: Status) -> Self {
        self.statuses.push(status);
        self
    }

    /// Only those of this application.
    pub fn application_name(mut self, name: impl Into<String>) -> Self {
        self.application_name = Some(name.into());
        self
    }

    /// Only those that were started under this version of their application.
    pub fn application_version(mut self, version: impl Into<String>) -> Self {
        self.application_version = Some(version.into());
        self
    }

    /// Only those that this executor runs or ran last.
    pub fn executor_id(mut self, executor: impl Into<String>) -> Self {
        self.executor_id = Some(executor.into());
        self
    }

    /// Only those that wait in this queue or were taken out of it.
    pub fn queue(mut self, name: impl Into<String>) -> Self {
        self.queue = Some(name.into());
        self
    }

    /// Only the children of this workflow.
    pub fn parent(mut self, workflow_id: impl Into<String>) -> Self {
        self.parent = Some(workflow_id.into());
        self
    }

    /// Only those whose id begins so.
    pub fn id_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.id_prefix = Some(prefix.into());
        self
    }

    /// Only those that were started at this instant, in milliseconds since 1970, or later.
    pub fn created_from_ms(mut self, instant_ms: i64) -> Self {
        self.created_from_ms = Some(instant_ms);
        self
    }

    /// Only those that were started before this instant, in milliseconds since 1970.
    pub fn created_before_ms(mut self, instant_ms: i64) -> Self {
        self.created_before_ms = Some(instant_ms);
        self
    }

    /// Only those that come after `last` in the order of the list: give the last workflow of one page
    /// to get the next.
    pub fn after(mut self, last: &WorkflowStatus) -> Self {
        self.after = Some((last.created_at_ms, last.workflow_id.clone()));
        self
    }

    /// The oldest first, instead of the newest.
    pub fn oldest_first(mut self) -> Self {
        self.order = Order::OldestFirst;
        self
    }

    /// At most so many; 100 if nothing is said.
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = Some(limit);
        self
    }

    fn bind_to(&self, statement: Statement, dialect: Dialect) -> Statement {
        let statuses: Vec<_> = self.statuses.iter().map(Status::to_string).collect();
        let (after_ms, after_id) = self.after.clone().unzip();
        statement
            .bind(list(&self.ids, dialect))
            .bind(list(&self.names, dialect))
            .bind(list(&statuses, dialect))
            .bind(self.application_name.clone())
            .bind(self.application_version.clone())
            .bind(self.executor_id.clone())
            .bind(self.parent.clone())
            .bind(self.id_prefix.clone())
            .bind(self.created_from_ms)
            .bind(self.created_before_ms)
            .bind(after_ms)
            .bind(after_id)
            .bind(self.limit.unwrap_or(DEFAULT_LIMIT))
            .bind(self.queue.clone())
    }
}

/// Several values as one: an array where there are arrays, else JSON.
fn list(texts: &[String], dialect: Dialect) -> Value {
    match dialect {
        Dialect::Postgres => texts.iter().cloned().map(Some).collect::<Vec<_>>().into(),
        Dialect::Sqlite => serde_json::to_string(texts).expect("strings are JSON").into(),
    }
}

/// What went in and what came out, as it is stored.
#[derive(Clone, Debug, Default)]
pub(crate) struct Payloads {
    pub(crate) serialization: Option<String>,
    pub(crate) inputs: Option<String>,
    pub(crate) output: Option<String>,
    pub(crate) error: Option<String>,
}

impl Store {
    /// The workflows that `filter` asks for, without their payloads. Values that are not asked for
    /// fold away when Postgres plans the statement, so that what is asked for finds its index.
    pub(crate) async fn list_workflows(&self, filter: &WorkflowFilter) -> Result<Vec<WorkflowStatus>> {
        let dialect = self.dialect();
        let statement = Statement::new(match (dialect, filter.order) {
            (Dialect::Postgres, Order::NewestFirst) => {
                "SELECT workflow_uuid, name, status, executor_id, application_name, application_version, queue_name,
                        recovery_attempts, parent_workflow_id, created_at, updated_at, started_at_epoch_ms,
                        completed_at, workflow_timeout_ms, workflow_deadline_epoch_ms, creator_xid
                   FROM dbos.workflow_status
                  WHERE (cardinality($1::text[]) = 0 OR workflow_uuid = ANY ($1))
                    AND (cardinality($2::text[]) = 0 OR name = ANY ($2))
                    AND (cardinality($3::text[]) = 0 OR status = ANY ($3))
                    AND ($4::text IS NULL OR application_name = $4)
                    AND ($5::text IS NULL OR application_version = $5)
                    AND ($6::text IS NULL OR executor_id = $6)
                    AND ($7::text IS NULL OR parent_workflow_id = $7)
                    AND ($14::text IS NULL OR queue_name = $14)
                    AND ($8::text IS NULL OR starts_with(workflow_uuid, $8))
                    AND ($9::bigint IS NULL OR created_at >= $9)
                    AND ($10::bigint IS NULL OR created_at < $10)
                    AND ($11::bigint IS NULL OR (created_at, workflow_uuid) < ($11, $12))
                  ORDER BY created_at DESC, workflow_uuid DESC
                  LIMIT $13"
            }
            (Dialect::Postgres, Order::OldestFirst) => {
                "SELECT workflow_uuid, name, status, executor_id, application_name, application_version, queue_name,
                        recovery_attempts, parent_workflow_id, created_at, updated_at, started_at_epoch_ms,
                        completed_at, workflow_timeout_ms, workflow_deadline_epoch_ms, creator_xid
                   FROM dbos.workflow_status
                  WHERE (cardinality($1::text[]) = 0 OR workflow_uuid = ANY ($1))
                    AND (cardinality($2::text[]) = 0 OR name = ANY ($2))
                    AND (cardinality($3::text[]) = 0 OR status = ANY ($3))
                    AND ($4::text IS NULL OR application_name = $4)
                    AND ($5::text IS NULL OR application_version = $5)
                    AND ($6::text IS NULL OR executor_id = $6)
                    AND ($7::text IS NULL OR parent_workflow_id = $7)
                    AND ($14::text IS NULL OR queue_name = $14)
                    AND ($8::text IS NULL OR starts_with(workflow_uuid, $8))
                    AND ($9::bigint IS NULL OR created_at >= $9)
                    AND ($10::bigint IS NULL OR created_at < $10)
                    AND ($11::bigint IS NULL OR (created_at, workflow_uuid) > ($11, $12))
                  ORDER BY created_at, workflow_uuid
                  LIMIT $13"
            }
            (Dialect::Sqlite, Order::NewestFirst) => {
                "SELECT workflow_uuid, name, status, executor_id, application_name, application_version, queue_name,
                        recovery_attempts, parent_workflow_id, created_at, updated_at, started_at_epoch_ms,
                        completed_at, workflow_timeout_ms, workflow_deadline_epoch_ms, creator_xid
                   FROM dbos.workflow_status
                  WHERE (json_array_length($1) = 0 OR workflow_uuid IN (SELECT value FROM json_each($1)))
                    AND (json_array_length($2) = 0 OR name IN (SELECT value FROM json_each($2)))
                    AND (json_array_length($3) = 0 OR status IN (SELECT value FROM json_each($3)))
                    AND ($4 IS NULL OR application_name = $4)
                    AND ($5 IS NULL OR application_version = $5)
                    AND ($6 IS NULL OR executor_id = $6)
                    AND ($7 IS NULL OR parent_workflow_id = $7)
                    AND ($14 IS NULL OR queue_name = $14)
                    AND ($8 IS NULL OR substr(workflow_uuid, 1, length($8)) = $8)
                    AND ($9 IS NULL OR created_at >= $9)
                    AND ($10 IS NULL OR created_at < $10)
                    AND ($11 IS NULL OR (created_at, workflow_uuid) < ($11, $12))
                  ORDER BY created_at DESC, workflow_uuid DESC
                  LIMIT $13"
            }
            (Dialect::Sqlite, Order::OldestFirst) => {
                "SELECT workflow_uuid, name, status, executor_id, application_name, application_version, queue_name,
                        recovery_attempts, parent_workflow_id, created_at, updated_at, started_at_epoch_ms,
                        completed_at, workflow_timeout_ms, workflow_deadline_epoch_ms, creator_xid
                   FROM dbos.workflow_status
                  WHERE (json_array_length($1) = 0 OR workflow_uuid IN (SELECT value FROM json_each($1)))
                    AND (json_array_length($2) = 0 OR name IN (SELECT value FROM json_each($2)))
                    AND (json_array_length($3) = 0 OR status IN (SELECT value FROM json_each($3)))
                    AND ($4 IS NULL OR application_name = $4)
                    AND ($5 IS NULL OR application_version = $5)
                    AND ($6 IS NULL OR executor_id = $6)
                    AND ($7 IS NULL OR parent_workflow_id = $7)
                    AND ($14 IS NULL OR queue_name = $14)
                    AND ($8 IS NULL OR substr(workflow_uuid, 1, length($8)) = $8)
                    AND ($9 IS NULL OR created_at >= $9)
                    AND ($10 IS NULL OR created_at < $10)
                    AND ($11 IS NULL OR (created_at, workflow_uuid) > ($11, $12))
                  ORDER BY created_at, workflow_uuid
                  LIMIT $13"
            }
        });
        let statement = filter.bind_to(statement, dialect);
        let rows = self.insist("list workflows", Access::Read, &statement).await?;
        Ok(rows.iter().map(WorkflowStatus::read).collect())
    }

    /// The payloads of `workflow`, wherever this or another library has put them; `None` if there is
    /// no such workflow.
    pub(crate) async fn payloads(&self, workflow: &str) -> Result<Option<Payloads>> {
        let statement = Statement::new(
            "SELECT workflow.serialization,
                    COALESCE(input.inputs, workflow.inputs) AS inputs,
                    COALESCE(result.output, workflow.output) AS output,
                    COALESCE(result.error, workflow.error) AS error
               FROM dbos.workflow_status AS workflow
               LEFT JOIN dbos.workflow_input AS input ON input.workflow_uuid = workflow.workflow_uuid
               LEFT JOIN dbos.workflow_output AS result ON result.workflow_uuid = workflow.workflow_uuid
              WHERE workflow.workflow_uuid = $1",
        )
        .bind(workflow);
        let rows = self.insist("read what a workflow was given and gave", Access::Read, &statement).await?;
        Ok(rows.first().map(payloads))
    }

    /// The ids of the workflows that `parent` started.
    pub(crate) async fn children(&self, parent: &str) -> Result<Vec<String>> {
        let statement =
            Statement::new("SELECT workflow_uuid FROM dbos.workflow_status WHERE parent_workflow_id = $1").bind(parent);
        let rows = self.insist("look for children", Access::Read, &statement).await?;
        Ok(rows.iter().map(|row| Columns::of(row).or_default("workflow_uuid")).collect())
    }
}

fn payloads(row: &Row) -> Payloads {
    let mut columns = Columns::of(row);
    Payloads {
        serialization: columns.read("serialization"),
        inputs: columns.read("inputs"),
        output: columns.read("output"),
        error: columns.read("error"),
    }
}
