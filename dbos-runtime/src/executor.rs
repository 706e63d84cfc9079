//! What one running engine holds: its database, its functions, and the runs under way.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{Notify, OwnedRwLockReadGuard, RwLock, watch};

use crate::catalog::Catalog;
use crate::clock::{Clock, Held};
use crate::config::Parking;
use crate::error::{Error, Result};
use crate::queue::KnownQueues;
use crate::registry::AnyWorkflow;
use crate::state::States;
use crate::store::Store;
use crate::store::backend::Dialect;
use crate::store::checkpoints::Checkpoint;
use crate::store::notify::Notifier;
use crate::store::outcomes::Ended;
use crate::store::starts::Start;
use crate::store::workflows::{Claimant, WorkflowOutcome};
use crate::store::writer::Lane;
use crate::wakeup::{Fact, Parked, Wakeups};

/// Why a run is stopped from outside its code. User code never sees it: its future is dropped.
#[derive(Clone, Debug)]
pub(crate) enum Signal {
    /// The row says CANCELLED.
    Cancelled,
    /// Another executor has the workflow now, or may have.
    LostOwnership,
    /// The code is not the code that was recorded; the row stays for the right version.
    Diverged(Error),
    /// The database is damaged; the row waits for a process that finds it whole.
    Damaged(Error),
    /// The run cannot go on and never will: this is its outcome.
    Failed(Error),
    /// It goes on with other arguments, after the step that says so.
    Continued { inputs: String, step: u32 },
    /// The engine closes; the row goes to whoever comes next.
    ShutDown,
}

/// Whether an engine closes, and how.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Closing {
    No,
    /// Runs come to a halt and are handed back.
    Graceful,
    /// Everything stops where it stands.
    Crash,
}

/// Where a run is told to stop. The first signal counts, but for going on.
#[derive(Debug, Default)]
pub(crate) struct SignalSlot {
    signal: Mutex<Option<Signal>>,
    raised: Notify,
}

impl SignalSlot {
    pub(crate) fn raise(&self, signal: Signal) {
        let mut raised = self.signal.lock().expect("no panic while held");
        if matches!(*raised, None | Some(Signal::Continued { .. })) {
            *raised = Some(signal);
        }
        drop(raised);
        self.raised.notify_one();
    }

    /// Lets the run go on that said so, unless it has been told to stop meanwhile.
    pub(crate) fn go_on(&self) {
        let mut raised = self.signal.lock().expect("no panic while held");
        raised.take_if(|signal| matches!(signal, Signal::Continued { .. }));
    }

    pub(crate) fn is_raised(&self) -> bool {
        self.signal.lock().expect("no panic while held").is_some()
    }

    pub(crate) async fn wait(&self) -> Signal {
        loop {
            let raised = self.raised.notified();
            if let Some(signal) = self.signal.lock().expect("no panic while held").clone() {
                return signal;
            }
            raised.await;
        }
    }
}

/// Leave to start or claim workflows. Until all of them run, no wait is skipped.
#[derive(Debug)]
pub(crate) struct StartPermit {
    _starting: OwnedRwLockReadGuard<()>,
    _held: Held,
}

/// A run under way in this process.
#[derive(Clone, Debug)]
struct ActiveRun {
    owner: String,
    queue: Option<String>,
    signal: Arc<SignalSlot>,
    outcome: watch::Sender<Option<WorkflowOutcome>>,
}

pub(crate) struct Executor {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) wakeups: Wakeups,
    pub(crate) notifier: Notifier,
    pub(crate) catalog: Catalog,
    pub(crate) queues: KnownQueues,
    pub(crate) starts: Lane<Start>,
    pub(crate) checkpoints: Lane<Checkpoint>,
    pub(crate) outcomes: Lane<Ended>,
    pub(crate) application: String,
    pub(crate) version: String,
    /// What its functions may ask for.
    pub(crate) states: States,
    /// Whether it runs workflows, or puts them into queues of those who do.
    pub(crate) runs_workflows: bool,
    pub(crate) poll_interval: Duration,
    /// How workflows leave memory that wait; `None` if none does.
    pub(crate) parking: Option<Parking>,
    /// How many wait in memory.
    pub(crate) waiting: AtomicUsize,
    /// Whether the database tells news by itself.
    pub(crate) listens: bool,
    pub(crate) transaction_deadline: Duration,
    /// Fresh at each process start, and again after a lost lease.
    id: Mutex<String>,
    runs: Mutex<HashMap<String, ActiveRun>>,
    a_run_ended: Notify,
    /// Held shared by each start from its check to its run, and alone by a shutdown that hands work
    /// back: a row written after that would belong to nobody.
    starting: Arc<RwLock<()>>,
    /// Runs that this process cannot go on with, and why: for those who wait for them here.
    stuck: Mutex<HashMap<String, Error>>,
    closing: watch::Sender<Closing>,
    /// Whether what others left may be gone on with.
    takes_over: watch::Sender<bool>,
    /// Whether the lease is known to hold, so that what is started here is not another's.
    holds_lease: AtomicBool,
}

