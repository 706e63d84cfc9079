//! Writing the row that makes a workflow exist.
//!
//! If the workflow is to run at once, the row names an executor that the database knows, or it is not written: others
//! look for the work of dead executors by their names, and would never find it. On Postgres the executor's row is
//! locked meanwhile, as a foreign key would do, so that it cannot be forgotten at the same moment. A workflow in a
//! queue is nobody's yet.

use std::collections::HashSet;
use std::slice;

use serde_json::{Value, json};

use super::backend::{Access, Dialect};
use super::connection::{Connection, Isolation};
use super::sql::{Row, Statement};
use super::writer::Write;
use super::{PORTABLE, Store, within};
use crate::caller::Provenance;
use crate::status::Status;
use crate::wakeup::Fact;

/// A workflow about to run in this process, or to wait in a queue.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    pub(crate) workflow: String,
    pub(crate) name: String,
    pub(crate) inputs: String,
    /// Who runs it, unless it waits in a queue.
    pub(crate) executor: String,
    pub(crate) application: String,
    pub(crate) version: String,
    /// The proof that this very call made the row, and the owner token of the run if it runs at once.
    pub(crate) owner: String,
    pub(crate) now_ms: i64,
    pub(crate) timeout_ms: Option<i64>,
    pub(crate) deadline_ms: Option<i64>,
    pub(crate) parent: Option<String>,
    /// On whose behalf it runs.
    pub(crate) provenance: Provenance,
    /// What it is marked with: a JSON object.
    pub(crate) attributes: Option<String>,
    pub(crate) place: Option<Place>,
}

/// Where in a queue a workflow waits.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) queue: String,
    pub(crate) partition_key: Option<String>,
    /// Lower goes first.
    pub(crate) priority: u32,
    /// When its delay has passed, if it has one.
    pub(crate) due_ms: Option<i64>,
    pub(crate) deduplication_id: Option<String>,
}

impl Place {
    /// What others want to know once a workflow is there.
    pub(crate) fn news(&self) -> Fact {
        match self.due_ms {
            None => Fact::Enqueued { queue: self.queue.clone() },
            Some(_) => Fact::Delayed,
        }
    }
}

impl Start {
    pub(super) fn status(&self) -> Status {
        match &self.place {
            None => Status::Pending,
            Some(Place { due_ms: None, .. }) => Status::Enqueued,
            Some(Place { due_ms: Some(_), .. }) => Status::Delayed,
        }
    }

    fn executor(&self) -> Option<String> {
        self.place.is_none().then(|| self.executor.clone())
    }

    pub(super) fn queue(&self) -> Option<String> {
        self.place.as_ref().map(|place| place.queue.clone())
    }

    pub(super) fn partition_key(&self) -> Option<String> {
        self.place.as_ref().and_then(|place| place.partition_key.clone())
    }

    pub(super) fn deduplication_id(&self) -> Option<String> {
        self.place.as_ref().and_then(|place| place.deduplication_id.clone())
    }

    pub(super) fn priority(&self) -> i64 {
        self.place.as_ref().map_or(0, |place| place.priority.into())
    }

    pub(super) fn due_ms(&self) -> Option<i64> {
        self.place.as_ref().and_then(|place| place.due_ms)
    }
}

/// The step of a parent that starts a child.
#[derive(Clone, Debug)]
pub(crate) struct ParentStep {
    /// Whose the parent is.
    pub(crate) application: String,
    pub(crate) owner: String,
    pub(crate) step: u32,
}

/// What became of a child's start.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum ChildStarted {
    /// Row and step are written.
    Created,
    /// The id is somebody's already, or the deduplication id is; nothing was written.
    Taken,
    /// The parent is no longer ours; nothing was written.
    NotMine,
}

impl Write for Start {
    /// Whether this call made the row.
    type Reply = bool;
    const ACTION: &'static str = "start a workflow";

