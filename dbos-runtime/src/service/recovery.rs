//! Takes over what dead executors left.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::error::Result;
use crate::executor::Executor;
use crate::id::random_id;
use crate::service::identity::remove_lock_file;
use crate::store::executors::ExecutorRow;
use crate::store::failpoint::DurableWrite;
use crate::store::workflows::Claimed;
use crate::wakeup::Fact;
use crate::workflow::{Execution, spawn};

/// How many workflows are claimed at once.
const CLAIM: i64 = 100;

/// Recovers the work of each executor that is reported dead, until the channel closes.
pub(crate) async fn run(executor: Arc<Executor>, mut dead: mpsc::Receiver<ExecutorRow>) {
    while let Some(row) = dead.recv().await {
        if executor.is_closing() {
            return;
        }
        if let Err(error) = run_once(&executor, &row).await {
            tracing::warn!(%error, dead = row.executor, "could not take over a dead executor's workflows; trying again");
        }
    }
}

/// Takes over everything of one dead executor that this code can run.
pub(crate) async fn run_once(executor: &Arc<Executor>, dead: &ExecutorRow) -> Result<()> {
    loop {
        let claimed = claim(executor, &dead.executor).await?;
        let (owner, claimed) = claimed;
        if claimed.is_empty() {
            break;
        }
        for workflow in claimed {
            recover(executor, workflow, &owner, &dead.executor).await?;
        }
    }
    if executor.store.forget_executor(&dead.executor).await? {
        remove_lock_file(dead);
    }
    Ok(())
}

async fn claim(executor: &Executor, dead: &str) -> Result<(String, Vec<Claimed>)> {
    let owner = random_id();
    let (claimant, now_ms) = (executor.claimant(), executor.clock.now_ms());
    let write = DurableWrite::begin("claim workflows").await;
    let claimed = match executor.store.claim_from(dead, &claimant, &owner, now_ms, CLAIM).await {
        Ok(claimed) => claimed,
        // The answer may be lost and the claim committed; our token finds what it took.
        Err(_) => executor.store.claimed_under(&owner).await?,
    };
    write.end().await;
    Ok((owner, claimed))
}

async fn recover(executor: &Arc<Executor>, claimed: Claimed, owner: &str, from: &str) -> Result<()> {
    let Some(definition) = executor.workflow(&claimed.name) else { return Ok(()) };
    let limit = i64::from(definition.options().max_recovery_attempts);
    if claimed.attempts > limit + 1 {
        tracing::error!(
            workflow = claimed.workflow,
            name = claimed.name,
            attempts = claimed.attempts,
            "workflow was recovered too often and is set aside"
        );
        executor.store.dead_letter(&claimed.workflow, owner, executor.clock.now_ms()).await?;
        executor.notifier.told(&Fact::Ended { workflow: claimed.workflow });
        return Ok(());
    }
    let history = executor.store.read_history(&claimed.workflow).await?;
    tracing::info!(
        workflow = claimed.workflow,
        name = claimed.name,
        from,
        "recovering workflow `{}` after step {} of its history",
        claimed.name,
        history.keys().max().copied().unwrap_or_default(),
    );
    spawn(
        executor,
        Execution {
            workflow: claimed.workflow,
            owner: owner.to_owned(),
            definition,
            inputs: claimed.inputs.unwrap_or_else(|| "null".to_owned()),
            deadline_ms: claimed.deadline_ms,
            history,
        },
    );
    Ok(())
}
