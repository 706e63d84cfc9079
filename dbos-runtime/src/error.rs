//! What can go wrong, as a value. Being cancelled, fenced off or shut down is not among it: those end
//! a run without its code seeing them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `Result` with [`Error`] as its error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Every error of this crate.
///
/// A function of yours may return any error type; this one is the default. It is stored with the
/// step or workflow that returned it, and a replay gives back an equal value.
#[derive(Clone, Debug, Deserialize, Serialize, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Raised by an application: [`Error::new`], or an error written by another language.
    #[error("{message}")]
    Application {
        /// A short name for programs to match on, for example `InsufficientInventory`.
        name: String,
        /// The sentence for people.
        message: String,
        /// Anything else worth keeping.
        #[serde(default)]
        data: Option<Value>,
    },
    /// The awaited workflow was cancelled, or its timeout passed.
    #[error("workflow `{workflow}` was cancelled")]
    Cancelled {
        /// The cancelled workflow.
        workflow: String,
    },
    /// The workflow's code panicked.
    #[error("workflow `{workflow}` panicked: {message}")]
    Panicked {
        /// The workflow that panicked.
        workflow: String,
        /// What it said, and where.
        message: String,
    },
    /// The workflow was recovered more often than its limit allows and waits for a person.
    #[error("workflow `{workflow}` was recovered too often and was set aside; mend the cause and resume it")]
    DeadLettered {
        /// The workflow set aside.
        workflow: String,
    },
    /// No workflow has this id.
    #[error("no workflow has the id `{workflow}`")]
    NonExistentWorkflow {
        /// The id that was asked for.
        workflow: String,
    },
    /// No schedule has this name.
    #[error("no schedule has the name `{schedule}`")]
    NonExistentSchedule {
        /// The name that was asked for.
        schedule: String,
    },
    /// Another schedule has the name that one was to be created under.
    #[error("there is another schedule `{schedule}`; delete it first, or use another name")]
    ScheduleExists {
        /// The name that is taken.
        schedule: String,
    },
    /// The workflow cannot be resumed, because somebody runs it or may run it.
    #[error(
        "workflow `{workflow}` is in the hands of executor `{executor}`, which is not known to be gone; \
         if the workflow is stuck, cancel it first and resume it then"
    )]
    StillRunning {
        /// The workflow that was to be resumed.
        workflow: String,
        /// The executor that has it.
        executor: String,
    },
    /// The workflow cannot be rewound or deleted, because it has not ended.
    #[error("workflow `{workflow}` has not ended, it is {status}; cancel it first")]
    NotEnded {
        /// The workflow that was to be changed.
        workflow: String,
        /// Where it stands.
        status: String,
    },
    /// The id belongs to a run of another workflow function.
    #[error("workflow id `{workflow}` belongs to `{recorded}`, so `{called}` cannot start under it; use another id")]
    ConflictingWorkflow {
        /// The id both want.
        workflow: String,
        /// The function that has the id.
        recorded: String,
        /// The function that was called.
        called: String,
    },
    /// The id belongs to an earlier run of the same function, and the start asked for
    /// [`IdReuse::Reject`](crate::IdReuse::Reject).
    #[error("workflow `{workflow}` was started before; use another id, or attach to it")]
    AlreadyStarted {
        /// The id that is taken.
        workflow: String,
    },
    /// The idempotency key of a request was used for another request: the same route, with another content.
    #[error(
        "the idempotency key of workflow `{workflow}` was sent with another request; send a key of its own with each"
    )]
    KeyReused {
        /// The workflow that the first request started.
        workflow: String,
    },
    /// Another workflow of the queue has the deduplication id and has not ended, and the start asked for
    /// [`Deduplication::Reject`](crate::Deduplication::Reject).
    #[error(
        "workflow `{workflow}` of queue `{queue}` has the deduplication id `{deduplication_id}` and has not ended; \
         wait for its end, or use another deduplication id"
    )]
    Deduplicated {
        /// The queue.
        queue: String,
        /// What both have.
        deduplication_id: String,
        /// The workflow that has it.
        workflow: String,
    },
    /// No queue of the application has this name.
    #[error(
        "nobody serves the queue `{queue}`; write `#[dbos::queue]` above its static, or make it with `DBOS::create_queue`"
    )]
    NonExistentQueue {
        /// The name that was asked for.
        queue: String,
    },
    /// The queue that was to be made exists with other limits, or is another application's.
    #[error("there is a queue `{queue}` already, {with}; change it with `DBOS::update_queue`, or take another name")]
    QueueExists {
        /// The name.
        queue: String,
        /// What is different.
        with: String,
    },
    /// The queue cannot be deleted.
    #[error("the queue `{queue}` is in use: {by}")]
    QueueInUse {
        /// The queue.
        queue: String,
        /// What uses it, and what to do.
        by: String,
    },
    /// The application cannot be renamed while it runs.
    #[error("the application `{application}` is running as executor `{executor}`; stop all of its processes first")]
    ApplicationInUse {
        /// The application.
        application: String,
        /// One of its executors.
        executor: String,
    },
    /// A workflow id, event key or topic that cannot be stored.
    #[error("{what} is refused: {reason}")]
    InvalidKey {
        /// Which kind of key.
        what: String,
        /// Why, and what to do.
        reason: String,
    },
    /// The code took another path than the one recorded.
    #[error(
        "step {step} of workflow `{workflow}` is recorded as `{recorded}`, but the code now calls `{called}` at {location}; \
         run it with the version of the code it was started under, or mend the code"
    )]
    Diverged {
        /// The workflow that was replayed.
        workflow: String,
        /// The step id.
        step: u32,
        /// The name in the database.
        recorded: String,
        /// The name in the code.
        called: String,
        /// `file:line` of the call.
        location: String,
    },
    /// A value that would not come back from the database as it is.
    #[error("{what} cannot be stored: {reason}")]
    Unstorable {
        /// The argument, step or workflow the value belongs to.
        what: String,
        /// Why.
        reason: String,
    },
    /// A stored value that does not fit the type it is read as.
    #[error("{what} cannot be read back: {reason}")]
    Unreadable {
        /// What was read.
        what: String,
        /// Why it failed.
        reason: String,
    },
    /// An attempt of a step took longer than its `timeout`.
    #[error("step `{step}` took longer than {after_ms} ms")]
    StepTimedOut {
        /// The step's name.
        step: String,
        /// The limit.
        after_ms: u64,
    },
    /// A step called another step.
    #[error(
        "step `{inner}` was called inside step `{outer}`; call it from the workflow, or as `{inner}(..).plain()` if it need not be recorded"
    )]
    NestedStep {
        /// The step that was running.
        outer: String,
        /// The step it called.
        inner: String,
    },
    /// A call that needs a running workflow.
    #[error("{function} works inside a workflow only")]
    OutsideWorkflow {
        /// The function that was called.
        function: String,
    },
    /// No engine runs in this process.
    #[error("DBOS is not running in this process; call `DBOS::launch` first")]
    NotLaunched,
    /// The engine is shutting down and starts nothing new.
    #[error("DBOS is shutting down")]
    ShuttingDown,
    /// Two functions, or two routes, claim one name.
    #[error("{what} is claimed twice: by {first} and by {second}; give one of them another name")]
    Duplicate {
        /// The name or route.
        what: String,
        /// One place.
        first: String,
        /// The other place.
        second: String,
    },
    /// The configuration cannot be used.
    #[error("{0}")]
    Configuration(String),
    /// The database refused or is out of reach.
    #[error("could not {action}: {message}")]
    Database {
        /// What was tried.
        action: String,
        /// What the database or its driver said.
        message: String,
        /// The driver's error; not stored, so absent after a replay.
        #[serde(skip)]
        #[source]
        source: Option<Arc<sqlx::Error>>,
    },
}

