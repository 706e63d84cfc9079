//! Being alive, and noticing who is not.
//!
//! A lease in the database is renewed from a thread of its own with a connection of its own, so that
//! neither busy workers nor an exhausted pool can let it run out. If it does run out all the same,
//! this process stops its runs before others may start them, and goes on under a new name.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc};

use crate::clock::{Clock, millis, pause};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::executor::{Executor, Signal};
use crate::service::identity::{Identity, is_dead};
use crate::store::backend::Dialect;
use crate::store::executors::{ExecutorRow, Renewal};
use crate::store::{Store, Trouble};

/// Renewals per lease: one may fail before it runs out.
const RENEWALS_PER_LEASE: u32 = 3;
/// How soon a process tries again to go on that has lost its lease.
const PAUSE_WITHOUT_LEASE: Duration = Duration::from_millis(100);

/// The thread that renews; ends when told to.
pub(crate) struct Lease {
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Stop {
    asked: AtomicBool,
    /// Whether to end as a crash would.
    abandoned: AtomicBool,
    wake: Notify,
}

impl Lease {
    /// Starts renewing the lease of `identity`, reporting dead executors to `dead`.
    pub(crate) fn start(
        executor: Arc<Executor>,
        config: Config,
        identity: Identity,
        dead: mpsc::Sender<ExecutorRow>,
    ) -> Result<Self> {
        let stop = Arc::<Stop>::default();
        let keeper = Keeper {
            executor,
            config,
            identity,
            dead,
            stop: Arc::clone(&stop),
            renewed: Instant::now(),
            fenced: false,
            trouble: None,
        };
        let thread = std::thread::Builder::new()
            .name("dbos-lease".to_owned())
            .spawn(move || run(keeper))
            .map_err(|error| Error::Configuration(format!("cannot start the lease's thread: {error}")))?;
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Stops renewing and lets go of the lock.
    pub(crate) async fn stop(mut self) {
        self.ask_to_stop();
        if let Some(thread) = self.thread.take() {
            tokio::task::spawn_blocking(move || thread.join().ok()).await.ok();
        }
    }

    /// Like [`stop`](Self::stop), but the lock file stays, as after a crash.
    pub(crate) async fn abandon(self) {
        self.stop.abandoned.store(true, Ordering::SeqCst);
        self.stop().await;
    }

    fn ask_to_stop(&self) {
        self.stop.asked.store(true, Ordering::SeqCst);
        self.stop.wake.notify_one();
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.ask_to_stop();
    }
}

/// When a lease that begins now ends, by the database's clock.
pub(crate) async fn lease_end_ms(store: &Store, clock: &Clock, lease: Duration) -> Result<i64> {
    let now_ms = store.database_now_ms().await?.unwrap_or_else(|| clock.now_ms());
    Ok(now_ms.saturating_add(millis(lease)))
}

struct Keeper {
    executor: Arc<Executor>,
    config: Config,
    identity: Identity,
    dead: mpsc::Sender<ExecutorRow>,
    stop: Arc<Stop>,
    /// When the lease was last known to hold.
    renewed: Instant,
    /// Whether the runs were stopped because the lease could not be renewed in time.
    fenced: bool,
    /// Why renewals fail.
    trouble: Option<Trouble>,
}

fn run(mut keeper: Keeper) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime without worker threads can be built");
    runtime.block_on(async {
        let Some(store) = keeper.connect().await else { return keeper.end() };
        while !keeper.stop.asked.load(Ordering::SeqCst) {
            // A renewal may have taken too long, or the whole process may have stood still.
            keeper.fence_if_overdue();
            // Whatever hangs in there, the runs are stopped before the lease ends.
            let patience = keeper.patience_left();
            tokio::time::timeout(patience, keeper.run_once(&store)).await.ok();
            tokio::select! {
                () = keeper.stop.wake.notified() => {}
                () = pause(keeper.until_next()) => {}
            }
        }
        store.close().await;
        keeper.end();
    });
}

impl Keeper {
    async fn connect(&mut self) -> Option<Store> {
        while !self.stop.asked.load(Ordering::SeqCst) {
            match tokio::time::timeout(self.patience_left(), Store::open(&self.config, 1)).await {
                Ok(Ok(store)) => return Some(store),
                Ok(Err(error)) => tracing::warn!(%error, "the lease cannot be renewed yet"),
                Err(_) => {}
            }
            self.fence_if_overdue();
            pause(Duration::from_millis(100)).await;
        }
        None
    }

