//! Enqueueing many workflows in one commit, in few statements.

use serde_json::{Value, json};

use super::backend::Dialect;
use super::connection::{Connection, Isolation};
use super::sql::Statement;
use super::starts::{Start, on_postgres, owners};
use super::{Store, within};
use crate::error::Error;
use crate::id::IdReuse;

/// How many are written by one statement: ten thousand take four.
const CHUNK: usize = 2500;

/// The steps of a workflow that enqueues others: a step and its child for each.
#[derive(Clone, Debug)]
pub(crate) struct ParentSteps {
    pub(crate) workflow: String,
    pub(crate) owner: String,
    pub(crate) application: String,
    pub(crate) steps: Vec<ChildStep>,
}

#[derive(Clone, Debug)]
pub(crate) struct ChildStep {
    pub(crate) step: u32,
    /// The name of the child's function.
    pub(crate) name: String,
    pub(crate) child: String,
}

/// A workflow that the body of a transaction wants enqueued.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) start: Start,
    pub(crate) id_reuse: IdReuse,
}

/// What became of an attempt to enqueue many.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Enqueued {
    All,
    /// Nothing is written: the ids or deduplication ids of these, by their places in the batch, are somebody's.
    Taken(Vec<usize>),
    /// The parent is no longer ours; nothing is written.
    NotMine,
}

impl Store {
    /// Writes the rows of all of `batch`, which wait in queues, and their parent's steps; or nothing. One try; safe to
    /// repeat.
    pub(crate) async fn enqueue_all(
        &self,
        batch: &[Start],
        parent: Option<&ParentSteps>,
        now_ms: i64,
    ) -> sqlx::Result<Enqueued> {
        let write = self.durable_write("enqueue workflows").await;
        let mut connection = self.begin(Isolation::ReadCommitted).await?;
        if let Some(parent) = parent
            && within(self.deadline(), connection.run(&self.fence(parent))).await?.is_empty()
        {
            within(self.deadline(), connection.rollback()).await?;
            return Ok(Enqueued::NotMine);
        }
        let taken = self.insert_all(&mut connection, batch).await?;
        if !taken.is_empty() {
            within(self.deadline(), connection.rollback()).await?;
            return Ok(Enqueued::Taken(taken));
        }
        if let Some(parent) = parent {
            for chunk in parent.steps.chunks(CHUNK) {
                within(self.deadline(), connection.run(&self.steps(parent, chunk, now_ms))).await?;
            }
        }
        within(self.deadline(), connection.commit()).await?;
        write.end().await;
        Ok(Enqueued::All)
    }

    /// Writes the rows of `batch`, as far as they are nobody's yet; gives the places of those that are.
    pub(crate) async fn insert_all(&self, connection: &mut Connection, batch: &[Start]) -> sqlx::Result<Vec<usize>> {
        let mut taken = Vec::new();
        for (number, chunk) in batch.chunks(CHUNK).enumerate() {
            let made = match self.dialect() {
                Dialect::Postgres => owners(&within(self.deadline(), connection.run(&on_postgres(chunk))).await?)?,
                Dialect::Sqlite => self.make_on_sqlite(connection, chunk).await?,
            };
            let missing = (0..chunk.len()).filter(|place| !made.contains(&chunk[*place].owner));
            taken.extend(missing.map(|place| number * CHUNK + place));
        }
        Ok(taken)
    }

    /// Enqueues what the body of a transaction asked for; why that cannot be, if it cannot.
    pub(crate) async fn enqueue_asked(
        &self,
        connection: &mut Connection,
        asked: &[Asked],
    ) -> sqlx::Result<Option<Error>> {
        let starts: Vec<_> = asked.iter().map(|asked| asked.start.clone()).collect();
        for place in self.insert_all(connection, &starts).await? {
            if let Some(refusal) = self.refusal(connection, &asked[place]).await? {
                return Ok(Some(refusal));
            }
        }
        Ok(None)
    }

    /// Why the row could not be written, unless the one that is there will do.
    async fn refusal(&self, connection: &mut Connection, asked: &Asked) -> sqlx::Result<Option<Error>> {
        let start = &asked.start;
        let by_id =
            Statement::new("SELECT name FROM dbos.workflow_status WHERE workflow_uuid = $1").bind(&start.workflow);
        if let Some(row) = within(self.deadline(), connection.run(&by_id)).await?.first() {
            let recorded = row.text("name")?;
            let workflow = start.workflow.clone();
            return Ok(match asked.id_reuse {
                _ if recorded != start.name => {
                    Some(Error::ConflictingWorkflow { workflow, recorded, called: start.name.clone() })
                }
                IdReuse::Reject => Some(Error::AlreadyStarted { workflow }),
                IdReuse::Attach => None,
            });
        }
        let by_deduplication_id = Statement::new(
            "SELECT workflow_uuid FROM dbos.workflow_status WHERE queue_name = $1 AND deduplication_id = $2",
        )
        .bind(start.queue())
        .bind(start.deduplication_id());
        let rows = within(self.deadline(), connection.run(&by_deduplication_id)).await?;
        let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
        Ok(Some(Error::Deduplicated {
            queue: start.queue().unwrap_or_default(),
            deduplication_id: start.deduplication_id().unwrap_or_default(),
            workflow: row.text("workflow_uuid")?,
        }))
    }

    fn fence(&self, parent: &ParentSteps) -> Statement {
        Statement::new(match self.dialect() {
            Dialect::Postgres => {
                "SELECT workflow_uuid
                   FROM dbos.workflow_status
                  WHERE workflow_uuid = $1
                    AND owner_xid = $2
                    FOR NO KEY UPDATE"
            }
            Dialect::Sqlite => {
                "SELECT workflow_uuid FROM dbos.workflow_status WHERE workflow_uuid = $1 AND owner_xid = $2"
            }
        })
        .bind(&parent.workflow)
        .bind(&parent.owner)
    }

    fn steps(&self, parent: &ParentSteps, steps: &[ChildStep], now_ms: i64) -> Statement {
        let entries: Vec<_> = steps.iter().map(|step| json!([step.step, step.name, step.child])).collect();
        Statement::new(match self.dialect() {
            Dialect::Postgres => {
                "INSERT INTO dbos.operation_outputs
                        (workflow_uuid, function_id, function_name, child_workflow_id, started_at_epoch_ms,
                         completed_at_epoch_ms, application_name, retention_timestamp)
                 SELECT $1, CAST(entry.value ->> 0 AS INTEGER), entry.value ->> 1, entry.value ->> 2, $3, $3, $4, $3
                   FROM json_array_elements($2::json) AS entry
                 ON CONFLICT (workflow_uuid, function_id) DO NOTHING"
            }
            Dialect::Sqlite => {
                "INSERT INTO dbos.operation_outputs
                        (workflow_uuid, function_id, function_name, child_workflow_id, started_at_epoch_ms,
                         completed_at_epoch_ms, application_name, retention_timestamp)
                 SELECT $1, json_extract(entry.value, '$[0]'), json_extract(entry.value, '$[1]'),
                        json_extract(entry.value, '$[2]'), $3, $3, $4, $3
                   FROM json_each($2) AS entry
                  WHERE TRUE
                 ON CONFLICT (workflow_uuid, function_id) DO NOTHING"
            }
        })
        .bind(&parent.workflow)
        .bind(Value::Array(entries).to_string())
        .bind(now_ms)
        .bind(&parent.application)
    }
}
