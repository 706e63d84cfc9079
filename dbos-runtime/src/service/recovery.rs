//! Takes over what dead executors left.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::codec::engine_error;
use crate::error::{Error, Result};
use crate::executor::Executor;
use crate::id::random_id;
use crate::service::identity::remove_lock_file;
use crate::status::Status;
use crate::store::executors::ExecutorRow;
use crate::store::internal_queue::INTERNAL_QUEUE;
use crate::store::outcomes::Ended;
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

/// Takes over everything of one dead executor that this code can run, and gives the ids of it.
pub(crate) async fn run_once(executor: &Arc<Executor>, dead: &ExecutorRow) -> Result<Vec<String>> {
    let mut recovered = Vec::new();
    loop {
        let taken = take_up(executor, Source::Dead(&dead.executor)).await?;
        if taken.is_empty() {
            break;
        }
        recovered.extend(taken);
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
    /// The queue of what was resumed.
    InternalQueue,
}

impl Source<'_> {
    fn name(&self) -> &str {
        match self {
            Self::Dead(executor) => executor,
            Self::InternalQueue => INTERNAL_QUEUE,
        }
    }
}

/// Claims some workflows, lets them go on here, and gives their ids; none if there was none.
pub(super) async fn take_up(executor: &Arc<Executor>, from: Source<'_>) -> Result<Vec<String>> {
    // Held until all that was claimed runs: a shutdown then hands it back.
    let _permit = executor.start_permit().await?;
    let (owner, claimed) = claim(executor, from).await?;
    let taken = claimed.iter().map(|workflow| workflow.workflow.clone()).collect();
    for workflow in claimed {
        recover(executor, workflow, &owner, from.name()).await;
    }
    Ok(taken)
}

async fn claim(executor: &Executor, from: Source<'_>) -> Result<(String, Vec<Claimed>)> {
    let owner = random_id();
    let (store, claimant, now_ms) = (&executor.store, executor.claimant(), executor.clock.now_ms());
    let write = store.durable_write("claim workflows").await;
    let claimed = match from {
        Source::Dead(dead) => store.claim_from(dead, &claimant, &owner, now_ms, CLAIM).await,
        Source::InternalQueue => store.claim_enqueued(&claimant, &owner, now_ms, CLAIM).await,
    };
    let claimed = match claimed {
        Ok(claimed) => claimed,
        // The answer may be lost and the claim committed; our token finds what it took.
        Err(error) => {
            tracing::warn!(%error, from = from.name(), "could not claim workflows; looking whether it worked");
            store.claimed_under(&owner).await?
        }
    };
    write.end().await;
    Ok((owner, claimed))
}

/// Lets a claimed workflow go on here. `from` is for the log: where it comes from.
pub(super) async fn recover(executor: &Arc<Executor>, claimed: Claimed, owner: &str, from: &str) {
    let workflow = claimed.workflow.clone();
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
    }
}

async fn try_to_recover(executor: &Arc<Executor>, claimed: Claimed, owner: &str, from: &str) -> Result<()> {
    if let Some(reason) = claimed.unreadable {
        return Err(Error::Unreadable { what: "the row of the workflow".to_owned(), reason });
    }
    let Some(definition) = executor.workflow(&claimed.name) else {
        return Err(Error::Configuration(format!("this program has no workflow `{}`", claimed.name)));
    };
    if claimed.attempts > i64::from(definition.options().max_recovery_attempts) + 1 {
        let Claimed { workflow, name, attempts, .. } = claimed;
        tracing::error!(workflow, name, attempts, "workflow was recovered too often and is set aside");
        executor.store.dead_letter(&workflow, owner, executor.clock.now_ms()).await?;
        executor.notifier.told(&Fact::Ended { workflow });
        return Ok(());
    }
    let history = executor.store.read_history(&claimed.workflow).await?;
    let place = match history.iter().max_by_key(|(step, _)| **step) {
        Some((step, recorded)) => format!("after step {step}, `{}`", recorded.name),
        None => "from its beginning".to_owned(),
    };
    let provenance = executor.store.provenance(&claimed.workflow).await?;
    telemetry::workflow(&claimed.workflow, &claimed.name, provenance.trace_id())
        .in_scope(|| tracing::info!(from, "recovering workflow; it goes on {place}"));
    spawn(
        executor,
        Execution {
            workflow: claimed.workflow,
            owner: owner.to_owned(),
            definition,
            inputs: claimed.inputs.unwrap_or_else(|| "null".to_owned()),
            deadline_ms: claimed.deadline_ms,
            provenance,
            history,
        },
    );
    Ok(())
}
