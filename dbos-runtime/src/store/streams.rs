//! `streams`: values that a workflow appends under a key, numbered from 0.
//!
//! The number is one more than the last. Where two append at the same time, as steps that run side by side may, the
//! primary key refuses the second, and it tries again.

use super::backend::{Access, Dialect};
use super::page::Page;
use super::sql::Statement;
use super::{PORTABLE, Store};
use crate::error::{Error, Result};

/// How every DBOS library marks the end of a stream.
pub(crate) const CLOSED: &str = "\"__DBOS_STREAM_CLOSED__\"";

/// One more value, in a transaction that is fenced by something else.
pub(crate) fn append(workflow: &str, key: &str, value: &str, step: u32) -> Statement {
    Statement::new(
        "INSERT INTO dbos.streams (workflow_uuid, key, value, \"offset\", function_id, serialization)
         SELECT $1, $2, $3, COALESCE(max(\"offset\"), -1) + 1, $4, $5
           FROM dbos.streams
          WHERE workflow_uuid = $1
            AND key = $2",
    )
    .bind(workflow)
    .bind(key)
    .bind(value)
    .bind(step)
    .bind(PORTABLE)
}

/// Who appends from within a step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Appending<'a> {
    pub(crate) workflow: &'a str,
    pub(crate) owner: &'a str,
    pub(crate) step: u32,
}

impl Store {
    /// Appends at once, while a step runs. `false` if the run is no longer ours.
    pub(crate) async fn append_to_stream(&self, from: Appending<'_>, key: &str, value: &str) -> Result<bool> {
        const ACTION: &str = "write to a stream";
        let statement = match self.dialect() {
            Dialect::Postgres => Statement::new(
                "WITH fence AS (
                   SELECT workflow_uuid
                     FROM dbos.workflow_status
                    WHERE workflow_uuid = $1
                      AND owner_xid = $2
                      FOR NO KEY UPDATE
                 )
                 INSERT INTO dbos.streams (workflow_uuid, key, value, \"offset\", function_id, serialization)
                 SELECT workflow_uuid, $3, $4,
                        (SELECT COALESCE(max(\"offset\"), -1) + 1
                           FROM dbos.streams
                          WHERE workflow_uuid = $1
                            AND key = $3),
                        $5, $6
                   FROM fence
                 RETURNING workflow_uuid",
            ),
            Dialect::Sqlite => Statement::new(
                "INSERT INTO dbos.streams (workflow_uuid, key, value, \"offset\", function_id, serialization)
                 SELECT workflow_uuid, $3, $4,
                        (SELECT COALESCE(max(\"offset\"), -1) + 1
                           FROM dbos.streams
                          WHERE workflow_uuid = $1
                            AND key = $3),
                        $5, $6
                   FROM dbos.workflow_status
                  WHERE workflow_uuid = $1
                    AND owner_xid = $2
                 RETURNING workflow_uuid",
            ),
        };
        let statement =
            statement.bind(from.workflow).bind(from.owner).bind(key).bind(value).bind(from.step).bind(PORTABLE);
        let write = self.durable_write(ACTION).await;
        let written = !self.insist(ACTION, Access::Write, &statement).await?.is_empty();
        write.end().await;
        Ok(written)
    }

    /// The first `limit` values under `key` after `offset`. A workflow that does not exist may still be started.
    pub(crate) async fn stream_page(&self, workflow: &str, key: &str, offset: i64, limit: i64) -> Result<Page> {
        const ACTION: &str = "read a stream";
        // Value and status are read together: a workflow that writes and ends between two reads would else look as if
        // it had ended without.
        let statement = Statement::new(
            "SELECT workflow.status, CAST(stream.\"offset\" AS BIGINT) AS place, stream.value
               FROM dbos.workflow_status AS workflow
               LEFT JOIN dbos.streams AS stream
                 ON stream.workflow_uuid = workflow.workflow_uuid AND stream.key = $2 AND stream.\"offset\" > $3
              WHERE workflow.workflow_uuid = $1
              ORDER BY stream.\"offset\"
              LIMIT $4",
        )
        .bind(workflow)
        .bind(key)
        .bind(offset)
        .bind(limit);
        let rows = self.insist(ACTION, Access::Read, &statement).await?;
        Page::of(&rows, "place").map_err(|error| Error::database(ACTION, error))
    }
}
