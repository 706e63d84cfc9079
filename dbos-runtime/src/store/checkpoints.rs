//! Writing the recorded outcome of a step, fenced: only the owner of the run may.
//!
//! The fence is a locking read of the owner token in the statement that writes. A plain read would
//! see the statement's snapshot and let a run that was taken over a moment ago still record.

use serde_json::{Value, json};

use super::backend::{Access, Dialect};
use super::connection::{Connection, Isolation};
use super::fragments::fenced;
use super::sql::{Row, Statement};
use super::writer::{Write, in_order};
use super::{PORTABLE, Store, within};

/// The outcome of one step.
#[derive(Clone, Debug)]
pub(crate) struct Checkpoint {
    pub(crate) workflow: String,
    pub(crate) owner: String,
    pub(crate) application: String,
    pub(crate) step: u32,
    pub(crate) name: String,
    pub(crate) output: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) child: Option<String>,
    pub(crate) started_at_ms: i64,
    pub(crate) completed_at_ms: i64,
    pub(crate) effect: Effect,
}

/// What else is committed with a checkpoint.
#[derive(Clone, Debug)]
pub(crate) enum Effect {
    None,
    /// The event under `key` gets a value.
    Event {
        key: String,
        value: String,
    },
    /// The stream under `key` gets another value.
    Stream {
        key: String,
        value: String,
    },
    /// A message is sent. If nobody has the destination's id, `unreachable` is recorded as the
    /// step's error instead.
    Message {
        destination: String,
        topic: String,
        message: String,
        id: String,
        sent_at_ms: i64,
        unreachable: String,
    },
}

/// What became of a checkpoint.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Recorded {
    /// It is written.
    Written,
    /// It is written, with the error that the message's destination does not exist.
    Unreachable,
    /// Nothing was written: the run is no longer ours, or this step is recorded already.
    Refused,
}

impl Checkpoint {
    fn serialization(&self) -> Option<String> {
        // A step without a value has nothing to deserialise; the other libraries write NULL too.
        (self.output.is_some() || self.error.is_some()).then(|| PORTABLE.to_owned())
    }
}

impl Write for Checkpoint {
    type Reply = Recorded;
    const ACTION: &'static str = "record a step";

    async fn commit(store: &Store, batch: &[Self]) -> sqlx::Result<Vec<Recorded>> {
        let plain = batch.iter().all(|checkpoint| matches!(checkpoint.effect, Effect::None));
        match store.dialect() {
            Dialect::Postgres => {
                let statement = match batch {
                    [checkpoint] if plain => lone_on_postgres(checkpoint),
                    _ if plain => plain_on_postgres(batch),
                    _ => with_effects_on_postgres(batch),
                };
                replies(batch, &store.run(Access::Write, &statement).await?)
            }
            Dialect::Sqlite => {
                let mut connection = store.begin(Isolation::default()).await?;
                let replies = if plain && batch.len() > 1 {
                    replies(batch, &within(store.deadline(), connection.run(&plain_on_sqlite(batch))).await?)?
                } else {
                    record_one_by_one(store, &mut connection, batch).await?
                };
                within(store.deadline(), connection.commit()).await?;
                Ok(replies)
            }
        }
    }
}

fn replies(batch: &[Checkpoint], rows: &[Row]) -> sqlx::Result<Vec<Recorded>> {
    let mut written = std::collections::HashMap::new();
    for row in rows {
        written.insert((row.text("workflow_uuid")?, row.step_id("function_id")?), row.get::<bool>("unreachable")?);
    }
    Ok(batch
        .iter()
        .map(|checkpoint| match written.get(&(checkpoint.workflow.clone(), checkpoint.step)) {
            None => Recorded::Refused,
            Some(false) => Recorded::Written,
            Some(true) => Recorded::Unreachable,
        })
        .collect())
}

