//! `workflow_status`: reading, claiming, handing back, cancelling.

use std::collections::BTreeSet;

use super::Store;
use super::backend::{Access, Dialect};
use super::fragments::{claimed_columns, one_attempt_more, same_code};
use super::sql::{Row, Statement};
use super::steps::History;
use super::workflow_row::{WorkflowStatus, workflow_columns};
use crate::caller::Provenance;
use crate::error::{Error, Result};
use crate::status::Status;

/// The end of a workflow, as others read it.
#[derive(Clone, Debug)]
pub(crate) struct WorkflowOutcome {
    pub(crate) status: Status,
    pub(crate) output: Option<String>,
    pub(crate) error: Option<String>,
}

/// A workflow taken over from a dead executor, or taken out of a queue.
#[derive(Clone, Debug)]
pub(crate) struct Claimed {
    pub(crate) workflow: String,
    pub(crate) name: String,
    pub(crate) inputs: Option<String>,
    pub(crate) attempts: i64,
    pub(crate) deadline_ms: Option<i64>,
    pub(crate) provenance: Provenance,
    /// The queue it was taken out of.
    pub(crate) queue: Option<String>,
    /// What it has recorded, if that is known already.
    pub(crate) history: Option<History>,
    /// Why its row cannot be read, if it cannot: that is this workflow's trouble and no other's.
    pub(crate) unreadable: Option<String>,
}

/// Open workflows of one name that were started under one version, whose code differs from the code here.
#[derive(Clone, Debug)]
pub(crate) struct Stranded {
    pub(crate) version: String,
    pub(crate) name: String,
    pub(crate) count: i64,
}

/// Who claims, and for which code.
#[derive(Clone, Debug)]
pub(crate) struct Claimant {
    pub(crate) executor: String,
    pub(crate) application: String,
    pub(crate) version: String,
}

impl Store {
    pub(crate) async fn exists(&self, workflow: &str) -> Result<bool> {
        let statement =
            Statement::new("SELECT workflow_uuid FROM dbos.workflow_status WHERE workflow_uuid = $1").bind(workflow);
        Ok(!self.insist("look for a workflow", Access::Read, &statement).await?.is_empty())
    }

    pub(crate) async fn workflow_status(&self, workflow: &str) -> Result<Option<WorkflowStatus>> {
        let statement = Statement::new(concat!(
            "SELECT ",
            workflow_columns!(),
            ", COALESCE(input.inputs, workflow.inputs) AS inputs
                   FROM dbos.workflow_status AS workflow
                   LEFT JOIN dbos.workflow_input AS input ON input.workflow_uuid = workflow.workflow_uuid
                  WHERE workflow.workflow_uuid = $1"
        ))
        .bind(workflow);
        let rows = self.insist("read a workflow", Access::Read, &statement).await?;
        Ok(rows.first().map(|row| WorkflowStatus { given: row.get("inputs").ok(), ..WorkflowStatus::read(row) }))
    }

    /// The outcome of `workflow` if it has ended; the outer `None` if there is no such workflow.
    pub(crate) async fn outcome(&self, workflow: &str) -> Result<Option<Option<WorkflowOutcome>>> {
        let statement = Statement::new(
            "SELECT workflow.status, COALESCE(result.output, workflow.output) AS output,
                    COALESCE(result.error, workflow.error) AS error
               FROM dbos.workflow_status AS workflow
               LEFT JOIN dbos.workflow_output AS result ON result.workflow_uuid = workflow.workflow_uuid
              WHERE workflow.workflow_uuid = $1",
        )
        .bind(workflow);
        let rows = self.insist("read how a workflow ended", Access::Read, &statement).await?;
        let outcome = rows.first().map(outcome).transpose();
        outcome.map_err(|error| Error::database("read how a workflow ended", error))
    }

