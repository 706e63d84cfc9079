//! `workflow_schedules`, and the workflows that schedules start.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::backend::Access;
use super::connection::{Connection, Isolation};
use super::sql::{Row, Statement};
use super::{PORTABLE, Store, within};
use crate::error::{Error, Result};
use crate::id::random_id;
use crate::queue::INTERNAL_QUEUE;
use crate::schedule::{Late, rfc3339, tick_id};

/// How a context is marked as JSON for those libraries that read no other.
const MARKED: &str = "superjson";

/// A schedule as its row tells it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ScheduleStatus {
    /// Its name, unique in the database.
    pub name: String,
    /// The workflow that it starts.
    pub workflow_name: String,
    /// Its cron pattern.
    pub cron: String,
    /// By whose clocks it goes; UTC if there is none.
    pub timezone: Option<String>,
    /// Whether it starts nothing at present.
    pub is_paused: bool,
    /// What becomes of its late ticks.
    pub late: Late,
    /// What its workflows are given beside their tick.
    pub context: Value,
    /// The queue its workflows wait in; the internal one of all DBOS libraries if there is none.
    pub queue_name: Option<String>,
    /// The application it belongs to.
    pub application_name: Option<String>,
    /// Its latest tick that started a workflow, in milliseconds since 1970.
    pub last_tick_at_ms: Option<i64>,
    /// Whether it stands in the code of the application.
    pub is_declared: bool,
    #[serde(skip)]
    pub(crate) id: String,
    /// Before this instant nothing was missed.
    #[serde(skip)]
    pub(crate) since_ms: Option<i64>,
}

/// A schedule to be made.
#[derive(Clone, Debug)]
pub(crate) struct NewSchedule {
    pub(crate) name: String,
    pub(crate) workflow: String,
    pub(crate) cron: String,
    pub(crate) timezone: Option<String>,
    pub(crate) context: Value,
    pub(crate) late: Late,
    pub(crate) queue: Option<String>,
    pub(crate) application: String,
    pub(crate) is_declared: bool,
    pub(crate) now_ms: i64,
}

/// What is done if there is a schedule of that name, but another one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Existing {
    /// It becomes the new one, if it is the application's.
    Replace,
    /// It stays.
    Keep,
}

/// Whom the workflows of a schedule belong to, and what runs them.
#[derive(Clone, Debug)]
pub(crate) struct Runner {
    pub(crate) application: String,
    pub(crate) version: String,
    pub(crate) timeout_ms: Option<i64>,
}

/// A workflow that a schedule starts.
#[derive(Clone, Debug)]
pub(crate) struct ScheduledRun {
    pub(crate) workflow: String,
    pub(crate) instant_ms: i64,
}

/// What this library keeps beside a context. Others read past it.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
struct Ours {
    late: Late,
    declared: bool,
    since_ms: i64,
}

/// A context as it is stored.
#[derive(Debug, Deserialize, Serialize)]
struct Context {
    json: Value,
    #[serde(rename = "__dbos_serializer")]
    serializer: String,
    #[serde(default, rename = "dbos_rust", skip_serializing_if = "Option::is_none")]
    ours: Option<Ours>,
}

impl Context {
    fn new(json: Value, ours: Ours) -> Self {
        Self { json, serializer: MARKED.to_owned(), ours: Some(ours) }
    }

    fn written(&self) -> String {
        serde_json::to_string(self).expect("it has text for keys")
    }

    /// What others wrote is JSON, or has no meaning here.
    fn read(text: &str) -> (Value, Option<Ours>) {
        match serde_json::from_str::<Self>(text) {
            Ok(context) if context.serializer == MARKED => (context.json, context.ours),
            _ => (serde_json::from_str(text).unwrap_or_default(), None),
        }
    }
}

