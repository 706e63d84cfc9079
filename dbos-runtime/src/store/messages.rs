//! `notifications`: messages on their way to a workflow.

use super::backend::{Access, Dialect};
use super::checkpoints::{Checkpoint, exists, fenced_insert, fenced_insert_in_transaction};
use super::connection::{Connection, Isolation};
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

/// One of several messages on a topic.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    pub(crate) destination: String,
    pub(crate) message: String,
    pub(crate) id: String,
    pub(crate) sent_at_ms: i64,
}

/// What became of an attempt to send several messages.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Delivery {
    /// All are sent, or were before, and the checkpoint is written.
    Sent,
    /// No workflow has this id; nothing was written.
    Nobody(String),
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

    /// Sends all of `messages`, and records `checkpoint` if there is one, in one commit. One try; safe to repeat.
    pub(crate) async fn send_all(
        &self,
        topic: &str,
        messages: &[Outgoing],
        checkpoint: Option<&Checkpoint>,
    ) -> sqlx::Result<Delivery> {
        let mut connection = self.begin(Isolation::ReadCommitted).await?;
        let delivery = within(self.deadline(), self.write_all(&mut connection, topic, messages, checkpoint)).await?;
        if delivery == Delivery::Sent {
            let write = self.durable_write("send messages").await;
            within(self.deadline(), connection.commit()).await?;
            write.end().await;
        } else {
            within(self.deadline(), connection.rollback()).await?;
        }
        Ok(delivery)
    }

    async fn write_all(
        &self,
        connection: &mut Connection,
        topic: &str,
        messages: &[Outgoing],
        checkpoint: Option<&Checkpoint>,
    ) -> sqlx::Result<Delivery> {
        let missing = match self.dialect() {
            Dialect::Postgres => {
                let missing = connection.run(&insert_all_on_postgres(topic, messages)).await?;
                missing.first().map(|row| row.text("destination")).transpose()?
            }
            Dialect::Sqlite => insert_all_on_sqlite(connection, topic, messages).await?,
        };
        if let Some(workflow) = missing {
            return Ok(Delivery::Nobody(workflow));
        }
        let Some(checkpoint) = checkpoint else { return Ok(Delivery::Sent) };
        let is_recorded = match self.dialect() {
            Dialect::Postgres => {
                let rows = connection.run(&fenced_insert_in_transaction(checkpoint)).await?;
                rows.first().ok_or(sqlx::Error::RowNotFound)?.get::<i64>("written")? == 1
            }
            Dialect::Sqlite => !connection.run(&fenced_insert(checkpoint)).await?.is_empty(),
        };
        Ok(if is_recorded { Delivery::Sent } else { Delivery::Refused })
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

/// Gives a destination that does not exist, if there is one.
fn insert_all_on_postgres(topic: &str, messages: &[Outgoing]) -> Statement {
    let texts = |field: fn(&Outgoing) -> &String| messages.iter().map(|of| Some(field(of).clone())).collect::<Vec<_>>();
    Statement::new(
        "WITH input AS (
           SELECT *
             FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[])
               AS input (message_uuid, destination, message, sent_at_ms)
         ), sent AS (
           INSERT INTO dbos.notifications
                  (message_uuid, destination_uuid, topic, message, created_at_epoch_ms, serialization)
           SELECT message_uuid, workflow_uuid, $5, message, sent_at_ms, 'portable_json'
             FROM input
             JOIN dbos.workflow_status ON workflow_uuid = destination
           ON CONFLICT (message_uuid) DO NOTHING
         )
         SELECT destination
           FROM input
          WHERE NOT EXISTS (SELECT 1 FROM dbos.workflow_status WHERE workflow_uuid = destination)
          LIMIT 1",
    )
    .bind(texts(|of| &of.id))
    .bind(texts(|of| &of.destination))
    .bind(texts(|of| &of.message))
    .bind(messages.iter().map(|of| Some(of.sent_at_ms)).collect::<Vec<_>>())
    .bind(topic)
}

/// The same.
async fn insert_all_on_sqlite(
    connection: &mut Connection,
    topic: &str,
    messages: &[Outgoing],
) -> sqlx::Result<Option<String>> {
    for Outgoing { destination, message, id, sent_at_ms } in messages {
        let is_new = !connection.run(&insert(destination, topic, message, id, *sent_at_ms)).await?.is_empty();
        if !is_new && !exists(connection, destination).await? {
            return Ok(Some(destination.clone()));
        }
    }
    Ok(None)
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
