//! What both limits with group commit have in common: writes that queue until whoever commits takes all of them.

use anyhow::{Context, Result, bail};
use tokio::sync::{mpsc, oneshot};

use super::Body;
use super::minimal::Flow;

/// Largest commit.
pub const BATCH: usize = 1024;

pub enum Write {
    Start(Flow),
    Step(Flow, u32),
    End(Flow),
}

/// A write, and whoever waits for its commit.
pub type Waiting = (Write, oneshot::Sender<()>);

pub struct Queue(mpsc::UnboundedSender<Waiting>);

impl Queue {
    pub fn new() -> (Self, mpsc::UnboundedReceiver<Waiting>) {
        let (queue, waiting) = mpsc::unbounded_channel();
        (Self(queue), waiting)
    }

    /// Runs a workflow: each write waits for the one before it.
    pub async fn run(&self, id: String, body: Body) -> Result<()> {
        let Body::Steps(steps) = body else { bail!("has only steps") };
        let flow = Flow::new(id);
        self.write(Write::Start(flow.clone())).await?;
        for step in 0..steps {
            self.write(Write::Step(flow.clone(), step)).await?;
        }
        self.write(Write::End(flow)).await
    }

    async fn write(&self, write: Write) -> Result<()> {
        let (written, answer) = oneshot::channel();
        self.0.send((write, written)).ok().context("the writer has failed")?;
        answer.await.context("the writer has failed")
    }
}

/// Tells those who wait that it is done.
pub fn answer(answers: Vec<oneshot::Sender<()>>) {
    for answer in answers {
        answer.send(()).ok();
    }
}