impl ScheduleStatus {
    fn read(row: &Row) -> sqlx::Result<Self> {
        let (context, ours) = Context::read(&row.text("context")?);
        let backfills: i64 = row.get("backfills")?;
        let last: Option<String> = row.get("last_fired_at")?;
        Ok(Self {
            name: row.text("schedule_name")?,
            workflow_name: row.text("workflow_name")?,
            cron: row.text("schedule")?,
            timezone: row.get("cron_timezone")?,
            is_paused: row.text("status")? != "ACTIVE",
            late: ours.map_or(if backfills == 1 { Late::RunAll } else { Late::Skip }, |ours| ours.late),
            context,
            queue_name: row.get("queue_name")?,
            application_name: row.get("application_name")?,
            last_tick_at_ms: last.and_then(|last| last.parse::<Timestamp>().ok()).map(Timestamp::as_millisecond),
            is_declared: ours.is_some_and(|ours| ours.declared),
            id: row.text("schedule_id")?,
            since_ms: ours.map(|ours| ours.since_ms),
        })
    }

    /// The queue its workflows wait in.
    pub(crate) fn queue(&self) -> &str {
        self.queue_name.as_deref().unwrap_or(INTERNAL_QUEUE)
    }

    /// The workflow that is its tick at an instant.
    pub(crate) fn tick(&self, instant_ms: i64) -> ScheduledRun {
        ScheduledRun { workflow: tick_id(&self.name, instant_ms), instant_ms }
    }

    /// Whether it ticks by this pattern and these clocks.
    pub(crate) fn ticks_by(&self, cron: &str, timezone: Option<&str>) -> bool {
        self.cron == cron && self.timezone.as_deref() == timezone
    }

    fn is_same(&self, new: &NewSchedule) -> bool {
        self.ticks_by(&new.cron, new.timezone.as_deref())
            && self.workflow_name == new.workflow
            && self.context == new.context
            && self.late == new.late
            && self.queue_name == new.queue
            && self.is_declared == new.is_declared
            && self.application_name.as_ref() == Some(&new.application)
    }

    fn is_anothers(&self, application: &str) -> bool {
        self.application_name.as_deref().is_some_and(|owner| owner != application)
    }
}

impl NewSchedule {
    fn context_since(&self, since_ms: i64) -> String {
        let ours = Ours { late: self.late, declared: self.is_declared, since_ms };
        Context::new(self.context.clone(), ours).written()
    }
}

impl Store {
    /// All schedules of the database, by name.
    pub(crate) async fn schedules(&self) -> Result<Vec<ScheduleStatus>> {
        let statement = Statement::new(
            "SELECT schedule_id, schedule_name, workflow_name, schedule, status, context, last_fired_at, cron_timezone,
                    CAST(CASE WHEN automatic_backfill THEN 1 ELSE 0 END AS BIGINT) AS backfills, queue_name,
                    application_name
               FROM dbos.workflow_schedules
              ORDER BY schedule_name",
        );
        let rows = self.insist("list schedules", Access::Read, &statement).await?;
        let schedules: sqlx::Result<_> = rows.iter().map(ScheduleStatus::read).collect();
        schedules.map_err(|error| Error::database("list schedules", error))
    }

    /// Makes a schedule, unless the same is there; gives the other one that stays, if one does.
    pub(crate) async fn put_schedule(&self, new: &NewSchedule, existing: Existing) -> Result<Option<ScheduleStatus>> {
        self.repeat("create a schedule", || self.try_to_put_schedule(new, existing)).await
    }

    async fn try_to_put_schedule(&self, new: &NewSchedule, existing: Existing) -> sqlx::Result<Option<ScheduleStatus>> {
        let mut connection = self.begin(Isolation::ReadCommitted).await?;
        if self.write_in(&mut connection, &insert(new)).await?.is_empty()
            && let Some(found) = self.lock_schedule(&mut connection, &new.name).await?
        {
            let keeps = existing == Existing::Keep || found.is_anothers(&new.application);
            if keeps || found.is_same(new) {
                within(self.deadline(), connection.rollback()).await?;
                return Ok(Some(found).filter(|found| !found.is_same(new)));
            }
            let is_on_time = found.ticks_by(&new.cron, new.timezone.as_deref());
            let since_ms = found.since_ms.filter(|_| is_on_time).unwrap_or(new.now_ms);
            self.write_in(&mut connection, &replace(new, since_ms)).await?;
        }
        within(self.deadline(), connection.commit()).await?;
        Ok(None)
    }

