//! Takes over what dead executors left.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::codec::engine_error;
use crate::error::{Error, Result};
use crate::executor::Executor;
use crate::id::random_id;
use crate::service::identity::remove_lock_file;
use crate::store::executors::ExecutorRow;
use crate::store::failpoint::DurableWrite;
use crate::store::outcomes::Ended;
use crate::store::workflows::Claimed;
use crate::wakeup::Fact;
use crate::status::Status;
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
            // Claimed is claimed: trouble with one must not leave the next ones with nobody.
            let id = workflow.workflow.clone();
            if let Err(error) = recover(executor, workflow, &owner, &dead.executor).await {
                end_unreadable(executor, &id, &owner, &error).await;
            }
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
    if let Some(reason) = claimed.unreadable {
        return Err(Error::Unreadable { what: "the row of the workflow".to_owned(), reason });
    }
    let Some(definition) = executor.workflow(&claimed.name) else {
        // Only what this code can run is claimed.
        return Err(Error::Configuration(format!("no workflow is called `{}`", claimed.name)));
    };
    let limit = i64::from(definition.options().max_recovery_attempts);
    if claimed.attempts > limit + 1 {
        tracing::error!(
            workflow = claimed.workflow,
            name = claimed.name,
            attempts = claimed.attempts,
            "workflow was recovered too often and is set aside"
        );
        return executor.store.dead_letter(&claimed.workflow, owner, executor.clock.now_ms()).await;
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

/// A workflow whose rows cannot be read ends with an error that says so, for a person to look at.
async fn end_unreadable(executor: &Executor, workflow: &str, owner: &str, error: &Error) {
    tracing::error!(workflow, %error, "workflow cannot be recovered");
    let ended = Ended {
        workflow: workflow.to_owned(),
        owner: owner.to_owned(),
        status: Status::Error,
        output: None,
        error: Some(engine_error(error).text().to_owned()),
        now_ms: executor.clock.now_ms(),
    };
    match executor.outcomes.commit(ended).await {
        Ok(_) => executor.notifier.told(&Fact::Ended { workflow: workflow.to_owned() }),
        Err(error) => tracing::error!(workflow, %error, "its outcome cannot be stored either"),
    }
}