/// What an executor is made of, apart from what it makes itself.
pub(crate) struct Parts {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) wakeups: Wakeups,
    pub(crate) catalog: Catalog,
    pub(crate) application: String,
    pub(crate) version: String,
    pub(crate) id: String,
    pub(crate) states: States,
    pub(crate) runs_workflows: bool,
    pub(crate) poll_interval: Duration,
    pub(crate) parking: Option<Parking>,
    pub(crate) listens: bool,
    pub(crate) transaction_deadline: Duration,
}

impl Executor {
    pub(crate) fn new(parts: Parts) -> Arc<Self> {
        let store = parts.store;
        Arc::new(Self {
            notifier: Notifier::start(&store, parts.wakeups.clone(), parts.listens),
            listens: parts.listens && store.dialect() == Dialect::Postgres,
            starts: Lane::start(store.clone()),
            checkpoints: Lane::start(store.clone()),
            outcomes: Lane::start(store.clone()),
            store,
            clock: parts.clock,
            wakeups: parts.wakeups,
            catalog: parts.catalog,
            queues: KnownQueues::default(),
            application: parts.application,
            version: parts.version,
            states: parts.states,
            runs_workflows: parts.runs_workflows,
            poll_interval: parts.poll_interval,
            parking: parts.parking,
            waiting: AtomicUsize::new(0),
            transaction_deadline: parts.transaction_deadline,
            id: Mutex::new(parts.id),
            runs: Mutex::default(),
            a_run_ended: Notify::new(),
            starting: Arc::default(),
            stuck: Mutex::default(),
            closing: watch::Sender::new(Closing::No),
            takes_over: watch::Sender::new(false),
            holds_lease: AtomicBool::new(true),
        })
    }

    pub(crate) fn id(&self) -> String {
        self.id.lock().expect("no panic while held").clone()
    }

    /// Takes another id, because work under the old one belongs to others now.
    pub(crate) fn rename(&self, id: String) {
        *self.id.lock().expect("no panic while held") = id;
    }

    pub(crate) fn note_lease(&self, holds: bool) {
        self.holds_lease.store(holds, Ordering::Relaxed);
    }

    #[cfg(feature = "http")]
    pub(crate) fn holds_lease(&self) -> bool {
        self.holds_lease.load(Ordering::Relaxed)
    }

    pub(crate) fn claimant(&self) -> Claimant {
        Claimant { executor: self.id(), application: self.application.clone(), version: self.version.clone() }
    }