    /// Of `workflows`, those that have ended, with their outcomes, in the order in which they did; and those that do not
    /// exist, without one.
    pub(crate) async fn outcomes(
        &self,
        workflows: &BTreeSet<String>,
    ) -> Result<Vec<(String, Option<WorkflowOutcome>)>> {
        const ACTION: &str = "read how workflows ended";
        let statement = Statement::new(match self.dialect() {
            Dialect::Postgres => {
                "SELECT asked.value AS workflow_uuid, workflow.status,
                        COALESCE(result.output, workflow.output) AS output,
                        COALESCE(result.error, workflow.error) AS error
                   FROM json_array_elements_text($1::json) AS asked
                   LEFT JOIN dbos.workflow_status AS workflow ON workflow.workflow_uuid = asked.value
                   LEFT JOIN dbos.workflow_output AS result ON result.workflow_uuid = workflow.workflow_uuid
                  WHERE workflow.workflow_uuid IS NULL
                     OR workflow.status IN ('SUCCESS', 'ERROR', 'CANCELLED', 'MAX_RECOVERY_ATTEMPTS_EXCEEDED')
                  ORDER BY COALESCE(workflow.completed_at, workflow.updated_at), asked.value"
            }
            Dialect::Sqlite => {
                "SELECT asked.value AS workflow_uuid, workflow.status,
                        COALESCE(result.output, workflow.output) AS output,
                        COALESCE(result.error, workflow.error) AS error
                   FROM json_each($1) AS asked
                   LEFT JOIN dbos.workflow_status AS workflow ON workflow.workflow_uuid = asked.value
                   LEFT JOIN dbos.workflow_output AS result ON result.workflow_uuid = workflow.workflow_uuid
                  WHERE workflow.workflow_uuid IS NULL
                     OR workflow.status IN ('SUCCESS', 'ERROR', 'CANCELLED', 'MAX_RECOVERY_ATTEMPTS_EXCEEDED')
                  ORDER BY COALESCE(workflow.completed_at, workflow.updated_at), asked.value"
            }
        })
        .bind(serde_json::to_string(workflows).expect("strings are JSON"));
        let rows = self.insist(ACTION, Access::Read, &statement).await?;
        let outcomes: sqlx::Result<_> =
            rows.iter().map(|row| Ok((row.text("workflow_uuid")?, outcome(row)?))).collect();
        outcomes.map_err(|error| Error::database(ACTION, error))
    }

