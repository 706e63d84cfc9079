//! Crashes an application at each of its durable writes, and asks the test whether anything is wrong.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use dbos::{Config, Failpoints, Side};
use tokio::runtime::Runtime;

use crate::app::App;
use crate::database::{Backend, Database};

/// How long one run may take.
const LIMIT: Duration = Duration::from_mins(1);

/// Runs some work once undisturbed, and then once for each side of each durable write it made, crashing there and
/// starting again.
///
/// Each run has a fresh database. A crash stops every task of the engine where it stands; then the engine is launched
/// anew and the same work is asked for again, as a customer would who got no answer. Give workflows ids of your own,
/// so that asking twice means the same workflow.
///
/// ```
/// # use dbos::{DBOS, Result, Tx, step, transaction, workflow};
/// # use dbos_testkit::{Backend, CrashTest};
/// #[transaction]
/// async fn charge(tx: &mut Tx, customer: &str) -> Result<()> {
///     tx.query("INSERT INTO charges VALUES ($1)").bind(customer.to_owned()).execute().await?;
///     Ok(())
/// }
///
/// #[workflow]
/// async fn subscribe(customer: String) -> Result<()> {
///     charge(&customer).await?;
///     DBOS::sleep(std::time::Duration::from_millis(5)).await;
///     charge(&customer).await
/// }
///
/// // #[test]
/// fn nobody_is_charged_three_times() {
///     CrashTest::on(Backend::Sqlite).with_tables("CREATE TABLE charges (customer TEXT)").run(
///         async |_| subscribe("ann".to_owned()).workflow_id("ann").await,
///         async |database, subscribed| {
///             subscribed.unwrap();
///             assert_eq!(database.count("SELECT count(*) FROM charges").await, 2);
///         },
///     );
/// }
/// # nobody_is_charged_three_times();
/// ```
#[derive(Debug)]
#[must_use = "nothing crashes until it is run"]
pub struct CrashTest {
    backend: Backend,
    config: Config,
    tables: Option<String>,
}

/// What a [`CrashTest`] has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crashes {
    /// The durable writes of the undisturbed run.
    pub writes: u64,
    /// The crashes. Fewer than two for each write if writes of one moment shared a commit when it came to them.
    pub crashes: u64,
}

impl fmt::Display for Crashes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} durable writes, {} crashes", self.writes, self.crashes)
    }
}

impl CrashTest {
    /// On throwaway databases of this kind.
    pub fn on(backend: Backend) -> Self {
        Self { backend, config: Config::new("crash-test"), tables: None }
    }

    /// Launches engines with this configuration; the database in it is not used.
    pub fn with_config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Runs these statements in each database before the engine is launched.
    pub fn with_tables(mut self, sql: &str) -> Self {
        self.tables = Some(sql.to_owned());
        self
    }

    /// Does the work, crashing it at each write, and checks each time what came of it.
    ///
    /// # Panics
    ///
    /// With what `check` panicked with, after saying where the crash was; if a run takes more than a minute; if it is
    /// called from async code, since it has to end whole runtimes.
    #[expect(clippy::needless_pass_by_value, reason = "closures read best where they are used")]
    pub fn run<R>(self, work: impl AsyncFn(&Database) -> R, check: impl AsyncFn(&Database, R)) -> Crashes {
        let failpoints = Failpoints::counting();
        naming("undisturbed", || {
            let database = self.database();
            end_well(self.config(&database).failpoints(failpoints.clone()), &database, &work, &check);
        });
        let mut crashes = Crashes { writes: failpoints.writes(), crashes: 0 };
        for number in 1..=crashes.writes {
            for side in [Side::Before, Side::After] {
                let place = format!("crashed {side:?} write {number} of {}", crashes.writes);
                naming(&place.to_lowercase(), || {
                    let database = self.database();
                    let failpoints = Failpoints::stopping(side, number);
                    crashes.crashes += u64::from(crash(
                        self.config(&database).failpoints(failpoints.clone()),
                        &failpoints,
                        &database,
                        &work,
                    ));
                    end_well(self.config(&database), &database, &work, &check);
                });
            }
        }
        crashes
    }

    fn config(&self, database: &Database) -> Config {
        self.config.clone().database_url(database.url())
    }

    fn database(&self) -> Database {
        runtime().block_on(async {
            let database = Database::fresh(self.backend).await;
            if let Some(tables) = &self.tables {
                database.execute(tables).await;
            }
            database
        })
    }
}

/// Works until the engine stands still, then ends all of it; `false` if it never stood still.
fn crash<R>(config: Config, failpoints: &Failpoints, database: &Database, work: &impl AsyncFn(&Database) -> R) -> bool {
    let runtime = runtime();
    let crashed = runtime.block_on(within_limit(async {
        let app = App::launch(config).await;
        let crashed = tokio::select! {
            biased;
            () = failpoints.stopped() => true,
            _ = finished(&app, database, work) => false,
        };
        app.crash().await;
        crashed
    }));
    // Whatever else is left of the engine goes too.
    runtime.shutdown_timeout(Duration::from_secs(1));
    crashed
}

fn end_well<R>(
    config: Config,
    database: &Database,
    work: &impl AsyncFn(&Database) -> R,
    check: &impl AsyncFn(&Database, R),
) {
    runtime().block_on(within_limit(async {
        let app = App::launch(config).await;
        let result = finished(&app, database, work).await;
        check(database, result).await;
        app.engine.shutdown().await;
    }));
}

/// What the work gives, once everything it started has ended too.
async fn finished<R>(app: &App, database: &Database, work: &impl AsyncFn(&Database) -> R) -> R {
    let result = app.run(work(database)).await;
    app.engine.idle().await;
    result
}

async fn within_limit<T>(run: impl Future<Output = T>) -> T {
    let ended = tokio::time::timeout(LIMIT, run).await;
    ended.unwrap_or_else(|_| panic!("the work did not end within {LIMIT:?}"))
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// Says which run it was if `run` panics.
fn naming(place: &str, run: impl FnOnce()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(run)) {
        eprintln!("{place}:");
        resume_unwind(panic);
    }
}
