//! `notifications`: messages on their way to a workflow.

use super::backend::{Access, Dialect};
use super::checkpoints::{Checkpoint, fenced_insert};
use super::connection::Isolation;
use super::sql::Statement;
use super::{Store, within};
use crate::error::Result;

/// How every DBOS library spells "no topic".
pub(crate) const NO_TOPIC: &str = "__null__topic__";

/// What became of an attempt to take a message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Taken {
    /// The message, consumed; the checkpoint with it is written.
    Message(String),
    /// No message waits; nothing was written.
    Nothing,
    /// The run is no longer ours, or the step is recorded already; nothing was written.
    Refused,
}

/// The message, unless nobody is there or it was sent before under this id.
pub(crate) fn insert(destination: &str, topic: &str, message: &str, id: &str, sent_at_ms: i64) -> Statement {
    Statement::new(
        "INSERT INTO dbos.notifications
                (message_uuid, destination_uuid, topic, message, created_at_epoch_ms, serialization)
         SELECT $1, workflow_uuid, $3, $4, $5, 'portable_json'
           FROM dbos.workflow_status
          WHERE workflow_uuid = $2
         ON CONFLICT (message_uuid) DO NOTHING
         RETURNING message_uuid",
    )
    .bind(id)
    .bind(destination)
    .bind(topic)
    .bind(message)
    .bind(sent_at_ms)
}

impl Store {
    /// Sends a message from outside any workflow. `false` if no workflow has the id `destination`.
    pub(crate) async fn send(
        &self,
        destination: &str,
        topic: &str,
        message: &str,
        id: &str,
        sent_at_ms: i64,
    ) -> Result<bool> {
        let statement = insert(destination, topic, message, id, sent_at_ms);
        let write = self.durable_write("send a message").await;
        let sent = !self.insist("send a message", Access::Write, &statement).await?.is_empty();
        write.end().await;
        if sent {
            return Ok(true);
        }
        // Nothing was inserted: sent before under this id, or nobody is there.
        self.exists(destination).await
    }

    /// Takes the oldest message on a topic and records it as the outcome of `checkpoint`'s step, in
    /// one commit. One try; safe to repeat.
    pub(crate) async fn take_message(&self, checkpoint: &Checkpoint, topic: &str) -> sqlx::Result<Taken> {
        match self.dialect() {
            Dialect::Postgres => {
                // Only the statement itself knows whether it will write. Where writes are numbered, an
                // attempt that finds nothing must not count, so it is told apart beforehand.
                if self.numbers_writes() && self.is_waiting_in_vain(checkpoint, topic).await? {
                    return Ok(Taken::Nothing);
                }
                let statement = on_postgres(checkpoint, topic);
                let write = self.durable_write("take a message").await;
                let rows = self.run(Access::Write, &statement).await?;
                write.end().await;
                let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
                if !row.get::<bool>("mine")? {
                    return Ok(Taken::Refused);
                }
                Ok(row.get::<Option<String>>("message")?.map_or(Taken::Nothing, Taken::Message))
            }
            Dialect::Sqlite => self.take_on_sqlite(checkpoint, topic).await,
        }
    }

    async fn take_on_sqlite(&self, checkpoint: &Checkpoint, topic: &str) -> sqlx::Result<Taken> {
        // Looking costs no write lock; most looks find nothing.
        if self.is_waiting_in_vain(checkpoint, topic).await? {
            return Ok(Taken::Nothing);
        }
        let oldest = oldest(&checkpoint.workflow, topic);
        let write = self.durable_write("take a message").await;
        let mut connection = self.begin(Isolation::default()).await?;
        let rows = within(self.deadline(), connection.run(&oldest)).await?;
        let Some(row) = rows.first() else {
            within(self.deadline(), connection.rollback()).await?;
            return Ok(Taken::Nothing);
        };
        let (id, message) = (row.text("message_uuid")?, row.text("message")?);
        let checkpoint = Checkpoint { output: Some(message.clone()), ..checkpoint.clone() };
        if within(self.deadline(), connection.run(&fenced_insert(&checkpoint))).await?.is_empty() {
            within(self.deadline(), connection.rollback()).await?;
            return Ok(Taken::Refused);
        }
        let consume = Statement::new(
            "UPDATE dbos.notifications SET consumed = TRUE, consumed_by_function_id = $2 WHERE message_uuid = $1",
        )
        .bind(id)
        .bind(checkpoint.step);
        within(self.deadline(), connection.run(&consume)).await?;
        within(self.deadline(), connection.commit()).await?;
        write.end().await;
        Ok(Taken::Message(message))
    }

    async fn is_waiting_in_vain(&self, checkpoint: &Checkpoint, topic: &str) -> sqlx::Result<bool> {
        Ok(self.run(Access::Read, &oldest(&checkpoint.workflow, topic)).await?.is_empty())
    }
}

fn oldest(workflow: &str, topic: &str) -> Statement {
    Statement::new(
        "SELECT message_uuid, message
           FROM dbos.notifications
          WHERE destination_uuid = $1
            AND topic = $2
            AND consumed = FALSE
          ORDER BY created_at_epoch_ms, message_uuid
          LIMIT 1",
    )
    .bind(workflow)
    .bind(topic)
}

/// A lock on a row is a write that is flushed, so the fence is locked only if there is something to
/// take: a workflow that waits must not write at each look.
fn on_postgres(checkpoint: &Checkpoint, topic: &str) -> Statement {
    Statement::new(
        "WITH waiting AS (
           SELECT EXISTS (SELECT 1
                            FROM dbos.notifications
                           WHERE destination_uuid = $1
                             AND topic = $3
                             AND consumed = FALSE) AS found
         ), fence AS (
           SELECT workflow_uuid
             FROM dbos.workflow_status
            WHERE workflow_uuid = $1
              AND owner_xid = $2
              AND (SELECT found FROM waiting)
              FOR NO KEY UPDATE
         ), unrecorded AS (
           SELECT workflow_uuid
             FROM fence
            WHERE NOT EXISTS (SELECT 1 FROM dbos.operation_outputs
                               WHERE operation_outputs.workflow_uuid = fence.workflow_uuid
                                 AND function_id = $4)
         ), consumed AS (
           UPDATE dbos.notifications
              SET consumed = TRUE, consumed_by_function_id = $4
            WHERE message_uuid = (SELECT message_uuid
                                    FROM dbos.notifications
                                   WHERE destination_uuid = (SELECT workflow_uuid FROM unrecorded)
                                     AND topic = $3
                                     AND consumed = FALSE
                                   ORDER BY created_at_epoch_ms, message_uuid
                                   LIMIT 1)
              AND consumed = FALSE
           RETURNING message
         ), written AS (
           INSERT INTO dbos.operation_outputs
                  (workflow_uuid, function_id, function_name, output, started_at_epoch_ms, completed_at_epoch_ms,
                   serialization, application_name, retention_timestamp)
           SELECT $1, $4, $5, consumed.message, $6, $7, 'portable_json', $8, $7
             FROM consumed
         )
         SELECT EXISTS (SELECT 1 FROM unrecorded) OR NOT (SELECT found FROM waiting) AS mine,
                (SELECT message FROM consumed) AS message",
    )
    .bind(&checkpoint.workflow)
    .bind(&checkpoint.owner)
    .bind(topic)
    .bind(checkpoint.step)
    .bind(&checkpoint.name)
    .bind(checkpoint.started_at_ms)
    .bind(checkpoint.completed_at_ms)
    .bind(&checkpoint.application)
}
