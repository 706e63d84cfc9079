//! A call of a workflow: a value that can be awaited, started, or run plainly.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::Serialize;
use serde_json::{Map, Value};

use super::continued::ContinueAsNew;
use super::debounce::{DEBOUNCE, Debounce};
use super::handle::WorkflowHandle;
use super::{result, start};
use crate::checkpoint::Point;
use crate::codec::{WorkflowCodec, read_attributes};
use crate::context::{Place, at_work, durable, note_durable_poll, place};
use crate::error::Result;
use crate::executor::Executor;
use crate::id::{IdReuse, IntoWorkflowId};
use crate::queue::{Deduplication, QueueName};
use crate::registry::{AnyWorkflow, WorkflowDefinition};
use crate::round::CONTINUE_AS_NEW;

/// The name of the step in which a workflow awaits another.
pub(crate) const GET_RESULT: &str = "DBOS.getResult";

/// The part of a call that does not depend on its types.
pub(crate) struct Request {
    pub(crate) callee: Callee,
    /// The engine or client that starts it, if that is not the one of the code that asks.
    pub(crate) executor: Option<Arc<Executor>>,
    pub(crate) inputs: Result<String, String>,
    pub(crate) id: Option<String>,
    pub(crate) id_reuse: IdReuse,
    pub(crate) timeout: Option<Duration>,
    /// What it is marked with, or why that cannot be.
    pub(crate) attributes: Option<Result<Map<String, Value>>>,
    /// The parent's step that starts it, if this is a child.
    pub(crate) child: Option<Point>,
    /// The queue it waits in, if it does not run at once.
    pub(crate) queued: Option<Queued>,
}

impl Request {
    /// Whether it is for the application that has its queue, whichever that is.
    pub(super) fn is_given_away(&self, executor: &Executor) -> bool {
        !executor.runs_workflows || matches!(self.callee, Callee::Name(_))
    }
}

/// Which workflow is called.
#[derive(Clone)]
pub(crate) enum Callee {
    /// A function of this program.
    Function(&'static dyn AnyWorkflow),
    /// One of another program, by its name.
    Name(String),
}

impl Callee {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Function(workflow) => (workflow.function().name)(),
            Self::Name(name) => name,
        }
    }

    pub(crate) fn timeout(&self) -> Option<Duration> {
        match self {
            Self::Function(workflow) => workflow.options().timeout,
            Self::Name(_) => None,
        }
    }
}

/// How a workflow is put into a queue.
pub(crate) struct Queued {
    pub(crate) queue: String,
    pub(crate) partition_key: Option<String>,
    pub(crate) priority: u32,
    pub(crate) delay: Duration,
    pub(crate) deduplication_id: Option<String>,
    pub(crate) deduplication: Deduplication,
}

impl Queued {
    fn new(queue: String) -> Self {
        let deduplication = Deduplication::default();
        Self { queue, partition_key: None, priority: 0, delay: Duration::ZERO, deduplication_id: None, deduplication }
    }
}

/// A call of a `#[workflow]`.
///
/// - `.await` runs it and waits for its result; inside a workflow it is a child.
/// - `DBOS::start_workflow(call).await` starts it and gives a handle.
/// - `.enqueue(&QUEUE).await` puts it into a queue and gives a handle.
/// - `.plain().await` runs the function alone, with nothing recorded.
#[must_use = "a workflow call does nothing until it is awaited or started"]
pub struct WorkflowCall<R> {
    request: Option<Request>,
    /// The parent's step that takes the result, if the call is awaited.
    awaited: Option<Point>,
    codec: WorkflowCodec<R>,
    body: Option<BoxFuture<'static, R>>,
    running: Option<BoxFuture<'static, R>>,
}

impl<A: 'static, R: 'static> WorkflowDefinition<A, R> {
    /// A call with `arguments`, which are encoded now so that a bad one is known before anything is
    /// written.
    #[track_caller]
    pub fn call(&'static self, arguments: A) -> WorkflowCall<R> {
        let inputs = self.arguments.encode(&arguments);
        WorkflowCall::new(self, inputs, (self.codec)(), (self.body)(arguments))
    }
}

