//! An application within the test process: launched, crashed, launched again.

use std::future::Future;
use std::time::Duration;

use dbos::{Config, DBOS, Engine};

/// Makes workflows of the tests that ask for it leave memory after so many milliseconds of waiting.
pub const PARK_VARIABLE: &str = "DBOS_TEST_PARK_AFTER_MS";

/// With what [`PARK_VARIABLE`] asks for.
///
/// # Panics
///
/// If that is no number.
#[must_use]
pub fn parking(mut config: Config) -> Config {
    if let Ok(after) = std::env::var(PARK_VARIABLE) {
        config.park_after = Duration::from_millis(after.parse().expect("a number of milliseconds"));
    }
    config
}

/// An engine with the configuration to launch it again.
///
/// ```
/// # use dbos::{Config, DBOS, Result, step, workflow};
/// # use dbos_testkit::{App, Backend, Database};
/// #[step]
/// async fn greet(name: &str) -> Result<String> {
///     Ok(format!("hello {name}"))
/// }
///
/// #[workflow]
/// async fn welcome(name: String) -> Result<String> {
///     greet(&name).await
/// }
///
/// #[tokio::main]
/// async fn main() {
///     let database = Database::fresh(Backend::Sqlite).await;
///     let mut app = App::launch(Config::new("shop").database_url(database.url())).await;
///     app.run(async { DBOS::start_workflow(welcome("ann".to_owned())).workflow_id("w-1").await }).await.unwrap();
///
///     app.crash_and_relaunch().await;
///
///     assert_eq!(app.result::<Result<String>>("w-1").await.unwrap(), "hello ann");
/// }
/// ```
#[derive(Debug)]
pub struct App {
    /// What the engine was launched with. Changes count from the next launch.
    pub config: Config,
    /// The engine that runs now.
    pub engine: Engine,
}

impl App {
    /// Launches an engine.
    ///
    /// # Panics
    ///
    /// If it cannot be launched.
    pub async fn launch(config: Config) -> Self {
        let engine = Engine::launch(config.clone()).await.expect("the engine launches");
        Self { config, engine }
    }

    /// Runs `future` with this application's engine as the current one.
    pub async fn run<F: Future>(&self, future: F) -> F::Output {
        self.engine.scope(future).await
    }

    /// Ends as a crash would: everything stops half-way, and nothing is handed back.
    pub async fn crash(&self) {
        self.engine.abandon().await;
    }

    /// Starts again after a crash.
    ///
    /// # Panics
    ///
    /// If it cannot be launched.
    pub async fn relaunch(&mut self) {
        self.engine = Engine::launch(self.config.clone()).await.expect("the engine launches again");
    }

    /// Ends as a crash would, and starts again.
    pub async fn crash_and_relaunch(&mut self) {
        self.crash().await;
        self.relaunch().await;
    }

    /// The result of a workflow that was started before, once it has one.
    ///
    /// # Panics
    ///
    /// If no workflow of this program returns an `R`.
    pub async fn result<R: Send + 'static>(&self, workflow: &str) -> R {
        let handle =
            self.run(async { DBOS::retrieve_workflow::<R>(workflow) }).await.expect("some workflow returns it");
        handle.result().await
    }
}
