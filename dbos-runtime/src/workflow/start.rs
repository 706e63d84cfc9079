//! Starting: options become a row, and the row becomes a run in this process.

use std::sync::Arc;
use std::time::Duration;

use tracing::Instrument;

use super::call::Request;
use super::run::{Execution, spawn};
use crate::caller::{Provenance, caller};
use crate::checkpoint::{Point, StepOutcome};
use crate::clock::{millis, pause};
use crate::codec::{engine_error, read_engine_error};
use crate::context::engine;
use crate::error::{Error, Result};
use crate::executor::{Executor, Signal};
use crate::id::{IdReuse, check_key, child_id, random_id, sidestepped_child_id};
use crate::registry::AnyWorkflow;
use crate::store::checkpoints::Effect;
use crate::store::retry::Backoff;
use crate::store::starts::{ChildStarted, ParentStep, Start};
use crate::store::steps::History;
use crate::store::workflow_row::WorkflowStatus;

/// How long a caller outside a workflow waits for a database that does not answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Starts the requested workflow, or attaches to the one that has its id.
pub(super) async fn start(request: Request) -> Result<(Arc<Executor>, String)> {
    let name = (request.workflow.function().name)();
    let inputs = match &request.inputs {
        Ok(inputs) => inputs.clone(),
        Err(reason) => {
            let what = format!("an argument of workflow `{name}`");
            return Err(Error::Unstorable { what, reason: reason.clone() });
        }
    };
    if let Some(id) = &request.id {
        check_key("workflow id", id)?;
    }
    let executor = engine()?;
    let workflow = match &request.child {
        Some(point) => start_child(&executor, &request, point, inputs).await?,
        None => {
            tokio::select! {
                started = start_outside(&executor, &request, inputs) => started?,
                () = pause(PATIENCE) => return Err(out_of_reach()),
            }
        }
    };
    Ok((executor, workflow))
}

fn out_of_reach() -> Error {
    Error::Database {
        action: "start a workflow".to_owned(),
        message: format!("the database did not answer within {} s", PATIENCE.as_secs()),
        source: None,
    }
}

fn row(
    executor: &Executor,
    request: &Request,
    id: String,
    inputs: String,
    parent: Option<&Point>,
    provenance: Provenance,
) -> Start {
    let now_ms = executor.clock.now_ms();
    let timeout = request.timeout.or(request.workflow.options().timeout);
    let own_deadline_ms = timeout.map(|timeout| now_ms.saturating_add(millis(timeout)));
    let inherited_ms = parent.and_then(|point| point.run.deadline_ms);
    Start {
        workflow: id,
        name: (request.workflow.function().name)().to_owned(),
        inputs,
        executor: executor.id(),
        application: executor.application.clone(),
        version: executor.version.clone(),
        owner: random_id(),
        now_ms,
        timeout_ms: timeout.map(millis),
        // A child may not outlive what its parent has left.
        deadline_ms: own_deadline_ms.into_iter().chain(inherited_ms).min(),
        parent: parent.map(|point| point.run.workflow.clone()),
        provenance,
    }
}

/// Starts it under its own id, else under the idempotency key of the request that is being answered.
async fn start_outside(executor: &Arc<Executor>, request: &Request, inputs: String) -> Result<String> {
    let caller = caller();
    let key = caller.as_ref().filter(|_| request.id.is_none()).and_then(|caller| caller.take_key());
    let workflow = request.id.clone().or_else(|| key.clone()).unwrap_or_else(random_id);
    let provenance = caller.as_ref().map(|caller| caller.provenance()).unwrap_or_default();
    let row = row(executor, request, workflow.clone(), inputs, None, provenance);
    match create(executor, request, row.clone(), None).await? {
        Created::Running => {}
        Created::Existing(existing) => {
            attach(&existing, &row, request.id_reuse)?;
            if key.is_some() {
                check_same_request(executor, &row).await?;
            }
        }
        Created::NotMine => unreachable!("only a parent can be lost"),
    }
    if let Some(caller) = caller {
        caller.note_started(&workflow);
    }
    Ok(workflow)
}

/// Refuses a key that was used for a request with another content: whoever sends that expects another answer.
async fn check_same_request(executor: &Executor, called: &Start) -> Result<()> {
    let first = executor.store.provenance(&called.workflow).await?.request;
    match (first, &called.provenance.request) {
        (Some(first), Some(second)) if !first.may_be(second) => {
            Err(Error::KeyReused { workflow: called.workflow.clone() })
        }
        _ => Ok(()),
    }
}

/// What became of an attempt to make a workflow.
enum Created {
    /// It is made and runs.
    Running,
    /// The id was taken already.
    Existing(Box<WorkflowStatus>),
    /// The parent is no longer ours.
    NotMine,
}