    async fn commit(store: &Store, batch: &[Self]) -> sqlx::Result<Vec<bool>> {
        let made = match store.dialect() {
            Dialect::Postgres => {
                let statement = match batch {
                    [start] if start.place.is_none() => lone_on_postgres(start),
                    _ => on_postgres(batch),
                };
                owners(&store.run(Access::Write, &statement).await?)?
            }
            Dialect::Sqlite => {
                let mut connection = store.begin(Isolation::default()).await?;
                let made = store.make_on_sqlite(&mut connection, batch).await?;
                within(store.deadline(), connection.commit()).await?;
                made
            }
        };
        Ok(batch.iter().map(|start| made.contains(&start.owner)).collect())
    }
}

/// Whose rows were made.
pub(super) fn owners(rows: &[Row]) -> sqlx::Result<HashSet<String>> {
    rows.iter().map(|row| row.text("creator_xid")).collect()
}

/// A workflow that runs at once, without the arrays of a batch: they take twice the time of what they carry.
fn lone_on_postgres(start: &Start) -> Statement {
    Statement::new(
        "WITH known AS (
           SELECT executor_id
             FROM dbos_rust.executors
            WHERE executor_id = $1
              FOR KEY SHARE
         ), made AS (
           INSERT INTO dbos.workflow_status
                  (workflow_uuid, status, name, executor_id, application_name, application_version, owner_xid,
                   creator_xid, parent_workflow_id, created_at, updated_at, workflow_timeout_ms,
                   workflow_deadline_epoch_ms, recovery_attempts, serialization, authenticated_user,
                   authenticated_roles, assumed_role, request, attributes)
           SELECT $2, 'PENDING', $3, executor_id, $4, $5, $6, $6, $7, $8, $8, $9, $10, 1, 'portable_json', $11, $12,
                  $13, $14, $15::jsonb
             FROM known
           ON CONFLICT DO NOTHING
           RETURNING workflow_uuid, creator_xid
         ), stored AS (
           INSERT INTO dbos.workflow_input (workflow_uuid, inputs, retention_timestamp)
           SELECT workflow_uuid, $16, $8 FROM made
           ON CONFLICT (workflow_uuid) DO NOTHING
         )
         SELECT creator_xid FROM made",
    )
    .bind(&start.executor)
    .bind(&start.workflow)
    .bind(&start.name)
    .bind(&start.application)
    .bind(&start.version)
    .bind(&start.owner)
    .bind(start.parent.clone())
    .bind(start.now_ms)
    .bind(start.timeout_ms)
    .bind(start.deadline_ms)
    .bind(start.provenance.user.clone())
    .bind(start.provenance.roles_text())
    .bind(start.provenance.assumed_role.clone())
    .bind(start.provenance.request_text())
    .bind(start.attributes.clone())
    .bind(&start.inputs)
}

