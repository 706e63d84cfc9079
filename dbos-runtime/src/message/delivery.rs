//! Messages on their way: to those they are addressed to and, if asked for, to what was forked from these, in one commit.

use super::{At, message_id, sent};
use crate::checkpoint::{Point, StepOutcome};
use crate::codec::engine_error;
use crate::context::engine;
use crate::error::{Error, Result};
use crate::executor::Executor;
use crate::store::checkpoints::Effect;
use crate::store::messages::{Delivery, Outgoing};
use crate::store::retry::{Backoff, is_transient};
use crate::wakeup::Fact;

/// Whether a message goes to the forks of its destination too.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Forks {
    #[default]
    LeftOut,
    Included,
}

/// A message as it is handed in.
pub(super) struct Letter {
    pub(super) destination: String,
    pub(super) message: String,
    pub(super) key: Option<String>,
}

impl Letter {
    /// A copy of it for `destination`, with a name of its own.
    fn to(&self, destination: String, executor: &Executor) -> Outgoing {
        let id = message_id(self.key.clone(), &destination);
        Outgoing { destination, message: self.message.clone(), id, sent_at_ms: executor.clock.unique_ms() }
    }
}

/// Sends all of `letters` or none.
pub(super) async fn deliver(at: At, topic: &str, letters: &[Letter], forks: Forks) -> Result<()> {
    let executor = engine()?;
    let messages = match at {
        At::Outside => from_outside(&executor, topic, letters, forks).await?,
        At::Workflow(point) => from_workflow(&point, topic, letters, forks).await?,
        At::Transaction(_) if forks == Forks::Included => {
            let reason =
                "the database is asked for them, and the transaction may hold the only connection; send outside of it";
            return Err(Error::InvalidKey {
                what: "`to_forks` in a transaction".to_owned(),
                reason: reason.to_owned(),
            });
        }
        At::Transaction(step) => {
            for letter in letters {
                let unreachable = engine_error(&nobody(&letter.destination)).text().to_owned();
                let Outgoing { destination, message, id, sent_at_ms } =
                    letter.to(letter.destination.clone(), &executor);
                let topic = topic.to_owned();
                step.add_effect(Effect::Message { destination, topic, message, id, sent_at_ms, unreachable });
            }
            return Ok(());
        }
    };
    for Outgoing { destination, .. } in messages {
        executor.notifier.told(&Fact::Message { workflow: destination, topic: topic.to_owned() });
    }
    Ok(())
}

/// A copy for each who is to have one.
async fn copies(executor: &Executor, letters: &[Letter], forks: Forks) -> Result<Vec<Outgoing>> {
    let mut copies = Vec::with_capacity(letters.len());
    for letter in letters {
        copies.push(letter.to(letter.destination.clone(), executor));
        if forks == Forks::Included {
            let forked = executor.store.forks_of(&letter.destination).await?;
            copies.extend(forked.into_iter().map(|fork| letter.to(fork, executor)));
        }
    }
    Ok(copies)
}

/// Whether one of `letters` is addressed to `workflow`: else it is a fork that was deleted since it was looked for.
fn is_addressed(letters: &[Letter], workflow: &str) -> bool {
    letters.iter().any(|letter| letter.destination == workflow)
}

async fn from_outside(executor: &Executor, topic: &str, letters: &[Letter], forks: Forks) -> Result<Vec<Outgoing>> {
    loop {
        let messages = copies(executor, letters, forks).await?;
        let delivery = executor.store.repeat("send messages", || executor.store.send_all(topic, &messages, None));
        match delivery.await? {
            Delivery::Nobody(workflow) if is_addressed(letters, &workflow) => return Err(nobody(&workflow)),
            Delivery::Nobody(_) => {}
            Delivery::Sent | Delivery::Refused => return Ok(messages),
        }
    }
}

/// Sends them and records the step in one commit; if one cannot be sent, records that and sends none.
async fn from_workflow(point: &Point, topic: &str, letters: &[Letter], forks: Forks) -> Result<Vec<Outgoing>> {
    let executor = &point.run.executor;
    let now_ms = executor.clock.now_ms();
    let checkpoint = point.checkpoint(StepOutcome::default(), Effect::None, now_ms, now_ms);
    let mut backoff = Backoff::new();
    loop {
        let messages = match copies(executor, letters, forks).await {
            Ok(messages) => messages,
            Err(error) => point.fail_to_store(&error).await,
        };
        match executor.store.send_all(topic, &messages, Some(&checkpoint)).await {
            Ok(Delivery::Sent) => return Ok(messages),
            Ok(Delivery::Nobody(workflow)) if is_addressed(letters, &workflow) => {
                let outcome = StepOutcome::from(engine_error(&nobody(&workflow)));
                sent(&point.record(outcome, Effect::None, now_ms).await.into_encoded())?;
                return Ok(messages);
            }
            Ok(Delivery::Nobody(_)) => {}
            // Perhaps by ourselves, and the answer was lost.
            Ok(Delivery::Refused) => {
                if let Some(recorded) = point.explain_refusal().await {
                    sent(&recorded.into_encoded())?;
                    return Ok(messages);
                }
            }
            Err(error) if is_transient(&error) => {}
            Err(error) => point.fail_to_store(&Error::database("send messages", error)).await,
        }
        backoff.wait().await;
    }
}

fn nobody(workflow: &str) -> Error {
    Error::NonExistentWorkflow { workflow: workflow.to_owned() }
}
