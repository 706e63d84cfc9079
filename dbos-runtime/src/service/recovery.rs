//! Takes over what dead executors left.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::codec::engine_error;
use crate::error::{Error, Result};
use crate::executor::Executor;
use crate::id::random_id;
use crate::queue::QueueLimits;
use crate::service::identity::remove_lock_file;
use crate::status::Status;
use crate::store::executors::ExecutorRow;
use crate::store::outcomes::Ended;
use crate::store::queues::Dequeued;
use crate::store::steps::History;
use crate::store::workflows::Claimed;
use crate::telemetry;
use crate::wakeup::Fact;
use crate::workflow::{Execution, spawn};

/// How many workflows are claimed at once.
const CLAIM: i64 = 100;

/// Recovers the work of each executor that is reported dead, until the channel closes.
pub(crate) async fn run(executor: Arc<Executor>, mut dead: mpsc::Receiver<ExecutorRow>) {
    executor.takes_over().await;
    while let Some(row) = dead.recv().await {
        if let Err(error) = run_once(&executor, &row).await {
            tracing::warn!(%error, dead = row.executor, "could not take over a dead executor's workflows; trying again");
        }
    }
}

/// Takes over everything of one dead executor that this code can run, and gives the ids of it. What came out of a
/// queue goes back into it: it is started again as the limits of the queue allow, here or elsewhere.
pub(crate) async fn run_once(executor: &Arc<Executor>, dead: &ExecutorRow) -> Result<Vec<String>> {
    let now_ms = executor.clock.now_ms();
    for queue in executor.store.put_back(&dead.executor, &executor.application, now_ms).await? {
        executor.notifier.told(&Fact::Enqueued { queue });
    }
    let mut recovered = Vec::new();
    while let TakenUp::Some(ids) = take_up(executor, Source::Dead(&dead.executor)).await? {
        recovered.extend(ids);
    }
    if executor.store.forget_executor(&dead.executor).await? {
        remove_lock_file(dead, &executor.store);
    }
    Ok(recovered)
}

/// Where workflows are claimed from.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    /// A dead executor.
    Dead(&'a str),
    /// A queue, from which so many are wanted.
    Queue { queue: &'a str, limits: &'a QueueLimits, most: usize },
}

impl Source<'_> {
    fn name(&self) -> &str {
        match self {
            Self::Dead(executor) => executor,
            Self::Queue { queue, .. } => queue,
        }
    }
}

/// Which workflows were taken up.
pub(super) enum TakenUp {
    /// Their ids.
    Some(Vec<String>),
    None {
        /// When the rate limit of the queue allows a start, if it is why.
        room_at_ms: Option<i64>,
    },
}

/// Claims some workflows and lets them go on here.
pub(super) async fn take_up(executor: &Arc<Executor>, from: Source<'_>) -> Result<TakenUp> {
    // Held until all that was claimed runs: a shutdown then hands it back.
    let _permit = executor.start_permit().await?;
    let (owner, Dequeued { mut claimed, room_at_ms }) = claim(executor, from).await?;
    if claimed.is_empty() {
        return Ok(TakenUp::None { room_at_ms });
    }
    if let Source::Queue { queue, .. } = from {
        note_origin(executor, queue, &mut claimed).await;
    }
    let ids = claimed.iter().map(|claimed| claimed.workflow.clone()).collect();
    for workflow in claimed {
        recover(executor, workflow, &owner, from.name()).await;
    }
    Ok(TakenUp::Some(ids))
}

/// Most of what comes out of a queue has never run; one question for all of them spares each a look at its history.
async fn note_origin(executor: &Executor, queue: &str, claimed: &mut [Claimed]) {
    let ids: Vec<_> = claimed.iter().map(|claimed| claimed.workflow.as_str()).collect();
    let begun = executor.store.begun(&ids).await;
    for workflow in claimed {
        workflow.queue = Some(queue.to_owned());
        let is_fresh = workflow.attempts <= 1 && begun.as_ref().is_ok_and(|begun| !begun.contains(&workflow.workflow));
        workflow.history = is_fresh.then(History::new);
    }
}