/// Writes the row and runs it, in a task of its own: the caller may be dropped at any moment (a
/// browser that goes away, a parent that is cancelled), and a row without a run would wait for ever.
async fn create(
    executor: &Arc<Executor>,
    request: &Request,
    row: Start,
    parent: Option<ParentStep>,
) -> Result<Created> {
    let (executor, definition) = (Arc::clone(executor), request.workflow);
    let task = async move {
        let _permit = executor.start_permit().await?;
        let mut row = row;
        let mut backoff = Backoff::new();
        loop {
            let made = match &parent {
                None => executor.starts.commit(row.clone()).await?,
                Some(parent) => {
                    match executor
                        .store
                        .repeat("start a child workflow", || executor.store.start_child(&row, parent))
                        .await?
                    {
                        ChildStarted::Created => true,
                        ChildStarted::IdTaken => false,
                        ChildStarted::NotMine => return Ok(Created::NotMine),
                    }
                }
            };
            if made {
                break;
            }
            match executor.store.workflow_status(&row.workflow).await? {
                // It carries our token: our first try was committed although its answer was lost.
                Some(existing) if existing.creator.as_ref() == Some(&row.owner) => break,
                Some(existing) => return Ok(Created::Existing(Box::new(existing))),
                // This executor is taken for dead, and is about to go on under another name; or a row of that id was
                // deleted in between.
                None if executor.is_closing() => return Err(Error::ShuttingDown),
                None => {
                    backoff.wait().await;
                    row.executor = executor.id();
                }
            }
        }
        run_fresh(&executor, definition, row);
        Ok(Created::Running)
    };
    tokio::spawn(task.in_current_span()).await.unwrap_or(Err(Error::ShuttingDown))
}

/// Checks that `existing` is a run of the function that was called, and may be attached to.
fn attach(existing: &WorkflowStatus, called: &Start, reuse: IdReuse) -> Result<()> {
    if existing.name != called.name {
        return Err(Error::ConflictingWorkflow {
            workflow: existing.workflow_id.clone(),
            recorded: existing.name.clone(),
            called: called.name.clone(),
        });
    }
    if reuse == IdReuse::Reject {
        return Err(Error::AlreadyStarted { workflow: existing.workflow_id.clone() });
    }
    if existing.inputs.as_ref().is_some_and(|inputs| *inputs != called.inputs) {
        tracing::warn!(
            workflow = existing.workflow_id,
            "started again with other arguments; the first ones count, and this call waits for their result"
        );
    }
    Ok(())
}

fn run_fresh(executor: &Arc<Executor>, definition: &'static dyn AnyWorkflow, row: Start) {
    spawn(
        executor,
        Execution {
            workflow: row.workflow,
            owner: row.owner,
            definition,
            inputs: row.inputs,
            deadline_ms: row.deadline_ms,
            provenance: row.provenance,
            history: History::new(),
        },
    );
}

async fn start_child(executor: &Arc<Executor>, request: &Request, point: &Point, inputs: String) -> Result<String> {
    if let Some(recorded) = point.recorded().await {
        return recorded_child(point, recorded.child, recorded.error).await;
    }
    let derived = child_id(&point.run.workflow, point.step);
    let provenance = point.run.provenance.for_child();
    let mut row = row(executor, request, request.id.clone().unwrap_or(derived), inputs, Some(point), provenance);
    let parent = ParentStep { owner: point.run.owner.clone(), step: point.step };
    loop {
        let existing = match create(executor, request, row.clone(), Some(parent.clone())).await {
            Ok(Created::Running) => return Ok(row.workflow),
            Ok(Created::Existing(existing)) => existing,
            Ok(Created::NotMine) => point.run.stop(Signal::LostOwnership).await,
            Err(Error::ShuttingDown) => point.run.stop(Signal::ShutDown).await,
            Err(error) => point.fail_to_store(&error).await,
        };
        if request.id.is_none() {
            // Had this step started it, the step would be recorded. So it is a stranger's, or a sibling's that
            // was given this id, and must not stop the child.
            row.workflow = sidestepped_child_id(&point.run.workflow, point.step);
            continue;
        }
        return record_attachment(point, &existing, &row, request.id_reuse).await;
    }
}

/// Records that the child is a workflow that exists already, or that it is another function's.
async fn record_attachment(point: &Point, existing: &WorkflowStatus, called: &Start, reuse: IdReuse) -> Result<String> {
    let outcome = match attach(existing, called, reuse) {
        Ok(()) => StepOutcome { child: Some(called.workflow.clone()), ..StepOutcome::default() },
        Err(error) => engine_error(&error).into(),
    };
    let now_ms = point.run.executor.clock.now_ms();
    let recorded = point.record(outcome, Effect::None, now_ms).await;
    recorded_child(point, recorded.child, recorded.error).await
}

async fn recorded_child(point: &Point, child: Option<String>, error: Option<String>) -> Result<String> {
    match (child, error) {
        (Some(child), _) => Ok(child),
        (None, Some(error)) => Err(read_engine_error(&error)),
        (None, None) => {
            let what = format!("the child started at step {}", point.step);
            let unreadable = Error::Unreadable { what, reason: "its row names no child".to_owned() };
            point.run.stop(Signal::Failed(unreadable)).await
        }
    }
}
