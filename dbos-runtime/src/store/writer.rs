//! Group commit: a lane writes whatever has queued while its previous commit was under way. A lone
//! write never waits for company, and a write that cannot be stored fails alone.

use std::future::Future;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::Store;
use super::retry::is_transient;
use crate::error::{Error, Result};

/// Longest queue before writers wait for their turn.
const BACKLOG: usize = 4096;
/// Largest commit.
const BATCH: usize = 256;
/// How long a batch as a whole is tried before its members are tried one by one.
const BATCH_TRIES: u32 = 1;

/// Something that is committed in company of its like.
pub(crate) trait Write: Clone + Send + Sync + 'static {
    /// What the writer learns.
    type Reply: Send + 'static;
    /// For messages: "could not {ACTION}".
    const ACTION: &'static str;

    /// Commits all of `batch` or nothing, giving one reply for each. Safe to repeat.
    fn commit(store: &Store, batch: &[Self]) -> impl Future<Output = sqlx::Result<Vec<Self::Reply>>> + Send;
}

type Waiting<W> = (W, oneshot::Sender<Result<<W as Write>::Reply>>);

/// The queue in front of one kind of write.
pub(crate) struct Lane<W: Write> {
    sender: mpsc::Sender<Waiting<W>>,
}

impl<W: Write> Lane<W> {
    /// Starts the lane; its task ends when the lane is dropped.
    pub(crate) fn start(store: Store) -> Self {
        let (sender, receiver) = mpsc::channel(BACKLOG);
        tokio::spawn(work::<W>(store, receiver));
        Self { sender }
    }

    /// Commits `write`, waiting through any outage. An error means that it can never be stored.
    pub(crate) async fn commit(&self, write: W) -> Result<W::Reply> {
        let (reply, answer) = oneshot::channel();
        if self.sender.send((write, reply)).await.is_err() {
            return Err(Error::ShuttingDown);
        }
        answer.await.unwrap_or(Err(Error::ShuttingDown))
    }
}

async fn work<W: Write>(store: Store, mut receiver: mpsc::Receiver<Waiting<W>>) {
    let mut waiting = Vec::new();
    while receiver.recv_many(&mut waiting, BATCH).await > 0 {
        let (writes, replies): (Vec<W>, Vec<_>) = waiting.drain(..).unzip();
        match commit_together(&store, &writes).await {
            Some(outcomes) => {
                for (reply, outcome) in replies.into_iter().zip(outcomes) {
                    reply.send(Ok(outcome)).ok();
                }
            }
            None => {
                for (reply, write) in replies.into_iter().zip(writes) {
                    reply.send(commit_alone(&store, write).await).ok();
                }
            }
        }
    }
}

/// The batch in one commit, or `None` if its members have to be told apart.
async fn commit_together<W: Write>(store: &Store, writes: &[W]) -> Option<Vec<W::Reply>> {
    let write = store.durable_write(W::ACTION).await;
    let mut trouble = store.trouble(W::ACTION);
    let mut tries = 0;
    let mut pause = Duration::from_millis(20);
    loop {
        match W::commit(store, writes).await {
            Ok(replies) => {
                write.end().await;
                return Some(replies);
            }
            // An outage concerns all alike, so keeping them together keeps their order and costs least.
            Err(error) if is_transient(&error) => {
                if tries >= BATCH_TRIES {
                    trouble.note(&error);
                }
                tries += 1;
                crate::clock::pause(pause).await;
                pause = (pause * 2).min(Duration::from_secs(1));
            }
            Err(_) => return None,
        }
    }
}

async fn commit_alone<W: Write>(store: &Store, write: W) -> Result<W::Reply> {
    let alone = [write];
    let replies = store.repeat(W::ACTION, || W::commit(store, &alone)).await?;
    Ok(replies.into_iter().next().expect("one reply for one write"))
}

/// `batch` in the order of its workflows, in which whoever changes many rows locks them.
pub(super) fn in_order<W>(batch: &[W], workflow: fn(&W) -> &String) -> Vec<&W> {
    let mut batch: Vec<_> = batch.iter().collect();
    batch.sort_by_key(|write| workflow(write));
    batch
}