impl<R: 'static> WorkflowCall<R> {
    /// A call of `workflow`; inside a workflow it takes its step ids here.
    #[track_caller]
    pub fn new(
        workflow: &'static dyn AnyWorkflow,
        inputs: Result<String, String>,
        codec: WorkflowCodec<R>,
        body: BoxFuture<'static, R>,
    ) -> Self {
        let location = Location::caller();
        let (child, awaited) = match place() {
            Place::Workflow(run) => {
                let child = Point::take(Arc::clone(&run), (workflow.function().name)(), location);
                (Some(child), Some(Point::take(run, GET_RESULT, location)))
            }
            Place::Step(_) | Place::Outside => (None, None),
        };
        let id_reuse = IdReuse::default();
        let callee = Callee::Function(workflow);
        let request = Request {
            callee,
            executor: None,
            inputs,
            id: None,
            id_reuse,
            timeout: None,
            child,
            queued: None,
            attributes: None,
        };
        Self { request: Some(request), awaited, codec, body: Some(body), running: None }
    }

    /// Runs under this id. The same id never runs twice: a second call attaches to the first.
    pub fn workflow_id(mut self, id: impl IntoWorkflowId) -> Self {
        self.set(|request| request.id = id.into_workflow_id());
        self
    }

    /// What to do if the id is taken by a run of the same function. Attaches to it by default.
    pub fn id_reuse(mut self, id_reuse: IdReuse) -> Self {
        self.set(|request| request.id_reuse = id_reuse);
        self
    }

    /// Marks it with a JSON object, which [`WorkflowFilter::attribute`](crate::WorkflowFilter::attribute) finds.
    pub fn attributes(mut self, attributes: impl Serialize) -> Self {
        self.set(|request| request.attributes = Some(read_attributes(&attributes)));
        self
    }

    /// Cancels the workflow if it has not ended this long after its start; a crash does not extend it.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.set(|request| request.timeout = Some(timeout));
        self
    }

    fn set(&mut self, change: impl FnOnce(&mut Request)) {
        change(self.request.as_mut().expect("options come before the await"));
    }

    /// Starts it without waiting for its result. The same as `DBOS::start_workflow(call)`.
    pub fn start(self) -> Start<R> {
        self.into_start()
    }

    /// Puts it into `queue`, where it waits until a process of the application has room for it: `&QUEUE`, or the name of
    /// one that was [made](crate::DBOS::create_queue) while the program runs.
    ///
    /// ```
    /// # use dbos::{DBOS, Queue, Result, workflow};
    /// #[dbos::queue]
    /// static PARCELS: Queue = Queue::new("parcels").concurrency(10);
    ///
    /// #[workflow]
    /// async fn ship(order: u64) -> Result<()> {
    ///     Ok(())
    /// }
    ///
    /// # async fn shipping() -> Result<()> {
    /// let handle = ship(7).enqueue(&PARCELS).priority(2).workflow_id("ship-7").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn enqueue(mut self, queue: impl QueueName) -> Start<R, InQueue> {
        self.set(|request| request.queued = Some(Queued::new(queue.queue_name())));
        self.into_start()
    }

    /// Lets the running workflow go on as this call of the same function: under its id, with these arguments, and with
    /// nothing recorded of what was before. For workflows without end, whose history would grow for ever. Does not
    /// return, unless it is called outside a workflow, for another function or with what cannot be stored.
    ///
    /// Messages that were not received and events stay, a deadline holds, and the count of recoveries begins anew.
    /// Step ids go on counting.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use dbos::{DBOS, Result, step, workflow};
    /// #[step]
    /// async fn look(page: u64) -> Result<u64> {
    ///     Ok(page + 1)
    /// }
    ///
    /// #[workflow]
    /// async fn watch(mut page: u64) -> Result<()> {
    ///     for _ in 0..100 {
    ///         page = look(page).await?;
    ///         DBOS::sleep(Duration::from_secs(60)).await;
    ///     }
    ///     watch(page).continue_as_new().await
    /// }
    /// ```
    #[track_caller]
    pub fn continue_as_new(mut self) -> ContinueAsNew<R> {
        let (request, point) = self.retaken(CONTINUE_AS_NEW);
        ContinueAsNew::new(request, self.codec, point)
    }

    /// The request, and instead of the steps of a child the step `name`, if this stands in a workflow.
    #[track_caller]
    fn retaken(&mut self, name: &'static str) -> (Request, Option<Point>) {
        self.give_back();
        let request = self.request.take().expect("a call is used once");
        let point = match place() {
            Place::Workflow(run) => Some(Point::take(run, name, Location::caller())),
            Place::Step(_) | Place::Outside => None,
        };
        (request, point)
    }

    /// Runs the last of many calls with one `key`, once none has come for `delay`: each puts the workflow off and
    /// replaces its arguments, whichever process it comes from. In a workflow it is a step.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use dbos::{Result, workflow};
    /// #[workflow]
    /// async fn index(document: u64, text: String) -> Result<()> {
    ///     Ok(())
    /// }
    ///
    /// # async fn typed() -> Result<()> {
    /// let call = index(7, "so far".to_owned());
    /// call.debounce("document-7", Duration::from_secs(5)).at_most(Duration::from_secs(60)).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn debounce(mut self, key: impl Into<String>, delay: Duration) -> Debounce<R> {
        let (request, point) = self.retaken(DEBOUNCE);
        Debounce::new(request, self.codec, point, key.into(), delay)
    }

    fn into_start<P>(mut self) -> Start<R, P> {
        if let Some(awaited) = &self.awaited {
            awaited.run.give_back(awaited.step);
        }
        let request = self.request.take().expect("a call is used once");
        Start { request, codec: self.codec, place: PhantomData }
    }

    /// The workflow that would run. Nothing does.
    pub(crate) fn into_workflow(mut self) -> &'static dyn AnyWorkflow {
        self.give_back();
        match self.request.take().expect("a call is used once").callee {
            Callee::Function(workflow) => workflow,
            Callee::Name(_) => unreachable!("a call of a function is of that function"),
        }
    }

    /// Runs the function alone: no row, no recovery, steps run unrecorded unless in a workflow.
    pub fn plain(mut self) -> BoxFuture<'static, R> {
        self.give_back();
        self.body.take().expect("a call is used once")
    }

    fn give_back(&self) {
        for point in self.awaited.iter().chain(self.request.iter().filter_map(|request| request.child.as_ref())) {
            point.run.give_back(point.step);
        }
    }
}

