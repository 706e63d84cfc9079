//! What is let in: a request becomes a row only if somebody could run it, and its place in a queue can be stored.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::call::{Callee, Request};
use crate::context::open_transaction;
use crate::error::{Error, Result};
use crate::executor::Executor;
use crate::id::check_key;
use crate::queue::{Deduplication, QueueLimits, check_priority};

/// Checks requests that are made together; each queue is asked for once.
pub(super) struct Admission<'a> {
    executor: &'a Executor,
    partitioned: HashMap<String, bool>,
}

impl<'a> Admission<'a> {
    pub(super) fn to(executor: &'a Executor) -> Self {
        Self { executor, partitioned: HashMap::new() }
    }

    /// Refuses what would wait for ever, or cannot be stored.
    pub(super) async fn check(&mut self, request: &Request) -> Result<()> {
        let Some(queued) = &request.queued else {
            return if self.executor.runs_workflows { Ok(()) } else { Err(runs_nothing(request)) };
        };
        if matches!(request.callee, Callee::Name(_)) && open_transaction().is_some() {
            return Err(Error::InvalidKey {
                what: "`DBOS::enqueue` in a transaction".to_owned(),
                reason: "the database is asked whose the queue is, and the transaction may hold the only connection; enqueue \
                         outside of it"
                    .to_owned(),
            });
        }
        match &queued.partition_key {
            Some(key) => check_key("partition key", key)?,
            None if self.is_partitioned(request, &queued.queue).await? => {
                let reason = format!("the queue `{}` has limits for partitions; give the key of one", queued.queue);
                return Err(Error::InvalidKey { what: "a start without a partition key".to_owned(), reason });
            }
            None => {}
        }
        if queued.deduplication == Deduplication::ReturnExisting && open_transaction().is_some() {
            return Err(Error::InvalidKey {
                what: "`Deduplication::ReturnExisting` in a transaction".to_owned(),
                reason: "whether there is another is known when the transaction commits; enqueue outside of it"
                    .to_owned(),
            });
        }
        check_priority(queued.priority)?;
        queued.deduplication_id.as_ref().map_or(Ok(()), |id| check_key("deduplication id", id))
    }

    async fn is_partitioned(&mut self, request: &Request, queue: &str) -> Result<bool> {
        match self.partitioned.entry(queue.to_owned()) {
            Entry::Occupied(known) => Ok(*known.get()),
            Entry::Vacant(place) => Ok(*place.insert(is_partitioned(self.executor, request, queue).await?)),
        }
    }
}

fn runs_nothing(request: &Request) -> Error {
    let name = request.callee.name();
    Error::Configuration(format!("a client runs no workflows; put `{name}` into a queue with `.enqueue(&QUEUE)`"))
}

/// Whether a queue has limits for partitions. One that may be another application's, and is nobody's, is refused with the
/// row.
async fn is_partitioned(executor: &Executor, request: &Request, queue: &str) -> Result<bool> {
    if !request.is_given_away(executor) {
        return Ok(limits_of(executor, queue).await?.are_partitioned());
    }
    Ok(executor.store.queue_limits(queue).await?.is_some_and(|limits| limits.are_partitioned()))
}

/// The limits of a queue, which this process may not have heard of yet.
async fn limits_of(executor: &Executor, queue: &str) -> Result<QueueLimits> {
    if let Some(limits) = executor.queues.limits(queue) {
        return Ok(limits);
    }
    // A row that a hand has deleted or spoilt is as it was declared after the next launch.
    let declared = executor.catalog.declared_limits(queue);
    let since = executor.queues.about_to_look();
    match executor.store.queue_now(queue, &executor.claimant()).await {
        Ok(Some(now)) => {
            executor.queues.note(queue, now.limits, since);
            Ok(now.limits)
        }
        Ok(None) => declared.ok_or_else(|| Error::NonExistentQueue { queue: queue.to_owned() }),
        Err(error) => declared.ok_or(error),
    }
}
