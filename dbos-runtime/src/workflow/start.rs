//! Starting: options become a row, and the row becomes a run in this process, or waits in a queue.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;
use tracing::Instrument;

use super::admission::Admission;
use super::call::{Callee, Queued, Request};
use super::run::{Execution, spawn};
use crate::caller::{Provenance, caller};
use crate::checkpoint::{Point, StepOutcome};
use crate::clock::{millis, pause};
use crate::codec::{engine_error, read_engine_error};
use crate::context::{StepContext, current_run, engine, open_transaction};
use crate::error::{Error, Result};
use crate::executor::{Executor, Signal};
use crate::id::{IdReuse, check_key, child_id, random_id, sidestepped_child_id};
use crate::queue::Deduplication;
use crate::registry::AnyWorkflow;
use crate::store::bulk::Asked;
use crate::store::checkpoints::Effect;
use crate::store::retry::Backoff;
use crate::store::starts::{ChildStarted, ParentStep, Place, Start};
use crate::store::steps::History;
use crate::store::versions::Home;
use crate::store::workflow_row::WorkflowStatus;

/// How long a caller outside a workflow waits for a database that does not answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Starts the requested workflow, or attaches to the one that has its id.
pub(super) async fn start(request: Request) -> Result<(Arc<Executor>, String)> {
    let inputs = inputs(&request)?;
    let executor = request.executor.clone().map_or_else(engine, Ok)?;
    let workflow = match &request.child {
        Some(point) => match point.recorded().await {
            // Its queue may be gone since.
            Some(recorded) => recorded_child(point, recorded.child, recorded.error).await?,
            None => {
                Admission::to(&executor).check(&request).await?;
                Box::pin(start_child(&executor, &request, point, inputs)).await?
            }
        },
        None => {
            Admission::to(&executor).check(&request).await?;
            if let (Some(_), Some(transaction)) = (&request.queued, open_transaction()) {
                let workflow = enqueue_with(&transaction, &executor, &request, inputs);
                return Ok((executor, workflow));
            }
            tokio::select! {
                started = start_outside(&executor, &request, inputs) => started?,
                () = pause(PATIENCE) => return Err(out_of_reach()),
            }
        }
    };
    Ok((executor, workflow))
}

/// The arguments as they are stored, if they and the id can be.
pub(super) fn inputs(request: &Request) -> Result<String> {
    if let Some(id) = &request.id {
        check_key("workflow id", id)?;
    }
    if let Some(Err(error)) = &request.attributes {
        return Err(error.clone());
    }
    request.inputs.clone().map_err(|reason| {
        let what = format!("an argument of workflow `{}`", request.callee.name());
        Error::Unstorable { what, reason }
    })
}

/// Leaves the row for the commit of the transaction whose body asks for it.
fn enqueue_with(transaction: &StepContext, executor: &Executor, request: &Request, inputs: String) -> String {
    let id = request.id.clone().unwrap_or_else(random_id);
    let start = row(executor, request, id.clone(), inputs, None, provenance());
    transaction.enqueue(Asked { start, id_reuse: request.id_reuse });
    id
}

/// On whose behalf a workflow is started here.
pub(super) fn provenance() -> Provenance {
    match current_run() {
        Some(run) => run.provenance.for_child(),
        None => caller().map(|caller| caller.provenance()).unwrap_or_default(),
    }
}

pub(super) fn out_of_reach() -> Error {
    Error::Database {
        action: "start a workflow".to_owned(),
        message: format!("the database did not answer within {} s", PATIENCE.as_secs()),
        source: None,
    }
}

/// Gives a workflow that is put into a queue by a client, or by its name, to the application that has the queue, under
/// its latest version that has the workflow.
pub(super) async fn given_away(executor: &Executor, request: &Request, row: Start) -> Result<Start> {
    let Some(place) = row.place.as_ref().filter(|_| request.is_given_away(executor)) else { return Ok(row) };
    let (queue, name) = (&place.queue, &row.name);
    let missing = |what: String| Err(Error::Configuration(what));
    match Box::pin(executor.store.home(queue, name)).await? {
        Some(Home { application, version: Some(version) }) => Ok(Start { application, version, ..row }),
        Some(Home { application, version: None }) => missing(format!(
            "no version of the application `{application}`, which has the queue `{queue}`, has a workflow `{name}`"
        )),
        None => missing(format!(
            "nobody serves the queue `{queue}`; start the program that declares it, once, before something is put into it"
        )),
    }
}

