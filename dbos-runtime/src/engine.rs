//! An engine: launched, at work, shut down.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::catalog::Catalog;
use crate::clock::Clock;
use crate::config::Config;
use crate::context;
use crate::error::{Error, Result};
use crate::executor::{Closing, Executor, Parts, Signal};
use crate::registry::DeclaredSchedule;
use crate::service::identity::Identity;
use crate::service::lease::{Lease, lease_end_ms};
use crate::service::{delays, forgotten, listener, parked, queues, recovery, retention, schedules};
use crate::store::Store;
use crate::store::schedules::{Existing, NewSchedule};
use crate::store::workflows::Stranded;
use crate::wakeup::Wakeups;

/// How many dead executors may wait to be recovered; more are reported again later.
const DEAD_BACKLOG: usize = 64;
/// How many leases go by between two looks for what should not be there.
const LEASES_PER_SWEEP: u32 = 6;
/// How long a stopped run may take to let go before the shutdown goes on without it.
const LETTING_GO: Duration = Duration::from_secs(5);

/// The engine that `DBOS::shutdown` ends: the first of the process.
static LAUNCHED: Mutex<Option<Engine>> = Mutex::new(None);

/// A running engine. Clones are the same engine.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    executor: Arc<Executor>,
    lease: Mutex<Option<Lease>>,
    services: Mutex<Vec<JoinHandle<()>>>,
}

impl Engine {
    /// Opens and migrates the database, takes over what dead executors of the application left, and
    /// starts the services.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] or [`Error::Database`] if the database cannot be used, if another application has a
    /// queue or a schedule of the same name, if a schedule makes no sense, or if a function asks for state that nobody has
    /// provided;
    /// [`Error::Duplicate`] if two workflows or two queues have one name.
    pub async fn launch(config: Config) -> Result<Self> {
        config.states.check()?;
        let engine = Self::launch_alone(config).await?;
        engine.take_over();
        Ok(engine)
    }

    /// Like [`launch`](Self::launch), but what others left waits for [`take_over`](Self::take_over), or for
    /// somebody here who waits for it.
    pub(crate) async fn launch_alone(config: Config) -> Result<Self> {
        let catalog = Catalog::collect()?;
        let version = config.application_version.clone().unwrap_or_else(|| catalog.version(&config.application));
        let store = Self::migrate(&config).await?;
        let clock = config.clock.clone().unwrap_or_else(Clock::new);
        store.set_clock(&clock).await?;
        store.register_version(&config.application, &version, &catalog.hashes(), clock.now_ms()).await?;
        for queue in catalog.queues() {
            store.register_queue(queue, &config.application, clock.now_ms()).await?;
        }
        for schedule in catalog.schedules() {
            register_schedule(&store, schedule, &config.application, clock.now_ms()).await?;
        }
        let identity = Identity::create(&store)?;
        let row = identity.row(store.dialect(), lease_end_ms(&store, &clock, config.lease).await?);
        store.register_executor(&config.application, &row).await?;
        let executor = Executor::new(Parts {
            store,
            clock,
            wakeups: Wakeups::default(),
            catalog,
            application: config.application.clone(),
            version,
            id: identity.executor.clone(),
            states: config.states.clone(),
            runs_workflows: true,
            poll_interval: config.poll_interval,
            parking: config.parking(),
            listens: config.listens(),
            transaction_deadline: config.transaction_deadline,
        });
        for queue in executor.catalog.queues() {
            executor.queues.note(queue.name(), queue.limits(), executor.queues.about_to_look());
        }
        report_stranded(&executor).await?;
        let engine = Self::start_services(executor, config, identity)?;
        context::set_launched(&engine.0.executor);
        LAUNCHED.lock().expect("no panic while held").get_or_insert_with(|| engine.clone());
        Ok(engine)
    }

    /// Refuses to go on without what functions ask for: what `main` is to provide is there when its body has ended.
    #[cfg(feature = "http")]
    pub(crate) fn check_states(&self) -> Result<()> {
        self.0.executor.states.check()
    }

    /// Goes on with what dead executors of the application left.
    pub(crate) fn take_over(&self) {
        self.0.executor.take_over();
    }

    /// Brings the tables of DBOS and of the application into shape, and does nothing else.
    ///
    /// # Errors
    ///
    /// As [`launch`](Self::launch).
    pub async fn migrate_only(config: &Config) -> Result<()> {
        Self::migrate(config).await?.close().await;
        Ok(())
    }

    async fn migrate(config: &Config) -> Result<Store> {
        let store = Store::open(config, config.pool_size).await?;
        store.migrate().await?;
        store.migrate_application(&config.application, &config.migrations).await?;
        Ok(store)
    }

    fn start_services(executor: Arc<Executor>, config: Config, identity: Identity) -> Result<Self> {
        let (dead, reported) = mpsc::channel(DEAD_BACKLOG);
        let mut services = vec![
            tokio::spawn(recovery::run(Arc::clone(&executor), reported)),
            tokio::spawn(forgotten::run(Arc::clone(&executor), config.lease * LEASES_PER_SWEEP)),
            tokio::spawn(delays::run(Arc::clone(&executor))),
            tokio::spawn(parked::run(Arc::clone(&executor))),
            tokio::spawn(schedules::run(Arc::clone(&executor))),
            tokio::spawn(queues::run(Arc::clone(&executor), config.queues.clone())),
            tokio::spawn(retention::run(Arc::clone(&executor), config.retention)),
        ];
        if config.listens() {
            services.push(tokio::spawn(listener::run(Arc::clone(&executor))));
        }
        let lease = Lease::start(Arc::clone(&executor), config, identity, dead)?;
        Ok(Self(Arc::new(Inner { executor, lease: Mutex::new(Some(lease)), services: Mutex::new(services) })))
    }

