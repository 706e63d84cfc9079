//! Writing how a workflow ended, once, by its owner.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::Store;
use super::backend::{Access, Dialect};
use super::connection::Isolation;
use super::sql::{Row, Statement};
use super::within;
use super::writer::{Write, in_order};
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
        let ended = match store.dialect() {
            Dialect::Postgres => {
                let statement = if let [ended] = batch { lone_on_postgres(ended) } else { on_postgres(batch) };
                workflows(&store.run(Access::Write, &statement).await?)?
            }
            Dialect::Sqlite => {
                let mut connection = store.begin(Isolation::default()).await?;
                let ended = workflows(&within(store.deadline(), connection.run(&status_updates(batch))).await?)?;
                within(store.deadline(), connection.run(&output_rows(batch, &ended))).await?;
                within(store.deadline(), connection.commit()).await?;
                ended
            }
        };
        Ok(batch.iter().map(|item| ended.contains(&item.workflow)).collect())
    }
}

fn workflows(rows: &[Row]) -> sqlx::Result<HashSet<String>> {
    rows.iter().map(|row| row.text("workflow_uuid")).collect()
}

/// Without the arrays of a batch: they take twice the time of what they carry. The index of those that are pending is not for it: they may be many.
fn lone_on_postgres(ended: &Ended) -> Statement {
    Statement::new(
        "WITH ended AS (
           UPDATE dbos.workflow_status
              SET status = $3,
                  updated_at = $4,
                  completed_at = $4,
                  deduplication_id = NULL,
                  serialization = 'portable_json',
                  owner_xid = NULL
            WHERE workflow_uuid = $1
              AND owner_xid = $2
              AND COALESCE(status, '') = 'PENDING'
           RETURNING workflow_uuid
         )
         INSERT INTO dbos.workflow_output (workflow_uuid, output, error, retention_timestamp)
         SELECT workflow_uuid, $5, $6, $4
           FROM ended
         ON CONFLICT (workflow_uuid)
         DO UPDATE SET output = EXCLUDED.output,
                       error = EXCLUDED.error,
                       retention_timestamp = EXCLUDED.retention_timestamp
         RETURNING workflow_uuid",
    )
    .bind(&ended.workflow)
    .bind(&ended.owner)
    .bind(ended.status.as_str())
    .bind(ended.now_ms)
    .bind(ended.output.clone())
    .bind(ended.error.clone())
}

/// Each row is found by its key: the index of those that are pending is not for it, since they may be many.
fn on_postgres(batch: &[Ended]) -> Statement {
    let batch = in_order(batch, |item| &item.workflow);
    let texts = |field: fn(&Ended) -> Option<String>| batch.iter().map(|item| field(item)).collect::<Vec<_>>();
    Statement::new(
        "WITH mine AS (
           SELECT workflow.workflow_uuid, input.status, input.output, input.error, input.now_ms
             FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[])
               AS input (workflow_uuid, owner_xid, status, output, error, now_ms)
            CROSS JOIN LATERAL (
                    SELECT workflow_uuid, owner_xid
                      FROM dbos.workflow_status
                     WHERE workflow_uuid = input.workflow_uuid
                       AND COALESCE(status, '') = 'PENDING'
                       FOR NO KEY UPDATE
                  ) AS workflow
            WHERE workflow.owner_xid = input.owner_xid
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

/// On SQLite, which has no arrays, a batch is a text.
fn status_updates(batch: &[Ended]) -> Statement {
    let entries: Vec<_> =
        batch.iter().map(|item| json!([item.workflow, item.owner, item.status.as_str(), item.now_ms])).collect();
    Statement::new(
        "UPDATE dbos.workflow_status
            SET status = json_extract(entry.value, '$[2]'),
                updated_at = json_extract(entry.value, '$[3]'),
                completed_at = json_extract(entry.value, '$[3]'),
                deduplication_id = NULL,
                owner_xid = NULL,
                serialization = 'portable_json'
           FROM json_each($1) AS entry
          WHERE workflow_uuid = json_extract(entry.value, '$[0]')
            AND owner_xid = json_extract(entry.value, '$[1]')
            AND status = 'PENDING'
         RETURNING workflow_uuid",
    )
    .bind(Value::Array(entries).to_string())
}

/// What came of those that ended.
fn output_rows(batch: &[Ended], ended: &HashSet<String>) -> Statement {
    let ended = batch.iter().filter(|item| ended.contains(&item.workflow));
    let entries: Vec<_> = ended.map(|item| json!([item.workflow, item.output, item.error, item.now_ms])).collect();
    Statement::new(
        "INSERT INTO dbos.workflow_output (workflow_uuid, output, error, retention_timestamp)
         SELECT json_extract(entry.value, '$[0]'), json_extract(entry.value, '$[1]'),
                json_extract(entry.value, '$[2]'), json_extract(entry.value, '$[3]')
           FROM json_each($1) AS entry
          WHERE TRUE
         ON CONFLICT (workflow_uuid)
         DO UPDATE SET output = EXCLUDED.output,
                       error = EXCLUDED.error,
                       retention_timestamp = EXCLUDED.retention_timestamp",
    )
    .bind(Value::Array(entries).to_string())
}