impl Error {
    /// An application's own error, with nothing but a sentence.
    pub fn new(message: impl Into<String>) -> Self {
        Self::named("Error", message)
    }

    /// An application's own error with a name for programs to match on.
    pub fn named(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Application { name: name.into(), message: message.into(), data: None }
    }

    /// Whether it is a fact about workflows, so that asking again would give the same.
    pub(crate) fn is_answer(&self) -> bool {
        matches!(
            self,
            Self::NonExistentWorkflow { .. }
                | Self::StillRunning { .. }
                | Self::NotEnded { .. }
                | Self::AlreadyStarted { .. }
                | Self::InvalidKey { .. }
                | Self::NonExistentQueue { .. }
                | Self::QueueExists { .. }
                | Self::QueueInUse { .. }
                | Self::ApplicationInUse { .. }
                | Self::NonExistentSchedule { .. }
                | Self::ScheduleExists { .. }
        )
    }

    /// The driver said `source` while `action` was tried.
    pub(crate) fn database(action: &str, source: sqlx::Error) -> Self {
        Self::Database { action: action.to_owned(), message: source.to_string(), source: Some(Arc::new(source)) }
    }
}

impl From<sqlx::Error> for Error {
    fn from(source: sqlx::Error) -> Self {
        Self::database("run a statement", source)
    }
}

/// Lets a workflow or step use `Result<T, String>`.
impl From<Error> for String {
    fn from(error: Error) -> Self {
        error.to_string()
    }
}