    /// Makes of a schedule what `change` makes of it, or nothing if that refuses it; `None` if there is none of that name.
    /// With another pattern nothing was missed before.
    pub(crate) async fn update_schedule(
        &self,
        name: &str,
        now_ms: i64,
        change: impl Fn(&ScheduleStatus) -> Result<ScheduleStatus>,
    ) -> Result<Option<Result<()>>> {
        let write = self.durable_write("change a schedule").await;
        let changed = self
            .repeat("change a schedule", async || {
                let mut connection = self.begin(Isolation::ReadCommitted).await?;
                let changed = match self.lock_schedule(&mut connection, name).await? {
                    None => None,
                    Some(found) => Some(match change(&found) {
                        Ok(changed) => {
                            self.write_in(&mut connection, &update(&found, &changed, now_ms)).await?;
                            Ok(())
                        }
                        Err(refused) => Err(refused),
                    }),
                };
                within(self.deadline(), connection.commit()).await?;
                Ok(changed)
            })
            .await?;
        write.end().await;
        Ok(changed)
    }

    /// Pauses a schedule or lets it go on; `false` if there is none of that name. What passed while it was paused was
    /// not missed.
    pub(crate) async fn pause_schedule(&self, name: &str, pauses: bool, now_ms: i64) -> Result<bool> {
        let write = self.durable_write("pause or resume a schedule").await;
        let is_there = self
            .repeat("pause or resume a schedule", async || {
                let mut connection = self.begin(Isolation::ReadCommitted).await?;
                let found = self.lock_schedule(&mut connection, name).await?;
                if let Some(found) = found.as_ref().filter(|found| found.is_paused != pauses) {
                    self.write_in(&mut connection, &set_paused(found, pauses, now_ms)).await?;
                }
                within(self.deadline(), connection.commit()).await?;
                Ok(found.is_some())
            })
            .await?;
        write.end().await;
        Ok(is_there)
    }

    /// Deletes a schedule, if there is one of that name. What it has started goes on.
    pub(crate) async fn delete_schedule(&self, name: &str) -> Result<bool> {
        let statement = Statement::new(
            "DELETE FROM dbos.workflow_schedules
              WHERE schedule_name = $1
             RETURNING schedule_name",
        )
        .bind(name);
        let write = self.durable_write("delete a schedule").await;
        let deleted = self.insist("delete a schedule", Access::Write, &statement).await?;
        write.end().await;
        Ok(!deleted.is_empty())
    }

    /// Starts what `due` says of a schedule, unless it is paused or gone. Whoever comes second sees what the first has
    /// done, because the row is locked meanwhile. Gives the workflows that were not there before.
    pub(crate) async fn fire(
        &self,
        name: &str,
        runner: &Runner,
        now_ms: i64,
        due: impl Fn(&ScheduleStatus) -> Vec<i64>,
    ) -> Result<Vec<String>> {
        let write = self.durable_write("start the ticks of a schedule").await;
        let started = self
            .repeat("start the ticks of a schedule", async || {
                let mut connection = self.begin(Isolation::ReadCommitted).await?;
                let found = self.lock_schedule(&mut connection, name).await?.filter(|found| !found.is_paused);
                let mut started = Vec::new();
                if let Some(found) = found {
                    let ticks = due(&found);
                    for instant_ms in &ticks {
                        let run = found.tick(*instant_ms);
                        started.extend(self.start_scheduled(&mut connection, &found, runner, &run, now_ms).await?);
                    }
                    if let Some(last_ms) = ticks.last() {
                        self.write_in(&mut connection, &note_fired(name, *last_ms)).await?;
                    }
                }
                within(self.deadline(), connection.commit()).await?;
                Ok(started)
            })
            .await?;
        write.end().await;
        Ok(started)
    }