    fn end(self) {
        if self.stop.abandoned.load(Ordering::SeqCst) {
            self.identity.leave_behind();
        }
    }

    /// One renewal and what follows from it.
    async fn run_once(&mut self, store: &Store) {
        if self.executor.is_closing() {
            // Our row is gone on purpose; renewing would take the loss for an accident.
            return;
        }
        let started = Instant::now();
        let lease_ms = millis(self.config.lease);
        let renewal = match store.renew(&self.executor.application, &self.identity.executor, lease_ms).await {
            Ok(renewal) => renewal,
            Err(error) => {
                self.trouble.get_or_insert_with(|| self.executor.store.trouble("renew the lease")).note(&error);
                return;
            }
        };
        self.trouble = None;
        if let Some(now_ms) = renewal.now_ms {
            self.executor.clock.set(now_ms, started);
        }
        if renewal.held && !self.fenced {
            self.renewed = started;
        } else {
            self.start_over(store).await;
        }
        self.report_dead(store, &renewal);
        self.stop_lost_runs(store).await;
    }

    /// A process that cannot reach the database must assume that others take its work over when the
    /// lease ends, and stop before.
    fn fence_if_overdue(&mut self) {
        if self.patience_left().is_zero() {
            self.fenced = true;
            self.executor.note_lease(false);
            tracing::warn!("the lease cannot be renewed; stopping all workflows before others may start them");
            self.executor.stop_all(&Signal::LostOwnership);
        }
    }

    fn until_next(&self) -> Duration {
        if self.fenced {
            return PAUSE_WITHOUT_LEASE;
        }
        (self.config.lease / RENEWALS_PER_LEASE).min(self.patience_left())
    }

    /// How long the lease may still go without renewal before the runs are stopped. Without end where there
    /// is no lease, and once they are stopped.
    fn patience_left(&self) -> Duration {
        let has_lease = self.executor.store.dialect() == Dialect::Postgres;
        if !has_lease || self.fenced {
            return Duration::from_secs(3600);
        }
        let patience = self.config.lease * 4 / 5;
        patience.saturating_sub(self.renewed.elapsed())
    }

    /// The lease ran out, or had to be given up: what ran here belongs to whoever claims it, this
    /// process under its new name included.
    async fn start_over(&mut self, store: &Store) {
        self.executor.note_lease(false);
        tracing::warn!(executor = self.identity.executor, "the lease is lost; going on as a new executor");
        self.executor.stop_all(&Signal::LostOwnership);
        if let Err(error) = self.rename(store).await {
            tracing::error!(%error, "cannot go on as a new executor; trying again");
        }
    }

    async fn rename(&mut self, store: &Store) -> Result<()> {
        let dialect = store.dialect();
        let identity = Identity::create(store)?;
        let row = identity.row(dialect, lease_end_ms(store, &self.executor.clock, self.config.lease).await?);
        store.register_executor(&self.executor.application, &row).await?;
        // Only now: work that is started from here on carries the new name, and the old one is dead.
        self.executor.rename(identity.executor.clone());
        store.expire_executor(&self.identity.executor).await?;
        self.identity = identity;
        self.renewed = Instant::now();
        self.fenced = false;
        self.executor.note_lease(true);
        Ok(())
    }

    fn report_dead(&self, store: &Store, renewal: &Renewal) {
        // Leases are told by the database's clock, whatever clock the workflows live by.
        let now_ms = renewal.now_ms.unwrap_or_else(|| self.executor.clock.now_ms());
        for row in &renewal.executors {
            if row.executor != self.identity.executor && is_dead(row, store, now_ms) {
                // If recovery is busy the next renewal reports it again.
                self.dead.try_send(row.clone()).ok();
            }
        }
    }

    async fn stop_lost_runs(&self, store: &Store) {
        let runs = self.executor.active_runs();
        if runs.is_empty() {
            return;
        }
        match store.lost_runs(&runs).await {
            Ok(lost) => {
                for (workflow, owner) in runs.iter().filter(|(workflow, _)| lost.contains(workflow)) {
                    self.executor.stop_run_of(workflow, owner, Signal::LostOwnership);
                }
            }
            Err(error) => tracing::debug!(%error, "could not look for lost runs"),
        }
    }
}