fn place(executor: &Executor, queued: &Queued) -> Place {
    Place {
        queue: queued.queue.clone(),
        partition_key: queued.partition_key.clone(),
        priority: queued.priority,
        due_ms: (!queued.delay.is_zero()).then(|| executor.clock.after(queued.delay)),
        deduplication_id: queued.deduplication_id.clone(),
    }
}

pub(super) fn row(
    executor: &Executor,
    request: &Request,
    id: String,
    inputs: String,
    parent: Option<&Point>,
    provenance: Provenance,
) -> Start {
    // Two that are put into a queue one after the other leave it in that order.
    let now_ms = if request.queued.is_some() { executor.clock.unique_ms() } else { executor.clock.now_ms() };
    let timeout = request.timeout.or(request.callee.timeout());
    // The time of what is queued begins when it leaves the queue.
    let own_deadline_ms =
        timeout.filter(|_| request.queued.is_none()).map(|timeout| now_ms.saturating_add(millis(timeout)));
    let inherited_ms = parent.and_then(|point| point.run.deadline_ms);
    Start {
        workflow: id,
        name: request.callee.name().to_owned(),
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
        attributes: request
            .attributes
            .clone()
            .and_then(Result::ok)
            .map(|attributes| Json::from(attributes).to_string()),
        place: request.queued.as_ref().map(|queued| place(executor, queued)),
    }
}

/// Starts it under its own id, else under the idempotency key of the request that is being answered.
async fn start_outside(executor: &Arc<Executor>, request: &Request, inputs: String) -> Result<String> {
    let caller = caller();
    let key = caller.as_ref().filter(|_| request.id.is_none()).and_then(|caller| caller.take_key());
    let id = request.id.clone().or_else(|| key.clone()).unwrap_or_else(random_id);
    let provenance = caller.as_ref().map(|caller| caller.provenance()).unwrap_or_default();
    let row = given_away(executor, request, row(executor, request, id, inputs, None, provenance)).await?;
    let workflow = match create(executor, request, row.clone(), None).await? {
        Created::Made => row.workflow,
        Created::Existing(existing) => {
            let workflow = attach(&existing, &row, request.id_reuse)?;
            if key.is_some() {
                Box::pin(check_same_request(executor, &row)).await?;
            }
            workflow
        }
        Created::Duplicate(existing) => attach_to_duplicate(&existing, &row, request)?,
        Created::NotMine => unreachable!("only a parent can be lost"),
    };
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
    /// It is made, and runs or waits in its queue.
    Made,
    /// The id was taken already.
    Existing(Box<WorkflowStatus>),
    /// Another workflow of the queue has the deduplication id.
    Duplicate(Box<WorkflowStatus>),
    /// The parent is no longer ours.
    NotMine,
}

/// Writes the row, and runs it unless it is for a queue, in a task of its own: the caller may be dropped at any moment
/// (a browser that goes away, a parent that is cancelled), and a row without a run would wait for ever.
async fn create(
    executor: &Arc<Executor>,
    request: &Request,
    row: Start,
    parent: Option<ParentStep>,
) -> Result<Created> {
    let (executor, callee) = (Arc::clone(executor), request.callee.clone());
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
                        ChildStarted::Taken => false,
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
                None => {}
            }
            if let Some(existing) = duplicate_of(&executor, &row).await? {
                return Ok(Created::Duplicate(Box::new(existing)));
            }
            // This executor is taken for dead, and is about to go on under another name; or a row of that id or with
            // that deduplication id is gone since.
            if executor.is_closing() {
                return Err(Error::ShuttingDown);
            }
            backoff.wait().await;
            row.executor = executor.id();
        }
        match (&row.place, callee) {
            (Some(place), _) => executor.notifier.told(&place.news()),
            (None, Callee::Function(definition)) => run_fresh(&executor, definition, row),
            (None, Callee::Name(_)) => unreachable!("without its function it is for a queue"),
        }
        Ok(Created::Made)
    };
    tokio::spawn(task.in_current_span()).await.unwrap_or(Err(Error::ShuttingDown))
}

