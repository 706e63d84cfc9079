//! One execution: inputs, body, outcome; and whatever may stop it on the way.

use std::any::Any;
use std::cell::RefCell;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Once};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tracing::Instrument;

use super::foreign::reporting_foreign_waits;
use super::resting::unless_it_waits;
use super::retried;
use crate::caller::Provenance;
use crate::clock::Activity;
use crate::codec::{Encoded, engine_error};
use crate::context::{Beginning, Run, in_run};
use crate::error::Error;
use crate::executor::{Executor, Signal, SignalSlot};
use crate::registry::AnyWorkflow;
use crate::round::CONTINUE_AS_NEW;
use crate::status::Status;
use crate::store::is_damage;
use crate::store::outcomes::Ended;
use crate::store::steps::{History, RecordedStep};
use crate::store::workflows::WorkflowOutcome;
use crate::telemetry;
use crate::wakeup::{Fact, Place};

/// How long a workflow is delayed that waits for no instant. Whoever takes it up then waits on.
const LONGEST_DELAY: Duration = Duration::from_hours(24 * 365);

/// A workflow to be run here and now.
pub(crate) struct Execution {
    pub(crate) workflow: String,
    pub(crate) owner: String,
    pub(crate) definition: &'static dyn AnyWorkflow,
    pub(crate) inputs: String,
    pub(crate) deadline_ms: Option<i64>,
    pub(crate) provenance: Provenance,
    /// What earlier executions recorded; empty for a fresh one, which therefore reads nothing.
    pub(crate) history: History,
    /// The queue it was taken out of.
    pub(crate) queue: Option<String>,
}

/// How a run came to its end.
pub(super) enum End {
    /// By itself, with what its body gave, or why that cannot be stored.
    Returned(Result<Encoded, String>),
    Panicked(String),
    TimedOut,
    Stopped(Signal),
    /// It waits, and left memory meanwhile.
    Parked,
}

/// Runs `execution` in a task of its own.
pub(crate) fn spawn(executor: &Arc<Executor>, execution: Execution) {
    spawn_at_work(executor, execution, executor.clock.activity());
}

fn spawn_at_work(executor: &Arc<Executor>, execution: Execution, activity: Arc<Activity>) {
    match executor.enter(&execution.workflow, &execution.owner, execution.queue.as_deref()) {
        Some(signal) => spawn_entered(executor, execution, &signal, activity),
        None => {
            // An earlier run of it has been told to stop and has not got to it yet.
            let executor = Arc::clone(executor);
            tokio::spawn(async move {
                executor.left(&execution.workflow).await;
                spawn_at_work(&executor, execution, activity);
            });
        }
    }
}

fn spawn_entered(executor: &Arc<Executor>, execution: Execution, signal: &Arc<SignalSlot>, activity: Arc<Activity>) {
    if executor.is_closing() {
        signal.raise(Signal::ShutDown);
    }
    let signal = Arc::clone(signal);
    let name = (execution.definition.function().name)();
    let span = telemetry::workflow(&execution.workflow, name, execution.provenance.trace_id());
    let beginning = Beginning {
        workflow: execution.workflow.clone(),
        name,
        owner: execution.owner.clone(),
        deadline_ms: execution.deadline_ms,
        provenance: execution.provenance,
        history: execution.history,
        may_leave: execution.queue.as_deref().is_none_or(|queue| !executor.keeps_places(queue)),
    };
    let mut run = Run::new(Arc::clone(executor), beginning, Arc::clone(&signal), Arc::clone(&activity));
    remember_panics();
    let (definition, mut inputs, queue) = (execution.definition, execution.inputs, execution.queue.clone());
    // Boxed, like all that a waiting run does not need: a future takes the room of the largest that it awaits, and what
    // hands it on takes that once more.
    let task = Box::pin(async move {
        loop {
            match run_to_its_end(&run, definition, &mut inputs, &signal).await {
                End::Stopped(Signal::Continued { inputs: next, step }) => {
                    inputs = next;
                    run = run.anew(History::from([(step, going_on())]));
                    signal.go_on();
                }
                End::Parked => return Box::pin(leave_memory(&run, queue)).await,
                end => match Box::pin(retried::after(&run, definition, end)).await {
                    Ok(next) => run = next,
                    Err(end) => return Box::pin(finish(&run, end)).await,
                },
            }
        }
    });
    let under_way = UnderWay { executor: Arc::clone(executor), workflow: execution.workflow, queue: execution.queue };
    let until_crash = async move {
        tokio::select! {
            biased;
            () = under_way.executor.crashed() => {}
            () = task => {}
        }
    };
    tokio::spawn(activity.watch(until_crash).instrument(span));
}

