//! Schedules that code and terminals manage: create, look at, pause, resume, trigger, backfill, delete.

use std::fmt;
use std::time::SystemTime;

use serde::Serialize;
use serde_json::Value;

use super::Manager;
use crate::clock::millis;
use crate::error::{Error, Result};
use crate::id::check_key;
use crate::queue::Queue;
use crate::registry::{AnyWorkflow, workflows};
use crate::schedule::{Cron, Late, Tick, rfc3339};
use crate::step::{Question, StepCall};
use crate::store::schedules::{Existing, NewSchedule, Runner, ScheduleStatus, ScheduledRun};
use crate::wakeup::Fact;
use crate::workflow::WorkflowCall;

/// How many ticks one backfill starts at most.
const MOST: usize = 10_000;

/// A schedule to be created with [`DBOS::create_schedule`](crate::DBOS::create_schedule): a name, a cron pattern of five
/// fields or of six with seconds first, and the workflow, which takes a [`Tick`].
///
/// ```no_run
/// # use dbos::{DBOS, Late, Result, Schedule, Tick, workflow};
/// #[workflow]
/// async fn remind(tick: Tick<String>) -> Result<()> {
///     println!("{} is due", tick.context);
///     Ok(())
/// }
///
/// # async fn example() -> Result<()> {
/// let rent = Schedule::new("rent", "0 9 1 * *", remind, "the rent".to_owned());
/// DBOS::create_schedule(rent.timezone("Europe/Berlin").late(Late::RunLast)).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a schedule is given to `DBOS::create_schedule`"]
pub struct Schedule {
    name: String,
    cron: String,
    timezone: Option<String>,
    workflow: &'static dyn AnyWorkflow,
    context: Result<Value, String>,
    late: Late,
    queue: Option<&'static Queue>,
}

impl Schedule {
    /// A schedule that starts `workflow` at each tick of `cron`, with `context` in the tick; by UTC, late ticks skipped.
    pub fn new<C, R>(
        name: impl Into<String>,
        cron: impl Into<String>,
        workflow: fn(Tick<C>) -> WorkflowCall<R>,
        context: C,
    ) -> Self
    where
        C: Serialize,
        R: 'static,
    {
        let json = serde_json::to_value(&context).map_err(|error| error.to_string());
        let workflow = workflow(Tick::new(SystemTime::UNIX_EPOCH, context)).into_workflow();
        Self {
            name: name.into(),
            cron: cron.into(),
            timezone: None,
            workflow,
            context: json,
            late: Late::default(),
            queue: None,
        }
    }

    /// The clocks it goes by, for example `Europe/Berlin`.
    pub fn timezone(mut self, name: impl Into<String>) -> Self {
        self.timezone = Some(name.into());
        self
    }

    /// What becomes of the ticks that nobody was there for.
    pub fn late(mut self, late: Late) -> Self {
        self.late = late;
        self
    }

    /// The queue its workflows wait in.
    pub fn queue(mut self, queue: &'static Queue) -> Self {
        self.queue = Some(queue);
        self
    }

    fn workflow_name(&self) -> &'static str {
        (self.workflow.function().name)()
    }

    /// The row it becomes, if it makes sense.
    fn checked(self, application: &str, now_ms: i64) -> Result<NewSchedule> {
        check_key("schedule name", &self.name)?;
        check_times(&self.name, &self.cron, self.timezone.as_deref(), now_ms)?;
        Ok(NewSchedule {
            workflow: self.workflow_name().to_owned(),
            context: self.context.map_err(|reason| unstorable_context(&self.name, reason))?,
            name: self.name,
            cron: self.cron,
            timezone: self.timezone,
            late: self.late,
            queue: self.queue.map(|queue| queue.name().to_owned()),
            application: application.to_owned(),
            is_declared: false,
            now_ms,
        })
    }
}

impl fmt::Debug for Schedule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Schedule").field("name", &self.name).field("cron", &self.cron).finish_non_exhaustive()
    }
}

/// Which schedules a list has; all of the database if nothing is said.
#[derive(Clone, Debug, Default)]
#[must_use = "a filter is given to `DBOS::list_schedules`"]
pub struct ScheduleFilter {
    prefix: Option<String>,
    workflow: Option<String>,
    is_paused: Option<bool>,
}

impl ScheduleFilter {
    /// All schedules.
    pub fn new() -> Self {
        Self::default()
    }

    /// Those whose name begins so.
    pub fn name_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// Those of this workflow.
    pub fn workflow_name(mut self, name: impl Into<String>) -> Self {
        self.workflow = Some(name.into());
        self
    }

    /// Those that are paused.
    pub fn paused(mut self) -> Self {
        self.is_paused = Some(true);
        self
    }

    /// Those that are not.
    pub fn active(mut self) -> Self {
        self.is_paused = Some(false);
        self
    }

