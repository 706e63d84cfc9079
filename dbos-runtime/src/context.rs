//! Which engine, which workflow, which step: carried along by the task, so that no function has to.

use std::future::{Future, poll_fn};
use std::panic::Location;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, RwLock};

use tracing::Instrument;

use crate::caller::{Provenance, caller};
use crate::clock::Activity;
use crate::error::{Error, Result};
use crate::executor::{Executor, Signal, SignalSlot};
use crate::rehearsal::{Parting, Reached, Rehearsal};
use crate::round::Round;
use crate::state::{StateValue, not_provided};
use crate::store::bulk::Asked;
use crate::store::checkpoints::Effect;
use crate::store::steps::{History, RecordedStep};
use crate::telemetry;
use crate::waits::{Waits, with_one_waker};
use crate::wakeup::Wait;

tokio::task_local! {
    static ENGINE: Arc<Executor>;
    static RUN: Arc<Run>;
    static STEP: Arc<StepContext>;
}

/// The engine of the process, for whoever runs under no other.
static LAUNCHED: RwLock<Option<Arc<Executor>>> = RwLock::new(None);

/// One execution of a workflow.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) executor: Arc<Executor>,
    pub(crate) workflow: String,
    /// Its function.
    pub(crate) name: &'static str,
    pub(crate) owner: String,
    pub(crate) deadline_ms: Option<i64>,
    pub(crate) provenance: Provenance,
    pub(crate) round: Round,
    /// Whether it may wait out of memory.
    pub(crate) may_leave: bool,
    signal: Arc<SignalSlot>,
    pub(crate) activity: Arc<Activity>,
    next_step: AtomicU32,
    history: Mutex<History>,
    /// If nothing is to be done and nothing recorded.
    rehearsal: Option<Rehearsal>,
    /// Where the durable call stands that was written last.
    latest_call: Mutex<Option<&'static Location<'static>>>,
    /// Whether a durable call was polled since somebody began to watch.
    polled_durably: AtomicBool,
    /// What the durable calls wait for that are at rest.
    waits: Waits,
    /// How often something was recorded that was not before.
    progress: AtomicU32,
}

/// What a run begins with.
#[derive(Debug, Default)]
pub(crate) struct Beginning {
    pub(crate) workflow: String,
    pub(crate) name: &'static str,
    pub(crate) owner: String,
    pub(crate) deadline_ms: Option<i64>,
    pub(crate) provenance: Provenance,
    pub(crate) history: History,
    pub(crate) may_leave: bool,
}

impl Run {
    pub(crate) fn new(
        executor: Arc<Executor>,
        beginning: Beginning,
        signal: Arc<SignalSlot>,
        activity: Arc<Activity>,
    ) -> Arc<Self> {
        let Beginning { workflow, name, owner, deadline_ms, provenance, history, may_leave } = beginning;
        let round = Round::last_of(&history);
        Arc::new(Self {
            executor,
            workflow,
            name,
            owner,
            deadline_ms,
            provenance,
            round,
            may_leave,
            signal,
            activity,
            next_step: AtomicU32::new(round.first_step),
            history: Mutex::new(history),
            rehearsal: None,
            latest_call: Mutex::default(),
            polled_durably: AtomicBool::new(false),
            waits: Waits::default(),
            progress: AtomicU32::new(0),
        })
    }

    /// The same execution, after another history.
    pub(crate) fn anew(&self, history: History) -> Arc<Self> {
        let beginning = Beginning {
            workflow: self.workflow.clone(),
            name: self.name,
            owner: self.owner.clone(),
            deadline_ms: self.deadline_ms,
            provenance: self.provenance.clone(),
            history,
            may_leave: self.may_leave,
        };
        Self::new(Arc::clone(&self.executor), beginning, Arc::clone(&self.signal), Arc::clone(&self.activity))
    }

