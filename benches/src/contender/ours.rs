//! This library, as its README uses it: default features, default configuration.

use anyhow::{Result, ensure};
use dbos::{Config, DBOS, Queue, Topic, Tx, step, transaction, workflow};

use super::{Body, Contender, LONG, Receipt, Wait, arrive};

#[dbos::queue]
static WORK: Queue = Queue::new(super::QUEUE);

const NEVER: Topic<String> = Topic::new("never");

#[step]
async fn receipt(i: u32) -> Receipt {
    Receipt::of(i)
}

#[workflow]
async fn count(steps: u32) -> dbos::Result<u32> {
    let mut sum = 0;
    for i in 0..steps {
        sum += u32::from(receipt(i).await.ok);
    }
    Ok(sum)
}

#[transaction]
async fn order(tx: &mut Tx, workflow: &str, i: u32) -> dbos::Result<Receipt> {
    let insert = "INSERT INTO orders (workflow, position) VALUES ($1, $2)";
    tx.query(insert).bind(workflow).bind(i64::from(i)).execute().await?;
    Ok(Receipt::of(i))
}

#[workflow]
async fn orders(workflow: String, transactions: u32) -> dbos::Result<u32> {
    let mut sum = 0;
    for i in 0..transactions {
        sum += u32::from(order(&workflow, i).await?.ok);
    }
    Ok(sum)
}

#[step]
async fn bytes(length: usize) -> String {
    "x".repeat(length)
}

#[workflow]
async fn payload(length: usize) -> dbos::Result<String> {
    Ok(bytes(length).await)
}

#[workflow]
async fn nothing() -> dbos::Result<()> {
    arrive();
    Ok(())
}

#[workflow]
async fn asleep() -> dbos::Result<()> {
    arrive();
    DBOS::sleep(LONG).await;
    Ok(())
}

#[workflow]
async fn listening() -> dbos::Result<()> {
    arrive();
    DBOS::recv(NEVER, LONG).await?;
    Ok(())
}

pub struct Ours;

impl Contender for Ours {
    async fn launch(url: &str, _in_flight: usize) -> Result<Self> {
        DBOS::launch(Config::new("benches").database_url(url)).await?;
        Ok(Self)
    }

    async fn run(&self, id: String, body: Body) -> Result<()> {
        match body {
            Body::Steps(steps) => {
                ensure!(DBOS::start_workflow(count(steps)).workflow_id(id).await?.result().await? == steps);
            }
            Body::Transactions(transactions) => {
                let run = DBOS::start_workflow(orders(id.clone(), transactions)).workflow_id(id);
                ensure!(run.await?.result().await? == transactions);
            }
            Body::Payload(length) => {
                ensure!(DBOS::start_workflow(payload(length)).workflow_id(id).await?.result().await?.len() == length);
            }
        }
        Ok(())
    }

    async fn enqueue(&self, ids: Vec<String>) -> Result<()> {
        let mut calls: Vec<_> = ids.into_iter().map(|id| nothing().enqueue(&WORK).workflow_id(id)).collect();
        match calls.pop() {
            Some(only) if calls.is_empty() => drop(only.await?),
            last => drop(DBOS::enqueue_all(calls.into_iter().chain(last)).await?),
        }
        Ok(())
    }

    async fn wait(&self, id: String, wait: Wait) -> Result<()> {
        match wait {
            Wait::Sleep => DBOS::start_workflow(asleep()).workflow_id(id).await?,
            Wait::Message => DBOS::start_workflow(listening()).workflow_id(id).await?,
        };
        Ok(())
    }
}