    fn has(&self, schedule: &ScheduleStatus) -> bool {
        self.prefix.as_ref().is_none_or(|prefix| schedule.name.starts_with(prefix.as_str()))
            && self.workflow.as_ref().is_none_or(|workflow| schedule.workflow_name == *workflow)
            && self.is_paused.is_none_or(|is_paused| schedule.is_paused == is_paused)
    }
}

impl Manager {
    /// Creates a schedule for `application`, or for the one that has its workflow.
    async fn create_schedule(&self, schedule: Schedule, application: Option<&str>) -> Result<()> {
        let application = match application {
            Some(application) => application.to_owned(),
            None => self.code_of(schedule.workflow_name(), None, &schedule.name).await?.application,
        };
        let new = schedule.checked(&application, self.now_ms().await?)?;
        let write = self.store().durable_write("create a schedule").await;
        let stays = self.store().put_schedule(&new, Existing::Keep).await?;
        write.end().await;
        match stays {
            Some(_) => Err(Error::ScheduleExists { schedule: new.name }),
            None => {
                self.tell(&Fact::Scheduled).await;
                Ok(())
            }
        }
    }

    /// The schedules that `filter` asks for.
    pub(crate) async fn schedules(&self, filter: &ScheduleFilter) -> Result<Vec<ScheduleStatus>> {
        let schedules = self.store().schedules().await?;
        Ok(schedules.into_iter().filter(|schedule| filter.has(schedule)).collect())
    }

    async fn find_schedule(&self, name: &str) -> Result<Option<ScheduleStatus>> {
        Ok(self.store().schedules().await?.into_iter().find(|schedule| schedule.name == name))
    }

    /// One schedule.
    pub(crate) async fn schedule(&self, name: &str) -> Result<ScheduleStatus> {
        self.find_schedule(name).await?.ok_or_else(|| no_schedule(name))
    }

    /// Lets a schedule start nothing more.
    pub(crate) async fn pause_schedule(&self, name: &str) -> Result<()> {
        self.set_paused(name, true).await
    }

    /// Lets a schedule go on with its next tick.
    pub(crate) async fn resume_schedule(&self, name: &str) -> Result<()> {
        self.set_paused(name, false).await
    }

    async fn set_paused(&self, name: &str, pauses: bool) -> Result<()> {
        if !self.store().pause_schedule(name, pauses, self.now_ms().await?).await? {
            return Err(no_schedule(name));
        }
        self.tell(&Fact::Scheduled).await;
        Ok(())
    }

    /// Starts a workflow of a schedule now. `key` tells one trigger from another.
    pub(crate) async fn trigger_schedule(&self, name: &str, key: Option<String>) -> Result<String> {
        let schedule = self.schedule(name).await?;
        let now_ms = self.now_ms().await?;
        let workflow = format!("sched-{name}-trigger-{}", key.unwrap_or_else(|| rfc3339(now_ms)));
        let run = ScheduledRun { workflow: workflow.clone(), instant_ms: now_ms };
        self.start_beside(&schedule, &[run], now_ms).await?;
        Ok(workflow)
    }

    /// Starts the workflows of all ticks from `from_ms` to before `until_ms` that were not started; gives them.
    pub(crate) async fn backfill_schedule(&self, name: &str, from_ms: i64, until_ms: i64) -> Result<Vec<String>> {
        let schedule = self.schedule(name).await?;
        let refused = |reason| Error::InvalidKey { what: format!("a backfill of schedule `{name}`"), reason };
        let cron = Cron::parse(&schedule.cron, schedule.timezone.as_deref()).map_err(refused)?;
        let next = |instant_ms: &i64| cron.next_after(*instant_ms).filter(|next_ms| *next_ms < until_ms);
        let ticks = std::iter::successors(next(&from_ms.saturating_sub(1)), next);
        let runs: Vec<_> = ticks.map(|instant_ms| schedule.tick(instant_ms)).take(MOST + 1).collect();
        if runs.len() > MOST {
            return Err(refused(format!("it has more than {MOST} ticks; fill a shorter time at once")));
        }
        self.start_beside(&schedule, &runs, self.now_ms().await?).await
    }

    async fn start_beside(&self, schedule: &ScheduleStatus, runs: &[ScheduledRun], now_ms: i64) -> Result<Vec<String>> {
        let runner = self.runner(schedule).await?;
        let started = self.store().start_beside(schedule, &runner, runs, now_ms).await?;
        self.tell(&Fact::Enqueued { queue: schedule.queue().to_owned() }).await;
        Ok(started)
    }

