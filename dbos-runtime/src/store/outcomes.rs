//! Writing how a workflow ended, once, by its owner.

use super::Store;
use super::backend::{Access, Dialect};
use super::connection::Isolation;
use super::sql::Statement;
use super::within;
use super::writer::Write;
use crate::status::Status;

/// The end of a run.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    pub(crate) workflow: String,
    pub(crate) owner: String,
    pub(crate) status: Status,
    pub(crate) output: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) now_ms: i64,
}

impl Write for Ended {
    /// Whether this call ended it: not if another owner has it, or it is cancelled meanwhile.
    type Reply = bool;
    const ACTION: &'static str = "record how a workflow ended";

    async fn commit(store: &Store, batch: &[Self]) -> sqlx::Result<Vec<bool>> {
        let mut ended = Vec::new();
        match store.dialect() {
            Dialect::Postgres => {
                for row in store.run(Access::Write, &on_postgres(batch)).await? {
                    ended.push(row.text("workflow_uuid")?);
                }
            }
            Dialect::Sqlite => {
                let mut connection = store.begin(Isolation::default()).await?;
                for item in batch {
                    if !within(store.deadline(), connection.run(&status_update(item))).await?.is_empty() {
                        within(store.deadline(), connection.run(&output_row(item))).await?;
                        ended.push(item.workflow.clone());
                    }
                }
                within(store.deadline(), connection.commit()).await?;
            }
        }
        Ok(batch.iter().map(|item| ended.contains(&item.workflow)).collect())
    }
}

fn on_postgres(batch: &[Ended]) -> Statement {
    let texts = |field: fn(&Ended) -> Option<String>| batch.iter().map(field).collect::<Vec<_>>();
    Statement::new(
        "WITH input AS (
           SELECT *
             FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[])
               AS input (workflow_uuid, owner_xid, status, output, error, now_ms)
         ), mine AS (
           SELECT workflow.workflow_uuid, input.status, input.output, input.error, input.now_ms
             FROM dbos.workflow_status AS workflow
             JOIN input ON input.workflow_uuid = workflow.workflow_uuid
            WHERE workflow.status = 'PENDING'
              AND workflow.owner_xid = input.owner_xid
            ORDER BY workflow.workflow_uuid
              FOR NO KEY UPDATE OF workflow
         ), ended AS (
           UPDATE dbos.workflow_status AS workflow
              SET status = mine.status,
                  updated_at = mine.now_ms,
                  completed_at = mine.now_ms,
                  deduplication_id = NULL,
                  serialization = 'portable_json',
                  owner_xid = NULL
             FROM mine
            WHERE workflow.workflow_uuid = mine.workflow_uuid
           RETURNING workflow.workflow_uuid
         ), stored AS (
           INSERT INTO dbos.workflow_output (workflow_uuid, output, error, retention_timestamp)
           SELECT mine.workflow_uuid, mine.output, mine.error, mine.now_ms
             FROM mine
             JOIN ended ON ended.workflow_uuid = mine.workflow_uuid
           ON CONFLICT (workflow_uuid)
           DO UPDATE SET output = EXCLUDED.output,
                         error = EXCLUDED.error,
                         retention_timestamp = EXCLUDED.retention_timestamp
         )
         SELECT workflow_uuid FROM ended",
    )
    .bind(texts(|item| Some(item.workflow.clone())))
    .bind(texts(|item| Some(item.owner.clone())))
    .bind(texts(|item| Some(item.status.to_string())))
    .bind(texts(|item| item.output.clone()))
    .bind(texts(|item| item.error.clone()))
    .bind(batch.iter().map(|item| Some(item.now_ms)).collect::<Vec<_>>())
}

fn status_update(item: &Ended) -> Statement {
    Statement::new(
        "UPDATE dbos.workflow_status
            SET status = $3, updated_at = $4, completed_at = $4, deduplication_id = NULL, owner_xid = NULL,
                serialization = 'portable_json'
          WHERE workflow_uuid = $1
            AND owner_xid = $2
            AND status = 'PENDING'
         RETURNING workflow_uuid",
    )
    .bind(&item.workflow)
    .bind(&item.owner)
    .bind(item.status.as_str())
    .bind(item.now_ms)
}

fn output_row(item: &Ended) -> Statement {
    Statement::new(
        "INSERT INTO dbos.workflow_output (workflow_uuid, output, error, retention_timestamp)
         VALUES ($1, $2, $3, $4)
         ON CONFLICT (workflow_uuid)
         DO UPDATE SET output = EXCLUDED.output,
                       error = EXCLUDED.error,
                       retention_timestamp = EXCLUDED.retention_timestamp",
    )
    .bind(&item.workflow)
    .bind(item.output.clone())
    .bind(item.error.clone())
    .bind(item.now_ms)
}
