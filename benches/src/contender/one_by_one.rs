//! Limit A: each write is a statement of its own, prepared, with a commit of its own, on several connections.

use std::sync::Mutex;

use anyhow::{Result, bail};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Statement};

use super::minimal::{Flow, connect, one, prepare, receipt};
use super::{Body, Contender, now_ms};

pub const START: &str = "
    WITH started AS (
      INSERT INTO dbos.workflow_status
             (workflow_uuid, status, name, executor_id, application_name, application_version, owner_xid, creator_xid,
              created_at, updated_at, recovery_attempts, serialization)
      VALUES ($1, 'PENDING', 'count', 'minimal', 'benches', '1', $2, $2, $3::bigint, $3::bigint, 1, 'portable_json')
      RETURNING workflow_uuid
    )
    INSERT INTO dbos.workflow_input (workflow_uuid, inputs, retention_timestamp)
    SELECT workflow_uuid, '{\"positionalArgs\":[1],\"namedArgs\":{}}', $3::bigint FROM started";

pub const STEP: &str = "
    WITH mine AS (
      SELECT workflow_uuid FROM dbos.workflow_status WHERE workflow_uuid = $1 AND owner_xid = $2 FOR NO KEY UPDATE
    )
    INSERT INTO dbos.operation_outputs
           (workflow_uuid, function_id, function_name, output, started_at_epoch_ms, completed_at_epoch_ms,
            serialization, application_name, retention_timestamp)
    SELECT workflow_uuid, $3::int, 'receipt', $4, $5::bigint, $5::bigint, 'portable_json', 'benches', $5::bigint
      FROM mine";

pub const END: &str = "
    WITH ended AS (
      UPDATE dbos.workflow_status
         SET status = 'SUCCESS', updated_at = $3::bigint, completed_at = $3::bigint, owner_xid = NULL
       WHERE workflow_uuid = $1 AND owner_xid = $2 AND COALESCE(status, '') = 'PENDING'
      RETURNING workflow_uuid
    )
    INSERT INTO dbos.workflow_output (workflow_uuid, output, retention_timestamp)
    SELECT workflow_uuid, '1', $3::bigint FROM ended";

const ORDER: &str = "INSERT INTO orders (workflow, position) VALUES ($1, $2)";

pub struct OneByOne {
    idle: Mutex<Vec<Prepared>>,
    free: Semaphore,
}

struct Prepared {
    client: Client,
    start: Statement,
    step: Statement,
    end: Statement,
    order: Statement,
}

/// More connections than these make it slower on the machines at hand.
pub fn connections(in_flight: usize) -> usize {
    match in_flight {
        0..16 => in_flight.max(1),
        16..256 => 16,
        _ => 32,
    }
}

impl Contender for OneByOne {
    async fn launch(url: &str, in_flight: usize) -> Result<Self> {
        prepare(url).await?;
        let mut idle = Vec::new();
        for _ in 0..connections(in_flight) {
            idle.push(Prepared::new(connect(url).await?).await?);
        }
        Ok(Self { free: Semaphore::new(idle.len()), idle: Mutex::new(idle) })
    }

    async fn run(&self, id: String, body: Body) -> Result<()> {
        let flow = Flow::new(id);
        self.lend().await.start(&flow).await?;
        match body {
            Body::Steps(steps) => {
                for step in 0..steps {
                    self.lend().await.step(&flow, step).await?;
                }
            }
            Body::Transactions(transactions) => {
                for step in 0..transactions {
                    self.lend().await.transaction(&flow, step).await?;
                }
            }
            Body::Payload(_) => bail!("has no payloads"),
        }
        self.lend().await.end(&flow).await
    }
}

impl OneByOne {
    async fn lend(&self) -> Lent<'_> {
        let permit = self.free.acquire().await.expect("never closed");
        let prepared = self.idle.lock().expect("no one panics").pop().expect("as many as permits");
        Lent { pool: self, prepared: Some(prepared), _permit: permit }
    }
}

impl Prepared {
    async fn new(client: Client) -> Result<Self> {
        let start = client.prepare(START).await?;
        let step = client.prepare(STEP).await?;
        let end = client.prepare(END).await?;
        let order = client.prepare(ORDER).await?;
        Ok(Self { client, start, step, end, order })
    }

    async fn start(&self, flow: &Flow) -> Result<()> {
        one(self.client.execute(&self.start, &[&flow.id, &flow.owner, &now_ms()]).await?)
    }

    async fn step(&self, flow: &Flow, step: u32) -> Result<()> {
        let number = i32::try_from(step)?;
        one(self.client.execute(&self.step, &[&flow.id, &flow.owner, &number, &receipt(step), &now_ms()]).await?)
    }

    /// The user's row between BEGIN and the checkpoint: what a user does in a transaction is not known beforehand, so
    /// each of the four takes a trip. Isolated as this library isolates it if nothing else is asked for, and so tried
    /// again if it was in another's way.
    async fn transaction(&self, flow: &Flow, step: u32) -> Result<()> {
        while let Err(error) = self.try_transaction(flow, step).await {
            let error = error.downcast::<tokio_postgres::Error>()?;
            if error.code() != Some(&SqlState::T_R_SERIALIZATION_FAILURE) {
                return Err(error.into());
            }
            self.client.batch_execute("ROLLBACK").await?;
        }
        Ok(())
    }

    async fn try_transaction(&self, flow: &Flow, step: u32) -> Result<()> {
        self.client.batch_execute("BEGIN ISOLATION LEVEL SERIALIZABLE").await?;
        self.client.execute(&self.order, &[&flow.id, &i64::from(step)]).await?;
        self.step(flow, step).await?;
        Ok(self.client.batch_execute("COMMIT").await?)
    }

    async fn end(&self, flow: &Flow) -> Result<()> {
        one(self.client.execute(&self.end, &[&flow.id, &flow.owner, &now_ms()]).await?)
    }
}

/// A connection that goes back by itself.
struct Lent<'a> {
    pool: &'a OneByOne,
    prepared: Option<Prepared>,
    _permit: SemaphorePermit<'a>,
}

impl std::ops::Deref for Lent<'_> {
    type Target = Prepared;

    fn deref(&self) -> &Prepared {
        self.prepared.as_ref().expect("it is lent")
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let prepared = self.prepared.take().expect("it is lent once");
        self.pool.idle.lock().expect("no one panics").push(prepared);
    }
}