impl<R> Unpin for WorkflowCall<R> {}

impl<R: Send + 'static> Future for WorkflowCall<R> {
    type Output = R;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<R> {
        note_durable_poll();
        if let Some(request) = self.request.take() {
            self.running = Some(Box::pin(at_work(run_and_wait(request, self.awaited.take(), self.codec))));
        }
        self.running.as_mut().expect("set at the first poll").as_mut().poll(task)
    }
}

async fn run_and_wait<R: Send + 'static>(request: Request, awaited: Option<Point>, codec: WorkflowCodec<R>) -> R {
    match start::start(request).await {
        Ok((executor, workflow)) => result::result(executor, workflow, awaited, codec).await,
        Err(error) => (codec.from_error)(error),
    }
}

/// Of a [`Start`]: the workflow runs at once, in this process.
#[derive(Debug)]
pub enum AtOnce {}

/// Of a [`Start`]: the workflow waits in a queue.
#[derive(Debug)]
pub enum InQueue {}

/// A workflow about to be started, at once or by way of a queue. Awaiting it writes the row and gives a handle.
#[must_use = "a workflow starts only when this is awaited"]
pub struct Start<R, P = AtOnce> {
    request: Request,
    codec: WorkflowCodec<R>,
    place: PhantomData<P>,
}

impl Start<Result<Value>, InQueue> {
    /// Of a workflow of another program, by a client.
    pub(crate) fn by_client(
        client: Arc<Executor>,
        workflow: String,
        queue: String,
        inputs: Result<String, String>,
    ) -> Self {
        let mut start = Self::unplaced(workflow, queue, inputs);
        start.request.executor = Some(client);
        start
    }