fn bind_checkpoints(statement: Statement, batch: &[&Checkpoint]) -> Statement {
    let texts = |field: fn(&Checkpoint) -> Option<String>| batch.iter().map(|item| field(item)).collect::<Vec<_>>();
    let ints = |field: fn(&Checkpoint) -> i64| batch.iter().map(|item| Some(field(item))).collect::<Vec<_>>();
    statement
        .bind(texts(|item| Some(item.workflow.clone())))
        .bind(texts(|item| Some(item.owner.clone())))
        .bind(ints(|item| item.step.into()))
        .bind(texts(|item| Some(item.name.clone())))
        .bind(texts(|item| item.output.clone()))
        .bind(texts(|item| item.error.clone()))
        .bind(texts(|item| item.child.clone()))
        .bind(ints(|item| item.started_at_ms))
        .bind(ints(|item| item.completed_at_ms))
        .bind(texts(Checkpoint::serialization))
        .bind(texts(|item| Some(item.application.clone())))
}

/// The same of a single one.
fn bind_checkpoint(statement: Statement, checkpoint: &Checkpoint) -> Statement {
    statement
        .bind(&checkpoint.workflow)
        .bind(&checkpoint.owner)
        .bind(checkpoint.step)
        .bind(&checkpoint.name)
        .bind(checkpoint.output.clone())
        .bind(checkpoint.error.clone())
        .bind(checkpoint.child.clone())
        .bind(checkpoint.started_at_ms)
        .bind(checkpoint.completed_at_ms)
        .bind(checkpoint.serialization())
        .bind(&checkpoint.application)
}

/// A step without an effect, and without the arrays of a batch: they take twice the time of what they carry.
fn lone_on_postgres(checkpoint: &Checkpoint) -> Statement {
    let statement = Statement::new(
        "WITH fence AS (
           SELECT workflow_uuid
             FROM dbos.workflow_status
            WHERE workflow_uuid = $1
              AND owner_xid = $2
              FOR NO KEY UPDATE
         )
         INSERT INTO dbos.operation_outputs
                (workflow_uuid, function_id, function_name, output, error, child_workflow_id, started_at_epoch_ms,
                 completed_at_epoch_ms, serialization, application_name, retention_timestamp)
         SELECT workflow_uuid, $3, $4, $5, $6, $7, $8, $9, $10, $11, $9
           FROM fence
         ON CONFLICT (workflow_uuid, function_id) DO NOTHING
         RETURNING workflow_uuid, CAST(function_id AS BIGINT) AS function_id, FALSE AS unreachable",
    );
    bind_checkpoint(statement, checkpoint)
}

fn plain_on_postgres(batch: &[Checkpoint]) -> Statement {
    let statement = Statement::new(concat!(
        "INSERT INTO dbos.operation_outputs
                (workflow_uuid, function_id, function_name, output, error, child_workflow_id, started_at_epoch_ms,
                 completed_at_epoch_ms, serialization, application_name, retention_timestamp)
         SELECT input.workflow_uuid, input.function_id, input.function_name, input.output, input.error,
                input.child_workflow_id, input.started_at_ms, input.completed_at_ms, input.serialization,
                input.application_name, input.completed_at_ms
           FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[],
                       $8::bigint[], $9::bigint[], $10::text[], $11::text[])
             AS input (workflow_uuid, owner_xid, function_id, function_name, output, error, child_workflow_id,
                       started_at_ms, completed_at_ms, serialization, application_name)
         ",
        fenced!(),
        "
         ON CONFLICT (workflow_uuid, function_id) DO NOTHING
         RETURNING workflow_uuid, CAST(function_id AS BIGINT) AS function_id, FALSE AS unreachable",
    ));
    bind_checkpoints(statement, &in_order(batch, |item| &item.workflow))
}