    /// One that goes through what is recorded, and does nothing.
    pub(crate) fn rehearsing(
        executor: Arc<Executor>,
        beginning: Beginning,
        signal: Arc<SignalSlot>,
        rehearsal: Rehearsal,
    ) -> Arc<Self> {
        let activity = executor.clock.activity();
        let run = Self::new(executor, beginning, signal, activity);
        Arc::new(Self { rehearsal: Some(rehearsal), ..Arc::into_inner(run).expect("just made") })
    }

    /// The next step id. Called where the call is written, so ids follow the source, not the
    /// scheduler.
    pub(crate) fn take_step_id(&self, name: &str, call: &'static Location<'static>) -> u32 {
        *self.latest_call.lock().expect("no panic while held") = Some(call);
        let step = self.next_step.fetch_add(1, Ordering::SeqCst);
        if let Some(rehearsal) = &self.rehearsal {
            rehearsal.write(step, name, call);
        }
        step
    }

    /// Returns the id taken last, if it is still the last: the call turned out not to need it.
    pub(crate) fn give_back(&self, step: u32) {
        let given_back = self.next_step.compare_exchange(step + 1, step, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        if let Some(rehearsal) = self.rehearsal.as_ref().filter(|_| given_back) {
            rehearsal.give_back(step);
        }
    }

    /// What an earlier execution recorded at `step`, where the code calls `name`.
    pub(crate) fn recorded(&self, step: u32, name: &str) -> Option<RecordedStep> {
        if let Some(rehearsal) = &self.rehearsal {
            return rehearsal.outcome(step, name);
        }
        self.history.lock().expect("no panic while held").get(&step).cloned()
    }

    /// Whether the call that is written next is recorded as `name`.
    pub(crate) fn goes_on_with(&self, name: &str) -> bool {
        self.next_recorded().is_some_and(|recorded| recorded == name)
    }

    /// The same, or nothing is recorded of it and it is the first time that it is written. A rehearsal records nothing.
    pub(crate) fn may_go_on_with(&self, name: &str) -> bool {
        match self.next_recorded() {
            Some(recorded) => recorded == name,
            None => self.rehearsal.is_none(),
        }
    }

    /// The name of what is recorded where the next call is written.
    fn next_recorded(&self) -> Option<String> {
        let next = self.next_step.load(Ordering::SeqCst);
        match &self.rehearsal {
            Some(rehearsal) => rehearsal.recorded_name(next),
            None => self.history.lock().expect("no panic while held").get(&next).map(|step| step.name.clone()),
        }
    }

    pub(crate) fn latest_call(&self) -> Option<&'static Location<'static>> {
        *self.latest_call.lock().expect("no panic while held")
    }

    pub(crate) fn forget_durable_poll(&self) {
        self.polled_durably.store(false, Ordering::Relaxed);
    }

    pub(crate) fn has_polled_durably(&self) -> bool {
        self.polled_durably.load(Ordering::Relaxed)
    }

    /// Notes that something is recorded that was not before.
    pub(crate) fn note_progress(&self) {
        self.progress.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn progress(&self) -> u32 {
        self.progress.load(Ordering::Relaxed)
    }

    /// Whether all that it does is to wait in durable calls, as far as they are known.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.activity.at_rest_in().is_some()
    }

    /// What the run waits for, if all that it does is to wait in `waits` durable calls, as `wakers` clones of its waker
    /// say: somebody else who has one would wake it for something that is not known here.
    pub(crate) fn only_wait(&self, wakers: usize) -> Option<Wait> {
        let waits = self.activity.at_rest_in()?;
        (waits == wakers).then(|| self.waits.all(waits)).flatten()
    }

    pub(crate) fn is_told_to_stop(&self) -> bool {
        self.signal.is_raised()
    }

    /// Goes no further if the run has been told to stop. Code that has not been polled since, because it was busy
    /// with something else, stops here: before its next durable call and not after it.
    pub(crate) async fn stop_if_told(&self) {
        if self.is_told_to_stop() {
            std::future::pending().await
        }
    }

    /// Goes no further if there is nothing but what is recorded.
    pub(crate) async fn stop_if_rehearsing(&self) {
        if self.rehearsal.is_some() {
            std::future::pending().await
        }
    }

    /// Whether a rehearsal has come to a call that is not recorded.
    pub(crate) fn is_beyond(&self) -> bool {
        self.rehearsal.as_ref().is_some_and(Rehearsal::is_beyond)
    }

    /// Where the code of a rehearsal and its record part.
    pub(crate) fn partings(&self, reached: Reached) -> Vec<Parting> {
        self.rehearsal.as_ref().map(|rehearsal| rehearsal.partings(reached)).unwrap_or_default()
    }

    pub(crate) fn raise(&self, signal: Signal) {
        self.signal.raise(signal);
    }

    /// Stops the run where it stands: the signal makes the engine drop this future.
    pub(crate) async fn stop(&self, signal: Signal) -> ! {
        self.raise(signal);
        std::future::pending().await
    }
}

/// The step whose body runs.
#[derive(Debug)]
pub(crate) struct StepContext {
    pub(crate) name: &'static str,
    pub(crate) workflow: Option<String>,
    pub(crate) step: Option<u32>,
    pub(crate) attempt: AtomicU32,
    /// Whether only the body runs and nothing is recorded.
    pub(crate) plain: AtomicBool,
    /// Set if the step is a transaction.
    pub(crate) transaction: OnceLock<TransactionContext>,
}

impl StepContext {
    /// Whether this is a transaction whose commit records a step.
    pub(crate) fn is_recorded_transaction(&self) -> bool {
        self.transaction.get().is_some() && self.workflow.is_some() && !self.plain.load(Ordering::SeqCst)
    }