pub(super) fn on_postgres(batch: &[Start]) -> Statement {
    let texts = |field: fn(&Start) -> Option<String>| batch.iter().map(field).collect::<Vec<_>>();
    let ints = |field: fn(&Start) -> Option<i64>| batch.iter().map(field).collect::<Vec<_>>();
    Statement::new(
        "WITH input AS (
           SELECT *
             FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                         $8::text[], $9::bigint[], $10::bigint[], $11::bigint[], $12::text[], $13::text[],
                         $14::text[], $15::bigint[], $16::bigint[], $17::text[], $18::text[], $19::text[], $20::text[],
                         $21::text[], $22::text[])
               AS input (workflow_uuid, name, inputs, executor_id, application_name, application_version, creator_xid,
                         parent_workflow_id, now_ms, timeout_ms, deadline_ms, status, queue_name, deduplication_id,
                         priority, due_ms, authenticated_user, authenticated_roles, assumed_role, request,
                         queue_partition_key, attributes)
         ), known AS (
           SELECT executor_id
             FROM dbos_rust.executors
            WHERE executor_id IN (SELECT executor_id FROM input)
              FOR KEY SHARE
         ), made AS (
           INSERT INTO dbos.workflow_status
                  (workflow_uuid, status, name, executor_id, application_name, application_version, owner_xid,
                   creator_xid, parent_workflow_id, created_at, updated_at, workflow_timeout_ms,
                   workflow_deadline_epoch_ms, recovery_attempts, queue_name, deduplication_id, priority,
                   delay_until_epoch_ms, serialization, authenticated_user, authenticated_roles, assumed_role, request,
                   queue_partition_key, attributes)
           SELECT workflow_uuid, status, name, known.executor_id, application_name, application_version,
                  CASE WHEN queue_name IS NULL THEN creator_xid END,
                  creator_xid, parent_workflow_id, now_ms, now_ms, timeout_ms,
                  deadline_ms, CASE WHEN queue_name IS NULL THEN 1 ELSE 0 END, queue_name, deduplication_id, priority,
                  due_ms, 'portable_json', authenticated_user, authenticated_roles, assumed_role, request,
                  queue_partition_key, attributes::jsonb
             FROM input
             LEFT JOIN known ON known.executor_id = input.executor_id
            WHERE known.executor_id IS NOT NULL
               OR queue_name IS NOT NULL
            ORDER BY workflow_uuid
           ON CONFLICT DO NOTHING
           RETURNING workflow_uuid, creator_xid
         ), stored AS (
           INSERT INTO dbos.workflow_input (workflow_uuid, inputs, retention_timestamp)
           SELECT input.workflow_uuid, input.inputs, input.now_ms
             FROM input
             JOIN made ON made.creator_xid = input.creator_xid
           ON CONFLICT (workflow_uuid) DO NOTHING
         )
         SELECT creator_xid FROM made",
    )
    .bind(texts(|start| Some(start.workflow.clone())))
    .bind(texts(|start| Some(start.name.clone())))
    .bind(texts(|start| Some(start.inputs.clone())))
    .bind(texts(Start::executor))
    .bind(texts(|start| Some(start.application.clone())))
    .bind(texts(|start| Some(start.version.clone())))
    .bind(texts(|start| Some(start.owner.clone())))
    .bind(texts(|start| start.parent.clone()))
    .bind(ints(|start| Some(start.now_ms)))
    .bind(ints(|start| start.timeout_ms))
    .bind(ints(|start| start.deadline_ms))
    .bind(texts(|start| Some(start.status().to_string())))
    .bind(texts(Start::queue))
    .bind(texts(Start::deduplication_id))
    .bind(ints(|start| Some(start.priority())))
    .bind(ints(Start::due_ms))
    .bind(texts(|start| start.provenance.user.clone()))
    .bind(texts(|start| start.provenance.roles_text()))
    .bind(texts(|start| start.provenance.assumed_role.clone()))
    .bind(texts(|start| start.provenance.request_text()))
    .bind(texts(Start::partition_key))
    .bind(texts(|start| start.attributes.clone()))
}

/// On SQLite, which has no arrays, a batch is a text.
fn status_rows(batch: &[Start]) -> Statement {
    let entries: Vec<_> = batch
        .iter()
        .map(|start| {
            json!([
                start.workflow,
                start.status().as_str(),
                start.name,
                start.application,
                start.version,
                start.owner,
                start.now_ms,
                start.timeout_ms,
                start.deadline_ms,
                start.queue(),
                start.deduplication_id(),
                start.priority(),
                start.due_ms(),
                start.provenance.user,
                start.provenance.roles_text(),
                start.provenance.assumed_role,
                start.provenance.request_text(),
                start.partition_key(),
                start.parent,
                start.attributes,
                start.executor(),
            ])
        })
        .collect();
    Statement::new(
        "INSERT INTO dbos.workflow_status
                (workflow_uuid, status, name, application_name, application_version, creator_xid, created_at, updated_at,
                 workflow_timeout_ms, workflow_deadline_epoch_ms, queue_name, deduplication_id, priority,
                 delay_until_epoch_ms, authenticated_user, authenticated_roles, assumed_role, request,
                 queue_partition_key, parent_workflow_id, attributes, executor_id, owner_xid, recovery_attempts,
                 serialization)
         SELECT json_extract(entry.value, '$[0]'), json_extract(entry.value, '$[1]'),
                json_extract(entry.value, '$[2]'), json_extract(entry.value, '$[3]'),
                json_extract(entry.value, '$[4]'), json_extract(entry.value, '$[5]'),
                json_extract(entry.value, '$[6]'), json_extract(entry.value, '$[6]'),
                json_extract(entry.value, '$[7]'), json_extract(entry.value, '$[8]'),
                json_extract(entry.value, '$[9]'), json_extract(entry.value, '$[10]'),
                json_extract(entry.value, '$[11]'), json_extract(entry.value, '$[12]'),
                json_extract(entry.value, '$[13]'), json_extract(entry.value, '$[14]'),
                json_extract(entry.value, '$[15]'), json_extract(entry.value, '$[16]'),
                json_extract(entry.value, '$[17]'), json_extract(entry.value, '$[18]'),
                json_extract(entry.value, '$[19]'), json_extract(entry.value, '$[20]'),
                CASE WHEN json_extract(entry.value, '$[9]') IS NULL THEN json_extract(entry.value, '$[5]') END,
                CASE WHEN json_extract(entry.value, '$[9]') IS NULL THEN 1 ELSE 0 END, $2
           FROM json_each($1) AS entry
          WHERE json_extract(entry.value, '$[9]') IS NOT NULL
             OR EXISTS (SELECT 1 FROM dbos_rust.executors WHERE executor_id = json_extract(entry.value, '$[20]'))
         ON CONFLICT DO NOTHING
         RETURNING creator_xid",
    )
    .bind(Value::Array(entries).to_string())
    .bind(PORTABLE)
}