fn with_effects_on_postgres(batch: &[Checkpoint]) -> Statement {
    let statement = Statement::new(concat!(
        "WITH input AS (
           SELECT *
             FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[],
                         $8::bigint[], $9::bigint[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[],
                         $15::text[], $16::text[], $17::text[], $18::bigint[], $19::text[], $20::text[], $21::text[])
               AS input (workflow_uuid, owner_xid, function_id, function_name, output, error, child_workflow_id,
                         started_at_ms, completed_at_ms, serialization, application_name, event_key, event_value,
                         destination, topic, message, message_id, sent_at_ms, unreachable, stream_key, stream_value)
         ), outcome AS (
           SELECT input.*,
                  CASE WHEN input.destination IS NOT NULL
                        AND NOT EXISTS (SELECT 1 FROM dbos.workflow_status AS target
                                         WHERE target.workflow_uuid = input.destination)
                       THEN input.unreachable
                   END AS refusal
             FROM input
            ",
        fenced!(),
        "
         ), written AS (
           INSERT INTO dbos.operation_outputs
                  (workflow_uuid, function_id, function_name, output, error, child_workflow_id, started_at_epoch_ms,
                   completed_at_epoch_ms, serialization, application_name, retention_timestamp)
           SELECT workflow_uuid, function_id, function_name, output, COALESCE(refusal, error), child_workflow_id,
                  started_at_ms, completed_at_ms,
                  CASE WHEN refusal IS NULL THEN serialization ELSE 'portable_json' END, application_name,
                  completed_at_ms
             FROM outcome
           ON CONFLICT (workflow_uuid, function_id) DO NOTHING
           RETURNING workflow_uuid, function_id
         ), taken AS (
           SELECT outcome.*
             FROM outcome
             JOIN written ON written.workflow_uuid = outcome.workflow_uuid
                         AND written.function_id = outcome.function_id
         ), event AS (
           INSERT INTO dbos.workflow_events (workflow_uuid, key, value, serialization)
           SELECT DISTINCT ON (workflow_uuid, event_key) workflow_uuid, event_key, event_value, 'portable_json'
             FROM taken
            WHERE event_key IS NOT NULL
            ORDER BY workflow_uuid, event_key, function_id DESC
           ON CONFLICT (workflow_uuid, key)
           DO UPDATE SET value = EXCLUDED.value, serialization = EXCLUDED.serialization
         ), history AS (
           INSERT INTO dbos.workflow_events_history (workflow_uuid, function_id, key, value, serialization)
           SELECT workflow_uuid, function_id, event_key, event_value, 'portable_json'
             FROM taken
            WHERE event_key IS NOT NULL
           ON CONFLICT (workflow_uuid, function_id, key) DO NOTHING
         ), stream AS (
           INSERT INTO dbos.streams (workflow_uuid, key, value, \"offset\", function_id, serialization)
           SELECT workflow_uuid, stream_key, stream_value,
                  COALESCE((SELECT max(earlier.\"offset\")
                              FROM dbos.streams AS earlier
                             WHERE earlier.workflow_uuid = taken.workflow_uuid
                               AND earlier.key = taken.stream_key), -1)
                  + row_number() OVER (PARTITION BY workflow_uuid, stream_key ORDER BY function_id),
                  function_id, 'portable_json'
             FROM taken
            WHERE stream_key IS NOT NULL
         ), message AS (
           INSERT INTO dbos.notifications
                  (message_uuid, destination_uuid, topic, message, created_at_epoch_ms, serialization)
           SELECT message_id, destination, topic, message, sent_at_ms, 'portable_json'
             FROM taken
            WHERE destination IS NOT NULL AND refusal IS NULL
           ON CONFLICT (message_uuid) DO NOTHING
         )
         SELECT workflow_uuid, CAST(function_id AS BIGINT) AS function_id, refusal IS NOT NULL AS unreachable
           FROM taken",
    ));
    let batch = in_order(batch, |item| &item.workflow);
    let effects: Vec<_> = batch.iter().map(|item| EffectColumns::of(&item.effect)).collect();
    let texts = |column: for<'e> fn(&EffectColumns<'e>) -> Option<&'e String>| {
        effects.iter().map(|of| column(of).cloned()).collect::<Vec<_>>()
    };
    bind_checkpoints(statement, &batch)
        .bind(texts(|effect| effect.event_key))
        .bind(texts(|effect| effect.event_value))
        .bind(texts(|effect| effect.destination))
        .bind(texts(|effect| effect.topic))
        .bind(texts(|effect| effect.message))
        .bind(texts(|effect| effect.message_id))
        .bind(effects.iter().map(|effect| effect.sent_at_ms).collect::<Vec<_>>())
        .bind(texts(|effect| effect.unreachable))
        .bind(texts(|effect| effect.stream_key))
        .bind(texts(|effect| effect.stream_value))
}

