//! The official `dbos` crate.

use anyhow::{Context, Result, bail, ensure};
use futures_util::stream::{StreamExt, TryStreamExt, iter};
use official::{
    Config, DBOS, Enqueue, QueueConflict, QueueOptions, RunOptions, StartOptions, WorkflowRef, recv, sleep, step,
};

use super::{Body, Contender, LONG, PEER_CONNECTIONS, PEER_POLL, QUEUE, Receipt, Wait, arrive};

pub struct Official {
    count: WorkflowRef<u32, u32>,
    payload: WorkflowRef<usize, String>,
    nothing: WorkflowRef<(), ()>,
    asleep: WorkflowRef<(), ()>,
    listening: WorkflowRef<(), ()>,
}

impl Contender for Official {
    async fn launch(url: &str, _in_flight: usize) -> Result<Self> {
        let engine = DBOS::new(Config {
            max_connections: PEER_CONNECTIONS,
            app_version: Some("1".to_owned()),
            ..Config::new("benches", url)
        });
        let contender = Self {
            count: engine.register_workflow("count", count)?,
            payload: engine.register_workflow("payload", payload)?,
            nothing: engine.register_workflow("nothing", nothing)?,
            asleep: engine.register_workflow("asleep", asleep)?,
            listening: engine.register_workflow("listening", listening)?,
        };
        engine.launch().await?;
        let options = QueueOptions { polling_interval: PEER_POLL, ..QueueOptions::default() };
        engine.register_queue(QUEUE, options, QueueConflict::UpdateIfLatestVersion).await?;
        Ok(contender)
    }

    async fn run(&self, id: String, body: Body) -> Result<()> {
        let options = RunOptions { workflow_id: Some(&id), ..RunOptions::default() };
        match body {
            Body::Steps(steps) => ensure!(self.count.run_with(steps, options).await? == steps),
            Body::Payload(length) => ensure!(self.payload.run_with(length, options).await?.len() == length),
            Body::Transactions(_) => bail!("has no transactions"),
        }
        Ok(())
    }

    async fn enqueue(&self, ids: Vec<String>) -> Result<()> {
        let enqueue = |id: String| async move {
            let queue = Some(Enqueue::new(QUEUE));
            let options = StartOptions { workflow_id: Some(&id), queue, ..StartOptions::default() };
            self.nothing.start_with((), options).await.map(drop).context("enqueue")
        };
        let at_once = PEER_CONNECTIONS as usize;
        iter(ids).map(enqueue).buffer_unordered(at_once).try_collect::<Vec<()>>().await.map(drop)
    }

    async fn wait(&self, id: String, wait: Wait) -> Result<()> {
        let workflow = match wait {
            Wait::Sleep => &self.asleep,
            Wait::Message => &self.listening,
        };
        workflow.start_with((), StartOptions { workflow_id: Some(&id), ..StartOptions::default() }).await?;
        Ok(())
    }
}

async fn count(steps: u32) -> official::Result<u32> {
    let mut sum = 0;
    for i in 0..steps {
        sum += u32::from(step("receipt", || async move { official::Result::Ok(Receipt::of(i)) }).await?.ok);
    }
    Ok(sum)
}

async fn payload(length: usize) -> official::Result<String> {
    step("bytes", || async move { official::Result::Ok("x".repeat(length)) }).await
}

async fn nothing((): ()) -> official::Result<()> {
    arrive();
    Ok(())
}

async fn asleep((): ()) -> official::Result<()> {
    arrive();
    sleep(LONG).await
}

async fn listening((): ()) -> official::Result<()> {
    arrive();
    recv::<String, _>(Some("never"), LONG).await.map(drop)
}