/// The inputs of those whose rows were made.
fn input_rows(batch: &[Start], made: &HashSet<String>) -> Statement {
    let made = batch.iter().filter(|start| made.contains(&start.owner));
    let entries: Vec<_> = made.map(|start| json!([start.workflow, start.inputs, start.now_ms])).collect();
    Statement::new(
        "INSERT INTO dbos.workflow_input (workflow_uuid, inputs, retention_timestamp)
         SELECT json_extract(entry.value, '$[0]'), json_extract(entry.value, '$[1]'), json_extract(entry.value, '$[2]')
           FROM json_each($1) AS entry
          WHERE TRUE
         ON CONFLICT (workflow_uuid) DO NOTHING",
    )
    .bind(Value::Array(entries).to_string())
}

impl Store {
    /// Makes the rows of `batch` with their inputs, as far as they are nobody's yet, and gives whose were made.
    pub(super) async fn make_on_sqlite(
        &self,
        connection: &mut Connection,
        batch: &[Start],
    ) -> sqlx::Result<HashSet<String>> {
        let made = owners(&within(self.deadline(), connection.run(&status_rows(batch))).await?)?;
        within(self.deadline(), connection.run(&input_rows(batch, &made))).await?;
        Ok(made)
    }

    /// Writes the child's row, its inputs and the parent's step in one commit, if the parent is
    /// still ours. One try; safe to repeat.
    pub(crate) async fn start_child(&self, start: &Start, parent: &ParentStep) -> sqlx::Result<ChildStarted> {
        let write = self.durable_write("start a child workflow").await;
        let started = match self.dialect() {
            Dialect::Postgres => self.start_child_on_postgres(start, parent).await?,
            Dialect::Sqlite => self.start_child_on_sqlite(start, parent).await?,
        };
        write.end().await;
        Ok(started)
    }

    async fn start_child_on_postgres(&self, start: &Start, parent: &ParentStep) -> sqlx::Result<ChildStarted> {
        let rows = self.run(Access::Write, &child_on_postgres(start, parent)).await?;
        let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
        Ok(match (row.get::<i64>("mine")?, row.get::<i64>("made")?) {
            (0, _) => ChildStarted::NotMine,
            (_, 0) => ChildStarted::Taken,
            _ => ChildStarted::Created,
        })
    }

    async fn start_child_on_sqlite(&self, start: &Start, parent: &ParentStep) -> sqlx::Result<ChildStarted> {
        let mut connection = self.begin(Isolation::default()).await?;
        let fence = Statement::new(
            "SELECT workflow_uuid FROM dbos.workflow_status WHERE workflow_uuid = $1 AND owner_xid = $2",
        )
        .bind(start.parent.clone())
        .bind(&parent.owner);
        let outcome = if connection.run(&fence).await?.is_empty() {
            ChildStarted::NotMine
        } else if self.make_on_sqlite(&mut connection, slice::from_ref(start)).await?.is_empty() {
            ChildStarted::Taken
        } else {
            connection.run(&child_step(start, parent)).await?;
            ChildStarted::Created
        };
        connection.commit().await?;
        Ok(outcome)
    }
}