async fn run_to_its_end(
    run: &Arc<Run>,
    definition: &'static dyn AnyWorkflow,
    inputs: &mut String,
    signal: &SignalSlot,
) -> End {
    let body = match definition.run(inputs) {
        Ok(body) => body,
        Err(reason) => return unreadable_inputs(reason),
    };
    if definition.options().retry.retries == 0 {
        // Nobody reads them again.
        *inputs = String::new();
    }
    let body = async {
        retried::until_due(run).await;
        body_end(body).await
    };
    tokio::select! {
        biased;
        signal = signal.wait() => End::Stopped(signal),
        () = run.executor.clock.reach(run.deadline_ms) => End::TimedOut,
        end = in_run(Arc::clone(run), watched(run, definition, body)) => end,
    }
}

/// What is left of the time before a workflow went on as new.
fn going_on() -> RecordedStep {
    RecordedStep { name: CONTINUE_AS_NEW.to_owned(), output: None, error: None, child: None }
}

/// The place of a run among those of its engine, given up however the run ends.
struct UnderWay {
    executor: Arc<Executor>,
    workflow: String,
    queue: Option<String>,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.executor.leave(&self.workflow);
        if !self.executor.wakeups.parked().holds(&self.workflow) {
            self.executor.wakeups.wake(&Fact::Ended { workflow: std::mem::take(&mut self.workflow) });
        }
        self.executor.leave_queue(self.queue.take());
    }
}

/// The body, with a word about what it should not wait for, unless nobody wants to hear it.
async fn watched(run: &Run, definition: &dyn AnyWorkflow, body: impl Future<Output = End>) -> End {
    if definition.options().allow_nondeterminism {
        return body.await;
    }
    reporting_foreign_waits(run, (definition.function().name)(), unless_it_waits(run, body)).await
}

/// Lets what the run waits for bring it back. It gives up the place that it has in its queue, if others wait for such
/// places.
async fn leave_memory(run: &Run, queue: Option<String>) {
    let (executor, parked) = (&run.executor, run.executor.wakeups.parked());
    tracing::debug!("workflow waits out of memory");
    match queue {
        None => parked.leave(&run.workflow, &run.owner, Place::None),
        Some(queue) if !executor.has_places(&queue) => parked.leave(&run.workflow, &run.owner, Place::Kept(queue)),
        Some(queue) => give_up_place(run, queue).await,
    }
    if run.is_told_to_stop() {
        // Whoever told it so may have looked for it among those that had left, before it had.
        parked.forget_run(&run.workflow, &run.owner);
    }
}

async fn give_up_place(run: &Run, queue: String) {
    let (executor, parked) = (&run.executor, run.executor.wakeups.parked());
    let until_ms = parked.until_ms(&run.workflow).unwrap_or_else(|| executor.clock.after(LONGEST_DELAY));
    match executor.store.give_up_place(&run.workflow, &run.owner, until_ms, executor.clock.now_ms()).await {
        Ok(true) => parked.leave(&run.workflow, &run.owner, Place::GivenUp(queue)),
        // Cancelled or taken over meanwhile.
        Ok(false) => parked.forget_run(&run.workflow, &run.owner),
        Err(error) => {
            tracing::warn!(%error, "a workflow that waits cannot give up its place in the queue");
            parked.leave(&run.workflow, &run.owner, Place::Kept(queue));
            parked.call_back(&run.workflow, &run.owner);
        }
    }
}

fn unreadable_inputs(reason: String) -> End {
    let error = Error::Unreadable { what: "the arguments of the workflow".to_owned(), reason };
    End::Stopped(Signal::Failed(error))
}

pub(super) async fn body_end(body: BoxFuture<'static, Result<Encoded, String>>) -> End {
    match AssertUnwindSafe(body).catch_unwind().await {
        Ok(outcome) => End::Returned(outcome),
        Err(payload) => End::Panicked(panic_message(payload.as_ref())),
    }
}

