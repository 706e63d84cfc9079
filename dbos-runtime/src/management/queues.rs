//! Queues that are made, changed, paused and deleted while programs serve them.

use std::fmt;
use std::future::IntoFuture;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::Manager;
use crate::error::{Error, Result};
use crate::executor::Executor;
use crate::queue::{Limits, QueueLimits, RateLimit, mistake_in_name};
use crate::registry::queues;
use crate::step::{Question, StepCall};
use crate::store::queue_rows::{Deleted, QueueStatus};
use crate::wakeup::Fact;

impl Manager {
    /// The queues of `application`, or of all.
    pub(crate) async fn list_queues(&self, application: Option<String>) -> Result<Vec<QueueStatus>> {
        self.store().list_queues(application, None).await
    }

    async fn queue(&self, queue: &str) -> Result<Option<QueueStatus>> {
        Ok(self.store().list_queues(None, Some(queue)).await?.pop())
    }

    /// Makes the queue `queue`. That it exists with the same limits is as good: a workflow may ask twice.
    async fn create_queue(&self, queue: &str, limits: QueueLimits, application: &str) -> Result<()> {
        if let Some(mistake) = mistake_in_name(queue).or(limits.mistake()) {
            return Err(refused(queue, mistake));
        }
        if !self.store().create_queue(queue, &limits, application, self.now_ms().await?).await?
            && let Some(found) = self.queue(queue).await?
        {
            let with = if found.application_name.as_deref() != Some(application) {
                "which is another application's"
            } else if (found.limits, found.partition_limits) == (limits.whole, limits.partition) {
                return Ok(());
            } else {
                "with other limits"
            };
            return Err(Error::QueueExists { queue: queue.to_owned(), with: with.to_owned() });
        }
        self.tell(&Fact::Queues).await;
        Ok(())
    }

    /// Gives the queue other limits. Whoever serves it keeps to them from now on.
    async fn update_queue(&self, queue: &str, change: &NewLimits) -> Result<()> {
        let now_ms = self.now_ms().await?;
        let applied = self.store().update_queue(queue, now_ms, |limits| match change.of(limits) {
            changed if changed.mistake().is_some() => (limits, changed.mistake()),
            changed => (changed, None),
        });
        match applied.await? {
            None => Err(Error::NonExistentQueue { queue: queue.to_owned() }),
            Some(Some(mistake)) => Err(refused(queue, mistake)),
            Some(None) => {
                self.forget_limits(queue);
                self.tell(&Fact::Enqueued { queue: queue.to_owned() }).await;
                Ok(())
            }
        }
    }

    async fn delete_queue(&self, queue: &str) -> Result<()> {
        let in_use = |by: String| Error::QueueInUse { queue: queue.to_owned(), by };
        if queues().iter().any(|declared| declared.queue.name() == queue) {
            return Err(in_use("this program declares it, and each launch makes it; remove its static".to_owned()));
        }
        match self.store().delete_queue(queue).await? {
            Deleted::Yes => {
                self.forget_limits(queue);
                self.tell(&Fact::Queues).await;
                Ok(())
            }
            Deleted::InUse(workflow) => {
                Err(in_use(format!("workflow `{workflow}` has not ended; wait for its end, or cancel it")))
            }
        }
    }

    /// Lets nothing out of the queue until it is resumed, whatever is launched meanwhile.
    pub(crate) async fn pause_queue(&self, queue: &str) -> Result<()> {
        let now_ms = self.now_ms().await?;
        self.found(queue, self.store().pause_queue(queue, now_ms).await?)
    }

    /// Lets what waits in the queue go on.
    pub(crate) async fn resume_queue(&self, queue: &str) -> Result<()> {
        self.found(queue, self.store().resume_queue(queue).await?)?;
        self.tell(&Fact::Enqueued { queue: queue.to_owned() }).await;
        Ok(())
    }

    /// Whoever enqueues here next looks what they are.
    fn forget_limits(&self, queue: &str) {
        if let Self::Engine(executor) = self {
            executor.queues.forget(queue);
        }
    }

    #[allow(clippy::unused_self)] // it reads as what the manager found
    fn found(&self, queue: &str, exists: bool) -> Result<()> {
        if exists { Ok(()) } else { Err(Error::NonExistentQueue { queue: queue.to_owned() }) }
    }
}

fn refused(queue: &str, mistake: &str) -> Error {
    Error::InvalidKey { what: format!("the queue `{queue}`"), reason: mistake.to_owned() }
}

/// What is to become of something that may be absent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum New<T> {
    #[default]
    AsItIs,
    Set(Option<T>),
}

impl<T> New<T> {
    pub(super) fn of(self, found: Option<T>) -> Option<T> {
        match self {
            Self::AsItIs => found,
            Self::Set(new) => new,
        }
    }
}

/// What is to become of the limits of one scope.
#[derive(Clone, Copy, Debug, Default)]
struct NewScope {
    concurrency: New<u32>,
    worker_concurrency: New<u32>,
    rate_limit: New<RateLimit>,
}