    /// Takes over up to `limit` workflows of the executor `dead`: those whose code here is the code
    /// they were started under. Each counts as one attempt, up to a number that no row can overflow: an
    /// error here would keep all of them waiting. Nothing is claimed for an executor that is itself taken for dead, and
    /// nothing of a queue, whose limits are kept where it is taken out again.
    pub(crate) async fn claim_from(
        &self,
        dead: &str,
        claimant: &Claimant,
        owner: &str,
        now_ms: i64,
        limit: i64,
    ) -> Result<Vec<Claimed>> {
        let statement = Statement::new(concat!(
            "WITH me AS (
               SELECT executor_id FROM dbos_rust.executors WHERE executor_id = $2 FOR KEY SHARE
             )
             UPDATE dbos.workflow_status
                SET owner_xid = $5, executor_id = $2, updated_at = $6,
                    ",
            one_attempt_more!(),
            "
              WHERE EXISTS (SELECT 1 FROM me)
                AND workflow_uuid IN
                    (SELECT candidate.workflow_uuid
                       FROM dbos.workflow_status AS candidate ",
            same_code!("candidate", "$4"),
            "
                      WHERE candidate.status = 'PENDING'
                        AND candidate.executor_id = $1
                        AND candidate.application_name = $3
                        AND (candidate.queue_name IS NULL
                             OR candidate.queue_name NOT IN (SELECT name FROM dbos.queues))
                      ORDER BY candidate.created_at
                      LIMIT $7
                        FOR NO KEY UPDATE OF candidate SKIP LOCKED)
             RETURNING ",
            claimed_columns!(),
        ))
        .bind(dead)
        .bind(&claimant.executor)
        .bind(&claimant.application)
        .bind(&claimant.version)
        .bind(owner)
        .bind(now_ms)
        .bind(limit);
        // One try: a claim whose answer is lost leaves rows that name us and that nobody runs, so
        // the caller asks again for what carries its owner token.
        let rows =
            self.run(Access::Write, &statement).await.map_err(|error| Error::database("claim workflows", error))?;
        Ok(claimed(&rows))
    }

    /// The workflows that carry `owner`: what a claim took whose answer was lost.
    pub(crate) async fn claimed_under(&self, owner: &str) -> Result<Vec<Claimed>> {
        let statement = Statement::new(
            "SELECT workflow.workflow_uuid, workflow.name, workflow.recovery_attempts,
                    workflow.workflow_deadline_epoch_ms, workflow.authenticated_user, workflow.authenticated_roles,
                    workflow.assumed_role, workflow.request, COALESCE(input.inputs, workflow.inputs) AS inputs
               FROM dbos.workflow_status AS workflow
               LEFT JOIN dbos.workflow_input AS input ON input.workflow_uuid = workflow.workflow_uuid
              WHERE workflow.status = 'PENDING'
                AND workflow.owner_xid = $1",
        )
        .bind(owner);
        Ok(claimed(&self.insist("read what was claimed", Access::Write, &statement).await?))
    }

    /// The open workflows that `executor` runs, or should, or that wait with it for a place in their queue:
    /// `(workflow, owner)`.
    pub(crate) async fn open_runs(&self, executor: &str) -> Result<Vec<(String, String)>> {
        let statement = Statement::new(
            "SELECT workflow_uuid, owner_xid
               FROM dbos.workflow_status
              WHERE status IN ('PENDING', 'DELAYED')
                AND executor_id = $1
                AND owner_xid IS NOT NULL",
        )
        .bind(executor);
        let rows = self.insist("look for forgotten workflows", Access::Read, &statement).await?;
        let runs = rows.iter().map(|row| Ok((row.text("workflow_uuid")?, row.text("owner_xid")?)));
        runs.collect::<sqlx::Result<_>>().map_err(|error| Error::database("look for forgotten workflows", error))
    }

    /// Claims one workflow from the run `from` of this executor, which is no more. Counts as an attempt.
    pub(crate) async fn claim_again(
        &self,
        workflow: &str,
        from: &str,
        owner: &str,
        now_ms: i64,
    ) -> Result<Option<Claimed>> {
        let statement = Statement::new(concat!(
            "UPDATE dbos.workflow_status
                SET owner_xid = $3, updated_at = $4,
                    ",
            one_attempt_more!(),
            "
              WHERE workflow_uuid = $1
                AND owner_xid = $2
                AND status = 'PENDING'
             RETURNING workflow_uuid"
        ))
        .bind(workflow)
        .bind(from)
        .bind(owner)
        .bind(now_ms);
        self.insist("claim a forgotten workflow", Access::Write, &statement).await?;
        Ok(self.claimed_under(owner).await?.pop())
    }

    /// Sets a workflow aside for a person.
    pub(crate) async fn dead_letter(&self, workflow: &str, owner: &str, now_ms: i64) -> Result<()> {
        let statement = Statement::new(
            "UPDATE dbos.workflow_status
                SET status = 'MAX_RECOVERY_ATTEMPTS_EXCEEDED', owner_xid = NULL, updated_at = $3, completed_at = $3,
                    deduplication_id = NULL, queue_name = NULL, started_at_epoch_ms = NULL
              WHERE workflow_uuid = $1
                AND owner_xid = $2
                AND status = 'PENDING'",
        )
        .bind(workflow)
        .bind(owner)
        .bind(now_ms);
        self.insist("set a workflow aside", Access::Write, &statement).await.map(drop)
    }

    /// Cancels `workflow` unless it has ended. `None` if there is no such workflow, else whether
    /// this call cancelled it.
    pub(crate) async fn cancel(&self, workflow: &str, now_ms: i64) -> Result<Option<bool>> {
        let statement = Statement::new(
            "UPDATE dbos.workflow_status
                SET status = 'CANCELLED', owner_xid = NULL, updated_at = $2, completed_at = $2,
                    deduplication_id = NULL, queue_name = NULL, started_at_epoch_ms = NULL
              WHERE workflow_uuid = $1
                AND status IN ('PENDING', 'ENQUEUED', 'DELAYED')
             RETURNING workflow_uuid",
        )
        .bind(workflow)
        .bind(now_ms);
        if !self.insist("cancel a workflow", Access::Write, &statement).await?.is_empty() {
            return Ok(Some(true));
        }
        Ok(self.exists(workflow).await?.then_some(false))
    }

    /// Gives the unfinished workflows of `executor` back, for anyone to claim; a later claim does
    /// not count as another attempt. Those that gave up their places in queues while they wait go back into these.
    pub(crate) async fn hand_back(&self, executor: &str, now_ms: i64) -> Result<usize> {
        let delayed = Statement::new(
            "UPDATE dbos.workflow_status
                SET status = 'ENQUEUED', owner_xid = NULL, executor_id = NULL, updated_at = $2
              WHERE executor_id = $1
                AND status = 'DELAYED'
                AND owner_xid IS NOT NULL
             RETURNING workflow_uuid",
        )
        .bind(executor)
        .bind(now_ms);
        let delayed = self.insist("hand workflows back", Access::Write, &delayed).await?.len();
        let statement = Statement::new(
            "UPDATE dbos.workflow_status
                SET owner_xid = NULL, updated_at = $2,
                    recovery_attempts = CASE WHEN recovery_attempts > 0 THEN recovery_attempts - 1 ELSE 0 END
              WHERE executor_id = $1
                AND status = 'PENDING'
                AND owner_xid IS NOT NULL
             RETURNING workflow_uuid",
        )
        .bind(executor)
        .bind(now_ms);
        Ok(delayed + self.insist("hand workflows back", Access::Write, &statement).await?.len())
    }

    /// Of the runs `(workflow, owner)`, those that are no longer theirs: taken over or cancelled.
    pub(crate) async fn lost_runs(&self, runs: &[(String, String)]) -> sqlx::Result<Vec<String>> {
        let mut lost = Vec::new();
        for chunk in runs.chunks(1000) {
            let statement = Statement::new(match self.dialect() {
                Dialect::Postgres => {
                    "SELECT run.value ->> 0 AS workflow_uuid
                       FROM json_array_elements($1::json) AS run
                       LEFT JOIN dbos.workflow_status AS workflow ON workflow.workflow_uuid = run.value ->> 0
                      WHERE workflow.owner_xid IS DISTINCT FROM run.value ->> 1"
                }
                Dialect::Sqlite => {
                    "SELECT json_extract(run.value, '$[0]') AS workflow_uuid
                       FROM json_each($1) AS run
                       LEFT JOIN dbos.workflow_status AS workflow
                         ON workflow.workflow_uuid = json_extract(run.value, '$[0]')
                      WHERE workflow.owner_xid IS NOT json_extract(run.value, '$[1]')"
                }
            })
            .bind(serde_json::to_string(chunk).expect("strings are JSON"));
            for row in self.run(Access::Read, &statement).await? {
                lost.push(row.text("workflow_uuid")?);
            }
        }
        Ok(lost)
    }

    /// Open workflows of this application that nobody with the code at hand can run, by version and
    /// name.
    pub(crate) async fn stranded(&self, application: &str, version: &str) -> Result<Vec<Stranded>> {
        let statement = Statement::new(
            "SELECT workflow.application_version, COALESCE(workflow.name, '') AS name, count(*) AS stranded
               FROM dbos.workflow_status AS workflow
              WHERE (workflow.status = 'PENDING' OR workflow.status = 'ENQUEUED' OR workflow.status = 'DELAYED')
                AND workflow.application_name = $1
                AND workflow.application_version <> $2
                AND NOT EXISTS
                    (SELECT 1
                       FROM dbos_rust.version_workflows AS theirs
                       JOIN dbos_rust.version_workflows AS mine
                         ON mine.version = $2 AND mine.name = theirs.name AND mine.hash = theirs.hash
                      WHERE theirs.version = workflow.application_version
                        AND theirs.name = workflow.name)
              GROUP BY workflow.application_version, workflow.name
              ORDER BY 1, 2",
        )
        .bind(application)
        .bind(version);
        let rows = self.repeat("count stranded workflows", || self.run(Access::Read, &statement)).await?;
        let stranded: sqlx::Result<_> = rows.iter().map(stranded).collect();
        stranded.map_err(|error| Error::database("count stranded workflows", error))
    }
}