    /// The latest version that has the workflow: of the application that has the schedule, else of this one.
    async fn runner(&self, schedule: &ScheduleStatus) -> Result<Runner> {
        let name = schedule.workflow_name.as_str();
        let own = match self {
            Self::Engine(executor) if executor.workflow(name).is_some() => Some(executor.application.as_str()),
            Self::Engine(_) | Self::Database(_) => None,
        };
        let runs_it = self.code_of(name, schedule.application_name.as_deref().or(own), &schedule.name).await?;
        let workflow = workflows().into_iter().find(|workflow| (workflow.function().name)() == name);
        Ok(Runner { timeout_ms: workflow.and_then(|workflow| workflow.options().timeout).map(millis), ..runs_it })
    }

    /// The latest version of an application, or of any, that has the workflow of `schedule`.
    async fn code_of(&self, workflow: &str, application: Option<&str>, schedule: &str) -> Result<Runner> {
        self.store().runner_of(workflow, application).await?.ok_or_else(|| Error::InvalidKey {
            what: format!("schedule `{schedule}`"),
            reason: format!("no program with a workflow `{workflow}` was ever launched on this database"),
        })
    }

    /// Deletes a schedule, if there is one.
    pub(crate) async fn delete_schedule(&self, name: &str) -> Result<bool> {
        self.store().delete_schedule(name).await
    }
}

/// Refuses a pattern and a zone that make no sense.
pub(super) fn check_times(schedule: &str, cron: &str, timezone: Option<&str>, now_ms: i64) -> Result<()> {
    let refused = |reason| Error::InvalidKey { what: format!("schedule `{schedule}`"), reason };
    match Cron::parse(cron, timezone).map_err(refused)?.next_after(now_ms) {
        Some(_) => Ok(()),
        None => Err(refused(format!("`{cron}` never comes"))),
    }
}

pub(super) fn unstorable_context(schedule: &str, reason: String) -> Error {
    Error::Unstorable { what: format!("the context of schedule `{schedule}`"), reason }
}

pub(super) fn no_schedule(name: &str) -> Error {
    Error::NonExistentSchedule { schedule: name.to_owned() }
}

fn instant_ms(instant: SystemTime) -> i64 {
    millis(instant.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

#[track_caller]
pub(crate) fn create_schedule(schedule: Schedule) -> StepCall<'static, Result<()>> {
    let question = Question::here("DBOS.createSchedule");
    StepCall::operation(question.answer(|executor| async move {
        let own = executor.runs_workflows.then(|| executor.application.clone());
        Manager::Engine(executor).create_schedule(schedule, own.as_deref()).await
    }))
}

#[track_caller]
pub(crate) fn get_schedule(name: String) -> StepCall<'static, Result<Option<ScheduleStatus>>> {
    let question = Question::here("DBOS.getSchedule");
    StepCall::operation(question.answer(|executor| async move { Manager::Engine(executor).find_schedule(&name).await }))
}

#[track_caller]
pub(crate) fn list_schedules(filter: ScheduleFilter) -> StepCall<'static, Result<Vec<ScheduleStatus>>> {
    let question = Question::here("DBOS.listSchedules");
    StepCall::operation(question.answer(|executor| async move { Manager::Engine(executor).schedules(&filter).await }))
}

#[track_caller]
pub(crate) fn pause_schedule(name: String) -> StepCall<'static, Result<()>> {
    let question = Question::here("DBOS.pauseSchedule");
    StepCall::operation(
        question.answer(|executor| async move { Manager::Engine(executor).pause_schedule(&name).await }),
    )
}

#[track_caller]
pub(crate) fn resume_schedule(name: String) -> StepCall<'static, Result<()>> {
    let question = Question::here("DBOS.resumeSchedule");
    StepCall::operation(
        question.answer(|executor| async move { Manager::Engine(executor).resume_schedule(&name).await }),
    )
}

#[track_caller]
pub(crate) fn trigger_schedule(name: String) -> StepCall<'static, Result<String>> {
    let question = Question::here("DBOS.triggerSchedule");
    // A crash between the start and its record must not start a second one.
    let key = question.derived_id();
    StepCall::operation(
        question.answer(|executor| async move { Manager::Engine(executor).trigger_schedule(&name, key).await }),
    )
}

#[track_caller]
pub(crate) fn backfill_schedule(
    name: String,
    from: SystemTime,
    until: SystemTime,
) -> StepCall<'static, Result<Vec<String>>> {
    let question = Question::here("DBOS.backfillSchedule");
    StepCall::operation(question.answer(move |executor| async move {
        Manager::Engine(executor).backfill_schedule(&name, instant_ms(from), instant_ms(until)).await
    }))
}

#[track_caller]
pub(crate) fn delete_schedule(name: String) -> StepCall<'static, Result<()>> {
    let question = Question::here("DBOS.deleteSchedule");
    StepCall::operation(
        question.answer(|executor| async move { Manager::Engine(executor).delete_schedule(&name).await.map(drop) }),
    )
}