/// An effect, as columns of which most are empty.
#[derive(Default)]
struct EffectColumns<'a> {
    event_key: Option<&'a String>,
    event_value: Option<&'a String>,
    destination: Option<&'a String>,
    topic: Option<&'a String>,
    message: Option<&'a String>,
    message_id: Option<&'a String>,
    sent_at_ms: Option<i64>,
    unreachable: Option<&'a String>,
    stream_key: Option<&'a String>,
    stream_value: Option<&'a String>,
}

impl<'a> EffectColumns<'a> {
    fn of(effect: &'a Effect) -> Self {
        match effect {
            Effect::None => Self::default(),
            Effect::Event { key, value } => Self { event_key: Some(key), event_value: Some(value), ..Self::default() },
            Effect::Stream { key, value } => {
                Self { stream_key: Some(key), stream_value: Some(value), ..Self::default() }
            }
            Effect::Message { destination, topic, message, id, sent_at_ms, unreachable } => Self {
                destination: Some(destination),
                topic: Some(topic),
                message: Some(message),
                message_id: Some(id),
                sent_at_ms: Some(*sent_at_ms),
                unreachable: Some(unreachable),
                ..Self::default()
            },
        }
    }
}

/// On SQLite, which has no arrays, a batch is a text.
fn plain_on_sqlite(batch: &[Checkpoint]) -> Statement {
    let entries: Vec<_> = batch
        .iter()
        .map(|item| {
            json!([
                item.workflow,
                item.owner,
                item.step,
                item.name,
                item.output,
                item.error,
                item.child,
                item.started_at_ms,
                item.completed_at_ms,
                item.serialization(),
                item.application,
            ])
        })
        .collect();
    Statement::new(
        "INSERT INTO dbos.operation_outputs
                (workflow_uuid, function_id, function_name, output, error, child_workflow_id, started_at_epoch_ms,
                 completed_at_epoch_ms, serialization, application_name, retention_timestamp)
         SELECT workflow.workflow_uuid, json_extract(entry.value, '$[2]'), json_extract(entry.value, '$[3]'),
                json_extract(entry.value, '$[4]'), json_extract(entry.value, '$[5]'),
                json_extract(entry.value, '$[6]'), json_extract(entry.value, '$[7]'),
                json_extract(entry.value, '$[8]'), json_extract(entry.value, '$[9]'),
                json_extract(entry.value, '$[10]'), json_extract(entry.value, '$[8]')
           FROM json_each($1) AS entry
          CROSS JOIN dbos.workflow_status AS workflow
          WHERE workflow.workflow_uuid = json_extract(entry.value, '$[0]')
            AND workflow.owner_xid = json_extract(entry.value, '$[1]')
         ON CONFLICT (workflow_uuid, function_id) DO NOTHING
         RETURNING workflow_uuid, function_id, FALSE AS unreachable",
    )
    .bind(Value::Array(entries).to_string())
}

async fn record_one_by_one(
    store: &Store,
    connection: &mut Connection,
    batch: &[Checkpoint],
) -> sqlx::Result<Vec<Recorded>> {
    let mut replies = Vec::with_capacity(batch.len());
    for checkpoint in batch {
        replies.push(within(store.deadline(), record_on_sqlite(connection, checkpoint)).await?);
    }
    Ok(replies)
}

async fn record_on_sqlite(connection: &mut Connection, checkpoint: &Checkpoint) -> sqlx::Result<Recorded> {
    let mut checkpoint = checkpoint.clone();
    let mut recorded = Recorded::Written;
    if let Effect::Message { destination, unreachable, .. } = &checkpoint.effect
        && !exists(connection, destination).await?
    {
        checkpoint.error = Some(unreachable.clone());
        checkpoint.effect = Effect::None;
        recorded = Recorded::Unreachable;
    }
    if connection.run(&fenced_insert(&checkpoint)).await?.is_empty() {
        return Ok(Recorded::Refused);
    }
    for statement in effect_statements(&checkpoint) {
        connection.run(&statement).await?;
    }
    Ok(recorded)
}