    /// Starts workflows of a schedule, paused or not, beside its own ticks. Gives those that were not there before.
    pub(crate) async fn start_beside(
        &self,
        schedule: &ScheduleStatus,
        runner: &Runner,
        runs: &[ScheduledRun],
        now_ms: i64,
    ) -> Result<Vec<String>> {
        let write = self.durable_write("start workflows of a schedule").await;
        let started = self
            .repeat("start workflows of a schedule", async || {
                let mut connection = self.begin(Isolation::ReadCommitted).await?;
                let mut started = Vec::new();
                for run in runs {
                    started.extend(self.start_scheduled(&mut connection, schedule, runner, run, now_ms).await?);
                }
                within(self.deadline(), connection.commit()).await?;
                Ok(started)
            })
            .await?;
        write.end().await;
        Ok(started)
    }

    /// The latest version that has a workflow, of `application` or of any.
    pub(crate) async fn runner_of(&self, workflow: &str, application: Option<&str>) -> Result<Option<Runner>> {
        const ACTION: &str = "look for the code of a schedule";
        let statement = Statement::new(
            "SELECT known.application_name, known.version_name
               FROM dbos.application_versions AS known
               JOIN dbos_rust.version_workflows AS code ON code.version = known.version_name
              WHERE code.name = $1
                AND known.application_name = COALESCE($2, known.application_name)
              ORDER BY known.version_timestamp DESC, known.version_name
              LIMIT 1",
        )
        .bind(workflow)
        .bind(application.map(str::to_owned));
        let rows = self.insist(ACTION, Access::Read, &statement).await?;
        let runner = |row: &Row| {
            let (application, version) = (row.text("application_name")?, row.text("version_name")?);
            Ok(Runner { application, version, timeout_ms: None })
        };
        rows.first().map(runner).transpose().map_err(|error| Error::database(ACTION, error))
    }

    async fn lock_schedule(&self, connection: &mut Connection, name: &str) -> sqlx::Result<Option<ScheduleStatus>> {
        let statement = Statement::new(
            "SELECT schedule_id, schedule_name, workflow_name, schedule, status, context, last_fired_at, cron_timezone,
                    CAST(CASE WHEN automatic_backfill THEN 1 ELSE 0 END AS BIGINT) AS backfills, queue_name,
                    application_name
               FROM dbos.workflow_schedules AS schedule
              WHERE schedule_name = $1
                FOR UPDATE OF schedule",
        )
        .bind(name);
        self.write_in(connection, &statement).await?.first().map(ScheduleStatus::read).transpose()
    }

    async fn start_scheduled(
        &self,
        connection: &mut Connection,
        schedule: &ScheduleStatus,
        runner: &Runner,
        run: &ScheduledRun,
        now_ms: i64,
    ) -> sqlx::Result<Option<String>> {
        if self.write_in(connection, &status_row(schedule, runner, run, now_ms)).await?.is_empty() {
            return Ok(None);
        }
        self.write_in(connection, &input_row(schedule, run, now_ms)).await?;
        Ok(Some(run.workflow.clone()))
    }

    async fn write_in(&self, connection: &mut Connection, statement: &Statement) -> sqlx::Result<Vec<Row>> {
        within(self.deadline(), connection.run(statement)).await
    }
}

/// The class is empty, and not absent: the tools of the library for TypeScript start no tick by hand otherwise.
fn insert(new: &NewSchedule) -> Statement {
    let statement = Statement::new(
        "INSERT INTO dbos.workflow_schedules
                (schedule_name, workflow_name, schedule, cron_timezone, context, automatic_backfill, queue_name,
                 application_name, status, schedule_id, workflow_class_name)
         VALUES ($1, $2, $3, $4, $5, $6 = 1, $7, $8, 'ACTIVE', $9, '')
         ON CONFLICT (schedule_name) DO NOTHING
         RETURNING schedule_id",
    );
    with_definition(statement, new, new.now_ms).bind(random_id())
}

fn replace(new: &NewSchedule, since_ms: i64) -> Statement {
    let statement = Statement::new(
        "UPDATE dbos.workflow_schedules
            SET workflow_name = $2, schedule = $3, cron_timezone = $4, context = $5, automatic_backfill = ($6 = 1),
                queue_name = $7, application_name = $8, workflow_class_name = ''
          WHERE schedule_name = $1",
    );
    with_definition(statement, new, since_ms)
}

