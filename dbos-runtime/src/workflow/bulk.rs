//! Enqueueing many workflows at once: all of them, or none.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::future::IntoFuture;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::admission::Admission;
use super::call::{InQueue, Request, Start as Call};
use super::handle::WorkflowHandle;
use super::start::{
    PATIENCE, attach, attach_to_duplicate, duplicate_of, given_away, inputs, out_of_reach, provenance,
    record_attachment, recorded_child, row,
};
use crate::checkpoint::Point;
use crate::clock::pause;
use crate::context::{durable, engine, open_transaction};
use crate::error::{Error, Result};
use crate::executor::{Executor, Signal};
use crate::id::{child_id, random_id, sidestepped_child_id};
use crate::queue::Deduplication;
use crate::store::bulk::{Asked, ChildStep, Enqueued, ParentSteps};
use crate::store::retry::Backoff;
use crate::store::starts::{self, Start};
use crate::wakeup::Fact;

/// Workflows about to be put into queues together: awaiting it writes all of their rows in one commit, and gives their
/// handles in the order in which they were given.
#[must_use = "workflows are enqueued only when this is awaited"]
pub struct EnqueueAll<R> {
    calls: Vec<Call<R, InQueue>>,
}

pub(crate) fn enqueue_all<R>(calls: Vec<Call<R, InQueue>>) -> EnqueueAll<R> {
    EnqueueAll { calls }
}

impl<R> fmt::Debug for EnqueueAll<R> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("EnqueueAll").field("workflows", &self.calls.len()).finish()
    }
}

impl<R: Send + 'static> IntoFuture for EnqueueAll<R> {
    type Output = Result<Vec<WorkflowHandle<R>>>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(durable(async move {
            let (requests, codecs): (Vec<_>, Vec<_>) = self.calls.into_iter().map(Call::into_parts).unzip();
            let named = requests.first().and_then(|request| request.executor.clone());
            let executor = named.map_or_else(engine, Ok)?;
            let workflows = enqueue(&executor, &requests).await?;
            let handles = workflows.into_iter().zip(codecs);
            Ok(handles.map(|(id, codec)| WorkflowHandle::new(Arc::clone(&executor), id, codec)).collect())
        }))
    }
}

/// Gives the ids, in order.
async fn enqueue(executor: &Arc<Executor>, requests: &[Request]) -> Result<Vec<String>> {
    if requests.is_empty() {
        return Ok(Vec::new());
    }
    if let Some(recorded) = recorded(requests).await {
        return recorded;
    }
    let (mut admission, mut batch) = (Admission::to(executor), Batch::default());
    for request in requests {
        let inputs = inputs(request)?;
        admission.check(request).await?;
        batch.add(executor, request, inputs)?;
    }
    if let Some(transaction) = open_transaction() {
        batch.give_away(executor, requests).await?;
        for Place { start, number } in batch.rows {
            transaction.enqueue(Asked { start, id_reuse: requests[number].id_reuse });
        }
        return Ok(batch.ids);
    }
    let Some(first) = requests.first().and_then(|request| request.child.as_ref()) else {
        return tokio::select! {
            written = write(executor, requests, batch) => written,
            () = pause(PATIENCE) => Err(out_of_reach()),
        };
    };
    match write(executor, requests, batch).await {
        Ok(ids) => Ok(ids),
        Err(Error::ShuttingDown) => first.run.stop(Signal::ShutDown).await,
        Err(error @ Error::Database { .. }) => first.fail_to_store(&error).await,
        // A replay is told again, whatever has become of the others meanwhile.
        Err(error) => record_attachment(first, Err(error)).await.map(|child| vec![child]),
    }
}

/// What a workflow that is replayed was given: all of the steps are recorded, or none.
async fn recorded(requests: &[Request]) -> Option<Result<Vec<String>>> {
    let mut ids = Vec::new();
    for request in requests {
        let point = request.child.as_ref()?;
        let recorded = point.recorded().await?;
        match recorded_child(point, recorded.child, recorded.error).await {
            Ok(child) => ids.push(child),
            Err(error) => return Some(Err(error)),
        }
    }
    Some(Ok(ids))
}

/// A row to be written, and the number of the request that it is for.
struct Place {
    start: Start,
    number: usize,
}

/// The rows to be written, and the ids that the requests get: those of the rows, or of what was there before.
#[derive(Default)]
struct Batch {
    rows: Vec<Place>,
    ids: Vec<String>,
    /// The row of each id.
    by_id: HashMap<String, usize>,
    /// The row of each queue and deduplication id.
    by_deduplication_id: HashMap<(String, String), usize>,
}