pub(super) async fn exists(connection: &mut Connection, workflow: &str) -> sqlx::Result<bool> {
    let statement =
        Statement::new("SELECT workflow_uuid FROM dbos.workflow_status WHERE workflow_uuid = $1").bind(workflow);
    Ok(!connection.run(&statement).await?.is_empty())
}

/// The checkpoint's row, if the run is ours and the step is not recorded yet. Also the last
/// statement of a user's transaction, on both databases.
pub(crate) fn fenced_insert(checkpoint: &Checkpoint) -> Statement {
    let statement = Statement::new(
        "INSERT INTO dbos.operation_outputs
                (workflow_uuid, function_id, function_name, output, error, child_workflow_id, started_at_epoch_ms,
                 completed_at_epoch_ms, serialization, application_name, retention_timestamp)
         SELECT workflow_uuid, $3, $4, $5, $6, $7, $8, $9, $10, $11, $9
           FROM dbos.workflow_status
          WHERE workflow_uuid = $1
            AND owner_xid = $2
         ON CONFLICT (workflow_uuid, function_id) DO NOTHING
         RETURNING workflow_uuid",
    );
    bind_checkpoint(statement, checkpoint)
}

/// The same on Postgres, where others write at the same time: the owner is read under a lock, and
/// only if the transaction that `BEGIN` opened is still the open one.
pub(crate) fn fenced_insert_in_transaction(checkpoint: &Checkpoint) -> Statement {
    Statement {
        sql: "WITH fence AS (
           SELECT workflow_uuid
             FROM dbos.workflow_status
            WHERE workflow_uuid = $1
              AND owner_xid = $2
              FOR NO KEY UPDATE
         ), written AS (
           INSERT INTO dbos.operation_outputs
                  (workflow_uuid, function_id, function_name, output, error, child_workflow_id, started_at_epoch_ms,
                   completed_at_epoch_ms, serialization, application_name, retention_timestamp)
           SELECT workflow_uuid, $3, $4, $5, $6, $7, $8, $9, $10, $11, $9
             FROM fence
            WHERE current_setting('dbos_engine.transaction', TRUE) = 'open'
           ON CONFLICT (workflow_uuid, function_id) DO NOTHING
           RETURNING workflow_uuid
         )
         SELECT (SELECT count(*) FROM written) AS written,
                COALESCE(current_setting('dbos_engine.transaction', TRUE), '') AS transaction",
        ..fenced_insert(checkpoint)
    }
}

/// What is committed beside the row, one statement each.
pub(crate) fn effect_statements(checkpoint: &Checkpoint) -> Vec<Statement> {
    match &checkpoint.effect {
        Effect::None => Vec::new(),
        Effect::Event { key, value } => vec![
            Statement::new(
                "INSERT INTO dbos.workflow_events (workflow_uuid, key, value, serialization)
                 VALUES ($1, $2, $3, $4)
                 ON CONFLICT (workflow_uuid, key)
                 DO UPDATE SET value = EXCLUDED.value, serialization = EXCLUDED.serialization",
            )
            .bind(&checkpoint.workflow)
            .bind(key)
            .bind(value)
            .bind(PORTABLE),
            Statement::new(
                "INSERT INTO dbos.workflow_events_history (workflow_uuid, function_id, key, value, serialization)
                 VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (workflow_uuid, function_id, key) DO NOTHING",
            )
            .bind(&checkpoint.workflow)
            .bind(checkpoint.step)
            .bind(key)
            .bind(value)
            .bind(PORTABLE),
        ],
        Effect::Stream { key, value } => {
            vec![super::streams::append(&checkpoint.workflow, key, value, checkpoint.step)]
        }
        Effect::Message { destination, topic, message, id, sent_at_ms, .. } => {
            vec![super::messages::insert(destination, topic, message, id, *sent_at_ms)]
        }
    }
}