    /// The first engine of the process that has not been shut down.
    pub(crate) fn launched() -> Option<Self> {
        LAUNCHED.lock().expect("no panic while held").clone()
    }

    /// This process's name in the database; fresh at every start.
    #[must_use]
    pub fn executor_id(&self) -> String {
        self.0.executor.id()
    }

    /// The version that this code's workflows are started under.
    #[must_use]
    pub fn application_version(&self) -> &str {
        &self.0.executor.version
    }

    /// The database for people, without user or password.
    #[must_use]
    pub fn database(&self) -> String {
        self.0.executor.store.description()
    }

    /// Runs `future` with this engine as the current one: `DBOS::…` calls in it use it, whatever
    /// engine the process launched first.
    pub fn scope<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        context::in_engine(Arc::clone(&self.0.executor), future)
    }

    /// Completes once no workflow runs in this process.
    pub async fn idle(&self) {
        self.0.executor.runs_ended().await;
    }

    /// Stops all workflows where they stand and hands them back, for any executor to go on with at
    /// once. From now on starts are refused and those who wait for a workflow are told
    /// [`Error::ShuttingDown`]; transactions outside workflows still work until [`shutdown`](Self::shutdown).
    pub async fn hand_back(&self) {
        let executor = &self.0.executor;
        self.stop_runs(Closing::Graceful).await;
        // Nothing may be started or claimed behind the back of what follows.
        tokio::time::timeout(LETTING_GO, executor.starts_ended()).await.ok();
        let handed_back = async {
            let count = executor.store.hand_back(&executor.id(), executor.clock.now_ms()).await?;
            executor.store.expire_executor(&executor.id()).await?;
            executor.store.forget_executor(&executor.id()).await?;
            Ok::<_, Error>(count)
        };
        match tokio::time::timeout(LETTING_GO, handed_back).await {
            Ok(Ok(0)) => {}
            Ok(Ok(count)) => tracing::info!("handed {count} unfinished workflows back"),
            Ok(Err(error)) => tracing::warn!(%error, "unfinished workflows go on when the lease runs out"),
            Err(_) => {
                tracing::warn!("the database does not answer; unfinished workflows go on when the lease runs out")
            }
        }
    }

    /// Hands unfinished workflows [back](Self::hand_back), ends the services and closes the database.
    /// No workflow is cancelled.
    pub async fn shutdown(&self) {
        self.hand_back().await;
        self.end_services(Closing::Graceful).await;
        self.0.executor.store.close().await;
    }

    /// Ends as a crash would: nothing is handed back, and others find out by the file lock or the
    /// lease. For tests of recovery within one process.
    pub async fn abandon(&self) {
        self.stop_runs(Closing::Crash).await;
        self.end_services(Closing::Crash).await;
        self.0.executor.store.close().await;
    }

    async fn stop_runs(&self, closing: Closing) {
        let executor = &self.0.executor;
        context::unset_launched(executor);
        LAUNCHED.lock().expect("no panic while held").take_if(|launched| Arc::ptr_eq(&launched.0, &self.0));
        executor.close(closing);
        executor.stop_all(&Signal::ShutDown);
        if tokio::time::timeout(LETTING_GO, executor.runs_ended()).await.is_err() {
            tracing::warn!("some workflows do not let go; they are handed back all the same");
        }
    }

    async fn end_services(&self, closing: Closing) {
        let lease = self.0.lease.lock().expect("no panic while held").take();
        if let Some(lease) = lease {
            match closing {
                Closing::Crash => lease.abandon().await,
                _ => lease.stop().await,
            }
        }
        let services = std::mem::take(&mut *self.0.services.lock().expect("no panic while held"));
        for service in services {
            service.abort();
            service.await.ok();
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Engine").field(&self.executor_id()).finish()
    }
}

/// Writes a schedule of the code into its row, which keeps whether it is paused and what its last tick was.
async fn register_schedule(store: &Store, declared: &DeclaredSchedule, application: &str, now_ms: i64) -> Result<()> {
    let new = NewSchedule {
        name: declared.name().to_owned(),
        workflow: declared.name().to_owned(),
        cron: declared.cron.to_owned(),
        timezone: declared.timezone.map(str::to_owned),
        context: Value::Null,
        late: declared.late,
        queue: None,
        application: application.to_owned(),
        is_declared: true,
        now_ms,
    };
    match store.put_schedule(&new, Existing::Replace).await? {
        None => Ok(()),
        Some(_) => Err(Error::Configuration(format!(
            "the schedule `{}` belongs to another application of this database; give its workflow another name",
            new.name
        ))),
    }
}

/// An edit of a workflow leaves its open runs to the old code; nobody should have to find that out.
async fn report_stranded(executor: &Executor) -> Result<()> {
    let stranded = executor.store.stranded(&executor.application, &executor.version).await?;
    for of_one_version in stranded.chunk_by(|one, next| one.version == next.version) {
        let version = &of_one_version[0].version;
        let names: Vec<_> =
            of_one_version.iter().map(|Stranded { name, count, .. }| format!("{count} of `{name}`")).collect();
        tracing::warn!(
            "open workflows wait for version `{version}`, whose code differs: {}; run that version until they have ended; \
             or, if this code takes the same steps, launch it under the application version `{version}`; or cancel them",
            names.join(", "),
        );
    }
    Ok(())
}
