//! `DBOS::…`: everything an application calls, each a line away from where it is done.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use crate::codec::inputs_of;
use crate::config::{Config, Retention};
use crate::context::{Place, current_run, engine, place, provenance};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::event::{self, Event, GetEvent};
use crate::management::{
    self, CancelWorkflow, CancelWorkflows, ChangeQueue, DeleteWorkflow, DeleteWorkflows, ForkWorkflow, ForkWorkflows,
    QueueChange, ResumeWorkflow, ResumeWorkflows, RewindWorkflow, RewindWorkflows, Schedule, ScheduleFilter, StartFrom,
    UpdateSchedule,
};
use crate::message::{self, Send, SendBulk, Topic};
use crate::queue::QueueName;
use crate::registry::codec_for;
use crate::state::{self, StateValue};
use crate::step::{self, StepCall};
use crate::store::aggregates::{Group, Grouping};
use crate::store::attributes::Update;
use crate::store::filter::WorkflowFilter;
use crate::store::queue_rows::QueueStatus;
use crate::store::renaming::RenamedApplication;
use crate::store::schedules::ScheduleStatus;
use crate::store::steps::StepStatus;
use crate::store::versions::ApplicationVersion;
use crate::store::workflow_row::WorkflowStatus;
use crate::stream::{self, ReadStream, StreamKey};
use crate::workflow::{self, EnqueueAll, InQueue, Start, WorkflowCall, WorkflowHandle};

/// The durable operations. Inside a workflow they are recorded and replayed; most work outside too.
#[derive(Clone, Copy, Debug)]
pub struct DBOS;

impl DBOS {
    /// Launches an engine; the first of a process serves all code that runs under no other.
    ///
    /// # Errors
    ///
    /// As [`Engine::launch`].
    pub async fn launch(config: Config) -> Result<Engine> {
        Engine::launch(config).await
    }

    /// Shuts the launched engine down: unfinished workflows are handed back, none is cancelled. No
    /// effect if there is none.
    pub async fn shutdown() {
        if let Some(engine) = Engine::launched() {
            engine.shutdown().await;
        }
    }

    /// Provides `value` for the functions of the program that ask for its type: `#[state] http: &Http`. A later value of the
    /// same type takes its place, for calls that begin after that.
    ///
    /// In the body of [`#[dbos::main]`](macro@crate::main), or before a launch: that refuses a program in which a function
    /// asks for what nobody has provided.
    pub fn provide<T: StateValue>(value: T) {
        state::provide(value);
    }