fn child_step(start: &Start, parent: &ParentStep) -> Statement {
    Statement::new(
        "INSERT INTO dbos.operation_outputs
                (workflow_uuid, function_id, function_name, child_workflow_id, started_at_epoch_ms,
                 completed_at_epoch_ms, application_name, retention_timestamp)
         VALUES ($1, $2, $3, $4, $5, $5, $6, $5)
         ON CONFLICT (workflow_uuid, function_id) DO NOTHING",
    )
    .bind(start.parent.clone())
    .bind(parent.step)
    .bind(&start.name)
    .bind(&start.workflow)
    .bind(start.now_ms)
    .bind(&parent.application)
}

fn child_on_postgres(start: &Start, parent: &ParentStep) -> Statement {
    Statement::new(
        "WITH fence AS (
           SELECT workflow_uuid
             FROM dbos.workflow_status
            WHERE workflow_uuid = $8
              AND owner_xid = $9
              FOR NO KEY UPDATE
         ), known AS (
           SELECT executor_id
             FROM dbos_rust.executors
            WHERE executor_id = $4
              FOR KEY SHARE
         ), made AS (
           INSERT INTO dbos.workflow_status
                  (workflow_uuid, status, name, executor_id, application_name, application_version, owner_xid,
                   creator_xid, parent_workflow_id, created_at, updated_at, workflow_timeout_ms,
                   workflow_deadline_epoch_ms, recovery_attempts, queue_name, deduplication_id, priority,
                   delay_until_epoch_ms, serialization, authenticated_user, authenticated_roles, assumed_role, request,
                   queue_partition_key, attributes)
           SELECT $1, $14, $2, known.executor_id, $5, $6, CASE WHEN $15::text IS NULL THEN $7 END, $7,
                  fence.workflow_uuid, $10, $10, $11, $12, CASE WHEN $15 IS NULL THEN 1 ELSE 0 END, $15, $16, $17, $18,
                  'portable_json', $19, $20, $21, $22, $23, $24::jsonb
             FROM fence
             LEFT JOIN known ON TRUE
            WHERE known.executor_id IS NOT NULL
               OR $15 IS NOT NULL
           ON CONFLICT DO NOTHING
           RETURNING workflow_uuid
         ), stored AS (
           INSERT INTO dbos.workflow_input (workflow_uuid, inputs, retention_timestamp)
           SELECT workflow_uuid, $3, $10 FROM made
           ON CONFLICT (workflow_uuid) DO NOTHING
         ), step AS (
           INSERT INTO dbos.operation_outputs
                  (workflow_uuid, function_id, function_name, child_workflow_id, started_at_epoch_ms,
                   completed_at_epoch_ms, application_name, retention_timestamp)
           SELECT $8, $13, $2, made.workflow_uuid, $10, $10, $25, $10 FROM made
           ON CONFLICT (workflow_uuid, function_id) DO NOTHING
         )
         SELECT (SELECT count(*) FROM fence) AS mine, (SELECT count(*) FROM made) AS made",
    )
    .bind(&start.workflow)
    .bind(&start.name)
    .bind(&start.inputs)
    .bind(start.executor())
    .bind(&start.application)
    .bind(&start.version)
    .bind(&start.owner)
    .bind(start.parent.clone())
    .bind(&parent.owner)
    .bind(start.now_ms)
    .bind(start.timeout_ms)
    .bind(start.deadline_ms)
    .bind(parent.step)
    .bind(start.status().as_str())
    .bind(start.queue())
    .bind(start.deduplication_id())
    .bind(start.priority())
    .bind(start.due_ms())
    .bind(start.provenance.user.clone())
    .bind(start.provenance.roles_text())
    .bind(start.provenance.assumed_role.clone())
    .bind(start.provenance.request_text())
    .bind(start.partition_key())
    .bind(start.attributes.clone())
    .bind(&parent.application)
}