async fn claim(executor: &Executor, from: Source<'_>) -> Result<(String, Dequeued)> {
    let owner = random_id();
    let (store, clock, claimant) = (&executor.store, &executor.clock, executor.claimant());
    let write = store.durable_write("claim workflows").await;
    let claimed = match from {
        Source::Queue { queue, limits, most } => {
            let most = i64::try_from(most).unwrap_or(i64::MAX);
            store.claim_enqueued(queue, limits, &claimant, &owner, most, clock).await
        }
        Source::Dead(dead) => {
            store.claim_from(dead, &claimant, &owner, clock.now_ms(), CLAIM).await.map(Dequeued::from)
        }
    };
    let claimed = match claimed {
        Ok(claimed) => claimed,
        // The answer may be lost and the claim committed; our token finds what it took.
        Err(error) => {
            tracing::warn!(%error, from = from.name(), "could not claim workflows; looking whether it worked");
            store.claimed_under(&owner).await?.into()
        }
    };
    write.end().await;
    Ok((owner, claimed))
}

/// Lets a claimed workflow go on here. `from` is for the log: where it comes from.
pub(super) async fn recover(executor: &Arc<Executor>, claimed: Claimed, owner: &str, from: &str) {
    let (workflow, queue) = (claimed.workflow.clone(), claimed.queue.clone());
    if let Err(error) = try_to_recover(executor, claimed, owner, from).await {
        // One bad row stops one workflow.
        tracing::error!(%error, workflow, "workflow cannot be recovered");
        let error = Error::Unreadable { what: "the history of the workflow".to_owned(), reason: error.to_string() };
        let fact = Fact::Ended { workflow: workflow.clone() };
        let ended = Ended {
            workflow,
            owner: owner.to_owned(),
            status: Status::Error,
            output: None,
            error: Some(engine_error(&error).text().to_owned()),
            now_ms: executor.clock.now_ms(),
        };
        executor.outcomes.commit(ended).await.ok();
        executor.notifier.told(&fact);
        executor.leave_queue(queue);
    }
}

async fn try_to_recover(executor: &Arc<Executor>, mut claimed: Claimed, owner: &str, from: &str) -> Result<()> {
    if let Some(reason) = claimed.unreadable {
        return Err(Error::Unreadable { what: "the row of the workflow".to_owned(), reason });
    }
    let Some(definition) = executor.workflow(&claimed.name) else {
        return Err(Error::Configuration(format!("this program has no workflow `{}`", claimed.name)));
    };
    if claimed.attempts > i64::from(definition.options().max_recovery_attempts) + 1 {
        let Claimed { workflow, name, attempts, queue, .. } = claimed;
        tracing::error!(workflow, name, attempts, "workflow was recovered too often and is set aside");
        executor.store.remember_queue(&workflow).await?;
        executor.store.dead_letter(&workflow, owner, executor.clock.now_ms()).await?;
        executor.notifier.told(&Fact::Ended { workflow });
        executor.leave_queue(queue);
        return Ok(());
    }
    let history = match claimed.history.take() {
        Some(history) => history,
        None => history(executor, &claimed, from).await?,
    };
    spawn(
        executor,
        Execution {
            workflow: claimed.workflow,
            owner: owner.to_owned(),
            definition,
            inputs: claimed.inputs.unwrap_or_else(|| "null".to_owned()),
            deadline_ms: claimed.deadline_ms,
            provenance: claimed.provenance,
            history,
            queue: claimed.queue,
        },
    );
    Ok(())
}

/// What is recorded of a workflow.
async fn history(executor: &Executor, claimed: &Claimed, from: &str) -> Result<History> {
    let history = executor.store.read_history(&claimed.workflow).await?;
    let place = match history.iter().max_by_key(|(step, _)| **step) {
        Some((step, recorded)) => format!("after step {step}, `{}`", recorded.name),
        None => "from its beginning".to_owned(),
    };
    let span = telemetry::workflow(&claimed.workflow, &claimed.name, claimed.provenance.trace_id());
    span.in_scope(|| tracing::info!(from, "recovering workflow; it goes on {place}"));
    Ok(history)
}