/// The workflow that has what `row` wants to be alone with in its queue.
pub(super) async fn duplicate_of(executor: &Executor, row: &Start) -> Result<Option<WorkflowStatus>> {
    match &row.place {
        Some(Place { queue, deduplication_id: Some(id), .. }) => executor.store.deduplicated(queue, id).await,
        _ => Ok(None),
    }
}

/// Gives the workflow to wait for instead of a second one with its deduplication id.
pub(super) fn attach_to_duplicate(existing: &WorkflowStatus, called: &Start, request: &Request) -> Result<String> {
    let policy = request.queued.as_ref().map(|queued| queued.deduplication).unwrap_or_default();
    if policy == Deduplication::ReturnExisting && existing.name == called.name {
        return Ok(existing.workflow_id.clone());
    }
    let place = called.place.as_ref();
    Err(Error::Deduplicated {
        queue: place.map(|place| place.queue.clone()).unwrap_or_default(),
        deduplication_id: place.and_then(|place| place.deduplication_id.clone()).unwrap_or_default(),
        workflow: existing.workflow_id.clone(),
    })
}

/// Checks that `existing` is a run of the function that was called, and may be attached to; gives its id.
pub(super) fn attach(existing: &WorkflowStatus, called: &Start, reuse: IdReuse) -> Result<String> {
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
    if existing.given.as_ref().is_some_and(|given| *given != called.inputs) {
        tracing::warn!(
            workflow = existing.workflow_id,
            "started again with other arguments; the first ones count, and this call waits for their result"
        );
    }
    Ok(existing.workflow_id.clone())
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
            queue: None,
        },
    );
}

async fn start_child(executor: &Arc<Executor>, request: &Request, point: &Point, inputs: String) -> Result<String> {
    point.run.note_progress();
    let derived = child_id(&point.run.workflow, point.step);
    let provenance = point.run.provenance.for_child();
    let row = row(executor, request, request.id.clone().unwrap_or(derived), inputs, Some(point), provenance);
    let mut row = match given_away(executor, request, row).await {
        Ok(row) => row,
        Err(error @ Error::Database { .. }) => point.fail_to_store(&error).await,
        // A replay is told again, although somebody may serve the queue by then.
        Err(error) => return record_attachment(point, Err(error)).await,
    };
    let (owner, application) = (point.run.owner.clone(), executor.application.clone());
    let parent = ParentStep { owner, application, step: point.step };
    loop {
        let attached = match create(executor, request, row.clone(), Some(parent.clone())).await {
            Ok(Created::Made) => return Ok(row.workflow),
            Ok(Created::Existing(existing)) if request.id.is_some() => attach(&existing, &row, request.id_reuse),
            Ok(Created::Existing(_)) => {
                // Had this step started it, the step would be recorded. So it is a stranger's, or a sibling's that
                // was given this id, and must not stop the child.
                row.workflow = sidestepped_child_id(&point.run.workflow, point.step);
                continue;
            }
            Ok(Created::Duplicate(existing)) => attach_to_duplicate(&existing, &row, request),
            Ok(Created::NotMine) => point.run.stop(Signal::LostOwnership).await,
            Err(Error::ShuttingDown) => point.run.stop(Signal::ShutDown).await,
            Err(error) => point.fail_to_store(&error).await,
        };
        return record_attachment(point, attached).await;
    }
}

/// Records which workflow the child is that exists already, or why it cannot be that one.
pub(super) async fn record_attachment(point: &Point, attached: Result<String>) -> Result<String> {
    let outcome = match attached {
        Ok(child) => StepOutcome { child: Some(child), ..StepOutcome::default() },
        Err(error) => engine_error(&error).into(),
    };
    let now_ms = point.run.executor.clock.now_ms();
    let recorded = point.record(outcome, Effect::None, now_ms).await;
    recorded_child(point, recorded.child, recorded.error).await
}

pub(super) async fn recorded_child(point: &Point, child: Option<String>, error: Option<String>) -> Result<String> {
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
