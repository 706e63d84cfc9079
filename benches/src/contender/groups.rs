//! Limit B: one connection, on which whatever has queued meanwhile is one statement and one commit.

use anyhow::{Result, ensure};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_postgres::{Client, Statement};

use super::minimal::{Flow, connect, prepare, receipt};
use super::queue::{BATCH, Queue, Waiting, Write, answer};
use super::{Body, Contender, now_ms};

/// Rows are found by their keys, whatever the planner thinks of tables that were empty when it was asked, and not by the
/// index of what is pending. What a workflow writes can never be in one batch with what it wrote before, since it waits
/// for that.
const WRITE: &str = "
    WITH started AS (
      INSERT INTO dbos.workflow_status
             (workflow_uuid, status, name, executor_id, application_name, application_version, owner_xid, creator_xid,
              created_at, updated_at, recovery_attempts, serialization)
      SELECT id, 'PENDING', 'count', 'minimal', 'benches', '1', owner, owner, $8, $8, 1, 'portable_json'
        FROM unnest($1::text[], $2::text[]) AS input (id, owner)
      RETURNING workflow_uuid
    ), inputs AS (
      INSERT INTO dbos.workflow_input (workflow_uuid, inputs, retention_timestamp)
      SELECT workflow_uuid, '{\"positionalArgs\":[1],\"namedArgs\":{}}', $8 FROM started
    ), stepped AS (
      INSERT INTO dbos.operation_outputs
             (workflow_uuid, function_id, function_name, output, started_at_epoch_ms, completed_at_epoch_ms,
              serialization, application_name, retention_timestamp)
      SELECT id, step, 'receipt', output, $8, $8, 'portable_json', 'benches', $8
        FROM unnest($3::text[], $4::text[], $5::int[], $9::text[]) AS input (id, owner, step, output)
       CROSS JOIN LATERAL (
               SELECT owner_xid FROM dbos.workflow_status WHERE workflow_uuid = input.id FOR NO KEY UPDATE
             ) AS workflow
       WHERE workflow.owner_xid = input.owner
      RETURNING workflow_uuid
    ), mine AS (
      SELECT workflow.workflow_uuid
        FROM unnest($6::text[], $7::text[]) AS input (id, owner)
       CROSS JOIN LATERAL (
               SELECT workflow_uuid, owner_xid
                 FROM dbos.workflow_status
                WHERE workflow_uuid = input.id AND COALESCE(status, '') = 'PENDING'
                  FOR NO KEY UPDATE
             ) AS workflow
       WHERE workflow.owner_xid = input.owner
    ), ended AS (
      UPDATE dbos.workflow_status AS workflow
         SET status = 'SUCCESS', updated_at = $8, completed_at = $8, owner_xid = NULL
        FROM mine
       WHERE workflow.workflow_uuid = mine.workflow_uuid
      RETURNING workflow.workflow_uuid
    ), outputs AS (
      INSERT INTO dbos.workflow_output (workflow_uuid, output, retention_timestamp)
      SELECT workflow_uuid, '1', $8 FROM ended
    )
    SELECT (SELECT count(*) FROM started) + (SELECT count(*) FROM stepped) + (SELECT count(*) FROM ended)";

pub struct Groups(Queue);

impl Contender for Groups {
    async fn launch(url: &str, _in_flight: usize) -> Result<Self> {
        prepare(url).await?;
        let client = connect(url).await?;
        let statement = client.prepare(WRITE).await?;
        let (queue, waiting) = Queue::new();
        tokio::spawn(work(client, statement, waiting));
        Ok(Self(queue))
    }

    async fn run(&self, id: String, body: Body) -> Result<()> {
        self.0.run(id, body).await
    }
}

async fn work(client: Client, statement: Statement, mut waiting: UnboundedReceiver<Waiting>) -> Result<()> {
    let mut batch = Vec::new();
    while waiting.recv_many(&mut batch, BATCH).await > 0 {
        let (writes, answers): (Vec<Write>, Vec<_>) = batch.drain(..).unzip();
        commit(&client, &statement, &writes).await.inspect_err(|error| eprintln!("the writer: {error:#}"))?;
        answer(answers);
    }
    Ok(())
}

async fn commit(client: &Client, statement: &Statement, writes: &[Write]) -> Result<()> {
    let (mut starts, mut steps, mut ends) = (Columns::default(), Columns::default(), Columns::default());
    let (mut numbers, mut outputs) = (Vec::new(), Vec::new());
    for write in writes {
        match write {
            Write::Start(flow) => starts.push(flow),
            Write::Step(flow, step) => {
                steps.push(flow);
                numbers.push(i32::try_from(*step)?);
                outputs.push(receipt(*step));
            }
            Write::End(flow) => ends.push(flow),
        }
    }
    let written = client
        .query_one(
            statement,
            &[
                &starts.ids,
                &starts.owners,
                &steps.ids,
                &steps.owners,
                &numbers,
                &ends.ids,
                &ends.owners,
                &now_ms(),
                &outputs,
            ],
        )
        .await?
        .get::<_, i64>(0);
    ensure!(usize::try_from(written)? == writes.len(), "the fence refused a write");
    Ok(())
}

#[derive(Default)]
struct Columns<'a> {
    ids: Vec<&'a str>,
    owners: Vec<&'a str>,
}

impl<'a> Columns<'a> {
    fn push(&mut self, flow: &'a Flow) {
        self.ids.push(&flow.id);
        self.owners.push(&flow.owner);
    }
}