fn stranded(row: &Row) -> sqlx::Result<Stranded> {
    Ok(Stranded { version: row.text("application_version")?, name: row.text("name")?, count: row.get("stranded")? })
}

fn outcome(row: &Row) -> sqlx::Result<Option<WorkflowOutcome>> {
    let status = row.get::<Option<String>>("status")?.as_deref().and_then(Status::parse);
    let Some(status) = status.filter(|status| status.is_terminal()) else { return Ok(None) };
    Ok(Some(WorkflowOutcome { status, output: row.get("output")?, error: row.get("error")? }))
}

pub(super) fn claimed(rows: &[Row]) -> Vec<Claimed> {
    rows.iter()
        .map(|row| {
            readable_claim(row).unwrap_or_else(|error| Claimed {
                workflow: row.text("workflow_uuid").unwrap_or_default(),
                name: row.text("name").unwrap_or_default(),
                inputs: None,
                attempts: 0,
                deadline_ms: None,
                provenance: Provenance::default(),
                queue: None,
                history: None,
                unreadable: Some(error.to_string()),
            })
        })
        .collect()
}

fn readable_claim(row: &Row) -> sqlx::Result<Claimed> {
    Ok(Claimed {
        workflow: row.text("workflow_uuid")?,
        name: row.get::<Option<String>>("name")?.unwrap_or_default(),
        inputs: row.get("inputs")?,
        attempts: row.get::<Option<i64>>("recovery_attempts")?.unwrap_or_default(),
        deadline_ms: row.get("workflow_deadline_epoch_ms")?,
        provenance: Provenance::read(row),
        queue: None,
        history: None,
        unreadable: None,
    })
}