    /// Of a workflow of another program; inside a workflow it takes its step id here.
    #[track_caller]
    pub(crate) fn by_name(workflow: String, queue: String, inputs: Result<String, String>) -> Self {
        let child = match place() {
            Place::Workflow(run) => Some(Point::take(run, workflow.as_str(), Location::caller())),
            Place::Step(_) | Place::Outside => None,
        };
        let mut start = Self::unplaced(workflow, queue, inputs);
        start.request.child = child;
        start
    }

    fn unplaced(workflow: String, queue: String, inputs: Result<String, String>) -> Self {
        let request = Request {
            callee: Callee::Name(workflow),
            executor: None,
            inputs,
            id: None,
            id_reuse: IdReuse::default(),
            timeout: None,
            child: None,
            queued: Some(Queued::new(queue)),
            attributes: None,
        };
        Self { request, codec: WorkflowCodec::json(), place: PhantomData }
    }
}

impl<R: Send + 'static, P> Start<R, P> {
    /// Starts under this id. The same id never runs twice: a second start attaches to the first.
    pub fn workflow_id(mut self, id: impl IntoWorkflowId) -> Self {
        self.request.id = id.into_workflow_id();
        self
    }

    /// What to do if the id is taken by a run of the same function. Attaches to it by default.
    pub fn id_reuse(mut self, id_reuse: IdReuse) -> Self {
        self.request.id_reuse = id_reuse;
        self
    }

    /// Marks it with a JSON object, which [`WorkflowFilter::attribute`](crate::WorkflowFilter::attribute) finds.
    pub fn attributes(mut self, attributes: impl Serialize) -> Self {
        self.request.attributes = Some(read_attributes(&attributes));
        self
    }

    /// Cancels the workflow if it has not ended this long after its start, or after it has left its queue; a crash does
    /// not extend it.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.request.timeout = Some(timeout);
        self
    }
}

impl<R: Send + 'static> Start<R, InQueue> {
    /// Lets it go before those of the queue with a higher number, up to 2147483647. Without one it goes before all that
    /// have one; among equals the oldest goes first.
    pub fn priority(self, priority: u32) -> Self {
        self.set(|queued| queued.priority = priority)
    }

    /// Puts it into this partition of the queue, for example that of a customer. A queue with a limit for partitions asks
    /// for a key; in another it makes no difference.
    pub fn partition_key(self, key: impl Into<String>) -> Self {
        let key = key.into();
        self.set(|queued| queued.partition_key = Some(key))
    }

    /// Keeps it out of the queue for so long, counted from now; a crash does not extend it.
    pub fn delay(self, delay: Duration) -> Self {
        self.set(|queued| queued.delay = delay)
    }

    /// Lets there be one workflow with this id in the queue, from when it is put there until it has ended. Another one
    /// is refused, unless [`deduplication`](Self::deduplication) says otherwise.
    pub fn deduplication_id(self, id: impl Into<String>) -> Self {
        let id = id.into();
        self.set(|queued| queued.deduplication_id = Some(id))
    }

    /// What to do if another workflow of the queue has the deduplication id.
    pub fn deduplication(self, deduplication: Deduplication) -> Self {
        self.set(|queued| queued.deduplication = deduplication)
    }

    pub(super) fn into_parts(self) -> (Request, WorkflowCodec<R>) {
        (self.request, self.codec)
    }

    fn set(mut self, change: impl FnOnce(&mut Queued)) -> Self {
        change(self.request.queued.as_mut().expect("it is made with a queue"));
        self
    }
}

impl<R: Send + 'static, P> IntoFuture for Start<R, P> {
    type Output = Result<WorkflowHandle<R>>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(durable(async move {
            let (executor, workflow) = start::start(self.request).await?;
            Ok(WorkflowHandle::new(executor, workflow, self.codec))
        }))
    }
}

impl<R> fmt::Debug for WorkflowCall<R> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("WorkflowCall")
    }
}

impl<R, P> fmt::Debug for Start<R, P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Start")
    }
}