    pub(crate) fn workflow(&self, name: &str) -> Option<&'static dyn AnyWorkflow> {
        self.catalog.workflow(name)
    }

    /// Leave to start a workflow; the engine hands nothing back while it is held.
    pub(crate) async fn start_permit(&self) -> Result<StartPermit> {
        let held = self.clock.hold();
        let starting = Arc::clone(&self.starting).read_owned().await;
        if self.is_closing() { Err(Error::ShuttingDown) } else { Ok(StartPermit { _starting: starting, _held: held }) }
    }

    /// Completes once no start is half-way.
    pub(crate) async fn starts_ended(&self) {
        drop(self.starting.write().await);
    }

    /// Notes a run as under way; `None` if one of the same workflow still is.
    pub(crate) fn enter(&self, workflow: &str, owner: &str, queue: Option<&str>) -> Option<Arc<SignalSlot>> {
        let mut runs = self.runs();
        if runs.contains_key(workflow) {
            return None;
        }
        let signal = Arc::<SignalSlot>::default();
        let run = ActiveRun {
            owner: owner.to_owned(),
            queue: queue.map(str::to_owned),
            signal: Arc::clone(&signal),
            outcome: watch::Sender::new(None),
        };
        runs.insert(workflow.to_owned(), run);
        self.wakeups.parked().forget(workflow);
        self.stuck.lock().expect("no panic while held").remove(workflow);
        Some(signal)
    }

    /// Hands the recorded outcome of a run to those who wait for it in this process.
    pub(crate) fn deliver(&self, workflow: &str, owner: &str, outcome: WorkflowOutcome) {
        if let Some(run) = self.runs().get(workflow).filter(|run| run.owner == owner) {
            run.outcome.send_replace(Some(outcome));
        }
    }

    /// Where the outcome of `workflow` will be handed over, if it runs here. Closed if it ends otherwise.
    pub(crate) fn delivery(&self, workflow: &str) -> Option<watch::Receiver<Option<WorkflowOutcome>>> {
        self.runs().get(workflow).map(|run| run.outcome.subscribe())
    }

    pub(crate) fn leave(&self, workflow: &str) {
        self.runs().remove(workflow);
        self.a_run_ended.notify_waiters();
    }

    /// How many more workflows of `queue` this process may run now, if `most` are all it may.
    pub(crate) fn room_for(&self, queue: &str, most: u32) -> usize {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let runs = self.runs();
        most.saturating_sub(runs.values().filter(|run| run.queue.as_deref() == Some(queue)).count())
    }

    /// Whether there is a limit to how many of `queue` run at a time.
    pub(crate) fn has_places(&self, queue: &str) -> bool {
        self.queues.limits(queue).is_none_or(|limits| limits.have_places())
    }

    /// Whether a workflow that waits keeps its place in `queue`.
    pub(crate) fn keeps_places(&self, queue: &str) -> bool {
        self.has_places(queue) && self.catalog.keeps_places(queue)
    }

    /// Tells those who serve `queue` that there may be room in it: others too, if they share its places.
    pub(crate) fn leave_queue(&self, queue: Option<String>) {
        let Some(queue) = queue else { return };
        let is_shared = self.queues.limits(&queue).is_none_or(|limits| limits.have_shared_places());
        let fact = Fact::Enqueued { queue };
        if is_shared { self.notifier.told(&fact) } else { self.wakeups.wake(&fact) }
    }

    /// Completes once `workflow` is not under way here.
    pub(crate) async fn left(&self, workflow: &str) {
        self.until_runs(|runs| !runs.contains_key(workflow)).await;
    }

    /// `(workflow, owner)` of each run under way in memory.
    pub(crate) fn active_runs(&self) -> Vec<(String, String)> {
        self.runs().iter().map(|(workflow, run)| (workflow.clone(), run.owner.clone())).collect()
    }

    pub(crate) fn stop_run(&self, workflow: &str, signal: Signal) {
        if let Some(run) = self.runs().get(workflow) {
            run.signal.raise(signal);
        }
        self.forget_parked(|parked| parked.forget(workflow));
    }

    /// Stops the run of `workflow` that carries `owner`, and no later one.
    pub(crate) fn stop_run_of(&self, workflow: &str, owner: &str, signal: Signal) {
        if let Some(run) = self.runs().get(workflow).filter(|run| run.owner == owner) {
            run.signal.raise(signal);
        }
        self.forget_parked(|parked| parked.forget_run(workflow, owner));
    }

    pub(crate) fn stop_all(&self, signal: &Signal) {
        self.runs().values().for_each(|run| run.signal.raise(signal.clone()));
        self.forget_parked(Parked::clear);
    }

    /// Forgets some of the workflows that left memory.
    pub(crate) fn forget_parked(&self, forget: impl FnOnce(&Parked)) {
        forget(self.wakeups.parked());
        self.a_run_ended.notify_waiters();
    }

    /// Completes once no run is under way, in memory or out of it.
    pub(crate) async fn runs_ended(&self) {
        self.until_runs(|runs| runs.is_empty() && self.wakeups.parked().is_empty()).await;
    }

    async fn until_runs(&self, are: impl Fn(&HashMap<String, ActiveRun>) -> bool) {
        loop {
            let ended = self.a_run_ended.notified();
            if are(&self.runs()) {
                return;
            }
            ended.await;
        }
    }

    pub(crate) fn note_stuck(&self, workflow: &str, error: Error) {
        self.stuck.lock().expect("no panic while held").insert(workflow.to_owned(), error);
    }

    pub(crate) fn stuck(&self, workflow: &str) -> Option<Error> {
        self.stuck.lock().expect("no panic while held").get(workflow).cloned()
    }

    /// Goes on with what others left, from now on.
    pub(crate) fn take_over(&self) {
        self.takes_over.send_replace(true);
    }

    /// Completes once it does.
    pub(crate) async fn takes_over(&self) {
        // The sender lives as long as `self`.
        self.takes_over.subscribe().wait_for(|takes_over| *takes_over).await.ok();
    }

    pub(crate) fn close(&self, closing: Closing) {
        self.closing.send_modify(|so_far| *so_far = closing.max(*so_far));
    }

    pub(crate) fn is_closing(&self) -> bool {
        *self.closing.borrow() > Closing::No
    }

    /// Completes once the engine closes: whoever waits here for a workflow waits in vain.
    pub(crate) async fn closed(&self) {
        // The sender lives as long as `self`.
        self.closing.subscribe().wait_for(|closing| *closing > Closing::No).await.ok();
    }

    /// Completes when the engine is to end as a crash would: whatever it does must stop half-way.
    pub(crate) async fn crashed(&self) {
        self.closing.subscribe().wait_for(|closing| *closing == Closing::Crash).await.ok();
    }

    fn runs(&self) -> MutexGuard<'_, HashMap<String, ActiveRun>> {
        self.runs.lock().expect("no panic while held")
    }
}

impl fmt::Debug for Executor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Executor").field("id", &self.id()).finish_non_exhaustive()
    }
}