    /// Starts a workflow without waiting for its result. Inside a workflow it is a child.
    ///
    /// # Errors
    ///
    /// When awaited: [`Error::InvalidKey`] for an id that cannot be stored,
    /// [`Error::ConflictingWorkflow`] if another function has the id, [`Error::Unstorable`] for an
    /// argument that would not come back equal, [`Error::NotLaunched`], [`Error::ShuttingDown`].
    pub fn start_workflow<R: std::marker::Send + 'static>(call: WorkflowCall<R>) -> Start<R> {
        call.start()
    }

    /// Puts the workflow of this name into a queue, for the application that has both, whichever it is and whatever its
    /// language; inside a workflow it is a child. `arguments` are an object with the names of the function's arguments, or
    /// a list of them in their order. It takes the options that [`enqueue`](WorkflowCall::enqueue) takes. Awaiting it gives
    /// a handle whose result is JSON.
    ///
    /// ```
    /// # use dbos::{DBOS, Result, workflow};
    /// # use serde_json::json;
    /// #[workflow]
    /// async fn buy(order: u64) -> Result<String> {
    ///     let parcel = DBOS::enqueue("ship", "parcels", json!({ "order": order })).await?;
    ///     Ok(parcel.result().await?.to_string())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// When awaited: [`Error::Configuration`] if no program has declared the queue, or none of its application has such a
    /// workflow; [`Error::InvalidKey`] in a transaction; and as [`start_workflow`](Self::start_workflow). In a workflow the
    /// first is recorded.
    #[track_caller]
    pub fn enqueue(
        workflow: impl Into<String>,
        queue: impl QueueName,
        arguments: Value,
    ) -> Start<Result<Value>, InQueue> {
        Start::by_name(workflow.into(), queue.queue_name(), inputs_of(arguments))
    }

    /// Puts many workflows into queues, all of them or none: their rows are one commit, in few statements however many
    /// they are. Gives their handles, in order. In a workflow they are children, a step each; in a transaction they
    /// commit with it.
    ///
    /// ```
    /// # use dbos::{DBOS, Queue, Result, workflow};
    /// # #[dbos::queue]
    /// # static PARCELS: Queue = Queue::new("parcels").concurrency(10);
    /// # #[workflow]
    /// # async fn ship(order: u64) -> Result<()> { Ok(()) }
    /// # async fn morning(orders: Vec<u64>) -> Result<()> {
    /// let shipped = orders.into_iter().map(|order| ship(order).enqueue(&PARCELS).workflow_id(format!("ship-{order}")));
    /// let handles = DBOS::enqueue_all(shipped).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When awaited, and then nothing was enqueued: whatever [`start_workflow`](Self::start_workflow) gives, for any of
    /// them; [`Error::Deduplicated`], [`Error::NonExistentQueue`].
    pub fn enqueue_all<R>(calls: impl IntoIterator<Item = Start<R, InQueue>>) -> EnqueueAll<R>
    where
        R: std::marker::Send + 'static,
    {
        workflow::enqueue_all(calls.into_iter().collect())
    }

    /// A handle to the workflow with this id, typed by what its function returns. The id is not
    /// looked up until the handle is used.
    ///
    /// # Errors
    ///
    /// [`Error::NotLaunched`] if there is no engine; [`Error::Configuration`] if no workflow of this
    /// program returns `R`.
    pub fn retrieve_workflow<R>(workflow_id: impl Into<String>) -> Result<WorkflowHandle<R>>
    where
        R: std::marker::Send + 'static,
    {
        let codec = codec_for::<R>("").ok_or_else(|| {
            let kind = std::any::type_name::<R>();
            Error::Configuration(format!("no workflow of this program returns `{kind}`; name the type that it returns"))
        })?;
        Ok(WorkflowHandle::new(engine()?, workflow_id.into(), codec))
    }

    /// Waits for the first of several workflows to end, and gives its handle. Of some that have ended already it is the one
    /// that was the first. In a workflow it is a step: a replay gets the same one.
    ///
    /// However many there are, a look at them is one statement.
    ///
    /// # Errors
    ///
    /// When awaited: [`Error::NonExistentWorkflow`] if one of them does not exist, [`Error::InvalidKey`] if there are none.
    #[track_caller]
    pub fn wait_first<R>(handles: &[WorkflowHandle<R>]) -> StepCall<'static, Result<WorkflowHandle<R>>>
    where
        R: std::marker::Send + 'static,
    {
        workflow::wait_first(handles)
    }

    /// As [`wait_first`](Self::wait_first), with the result of the one that has won. The others go on: cancel them if they
    /// should not.
    ///
    /// # Errors
    ///
    /// When awaited: as [`wait_first`](Self::wait_first). That the winner has failed is its result.
    #[track_caller]
    pub fn race_all<R>(handles: &[WorkflowHandle<R>]) -> StepCall<'static, Result<(WorkflowHandle<R>, R)>>
    where
        R: std::marker::Send + 'static,
    {
        workflow::race_all(handles)
    }

    /// Waits for all of several workflows to end, and gives their results in the order of the handles. In a workflow it is one
    /// step, which records all of the results.
    ///
    /// However many there are, a look at them is one statement, and there are fewer looks than workflows.
    #[track_caller]
    pub fn wait_all<R>(handles: &[WorkflowHandle<R>]) -> StepCall<'static, Vec<R>>
    where
        R: std::marker::Send + 'static,
    {
        workflow::wait_all(handles)
    }

    /// Publishes `value` under the event's key, in a workflow or a transaction. The latest counts.
    ///
    /// # Errors
    ///
    /// When awaited: [`Error::Unstorable`], [`Error::InvalidKey`], [`Error::OutsideWorkflow`].
    #[track_caller]
    pub fn set_event<T>(event: Event<T>, value: impl Into<T>) -> StepCall<'static, Result<()>>
    where
        T: Serialize + DeserializeOwned,
    {
        event::set_event(event, &value.into())
    }

    /// Waits for an event of a workflow: its value, or `None` once 60 s (or the given timeout) have
    /// passed or the workflow has ended without it. Inside a workflow it takes two step ids.
    ///
    /// # Errors
    ///
    /// When awaited: [`Error::InvalidKey`], [`Error::Unreadable`], [`Error::NotLaunched`].
    #[track_caller]
    pub fn get_event<T>(workflow_id: impl Into<String>, event: Event<T>) -> GetEvent<T> {
        event::get_event(workflow_id.into(), event)
    }

    /// The latest value of every event of a workflow, by key, as they are now. In a workflow it is a step.
    ///
    /// # Errors
    ///
    /// When awaited: [`Error::NonExistentWorkflow`], [`Error::InvalidKey`], [`Error::NotLaunched`], [`Error::Database`].
    #[track_caller]
    pub fn get_all_events(workflow_id: impl Into<String>) -> StepCall<'static, Result<BTreeMap<String, Value>>> {
        event::get_all_events(workflow_id.into())
    }

    /// Appends `value` to the stream under the key, for whoever reads it. In a workflow it is a step, and happens once; in a
    /// transaction it commits with it; in a plain step it happens in each attempt.
    ///
    /// # Errors
    ///
    /// When awaited: [`Error::Unstorable`], [`Error::InvalidKey`], [`Error::OutsideWorkflow`].
    #[track_caller]
    pub fn write_stream<T>(stream: StreamKey<T>, value: impl Into<T>) -> StepCall<'static, Result<()>>
    where
        T: Serialize + DeserializeOwned,
    {
        stream::write_stream(stream, &value.into())
    }

    /// Ends the stream under the key: its readers come to their end, and see nothing that is written after this. A stream
    /// that nobody closes ends with its workflow. It goes where [`write_stream`](Self::write_stream) goes.
    ///
    /// # Errors
    ///
    /// When awaited: [`Error::InvalidKey`], [`Error::OutsideWorkflow`].
    #[track_caller]
    pub fn close_stream<T>(stream: StreamKey<T>) -> StepCall<'static, Result<()>> {
        stream::close_stream(stream)
    }

    /// The values that a workflow has written to the stream under the key, and those it will write. Inside a workflow each
    /// that is read is a step.
    #[track_caller]
    pub fn read_stream<T>(workflow_id: impl Into<String>, stream: StreamKey<T>) -> ReadStream<T> {
        stream::read_stream(workflow_id.into(), stream)
    }

    /// Sends `message` to a workflow. In a workflow it is a step; in a transaction it commits with
    /// it; in a plain step it may be sent once per attempt.
    ///
    /// # Errors
    ///
    /// When awaited: [`Error::NonExistentWorkflow`], [`Error::Unstorable`], [`Error::InvalidKey`].
    #[track_caller]
    pub fn send<T>(workflow_id: impl Into<String>, message: impl Into<T>, topic: Topic<T>) -> Send
    where
        T: Serialize + DeserializeOwned,
    {
        message::send(workflow_id.into(), &message.into(), topic)
    }

    /// Sends many messages on one topic, each to a workflow of its own or several to one, in a single commit: if one cannot be
    /// sent, none is. In a workflow it is one step; in a transaction it commits with it.
    ///
    /// ```no_run
    /// # use dbos::{DBOS, Result, Topic};
    /// const PRICES: Topic<u32> = Topic::new("prices");
    ///
    /// async fn announce(shops: Vec<String>, price: u32) -> Result<()> {
    ///     DBOS::send_bulk(shops.into_iter().map(|shop| (shop, price)), PRICES).await
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// When awaited: as [`send`](Self::send).
    #[track_caller]
    pub fn send_bulk<T>(
        messages: impl IntoIterator<Item = (impl Into<String>, impl Into<T>)>,
        topic: Topic<T>,
    ) -> SendBulk
    where
        T: Serialize + DeserializeOwned,
    {
        message::send_bulk(messages.into_iter().map(|(workflow, message)| (workflow.into(), message.into())), topic)
    }

    /// Waits for the oldest message on `topic`: it, or `None` once `timeout` has passed. A crash does
    /// not extend the wait, and each message is received once. Takes two step ids.
    ///
    /// # Errors
    ///
    /// When awaited: [`Error::OutsideWorkflow`], [`Error::InvalidKey`].
    #[track_caller]
    pub fn recv<T>(topic: Topic<T>, timeout: Duration) -> StepCall<'static, Result<Option<T>>>
    where
        T: Serialize + DeserializeOwned + std::marker::Send + 'static,
    {
        message::recv(topic, timeout)
    }

    /// Sleeps, durably inside a workflow: the instant of waking up is recorded first.
    #[track_caller]
    pub fn sleep(duration: Duration) -> StepCall<'static, ()> {
        step::sleep(duration)
    }

    /// The time by the database's clock; recorded in a workflow.
    #[track_caller]
    pub fn now() -> StepCall<'static, SystemTime> {
        step::now()
    }

    /// A random id; recorded in a workflow.
    #[track_caller]
    pub fn uuid() -> StepCall<'static, Uuid> {
        step::uuid()
    }

    /// A random number from 0 to 1; recorded in a workflow.
    #[track_caller]
    pub fn random() -> StepCall<'static, f64> {
        step::random()
    }

    /// The id of the workflow this code runs in.
    ///
    /// # Panics
    ///
    /// Outside a workflow. [`try_workflow_id`](Self::try_workflow_id) does not.
    #[must_use]
    #[track_caller]
    pub fn workflow_id() -> String {
        let Some(id) = Self::try_workflow_id() else {
            panic!("{}", Error::OutsideWorkflow { function: "DBOS::workflow_id".to_owned() })
        };
        id
    }

    /// The id of the workflow this code runs in, if any.
    #[must_use]
    pub fn try_workflow_id() -> Option<String> {
        current_run().map(|run| run.workflow.clone())
    }

    /// The id of the step whose body this is, if it is recorded.
    #[must_use]
    pub fn step_id() -> Option<u32> {
        match place() {
            Place::Step(step) => step.step,
            Place::Workflow(_) | Place::Outside => None,
        }
    }

    /// A key that stays the same for all attempts of this step: give it to outside systems as an
    /// idempotency key, and they will act once although the step may run twice.
    ///
    /// # Panics
    ///
    /// Outside a step of a workflow.
    #[must_use]
    #[track_caller]
    pub fn step_key() -> String {
        match place() {
            Place::Step(step) => match (&step.workflow, step.step) {
                (Some(workflow), Some(id)) => format!("{workflow}-{id}"),
                _ => panic!("{}", Error::OutsideWorkflow { function: "DBOS::step_key".to_owned() }),
            },
            _ => panic!("DBOS::step_key works inside a step only"),
        }
    }

    /// Which attempt of the step this is, or, in the body of a workflow, of the workflow: 1 at first. 0 elsewhere.
    #[must_use]
    pub fn attempt() -> u32 {
        match place() {
            Place::Step(step) => step.attempt.load(std::sync::atomic::Ordering::SeqCst),
            Place::Workflow(run) => run.round.attempt,
            Place::Outside => 0,
        }
    }

    /// Cancels a workflow unless it has ended; [`with_children`](CancelWorkflow::with_children) those
    /// it started too. Its code stops within a second wherever it runs, and nothing it does after this
    /// is recorded. In a workflow it is a step.
    ///
    /// # Errors
    ///
    /// When awaited: [`Error::NonExistentWorkflow`], [`Error::NotLaunched`].
    #[track_caller]
    pub fn cancel_workflow(workflow_id: impl Into<String>) -> CancelWorkflow {
        management::cancel_workflow(workflow_id.into())
    }

    /// Cancels all workflows of the application that were started before `instant` and have not ended, but for the one
    /// that asks; gives their ids, the oldest first. In a workflow it is a step; a crash in the midst of it cancels the
    /// rest afterwards.
    ///
    /// # Errors
    ///
    /// When awaited: [`Error::NotLaunched`], [`Error::Database`].
    #[track_caller]
    pub fn cancel_started_before(instant: SystemTime) -> StepCall<'static, Result<Vec<String>>> {
        management::cancel_started_before(instant)
    }

    /// Lets a workflow go on after its last recorded step, here or in any live program with its code:
    /// one that was cancelled, was set aside, or waits for its delay. One of a queue goes back into it,
    /// and into its partition, unless [`into_queue`](ResumeWorkflow::into_queue) says otherwise. Its
    /// attempts count anew, and of a timeout it has all. One that has ended by itself stays as it is. In
    /// a workflow it is a step.
    ///
    /// # Errors
    ///
    /// When awaited: [`Error::NonExistentWorkflow`]; [`Error::StillRunning`] unless the program that
    /// runs it is known to be gone; [`Error::NonExistentQueue`] and [`Error::InvalidKey`] for a queue and a
    /// partition where it would wait for ever; [`Error::NotLaunched`].
    #[track_caller]
    pub fn resume_workflow(workflow_id: impl Into<String>) -> ResumeWorkflow {
        management::resume_workflow(workflow_id.into())
    }

    /// Makes a new workflow of the same function, with the same arguments and with what another one recorded before a
    /// step, which need not have ended; it runs from that step on, under the version of the other unless told otherwise.
    /// Gives its id. It belongs to the other by [`WorkflowStatus::forked_from`]. In a workflow it is a step.
    ///
    /// # Errors
    ///
    /// When awaited: [`Error::NonExistentWorkflow`]; [`Error::AlreadyStarted`] if its id is taken;
    /// [`Error::InvalidKey`] for a step, a queue or an id that cannot be; [`Error::NotLaunched`].
    #[track_caller]
    pub fn fork_workflow(workflow_id: impl Into<String>, from: impl Into<StartFrom>) -> ForkWorkflow {
        management::fork_workflow(workflow_id.into(), from.into())
    }

    /// Forgets what a workflow that has ended recorded from a step on, its outcome too, and lets it run on from there
    /// under its own id. Messages that it received since then wait again; what its steps did elsewhere stays done. In a
    /// workflow it is a step, which a crash at the wrong moment may do twice.
    ///
    /// # Errors
    ///
    /// When awaited: [`Error::NonExistentWorkflow`]; [`Error::NotEnded`]; [`Error::InvalidKey`] for a step or a queue
    /// that cannot be; [`Error::NotLaunched`].
    #[track_caller]
    pub fn rewind_workflow(workflow_id: impl Into<String>, from: impl Into<StartFrom>) -> RewindWorkflow {
        management::rewind_workflow(workflow_id.into(), from.into())
    }

    /// Deletes a workflow that has ended, with all that is recorded of it;
    /// [`with_children`](DeleteWorkflow::with_children) those it started too. If one of them has not ended, nothing is
    /// deleted. What is not there need not be deleted. In a workflow it is a step.
    ///
    /// # Errors
    ///
    /// When awaited: [`Error::NotEnded`], as for the workflow that asks; [`Error::NotLaunched`].
    #[track_caller]
    pub fn delete_workflow(workflow_id: impl Into<String>) -> DeleteWorkflow {
        management::delete_workflow(workflow_id.into())
    }

    /// [Cancels](Self::cancel_workflow) many workflows, one after the other, and tells what became of each, in their order.
    /// In a workflow it is one step, as are its likes below: a crash in the midst of it does the rest afterwards, and what
    /// was done before is told as it is found then.
    ///
    /// ```
    /// # use dbos::{DBOS, ReportedOutcome, Result};
    /// # async fn example(orders: Vec<String>) -> Result<()> {
    /// for order in DBOS::cancel_workflows(orders).with_children().await? {
    ///     if order.outcome == ReportedOutcome::Failed {
    ///         println!("{}: {}", order.workflow_id, order.error.unwrap_or_default());
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When awaited: [`Error::NotLaunched`], [`Error::Database`]. What stands against one of them is told of that one.
    #[track_caller]
    pub fn cancel_workflows(workflow_ids: impl IntoIterator<Item = impl Into<String>>) -> CancelWorkflows {
        management::cancel_workflows(workflow_ids.into_iter().map(Into::into).collect())
    }

    /// [Resumes](Self::resume_workflow) many workflows, and tells what became of each.
    ///
    /// # Errors
    ///
    /// As [`cancel_workflows`](Self::cancel_workflows).
    #[track_caller]
    pub fn resume_workflows(workflow_ids: impl IntoIterator<Item = impl Into<String>>) -> ResumeWorkflows {
        management::resume_workflows(workflow_ids.into_iter().map(Into::into).collect())
    }

    /// [Forks](Self::fork_workflow) many workflows, and tells which were made of them.
    ///
    /// # Errors
    ///
    /// As [`cancel_workflows`](Self::cancel_workflows).
    #[track_caller]
    pub fn fork_workflows(
        workflow_ids: impl IntoIterator<Item = impl Into<String>>,
        from: impl Into<StartFrom>,
    ) -> ForkWorkflows {
        management::fork_workflows(workflow_ids.into_iter().map(Into::into).collect(), from.into())
    }

    /// [Rewinds](Self::rewind_workflow) many workflows, and tells what became of each.
    ///
    /// # Errors
    ///
    /// As [`cancel_workflows`](Self::cancel_workflows).
    #[track_caller]
    pub fn rewind_workflows(
        workflow_ids: impl IntoIterator<Item = impl Into<String>>,
        from: impl Into<StartFrom>,
    ) -> RewindWorkflows {
        management::rewind_workflows(workflow_ids.into_iter().map(Into::into).collect(), from.into())
    }

    /// [Deletes](Self::delete_workflow) many workflows, and tells what became of each. What is not there stays unchanged.
    ///
    /// # Errors
    ///
    /// As [`cancel_workflows`](Self::cancel_workflows).
    #[track_caller]
    pub fn delete_workflows(workflow_ids: impl IntoIterator<Item = impl Into<String>>) -> DeleteWorkflows {
        management::delete_workflows(workflow_ids.into_iter().map(Into::into).collect())
    }

    /// The workflows that fit `filter`, a page at a time: [`WorkflowFilter::after`] asks for the next.
    /// In a workflow it is a step: a replay sees the list as it was.
    ///
    /// ```no_run
    /// # async fn example() -> dbos::Result<()> {
    /// use dbos::{DBOS, Status, WorkflowFilter};
    ///
    /// let set_aside = WorkflowFilter::new().status(Status::MaxRecoveryAttemptsExceeded);
    /// for workflow in DBOS::list_workflows(set_aside).await? {
    ///     DBOS::resume_workflow(workflow.workflow_id).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When awaited: [`Error::NotLaunched`], [`Error::Database`]. A row that cannot be read is no
    /// error: it is listed as far as it can be.
    #[track_caller]
    pub fn list_workflows(filter: WorkflowFilter) -> StepCall<'static, Result<Vec<WorkflowStatus>>> {
        management::list_workflows(filter)
    }

    /// Everything recorded of a workflow and those it started, as the text of the file that `workflow export` makes and
    /// [`replay::check`](crate::replay::check) reads. In a workflow it is a step.
    ///
    /// # Errors
    ///
    /// When awaited: [`Error::NonExistentWorkflow`], [`Error::NotLaunched`], [`Error::Database`].
    #[track_caller]
    pub fn export_workflow(workflow_id: impl Into<String>) -> StepCall<'static, Result<String>> {
        management::export_workflow(workflow_id.into())
    }

    /// Marks a workflow with a JSON object, which [`WorkflowFilter::attribute`] finds, instead of what it was marked with
    /// before. In a workflow it is a step.
    ///
    /// # Errors
    ///
    /// When awaited: [`Error::NonExistentWorkflow`]; [`Error::InvalidKey`] for what is no JSON object;
    /// [`Error::NotLaunched`].
    #[track_caller]
    pub fn set_attributes(workflow_id: impl Into<String>, attributes: impl Serialize) -> StepCall<'static, Result<()>> {
        management::update_attributes(workflow_id.into(), &attributes, Update::Replace)
    }

    /// The same beside what it was marked with before; what has the same name gives way.
    ///
    /// # Errors
    ///
    /// As [`set_attributes`](Self::set_attributes).
    #[track_caller]
    pub fn merge_attributes(
        workflow_id: impl Into<String>,
        attributes: impl Serialize,
    ) -> StepCall<'static, Result<()>> {
        management::update_attributes(workflow_id.into(), &attributes, Update::Merge)
    }

    /// Gives a workflow that waits in a queue another place there: lower goes first. No effect on one that does not
    /// wait. In a workflow it is a step.
    ///
    /// # Errors
    ///
    /// When awaited: [`Error::NonExistentWorkflow`]; [`Error::InvalidKey`] above 2147483647; [`Error::NotLaunched`].
    #[track_caller]
    pub fn set_priority(workflow_id: impl Into<String>, priority: u32) -> StepCall<'static, Result<()>> {
        management::set_priority(workflow_id.into(), priority)
    }

    /// Deletes the workflows of this application that `retention` does not keep, and gives their number. None that has
    /// not ended is deleted, and none that another one, which may still run, has started or waits for. What
    /// [`Config::retention`] says is done by itself. In a workflow it is a step.
    ///
    /// # Errors
    ///
    /// When awaited: [`Error::NotLaunched`], [`Error::Database`].
    #[track_caller]
    pub fn garbage_collect(retention: Retention) -> StepCall<'static, Result<usize>> {
        management::garbage_collect(retention)
    }

    /// How many workflows there are of each kind, and how long the longest took. In a workflow it is a step.
    ///
    /// # Errors
    ///
    /// When awaited: [`Error::NotLaunched`], [`Error::Database`].
    #[track_caller]
    pub fn count_workflows(grouping: Grouping) -> StepCall<'static, Result<Vec<Group>>> {
        management::count_workflows(grouping)
    }

    /// How many recorded steps there are of each kind, and how long the longest took. In a workflow it is a step.
    ///
    /// # Errors
    ///
    /// When awaited: [`Error::NotLaunched`], [`Error::Database`].
    #[track_caller]
    pub fn count_steps(grouping: Grouping) -> StepCall<'static, Result<Vec<Group>>> {
        management::count_steps(grouping)
    }

    /// The versions of this application that were ever launched, the latest first, with the workflows that wait for
    /// them. In a workflow it is a step.
    ///
    /// # Errors
    ///
    /// When awaited: [`Error::NotLaunched`], [`Error::Database`].
    #[track_caller]
    pub fn list_versions() -> StepCall<'static, Result<Vec<ApplicationVersion>>> {
        management::list_versions()
    }

    /// Makes a version the latest: the one for what names none. The next version that is launched for the first time
    /// is the latest again. In a workflow it is a step.
    ///
    /// # Errors
    ///
    /// When awaited: [`Error::InvalidKey`] if it was never launched; [`Error::NotLaunched`], [`Error::Database`].
    #[track_caller]
    pub fn set_latest_version(version: impl Into<String>) -> StepCall<'static, Result<()>> {
        management::set_latest_version(version.into())
    }

    /// Gives everything that belongs to the application `old` to the name `new`, in one commit: workflows whether they have
    /// ended or not, queues, schedules, versions, and which of its migrations were applied. What has not ended goes on in
    /// the next program of the new name that has its code. Done again it changes what has come under the old name since.
    /// In a workflow it is a step.
    ///
    /// # Errors
    ///
    /// When awaited: [`Error::ApplicationInUse`] unless all processes of the old name are known to be gone;
    /// [`Error::InvalidKey`] for a name that cannot be; [`Error::NotLaunched`], [`Error::Database`].
    #[track_caller]
    pub fn rename_application(
        old: impl Into<String>,
        new: impl Into<String>,
    ) -> StepCall<'static, Result<RenamedApplication>> {
        management::rename_application(old.into(), new.into())
    }

    /// Whether this run takes the change that is called `name`: all do that have not yet been where this is asked, and
    /// those that came by here and took it. One that recorded another step here goes the old way.
    ///
    /// ```
    /// # use dbos::{DBOS, Result, step, workflow};
    /// # #[step]
    /// # async fn pay() -> Result<()> { Ok(()) }
    /// # #[step]
    /// # async fn pay_and_thank() -> Result<()> { Ok(()) }
    /// #[workflow]
    /// async fn checkout() -> Result<()> {
    ///     if DBOS::patch("thank the customer").await {
    ///         pay_and_thank().await
    ///     } else {
    ///         pay().await
    ///     }
    /// }
    /// ```
    ///
    /// Outside of workflows it is `true`. Open runs come to the new code only if it has their
    /// [`application_version`](Config::application_version).
    #[track_caller]
    pub fn patch(name: &str) -> StepCall<'static, bool> {
        step::patch(name)
    }

    /// Stands in the place of [`patch`](Self::patch) once no run that goes the old way is open: runs that took the
    /// change go on, new ones record nothing. When those have ended as well, it can go.
    #[track_caller]
    pub fn deprecate_patch(name: &str) -> StepCall<'static, ()> {
        step::deprecate_patch(name)
    }

    /// Puts the workflows of an [export](Self::export_workflow), of this database or another one, into the tables, all or
    /// none of them, with everything that is recorded of them; gives their ids. One that was cancelled can be resumed
    /// then. In a workflow it is a step.
    ///
    /// # Errors
    ///
    /// When awaited: [`Error::AlreadyStarted`] if an id is taken; [`Error::NotEnded`] for a workflow that was exported
    /// before its end; [`Error::InvalidKey`] for what is no export; [`Error::NotLaunched`], [`Error::Database`].
    #[track_caller]
    pub fn import_workflows(exported: impl Into<String>) -> StepCall<'static, Result<Vec<String>>> {
        management::import_workflows(exported.into())
    }

    /// The recorded steps of a workflow, in the order of their calls. In a workflow it is a step.
    ///
    /// # Errors
    ///
    /// When awaited: [`Error::NonExistentWorkflow`], [`Error::NotLaunched`], [`Error::Database`].
    #[track_caller]
    pub fn list_steps(workflow_id: impl Into<String>) -> StepCall<'static, Result<Vec<StepStatus>>> {
        management::list_steps(workflow_id.into())
    }

    /// Creates a schedule, which starts its workflow at each of its ticks until it is deleted, whichever processes of
    /// the application are there. If the same one is there, nothing changes. In a workflow it is a step.
    ///
    /// # Errors
    ///
    /// When awaited: [`Error::ScheduleExists`] if another schedule has the name; [`Error::InvalidKey`] for a name, cron
    /// pattern or time zone that makes no sense; [`Error::Unstorable`] for its context; [`Error::NotLaunched`].
    #[track_caller]
    pub fn create_schedule(schedule: Schedule) -> StepCall<'static, Result<()>> {
        management::create_schedule(schedule)
    }

    /// Changes what is named of a schedule that was [created](Self::create_schedule), in all processes at once. It keeps
    /// its name, whether it is paused and what it has started; with another pattern or zone it goes on with the next tick
    /// of that, and nothing was missed before. In a workflow it is a step.
    ///
    /// ```
    /// # use dbos::{DBOS, Late, Result};
    /// # async fn example() -> Result<()> {
    /// DBOS::update_schedule("rent").cron("0 9 2 * *").context("the rent, a day later").late(Late::RunLast).await
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When awaited: [`Error::NonExistentSchedule`], [`Error::NonExistentQueue`]; [`Error::InvalidKey`] for a pattern,
    /// zone or queue that makes no sense, and for a schedule that stands in an attribute; [`Error::Unstorable`] for its
    /// context; [`Error::NotLaunched`].
    #[track_caller]
    pub fn update_schedule(name: impl Into<String>) -> UpdateSchedule {
        management::update_schedule(name.into())
    }

    /// A schedule by its name, if there is one. In a workflow it is a step.
    ///
    /// # Errors
    ///
    /// When awaited: [`Error::NotLaunched`], [`Error::Database`].
    #[track_caller]
    pub fn get_schedule(name: impl Into<String>) -> StepCall<'static, Result<Option<ScheduleStatus>>> {
        management::get_schedule(name.into())
    }

    /// The schedules that fit `filter`, by name. In a workflow it is a step.
    ///
    /// # Errors
    ///
    /// When awaited: [`Error::NotLaunched`], [`Error::Database`].
    #[track_caller]
    pub fn list_schedules(filter: ScheduleFilter) -> StepCall<'static, Result<Vec<ScheduleStatus>>> {
        management::list_schedules(filter)
    }

    /// Lets a schedule start nothing more until it is resumed. In a workflow it is a step.
    ///
    /// # Errors
    ///
    /// When awaited: [`Error::NonExistentSchedule`], [`Error::NotLaunched`].
    #[track_caller]
    pub fn pause_schedule(name: impl Into<String>) -> StepCall<'static, Result<()>> {
        management::pause_schedule(name.into())
    }

    /// Lets a paused schedule go on with its next tick; those that passed meanwhile were not missed. In a workflow it is
    /// a step.
    ///
    /// # Errors
    ///
    /// When awaited: [`Error::NonExistentSchedule`], [`Error::NotLaunched`].
    #[track_caller]
    pub fn resume_schedule(name: impl Into<String>) -> StepCall<'static, Result<()>> {
        management::resume_schedule(name.into())
    }

    /// Starts the workflow of a schedule now, paused or not, and gives its id. In a workflow it is a step.
    ///
    /// # Errors
    ///
    /// When awaited: [`Error::NonExistentSchedule`], [`Error::NotLaunched`].
    #[track_caller]
    pub fn trigger_schedule(name: impl Into<String>) -> StepCall<'static, Result<String>> {
        management::trigger_schedule(name.into())
    }

    /// Starts the workflows of all ticks of a schedule from `from` to before `until` that were not started, paused or
    /// not, and gives their ids. In a workflow it is a step.
    ///
    /// # Errors
    ///
    /// When awaited: [`Error::NonExistentSchedule`]; [`Error::InvalidKey`] if there are more than 10000;
    /// [`Error::NotLaunched`].
    #[track_caller]
    pub fn backfill_schedule(
        name: impl Into<String>,
        from: SystemTime,
        until: SystemTime,
    ) -> StepCall<'static, Result<Vec<String>>> {
        management::backfill_schedule(name.into(), from, until)
    }

    /// Deletes a schedule, if there is one of that name. What it has started goes on. In a workflow it is a step.
    ///
    /// # Errors
    ///
    /// When awaited: [`Error::NotLaunched`], [`Error::Database`].
    #[track_caller]
    pub fn delete_schedule(name: impl Into<String>) -> StepCall<'static, Result<()>> {
        management::delete_schedule(name.into())
    }

    /// Makes a queue while the program runs, for all processes of the application: they serve it at once, and for as long
    /// as it exists. One that is known beforehand is better declared with [`#[dbos::queue]`](macro@crate::queue). That
    /// it exists already with the same limits is no error. In a workflow it is a step.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use dbos::{DBOS, Result, workflow};
    /// # #[workflow]
    /// # async fn ship(order: u64) -> Result<()> { Ok(()) }
    /// # async fn shop_opens(shop: &str) -> Result<()> {
    /// let queue = format!("parcels of {shop}");
    /// DBOS::create_queue(&queue).concurrency(2).rate_limit(100, Duration::from_secs(60)).await?;
    /// ship(7).enqueue(&queue).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When awaited: [`Error::InvalidKey`] for a name that is refused or limits that make no sense,
    /// [`Error::QueueExists`], [`Error::NotLaunched`].
    #[track_caller]
    pub fn create_queue(queue: impl QueueName) -> ChangeQueue {
        management::change_queue(queue.queue_name(), QueueChange::Create)
    }

    /// Changes the limits of a queue that are named, in all processes at once: what runs goes on, and the next workflow
    /// leaves the queue as the new limits allow. A queue that the program declares has its declared limits again after
    /// the next launch. In a workflow it is a step.
    ///
    /// # Errors
    ///
    /// When awaited: [`Error::NonExistentQueue`]; [`Error::InvalidKey`] if the limits make no sense together;
    /// [`Error::NotLaunched`].
    #[track_caller]
    pub fn update_queue(queue: impl QueueName) -> ChangeQueue {
        management::change_queue(queue.queue_name(), QueueChange::Update)
    }

    /// Deletes a queue that was [made](Self::create_queue); no error if there is none. In a workflow it is a step.
    ///
    /// # Errors
    ///
    /// When awaited: [`Error::QueueInUse`] if a workflow of it has not ended, or the program declares it;
    /// [`Error::NotLaunched`].
    #[track_caller]
    pub fn delete_queue(queue: impl QueueName) -> StepCall<'static, Result<()>> {
        management::delete_queue(queue.queue_name())
    }

    /// Lets nothing out of a queue until it is [resumed](Self::resume_queue), across launches: once this has returned,
    /// no process begins to take anything out of it. What runs goes on, and one may still put workflows into it. In a
    /// workflow it is a step.
    ///
    /// # Errors
    ///
    /// When awaited: [`Error::NonExistentQueue`], [`Error::NotLaunched`].
    #[track_caller]
    pub fn pause_queue(queue: impl QueueName) -> StepCall<'static, Result<()>> {
        management::pause_queue(queue.queue_name())
    }

    /// Lets what waits in a [paused](Self::pause_queue) queue go on. In a workflow it is a step.
    ///
    /// # Errors
    ///
    /// When awaited: [`Error::NonExistentQueue`], [`Error::NotLaunched`].
    #[track_caller]
    pub fn resume_queue(queue: impl QueueName) -> StepCall<'static, Result<()>> {
        management::resume_queue(queue.queue_name())
    }

    /// A queue, its limits and how full it is; `None` if there is none of that name. In a workflow it is a step.
    ///
    /// # Errors
    ///
    /// When awaited: [`Error::NotLaunched`], [`Error::Database`].
    #[track_caller]
    pub fn queue(queue: impl QueueName) -> StepCall<'static, Result<Option<QueueStatus>>> {
        management::queue(queue.queue_name())
    }

    /// The queues of the application, declared or made, in the order of their names. In a workflow it is a step.
    ///
    /// # Errors
    ///
    /// When awaited: [`Error::NotLaunched`], [`Error::Database`].
    #[track_caller]
    pub fn list_queues() -> StepCall<'static, Result<Vec<QueueStatus>>> {
        management::list_queues()
    }

    /// The user on whose behalf the code here runs, as the program's authenticator told it: that of the request being
    /// answered, or of the one that started this workflow or one of its ancestors. It is recorded with the workflow.
    #[must_use]
    pub fn authenticated_user() -> Option<String> {
        provenance().user
    }

    /// What that user may act as.
    #[must_use]
    pub fn authenticated_roles() -> Vec<String> {
        provenance().roles
    }

    /// The role that opened the way: the first of those the route asked for that the user has.
    #[must_use]
    pub fn assumed_role() -> Option<String> {
        provenance().assumed_role
    }

    /// The header `traceparent` to send along with requests to other programs, so that they take part in the trace of
    /// the request that led here; `None` if none did.
    #[must_use]
    pub fn traceparent() -> Option<String> {
        provenance().traceparent().map(str::to_owned)
    }
}
