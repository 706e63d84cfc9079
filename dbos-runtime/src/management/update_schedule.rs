//! Changing a schedule in place: another pattern, other clocks, another queue, and it stays the same schedule.

use std::fmt;
use std::future::IntoFuture;

use futures_util::future::BoxFuture;
use serde::Serialize;
use serde_json::Value;

use super::Manager;
use super::queues::New;
use super::schedules::{check_times, no_schedule, unstorable_context};
use crate::error::{Error, Result};
use crate::queue::QueueName;
use crate::schedule::Late;
use crate::step::Question;
use crate::store::schedules::ScheduleStatus;
use crate::wakeup::Fact;

/// What is to be another; what is not said stays as it is.
#[derive(Clone, Debug, Default)]
struct Changes {
    cron: Option<String>,
    timezone: New<String>,
    context: Option<Result<Value, String>>,
    late: Option<Late>,
    queue: New<String>,
}

impl Changes {
    fn of(&self, found: &ScheduleStatus, now_ms: i64) -> Result<ScheduleStatus> {
        if found.is_declared {
            return Err(refused(&found.name, "it stands in the code, which each launch goes by; change it there"));
        }
        let found = found.clone();
        let context = match self.context.clone() {
            Some(context) => context.map_err(|reason| unstorable_context(&found.name, reason))?,
            None => found.context,
        };
        let changed = ScheduleStatus {
            cron: self.cron.clone().unwrap_or(found.cron),
            timezone: self.timezone.clone().of(found.timezone),
            late: self.late.unwrap_or(found.late),
            queue_name: self.queue.clone().of(found.queue_name),
            context,
            ..found
        };
        check_times(&changed.name, &changed.cron, changed.timezone.as_deref(), now_ms)?;
        Ok(changed)
    }
}

impl Manager {
    /// Changes the schedule `name` in place.
    async fn update_schedule(&self, name: &str, changes: &Changes) -> Result<()> {
        if let New::Set(Some(queue)) = &changes.queue {
            let limits = self.store().queue_limits(queue).await?;
            if limits.ok_or_else(|| Error::NonExistentQueue { queue: queue.clone() })?.are_partitioned() {
                let reason = format!("the queue `{queue}` has limits for partitions, and a tick is in none");
                return Err(refused(name, &reason));
            }
        }
        let now_ms = self.now_ms().await?;
        let updated = self.store().update_schedule(name, now_ms, |found| changes.of(found, now_ms)).await?;
        updated.ok_or_else(|| no_schedule(name))??;
        self.tell(&Fact::Scheduled).await;
        Ok(())
    }
}

fn refused(schedule: &str, reason: &str) -> Error {
    Error::InvalidKey { what: format!("schedule `{schedule}`"), reason: reason.to_owned() }
}

/// A schedule about to be changed: awaiting it does so. In a workflow it is a step.
#[must_use = "a schedule is changed only when this is awaited"]
pub struct UpdateSchedule {
    name: String,
    changes: Changes,
    question: Question,
}

#[track_caller]
pub(crate) fn update_schedule(name: String) -> UpdateSchedule {
    UpdateSchedule { name, changes: Changes::default(), question: Question::here("DBOS.updateSchedule") }
}

impl UpdateSchedule {
    /// It ticks by this cron pattern.
    pub fn cron(mut self, cron: impl Into<String>) -> Self {
        self.changes.cron = Some(cron.into());
        self
    }

    /// It goes by these clocks, for example `Europe/Berlin`.
    pub fn timezone(mut self, name: impl Into<String>) -> Self {
        self.changes.timezone = New::Set(Some(name.into()));
        self
    }

    /// It goes by UTC.
    pub fn utc(mut self) -> Self {
        self.changes.timezone = New::Set(None);
        self
    }

    /// What its workflows are given beside their tick, which must be of the type that they take.
    pub fn context(mut self, context: impl Serialize) -> Self {
        self.changes.context = Some(serde_json::to_value(context).map_err(|error| error.to_string()));
        self
    }

    /// What becomes of the ticks that nobody was there for.
    pub fn late(mut self, late: Late) -> Self {
        self.changes.late = Some(late);
        self
    }

    /// Its workflows wait in this queue.
    pub fn queue(mut self, queue: impl QueueName) -> Self {
        self.changes.queue = New::Set(Some(queue.queue_name()));
        self
    }

    /// Its workflows wait in no queue of their own.
    pub fn without_queue(mut self) -> Self {
        self.changes.queue = New::Set(None);
        self
    }
}

impl fmt::Debug for UpdateSchedule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("UpdateSchedule").field("name", &self.name).finish_non_exhaustive()
    }
}

impl IntoFuture for UpdateSchedule {
    type Output = Result<()>;
    type IntoFuture = BoxFuture<'static, Result<()>>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { name, changes, question } = self;
        Box::pin(
            question.answer(
                move |executor| async move { Manager::Engine(executor).update_schedule(&name, &changes).await },
            ),
        )
    }
}