impl Batch {
    /// Adds a row for `request`, unless one that is here already is what it asks for.
    fn add(&mut self, executor: &Executor, request: &Request, inputs: String) -> Result<()> {
        let derived = request.child.as_ref().map(|point| child_id(&point.run.workflow, point.step));
        let id = request.id.clone().or(derived).unwrap_or_else(random_id);
        let start = row(executor, request, id, inputs, request.child.as_ref(), provenance());
        if let Some(first) = self.by_id.get(&start.workflow).map(|place| &self.rows[*place].start) {
            if first.name != start.name {
                let (recorded, called) = (first.name.clone(), start.name);
                return Err(Error::ConflictingWorkflow { workflow: start.workflow, recorded, called });
            }
            self.ids.push(start.workflow);
            return Ok(());
        }
        let place = start.place.as_ref().expect("it is made with a queue");
        if let Some(deduplication_id) = &place.deduplication_id {
            let key = (place.queue.clone(), deduplication_id.clone());
            if let Some(first) = self.by_deduplication_id.get(&key).map(|place| &self.rows[*place].start) {
                let returns = request.queued.as_ref().map(|queued| queued.deduplication);
                if returns == Some(Deduplication::ReturnExisting) && first.name == start.name {
                    self.ids.push(first.workflow.clone());
                    return Ok(());
                }
                let (queue, deduplication_id) = key;
                return Err(Error::Deduplicated { queue, deduplication_id, workflow: first.workflow.clone() });
            }
            self.by_deduplication_id.insert(key, self.rows.len());
        }
        self.by_id.insert(start.workflow.clone(), self.rows.len());
        self.ids.push(start.workflow.clone());
        self.rows.push(Place { start, number: self.ids.len() - 1 });
        Ok(())
    }

    /// What is enqueued by a client or by name belongs to whoever has the queue.
    async fn give_away(&mut self, executor: &Executor, requests: &[Request]) -> Result<()> {
        let mut homes: HashMap<(String, String), (String, String)> = HashMap::new();
        for Place { start, number } in &mut self.rows {
            let request = &requests[*number];
            if !request.is_given_away(executor) {
                continue;
            }
            let queue = start.place.as_ref().map(|place| place.queue.clone()).unwrap_or_default();
            let key = (queue, start.name.clone());
            if !homes.contains_key(&key) {
                let given = given_away(executor, request, start.clone()).await?;
                homes.insert(key.clone(), (given.application, given.version));
            }
            (start.application, start.version) = homes[&key].clone();
        }
        Ok(())
    }

    /// The steps of the parent, if there is one.
    fn parent(&self, executor: &Executor, requests: &[Request]) -> Option<ParentSteps> {
        let first = requests.first()?.child.as_ref()?;
        let steps = requests.iter().zip(&self.ids).filter_map(|(request, child)| {
            let Point { step, name, .. } = request.child.as_ref()?;
            Some(ChildStep { step: *step, name: name.clone(), child: child.clone() })
        });
        Some(ParentSteps {
            workflow: first.run.workflow.clone(),
            owner: first.run.owner.clone(),
            application: executor.application.clone(),
            steps: steps.collect(),
        })
    }
}

async fn write(executor: &Arc<Executor>, requests: &[Request], mut batch: Batch) -> Result<Vec<String>> {
    batch.give_away(executor, requests).await?;
    let _permit = executor.start_permit().await?;
    let mut backoff = Backoff::new();
    loop {
        let starts: Vec<_> = batch.rows.iter().map(|place| place.start.clone()).collect();
        let parent = batch.parent(executor, requests);
        let now_ms = executor.clock.now_ms();
        let written = executor
            .store
            .repeat("enqueue workflows", || executor.store.enqueue_all(&starts, parent.as_ref(), now_ms))
            .await?;
        match written {
            Enqueued::All => break,
            Enqueued::Taken(taken) => {
                if settle(executor, requests, &mut batch, &taken).await? == Settled::Written {
                    break;
                }
                backoff.wait().await;
            }
            Enqueued::NotMine => {
                let point = requests.iter().find_map(|request| request.child.as_ref()).expect("only a parent is lost");
                point.run.stop(Signal::LostOwnership).await
            }
        }
    }
    let places = batch.rows.iter().filter_map(|place| place.start.place.as_ref());
    let news: HashSet<Fact> = places.map(starts::Place::news).collect();
    for fact in &news {
        executor.notifier.told(fact);
    }
    Ok(batch.ids)
}

#[derive(PartialEq)]
enum Settled {
    /// Our first try was committed although its answer was lost.
    Written,
    /// What can be attached to is; the rest is to be written again.
    Attached,
}

/// Finds out whose ids the `taken` rows want.
async fn settle(executor: &Executor, requests: &[Request], batch: &mut Batch, taken: &[usize]) -> Result<Settled> {
    let mut attached = HashSet::new();
    for &place in taken {
        let Place { start, number } = &mut batch.rows[place];
        let request = &requests[*number];
        match executor.store.workflow_status(&start.workflow).await? {
            Some(existing) if existing.creator.as_ref() == Some(&start.owner) => return Ok(Settled::Written),
            Some(existing) => match (&request.id, &request.child) {
                (None, Some(point)) => {
                    start.workflow = sidestepped_child_id(&point.run.workflow, point.step);
                    batch.ids[*number].clone_from(&start.workflow);
                }
                _ => {
                    attach(&existing, start, request.id_reuse)?;
                    attached.insert(*number);
                }
            },
            None => {
                if let Some(existing) = duplicate_of(executor, start).await? {
                    batch.ids[*number] = attach_to_duplicate(&existing, start, request)?;
                    attached.insert(*number);
                }
            }
        }
    }
    batch.rows.retain(|place| !attached.contains(&place.number));
    Ok(Settled::Attached)
}