    /// Leaves `effect` for the commit of the transaction whose body runs.
    pub(crate) fn add_effect(&self, effect: Effect) {
        if let Some(own) = self.transaction.get() {
            own.effects.lock().expect("no panic while held").push(effect);
        }
    }

    /// Leaves a workflow to be enqueued by the commit of the transaction whose body runs.
    pub(crate) fn enqueue(&self, asked: Asked) {
        if let Some(own) = self.transaction.get() {
            own.enqueued.lock().expect("no panic while held").push(asked);
        }
    }
}

/// What only a transaction has.
#[derive(Debug, Default)]
pub(crate) struct TransactionContext {
    /// What the body asked to commit with it.
    pub(crate) effects: Mutex<Vec<Effect>>,
    /// The workflows it asked to be enqueued with it.
    pub(crate) enqueued: Mutex<Vec<Asked>>,
}

/// Where a call stands.
#[derive(Debug)]
pub(crate) enum Place {
    /// In the body of a workflow.
    Workflow(Arc<Run>),
    /// In the body of a step.
    Step(Arc<StepContext>),
    /// Anywhere else.
    Outside,
}

pub(crate) fn place() -> Place {
    if let Ok(step) = STEP.try_with(Arc::clone) {
        return Place::Step(step);
    }
    RUN.try_with(Arc::clone).map_or(Place::Outside, Place::Workflow)
}

/// The transaction whose body this is, if it is one.
pub(crate) fn open_transaction() -> Option<Arc<StepContext>> {
    STEP.try_with(Arc::clone).ok().filter(|step| step.transaction.get().is_some())
}

/// The workflow this task belongs to, in a step's body too.
pub(crate) fn current_run() -> Option<Arc<Run>> {
    RUN.try_with(Arc::clone).ok()
}

/// On whose behalf the code here runs: that of the workflow, else that of the request being answered.
pub(crate) fn provenance() -> Provenance {
    match current_run() {
        Some(run) => run.provenance.clone(),
        None => caller().map(|caller| caller.provenance()).unwrap_or_default(),
    }
}

/// The engine to use here: the running workflow's, else the one whose scope this is, else the
/// launched one.
pub(crate) fn engine() -> Result<Arc<Executor>> {
    if let Some(run) = current_run() {
        return Ok(Arc::clone(&run.executor));
    }
    if let Ok(executor) = ENGINE.try_with(Arc::clone) {
        return Ok(executor);
    }
    LAUNCHED.read().expect("no panic while held").clone().ok_or(Error::NotLaunched)
}

/// What was provided for functions that ask for a `T`.
///
/// # Panics
///
/// If nothing was, which a launch has refused: so it is asked for before the launch, or in a program without an engine.
#[must_use]
pub fn state<T: StateValue>() -> Arc<T> {
    let states = engine().map(|executor| executor.states.clone()).unwrap_or_default();
    states.get().unwrap_or_else(|| {
        let who = format!("this function needs `{}`", std::any::type_name::<T>());
        panic!("{}", not_provided(&who))
    })
}

/// Makes `executor` the engine of the process unless there is one.
pub(crate) fn set_launched(executor: &Arc<Executor>) {
    LAUNCHED.write().expect("no panic while held").get_or_insert_with(|| Arc::clone(executor));
}

pub(crate) fn unset_launched(executor: &Arc<Executor>) {
    let mut launched = LAUNCHED.write().expect("no panic while held");
    if launched.as_ref().is_some_and(|current| Arc::ptr_eq(current, executor)) {
        *launched = None;
    }
}

/// Notes that a durable call of the current workflow, if there is one, is being polled.
pub(crate) fn note_durable_poll() {
    RUN.try_with(|run| run.polled_durably.store(true, Ordering::Relaxed)).ok();
}

/// A durable call.
pub(crate) fn durable<F: Future>(call: F) -> impl Future<Output = F::Output> {
    let call = at_work(call);
    async move {
        let mut call = pin!(call);
        poll_fn(|task| {
            note_durable_poll();
            call.as_mut().poll(task)
        })
        .await
    }
}

/// Something that the current workflow does, if there is one.
pub(crate) fn at_work<F: Future>(work: F) -> impl Future<Output = F::Output> {
    // Boxed, because a future takes room for what it awaits and for what it was given, and this one awaits in two places.
    let work = Box::pin(work);
    async move {
        match current_run() {
            Some(run) => Arc::clone(&run.activity).at_work(work).await,
            None => work.await,
        }
    }
}

/// The part of a durable call that waits for an instant, or for what others do: for `wait`, if this is all.
pub(crate) fn at_rest<F: Future>(wait: Option<Wait>, rest: F) -> impl Future<Output = F::Output> {
    // Boxed, because many wait at the same time, and a future takes room for what it awaits and for what it was given.
    let rest = Box::pin(rest);
    async move {
        match current_run() {
            Some(run) => {
                let _noted = run.waits.note(wait);
                Arc::clone(&run.activity).at_rest(with_one_waker(rest)).await
            }
            None => rest.await,
        }
    }
}

pub(crate) async fn in_engine<F: Future>(executor: Arc<Executor>, future: F) -> F::Output {
    ENGINE.scope(executor, future).await
}

/// The same for what is not a future.
pub(crate) fn in_engine_now<T>(executor: Arc<Executor>, work: impl FnOnce() -> T) -> T {
    ENGINE.sync_scope(executor, work)
}

pub(crate) async fn in_run<F: Future>(run: Arc<Run>, future: F) -> F::Output {
    RUN.scope(run, future).await
}

pub(crate) async fn in_step<F: Future>(step: Arc<StepContext>, future: F) -> F::Output {
    if step.plain.load(Ordering::SeqCst) {
        // It is a part of what is around it, and has no number of its own.
        return STEP.scope(step, future).await;
    }
    let span = telemetry::step(step.step, step.name);
    STEP.scope(step, future).instrument(span).await
}

/// `file:line` of a call.
pub(crate) fn place_of(location: &Location<'_>) -> String {
    format!("{}:{}", location.file(), location.line())
}