async fn finish(run: &Run, end: End) {
    match end {
        End::Returned(Ok(encoded)) => record(run, encoded).await,
        End::Returned(Err(reason)) => {
            let error = Error::Unstorable { what: "what the workflow returned".to_owned(), reason };
            record_failure(run, &error).await;
        }
        End::Panicked(message) => {
            tracing::error!(message, "workflow panicked");
            record_failure(run, &Error::Panicked { workflow: run.workflow.clone(), message }).await;
        }
        End::TimedOut => time_out(run).await,
        End::Stopped(Signal::Failed(error)) => {
            tracing::error!(%error, "workflow cannot go on");
            record_failure(run, &error).await;
        }
        End::Stopped(Signal::Diverged(error)) => {
            tracing::error!(%error, "workflow stopped; its row waits for the right version of the code");
            run.executor.note_stuck(&run.workflow, error);
        }
        End::Stopped(Signal::Damaged(error)) => stop_at_damage(run, error),
        End::Stopped(Signal::Cancelled) => tracing::info!("workflow cancelled"),
        End::Stopped(Signal::LostOwnership) => tracing::warn!("workflow is no longer ours; it goes on elsewhere"),
        End::Stopped(Signal::ShutDown) => tracing::info!("workflow interrupted by shutdown"),
        End::Stopped(Signal::Continued { .. }) | End::Parked => unreachable!("it goes on"),
    }
}

/// What a damaged database does to a workflow is no outcome of it.
fn stop_at_damage(run: &Run, error: Error) {
    tracing::error!(%error, "workflow stopped; its row waits until the database is whole again");
    run.executor.note_stuck(&run.workflow, error);
}

async fn record_failure(run: &Run, error: &Error) {
    record(run, engine_error(error)).await;
}

async fn record(run: &Run, encoded: Encoded) {
    let (status, output, error) = match encoded {
        Encoded::Value(output) => (Status::Success, Some(output), None),
        Encoded::Error(error) => (Status::Error, None, Some(error)),
    };
    let ended = Ended {
        workflow: run.workflow.clone(),
        owner: run.owner.clone(),
        status,
        output,
        error,
        now_ms: run.executor.clock.now_ms(),
    };
    match run.executor.outcomes.commit(ended.clone()).await {
        // `false`: cancelled or taken over meanwhile, and what is recorded there counts; or our own
        // write whose first answer was lost.
        Ok(recorded) => {
            if recorded {
                let Ended { workflow, owner, status, output, error, .. } = ended;
                run.executor.deliver(&workflow, &owner, WorkflowOutcome { status, output, error });
            }
            run.executor.notifier.told(&Fact::Ended { workflow: run.workflow.clone() });
        }
        Err(Error::ShuttingDown) => {}
        Err(error) if is_damage(&error) => stop_at_damage(run, error),
        Err(error) if ended.status == Status::Success => {
            let error = Error::Unstorable { what: "what the workflow returned".to_owned(), reason: error.to_string() };
            Box::pin(record_failure(run, &error)).await;
        }
        Err(error) => tracing::error!(%error, "the outcome of a workflow cannot be stored"),
    }
}

async fn time_out(run: &Run) {
    tracing::warn!("workflow timed out");
    let ended = Ended {
        workflow: run.workflow.clone(),
        owner: run.owner.clone(),
        status: Status::Cancelled,
        output: None,
        error: None,
        now_ms: run.executor.clock.now_ms(),
    };
    if let Err(error) = run.executor.outcomes.commit(ended).await {
        tracing::error!(%error, "a passed deadline cannot be recorded");
    }
    run.executor.notifier.told(&Fact::Ended { workflow: run.workflow.clone() });
}

thread_local! {
    /// Where the latest panic of this thread happened; its payload does not say.
    static LATEST_PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Makes panics leave their place behind for [`panic_message`].
pub(super) fn remember_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            LATEST_PANIC.set(info.location().map(|place| format!("{}:{}", place.file(), place.line())));
            previous(info);
        }));
    });
}

fn panic_message(payload: &(dyn Any + Send)) -> String {
    let message = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a message".to_owned());
    match LATEST_PANIC.take() {
        Some(place) => format!("{message}, at {place}"),
        None => message,
    }
}