impl NewScope {
    fn of(&self, limits: Limits) -> Limits {
        Limits {
            concurrency: self.concurrency.of(limits.concurrency),
            worker_concurrency: self.worker_concurrency.of(limits.worker_concurrency),
            rate_limit: self.rate_limit.of(limits.rate_limit),
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct NewLimits {
    whole: NewScope,
    partition: NewScope,
}

impl NewLimits {
    fn of(&self, limits: QueueLimits) -> QueueLimits {
        QueueLimits { whole: self.whole.of(limits.whole), partition: self.partition.of(limits.partition) }
    }
}

/// Whether a queue is made or changed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    Create,
    Update,
}

/// A queue about to be made, or to get other limits: awaiting it does so. In a workflow it is a step.
///
/// A limit takes a number, or `None` for no limit.
#[must_use = "a queue is made or changed only when this is awaited"]
pub struct ChangeQueue {
    queue: String,
    change: Change,
    limits: NewLimits,
    question: Question,
}

#[track_caller]
pub(crate) fn change_queue(queue: String, change: Change) -> ChangeQueue {
    let question = Question::here(match change {
        Change::Create => "DBOS.createQueue",
        Change::Update => "DBOS.updateQueue",
    });
    ChangeQueue { queue, change, limits: NewLimits::default(), question }
}

impl ChangeQueue {
    /// So many run at any moment, in all processes together.
    pub fn concurrency(mut self, most: impl Into<Option<u32>>) -> Self {
        self.limits.whole.concurrency = New::Set(most.into());
        self
    }

    /// So many run at any moment in each process.
    pub fn worker_concurrency(mut self, most: impl Into<Option<u32>>) -> Self {
        self.limits.whole.worker_concurrency = New::Set(most.into());
        self
    }

    /// So many are started in any `period`, by all processes together.
    pub fn rate_limit(mut self, starts: u32, period: Duration) -> Self {
        self.limits.whole.rate_limit = New::Set(Some(RateLimit::new(starts, period)));
        self
    }

    /// Takes the limit of starts away.
    pub fn without_rate_limit(mut self) -> Self {
        self.limits.whole.rate_limit = New::Set(None);
        self
    }

    /// So many of each partition run at any moment, in all processes together.
    pub fn partition_concurrency(mut self, most: impl Into<Option<u32>>) -> Self {
        self.limits.partition.concurrency = New::Set(most.into());
        self
    }

    /// So many of each partition run at any moment in each process.
    pub fn partition_worker_concurrency(mut self, most: impl Into<Option<u32>>) -> Self {
        self.limits.partition.worker_concurrency = New::Set(most.into());
        self
    }

    /// So many of each partition are started in any `period`, by all processes together.
    pub fn partition_rate_limit(mut self, starts: u32, period: Duration) -> Self {
        self.limits.partition.rate_limit = New::Set(Some(RateLimit::new(starts, period)));
        self
    }

    /// Takes the limit of starts of each partition away.
    pub fn without_partition_rate_limit(mut self) -> Self {
        self.limits.partition.rate_limit = New::Set(None);
        self
    }
}

impl fmt::Debug for ChangeQueue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { queue, limits, .. } = self;
        formatter.debug_struct("ChangeQueue").field("queue", queue).field("limits", limits).finish_non_exhaustive()
    }
}

impl IntoFuture for ChangeQueue {
    type Output = Result<()>;
    type IntoFuture = BoxFuture<'static, Result<()>>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { queue, change, limits, question } = self;
        Box::pin(question.answer(move |executor| async move {
            let application = executor.application.clone();
            let manager = Manager::Engine(executor);
            match change {
                Change::Create => manager.create_queue(&queue, limits.of(QueueLimits::NONE), &application).await,
                Change::Update => manager.update_queue(&queue, &limits).await,
            }
        }))
    }
}

#[track_caller]
pub(crate) fn queue(queue: String) -> StepCall<'static, Result<Option<QueueStatus>>> {
    let question = Question::here("DBOS.getQueue");
    StepCall::operation(question.answer(|executor| async move { Manager::Engine(executor).queue(&queue).await }))
}

#[track_caller]
pub(crate) fn list_queues() -> StepCall<'static, Result<Vec<QueueStatus>>> {
    let question = Question::here("DBOS.listQueues");
    let of_mine = |executor: std::sync::Arc<Executor>| async move {
        let application = executor.application.clone();
        Manager::Engine(executor).list_queues(Some(application)).await
    };
    StepCall::operation(question.answer(of_mine))
}

#[track_caller]
pub(crate) fn delete_queue(queue: String) -> StepCall<'static, Result<()>> {
    let question = Question::here("DBOS.deleteQueue");
    StepCall::operation(question.answer(|executor| async move { Manager::Engine(executor).delete_queue(&queue).await }))
}

#[track_caller]
pub(crate) fn pause_queue(queue: String) -> StepCall<'static, Result<()>> {
    let question = Question::here("DBOS.pauseQueue");
    StepCall::operation(question.answer(|executor| async move { Manager::Engine(executor).pause_queue(&queue).await }))
}

#[track_caller]
pub(crate) fn resume_queue(queue: String) -> StepCall<'static, Result<()>> {
    let question = Question::here("DBOS.resumeQueue");
    StepCall::operation(question.answer(|executor| async move { Manager::Engine(executor).resume_queue(&queue).await }))
}
