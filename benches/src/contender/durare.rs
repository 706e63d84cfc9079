//! The community's `durare`.

use std::sync::Arc;

use anyhow::{Result, ensure};
use durare::{DurableContext, DurableEngine, PostgresProvider, Tx, WorkflowOptions, WorkflowQueue, params};
use futures_util::stream::{StreamExt, TryStreamExt, iter};
use sqlx::postgres::PgPoolOptions;

use super::{Body, Contender, LONG, PEER_CONNECTIONS, PEER_POLL, QUEUE, Receipt, Wait, arrive};

#[durare::step]
async fn receipt(ctx: &DurableContext, i: u32) -> durare::Result<Receipt> {
    Ok(Receipt::of(i))
}

#[durare::workflow]
async fn count(ctx: DurableContext, steps: u32) -> durare::Result<u32> {
    let mut sum = 0;
    for i in 0..steps {
        sum += u32::from(receipt(&ctx, i).await?.ok);
    }
    Ok(sum)
}

#[durare::transaction]
async fn order(ctx: &DurableContext, tx: &mut Tx<'_>, workflow: String, i: i64) -> durare::Result<Receipt> {
    tx.execute("INSERT INTO public.orders (workflow, position) VALUES ($1, $2)", &params![workflow, i]).await?;
    Ok(Receipt::of(u32::try_from(i).expect("a few")))
}

#[durare::workflow]
async fn orders(ctx: DurableContext, (workflow, transactions): (String, u32)) -> durare::Result<u32> {
    let mut sum = 0;
    for i in 0..transactions {
        sum += u32::from(order(&ctx, workflow.clone(), i64::from(i)).await?.ok);
    }
    Ok(sum)
}

#[durare::step]
async fn bytes(ctx: &DurableContext, length: usize) -> durare::Result<String> {
    Ok("x".repeat(length))
}

#[durare::workflow]
async fn payload(ctx: DurableContext, length: usize) -> durare::Result<String> {
    bytes(&ctx, length).await
}

#[durare::workflow]
async fn nothing(_ctx: DurableContext, _: ()) -> durare::Result<()> {
    arrive();
    Ok(())
}

#[durare::workflow]
async fn asleep(ctx: DurableContext, _: ()) -> durare::Result<()> {
    arrive();
    ctx.sleep(LONG).await
}

#[durare::workflow]
async fn listening(ctx: DurableContext, _: ()) -> durare::Result<()> {
    arrive();
    ctx.recv::<String>("never", LONG).await?;
    Ok(())
}

pub struct Durare(DurableEngine);

impl Contender for Durare {
    async fn launch(url: &str, _in_flight: usize) -> Result<Self> {
        let pool = PgPoolOptions::new().max_connections(PEER_CONNECTIONS).connect(url).await?;
        let provider = PostgresProvider::from_pool_with_schema(pool, "dbos")?;
        let mut builder = DurableEngine::builder(Arc::new(provider));
        let queue = WorkflowQueue::new(QUEUE).base_polling_interval(PEER_POLL).max_tasks_per_iteration(1000);
        builder.register_queue(queue).app_version("1").recover_on_launch(true);
        let engine = builder.build().await?;
        engine.launch().await?;
        Ok(Self(engine))
    }

    async fn run(&self, id: String, body: Body) -> Result<()> {
        let options = WorkflowOptions::with_id(id.clone());
        match body {
            Body::Steps(steps) => ensure!(self.0.start_with(Count, steps, options).await?.await? == steps),
            Body::Transactions(transactions) => {
                let run = self.0.start_with(Orders, (id, transactions), options);
                ensure!(run.await?.await? == transactions);
            }
            Body::Payload(length) => ensure!(self.0.start_with(Payload, length, options).await?.await?.len() == length),
        }
        Ok(())
    }

    async fn enqueue(&self, ids: Vec<String>) -> Result<()> {
        let enqueue = |id: String| async move {
            let options = WorkflowOptions::with_id(id).queue(QUEUE);
            self.0.start_with(Nothing, (), options).await.map(drop)
        };
        let at_once = PEER_CONNECTIONS as usize;
        iter(ids).map(enqueue).buffer_unordered(at_once).try_collect::<Vec<()>>().await?;
        Ok(())
    }

    async fn wait(&self, id: String, wait: Wait) -> Result<()> {
        let options = WorkflowOptions::with_id(id);
        match wait {
            Wait::Sleep => self.0.start_with(Asleep, (), options).await.map(drop)?,
            Wait::Message => self.0.start_with(Listening, (), options).await.map(drop)?,
        }
        Ok(())
    }
}
