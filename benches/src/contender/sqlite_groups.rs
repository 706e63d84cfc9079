//! Limit B on SQLite: one thread, on which whatever has queued meanwhile is one transaction.

use anyhow::{Context, Result};
use rusqlite::{Connection, params};
use tokio::sync::mpsc::UnboundedReceiver;

use super::minimal::receipt;
use super::queue::{BATCH, Queue, Waiting, Write, answer};
use super::{Body, Contender, now_ms};

const START: &str = "
    INSERT INTO workflow_status
           (workflow_uuid, status, name, executor_id, application_name, application_version, owner_xid, creator_xid,
            created_at, updated_at, recovery_attempts, serialization)
    VALUES (?1, 'PENDING', 'count', 'minimal', 'benches', '1', ?2, ?2, ?3, ?3, 1, 'portable_json')";

const INPUT: &str = "
    INSERT INTO workflow_input (workflow_uuid, inputs, retention_timestamp)
    VALUES (?1, '{\"positionalArgs\":[1],\"namedArgs\":{}}', ?2)";

const STEP: &str = "
    INSERT INTO operation_outputs
           (workflow_uuid, function_id, function_name, output, started_at_epoch_ms, completed_at_epoch_ms,
            serialization, application_name, retention_timestamp)
    SELECT workflow_uuid, ?3, 'receipt', ?4, ?5, ?5, 'portable_json', 'benches', ?5
      FROM workflow_status
     WHERE workflow_uuid = ?1 AND owner_xid = ?2";

const END: &str = "
    UPDATE workflow_status
       SET status = 'SUCCESS', updated_at = ?3, completed_at = ?3, owner_xid = NULL
     WHERE workflow_uuid = ?1 AND owner_xid = ?2 AND status = 'PENDING'";

const OUTPUT: &str = "INSERT INTO workflow_output (workflow_uuid, output, retention_timestamp) VALUES (?1, '1', ?2)";

pub struct SqliteGroups(Queue);

impl Contender for SqliteGroups {
    async fn launch(url: &str, _in_flight: usize) -> Result<Self> {
        let path = url.strip_prefix("sqlite:").context("a file is needed")?;
        let connection = Connection::open(path)?;
        connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")?;
        let tables = "SELECT count(*) FROM sqlite_master WHERE name = 'workflow_status'";
        if connection.query_row(tables, [], |row| row.get::<_, i64>(0))? == 0 {
            for migration in dbos_migrations::SQLITE_SYSTEM {
                connection.execute_batch(migration.sql)?;
            }
        }
        let (queue, waiting) = Queue::new();
        std::thread::spawn(move || work(connection, waiting).inspect_err(|error| eprintln!("the writer: {error:#}")));
        Ok(Self(queue))
    }

    async fn run(&self, id: String, body: Body) -> Result<()> {
        self.0.run(id, body).await
    }
}

fn work(mut connection: Connection, mut waiting: UnboundedReceiver<Waiting>) -> Result<()> {
    let mut batch = Vec::new();
    while waiting.blocking_recv_many(&mut batch, BATCH) > 0 {
        let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let (writes, answers): (Vec<Write>, Vec<_>) = batch.drain(..).unzip();
        for write in &writes {
            apply(&transaction, write)?;
        }
        transaction.commit()?;
        answer(answers);
    }
    Ok(())
}

fn apply(connection: &Connection, write: &Write) -> Result<()> {
    let now = now_ms();
    let run = |sql, values: &[&dyn rusqlite::ToSql]| -> Result<()> {
        super::minimal::one(connection.prepare_cached(sql)?.execute(values)? as u64)
    };
    match write {
        Write::Start(flow) => {
            run(START, params![flow.id, flow.owner, now])?;
            run(INPUT, params![flow.id, now])
        }
        Write::Step(flow, step) => run(STEP, params![flow.id, flow.owner, step, receipt(*step), now]),
        Write::End(flow) => {
            run(END, params![flow.id, flow.owner, now])?;
            run(OUTPUT, params![flow.id, now])
        }
    }
}