fn with_definition(statement: Statement, new: &NewSchedule, since_ms: i64) -> Statement {
    statement
        .bind(&new.name)
        .bind(&new.workflow)
        .bind(&new.cron)
        .bind(new.timezone.clone())
        .bind(new.context_since(since_ms))
        .bind(i64::from(new.late == Late::RunAll))
        .bind(new.queue.clone())
        .bind(&new.application)
}

/// What another library wrote as the context stays as it is, unless it is to say something else.
fn update(found: &ScheduleStatus, changed: &ScheduleStatus, now_ms: i64) -> Statement {
    let is_on_time = found.ticks_by(&changed.cron, changed.timezone.as_deref());
    let since_ms = found.since_ms.filter(|_| is_on_time).unwrap_or(now_ms);
    let ours = Ours { late: changed.late, declared: changed.is_declared, since_ms };
    let is_rewritten = found.since_ms.is_some() || (&found.context, found.late) != (&changed.context, changed.late);
    let context = is_rewritten.then(|| Context::new(changed.context.clone(), ours).written());
    Statement::new(
        "UPDATE dbos.workflow_schedules
            SET schedule = $2, cron_timezone = $3, context = COALESCE($4, context), automatic_backfill = ($5 = 1),
                queue_name = $6
          WHERE schedule_name = $1",
    )
    .bind(&found.name)
    .bind(&changed.cron)
    .bind(changed.timezone.clone())
    .bind(context)
    .bind(i64::from(changed.late == Late::RunAll))
    .bind(changed.queue_name.clone())
}

/// The context of a schedule that this library made also says since when it runs.
fn set_paused(schedule: &ScheduleStatus, pauses: bool, now_ms: i64) -> Statement {
    let ours = Ours { late: schedule.late, declared: schedule.is_declared, since_ms: now_ms };
    let context = schedule.since_ms.filter(|_| !pauses).map(|_| Context::new(schedule.context.clone(), ours).written());
    Statement::new(
        "UPDATE dbos.workflow_schedules
            SET status = $2, context = COALESCE($3, context)
          WHERE schedule_name = $1",
    )
    .bind(&schedule.name)
    .bind(if pauses { "PAUSED" } else { "ACTIVE" })
    .bind(context)
}

fn note_fired(name: &str, instant_ms: i64) -> Statement {
    Statement::new("UPDATE dbos.workflow_schedules SET last_fired_at = $2 WHERE schedule_name = $1")
        .bind(name)
        .bind(rfc3339(instant_ms))
}

fn status_row(schedule: &ScheduleStatus, runner: &Runner, run: &ScheduledRun, now_ms: i64) -> Statement {
    Statement::new(
        "INSERT INTO dbos.workflow_status
                (workflow_uuid, status, name, application_name, application_version, creator_xid, created_at, updated_at,
                 workflow_timeout_ms, recovery_attempts, queue_name, serialization, schedule_name)
         VALUES ($1, 'ENQUEUED', $2, $3, $4, $5, $6, $6, $7, 0, $8, $9, $10)
         ON CONFLICT (workflow_uuid) DO NOTHING
         RETURNING workflow_uuid",
    )
    .bind(&run.workflow)
    .bind(&schedule.workflow_name)
    .bind(&runner.application)
    .bind(&runner.version)
    .bind(random_id())
    .bind(now_ms)
    .bind(runner.timeout_ms)
    .bind(schedule.queue())
    .bind(PORTABLE)
    .bind(&schedule.name)
}

/// The two arguments that every DBOS library starts a scheduled workflow with.
fn input_row(schedule: &ScheduleStatus, run: &ScheduledRun, now_ms: i64) -> Statement {
    let inputs = serde_json::json!({
        "positionalArgs": [rfc3339(run.instant_ms), &schedule.context],
        "namedArgs": {},
    });
    Statement::new(
        "INSERT INTO dbos.workflow_input (workflow_uuid, inputs, retention_timestamp)
         VALUES ($1, $2, $3)
         ON CONFLICT (workflow_uuid) DO NOTHING",
    )
    .bind(&run.workflow)
    .bind(inputs.to_string())
    .bind(now_ms)
}
