//! A process that runs no workflow, and puts them into queues, sends, reads and manages all the same.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::sync::Arc;

use serde_json::Value;
use tokio::task::JoinHandle;

use crate::catalog::Catalog;
use crate::clock::Clock;
use crate::codec::inputs_of;
use crate::config::Config;
use crate::context::{in_engine, in_engine_now};
use crate::error::Result;
use crate::executor::{Closing, Executor, Parts};
use crate::id::random_id;
use crate::service::listener;
use crate::store::Store;
use crate::stream::{self, ReadStream, StreamKey};
use crate::wakeup::Wakeups;
use crate::workflow::{InQueue, Start, WorkflowHandle};

/// A connection to the database of other programs. Clones are the same client.
///
/// It has no lease and no workflows of its own, takes nothing over, makes no tables and changes none. What it puts into a
/// queue is run by the application that has the queue.
///
/// ```no_run
/// use dbos::{Client, DBOS, Result, StreamKey, Topic};
/// use serde_json::json;
///
/// const PAYMENT: Topic<String> = Topic::new("payment");
/// const NEWS: StreamKey<String> = StreamKey::new("news");
///
/// # async fn example() -> Result<()> {
/// let client = Client::connect("postgres://localhost/shop").await?;
///
/// // By name, where the function is not at hand.
/// let parcel = client.enqueue("ship", "parcels", json!({ "order": 7 })).workflow_id("ship-7").priority(2).await?;
///
/// // Everything else as in an engine: `DBOS::…`, and calls of workflows into queues.
/// client.run(DBOS::send("ship-7", "paid", PAYMENT).idempotency_key("p-1")).await?;
/// let mut news = client.read_stream("ship-7", NEWS);
/// while let Some(line) = news.next().await {
///     println!("{}", line?);
/// }
/// println!("{}", parcel.result().await?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    executor: Arc<Executor>,
    listener: Option<JoinHandle<()>>,
}

impl Client {
    /// Connects to a database by its URL.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`](crate::Error::Configuration) or [`Error::Database`](crate::Error::Database) if it cannot be
    /// reached, or no engine has made its tables yet.
    pub async fn connect(url: impl Into<String>) -> Result<Self> {
        Self::open(Config::new("client").database_url(url)).await
    }

    /// Connects to the database that `config` names, in the way it says. What concerns workflows in it does not count.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub async fn open(config: Config) -> Result<Self> {
        let store = Store::open_existing(&config, config.pool_size).await?;
        let clock = config.clock.clone().unwrap_or_else(Clock::new);
        store.set_clock(&clock).await?;
        let executor = Executor::new(Parts {
            store,
            clock,
            wakeups: Wakeups::default(),
            catalog: Catalog::empty(),
            states: config.states.clone(),
            runs_workflows: false,
            application: config.application.clone(),
            version: String::new(),
            id: random_id(),
            poll_interval: config.poll_interval,
            parking: None,
            listens: config.listens(),
            transaction_deadline: config.transaction_deadline,
        });
        let listener = config.listens().then(|| tokio::spawn(listener::run(Arc::clone(&executor))));
        Ok(Self(Arc::new(Inner { executor, listener })))
    }

    /// Puts the workflow of this name into a queue, for the application that has both. `arguments` are an object with the
    /// names of the function's arguments, or a list of them in their order.
    ///
    /// It takes the options that [`enqueue`](crate::WorkflowCall::enqueue) takes. Awaiting it gives a handle whose result is
    /// JSON.
    ///
    /// # Errors
    ///
    /// When awaited: [`Error::Configuration`](crate::Error::Configuration) if no program has declared the queue, or none of
    /// its application has such a workflow; and as [`DBOS::start_workflow`](crate::DBOS::start_workflow).
    pub fn enqueue(
        &self,
        workflow: impl Into<String>,
        queue: impl Into<String>,
        arguments: Value,
    ) -> Start<Result<Value>, InQueue> {
        Start::by_client(Arc::clone(&self.0.executor), workflow.into(), queue.into(), inputs_of(arguments))
    }

    /// Runs `operation` here: a call of `DBOS::…`, a workflow's call that is put into a queue, or any future with such calls.
    pub fn run<F: IntoFuture>(&self, operation: F) -> impl Future<Output = F::Output> + use<F> {
        in_engine(Arc::clone(&self.0.executor), operation.into_future())
    }

    /// The values of a stream, as [`DBOS::read_stream`](crate::DBOS::read_stream) gives them.
    #[track_caller]
    pub fn read_stream<T>(&self, workflow_id: impl Into<String>, stream: StreamKey<T>) -> ReadStream<T> {
        in_engine_now(Arc::clone(&self.0.executor), || stream::read_stream(workflow_id.into(), stream))
    }

    /// A handle to the workflow with this id, whose result is JSON. Where its function is at hand,
    /// [`DBOS::retrieve_workflow`](crate::DBOS::retrieve_workflow) in [`run`](Self::run) gives one with its types.
    #[must_use]
    pub fn workflow(&self, workflow_id: impl Into<String>) -> WorkflowHandle<Result<Value>> {
        WorkflowHandle::untyped(Arc::clone(&self.0.executor), workflow_id.into())
    }

    /// Closes the connections. Who still waits for a workflow here is told
    /// [`Error::ShuttingDown`](crate::Error::ShuttingDown).
    pub async fn close(self) {
        self.0.executor.close(Closing::Graceful);
        self.0.executor.store.close().await;
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(listener) = &self.listener {
            listener.abort();
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Client").field(&self.0.executor.store.description()).finish()
    }
}
