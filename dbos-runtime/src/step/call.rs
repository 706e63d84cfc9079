//! A call of a step: a value that takes its id when it is written and runs when it is awaited.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;

use super::attempts::{Attempts, StepOptions};
use super::transaction::{Transaction, TransactionOptions};
use crate::checkpoint::Point;
use crate::codec::{Codec, Encoded};
use crate::context::{self, Place, Run, StepContext, TransactionContext};
use crate::error::Error;
use crate::executor::Signal;
use crate::store::checkpoints::Effect;

/// What a body gives: its encoded outcome, or why that cannot be stored.
pub(crate) type BodyOutcome = Result<Encoded, String>;

/// A step about to be called: its name, its id, its surroundings.
#[derive(Debug)]
pub struct Step {
    pub(super) context: Arc<StepContext>,
    pub(super) placed: Placed,
    options: StepOptions,
}

/// Where a step's outcome goes.
#[derive(Clone, Debug)]
pub(super) enum Placed {
    /// Into the workflow's history.
    Recorded(Point),
    /// Nowhere: there is no workflow here.
    Unrecorded,
    /// The step was called inside another one.
    Nested { run: Option<Arc<Run>>, outer: Arc<StepContext> },
}

impl Step {
    /// Places a call of the step `name` here and takes its step id.
    #[track_caller]
    #[must_use]
    pub fn here(name: &'static str, options: StepOptions) -> Self {
        let location = Location::caller();
        let placed = match context::place() {
            Place::Workflow(run) => Placed::Recorded(Point::take(run, name, location)),
            Place::Step(outer) => Placed::Nested { run: context::current_run(), outer },
            Place::Outside => Placed::Unrecorded,
        };
        let context = Arc::new(Self::context(name, &placed));
        Self { context, placed, options }
    }

    fn context(name: &'static str, placed: &Placed) -> StepContext {
        let (workflow, step) = match placed {
            Placed::Recorded(point) => (Some(point.run.workflow.clone()), Some(point.step)),
            // Run plainly, it is a part of the step around it.
            Placed::Nested { outer, .. } => (outer.workflow.clone(), outer.step),
            Placed::Unrecorded => (None, None),
        };
        StepContext {
            name,
            workflow,
            step,
            attempt: AtomicU32::new(0),
            plain: AtomicBool::new(false),
            transaction: OnceLock::new(),
        }
    }

    /// The attempts of its body.
    #[must_use]
    pub fn attempts(&self) -> Attempts {
        Attempts::new(Arc::clone(&self.context), self.options)
    }

    /// Makes it a transaction.
    #[must_use]
    pub fn transaction(&self, options: TransactionOptions) -> Transaction {
        self.context.transaction.get_or_init(TransactionContext::default);
        Transaction::new(self, options)
    }
}

/// A call of a `#[step]` or `#[transaction]`, or of a durable operation such as `DBOS::sleep`.
///
/// Awaiting it in a workflow gives the recorded outcome, or runs the body and records what it gives.
/// Outside a workflow it just runs.
#[must_use = "a step that is not awaited never runs"]
pub struct StepCall<'a, R> {
    state: State<'a, R>,
}

enum State<'a, R> {
    Written { step: Step, codec: Codec<R>, body: BoxFuture<'a, BodyOutcome> },
    Running { future: BoxFuture<'a, R> },
    Done,
}

impl<'a, R: 'a> StepCall<'a, R> {
    /// A call whose `body` runs unless its outcome is recorded.
    pub fn new(step: Step, codec: Codec<R>, body: impl Future<Output = BodyOutcome> + Send + 'a) -> Self {
        Self { state: State::Written { step, codec, body: Box::pin(body) } }
    }

    /// An operation of the engine's own.
    pub(crate) fn operation(future: impl Future<Output = R> + Send + 'a) -> Self {
        let future: BoxFuture<'a, R> = Box::pin(future);
        Self { state: State::Running { future: Box::pin(context::at_work(future)) } }
    }

    /// Runs the body alone: nothing is looked up, nothing is recorded. This is how a step may call
    /// another one.
    pub fn plain(self) -> BoxFuture<'a, R> {
        match self.state {
            State::Written { step, codec, body } => {
                step.context.plain.store(true, Ordering::SeqCst);
                if let Placed::Recorded(point) = &step.placed {
                    point.run.give_back(point.step);
                }
                Box::pin(async move {
                    let outcome = context::in_step(step.context, body).await;
                    decode(&codec, outcome, None).await
                })
            }
            State::Running { future } => future,
            State::Done => Box::pin(std::future::pending()),
        }
    }
}

impl<R> Unpin for StepCall<'_, R> {}

impl<'a, R: 'a> Future for StepCall<'a, R> {
    type Output = R;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<R> {
        context::note_durable_poll();
        if matches!(self.state, State::Written { .. }) {
            let State::Written { step, codec, body } = std::mem::replace(&mut self.state, State::Done) else {
                unreachable!("just matched")
            };
            self.state = State::Running { future: Box::pin(context::at_work(drive(step, codec, body))) };
        }
        let State::Running { future } = &mut self.state else { panic!("a finished step was polled again") };
        let polled = future.as_mut().poll(task);
        if polled.is_ready() {
            self.state = State::Done;
        }
        polled
    }
}

impl<R> fmt::Debug for StepCall<'_, R> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("StepCall")
    }
}

async fn drive<R>(step: Step, codec: Codec<R>, body: BoxFuture<'_, BodyOutcome>) -> R {
    let run = match &step.placed {
        Placed::Recorded(point) => Some(Arc::clone(&point.run)),
        _ => None,
    };
    let outcome = outcome(step, body).await;
    decode(&codec, outcome, run.as_ref()).await
}

/// The part of a call that does not depend on its type.
async fn outcome(step: Step, body: BoxFuture<'_, BodyOutcome>) -> BodyOutcome {
    match step.placed {
        Placed::Unrecorded => context::in_step(step.context, body).await,
        Placed::Nested { run, outer } => refuse_nested(run, outer.name, step.context.name).await,
        Placed::Recorded(point) => {
            if let Some(recorded) = point.recorded().await {
                return Ok(recorded.into_encoded());
            }
            if step.context.transaction.get().is_some() {
                // It records its outcome in its own commit.
                return context::in_step(step.context, body).await;
            }
            let started_at_ms = point.run.executor.clock.now_ms();
            let encoded = context::in_step(step.context, body).await?;
            Ok(point.record(encoded.into(), Effect::None, started_at_ms).await.into_encoded())
        }
    }
}

async fn refuse_nested(run: Option<Arc<Run>>, outer: &str, inner: &str) -> BodyOutcome {
    let error = Error::NestedStep { outer: outer.to_owned(), inner: inner.to_owned() };
    match run {
        Some(run) => run.stop(Signal::Failed(error)).await,
        None => panic!("{error}"),
    }
}

/// The value as a replay will see it. What cannot be stored or read back ends the workflow with an
/// error that says so.
async fn decode<R>(codec: &Codec<R>, outcome: BodyOutcome, run: Option<&Arc<Run>>) -> R {
    let error = match outcome {
        Ok(encoded) => match codec.decode(&encoded) {
            Ok(value) => return value,
            Err(reason) => Error::Unreadable { what: "the outcome of a step".to_owned(), reason },
        },
        Err(reason) => Error::Unstorable { what: "the outcome of a step".to_owned(), reason },
    };
    match run {
        Some(run) => run.stop(Signal::Failed(error)).await,
        // Without a workflow there is nobody to stop but the caller.
        None => panic!("{error}"),
    }
}
