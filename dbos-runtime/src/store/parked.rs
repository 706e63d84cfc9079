//! The rows of workflows that left memory while they wait.

use std::collections::{BTreeSet, HashMap};

use super::Store;
use super::backend::{Access, Dialect};
use super::fragments::claimed_columns;
use super::queues::queue_names;
use super::sql::{Row, Statement};
use super::steps::{History, recorded_step};
use super::workflows::{Claimed, claimed};
use crate::error::{Error, Result};
use crate::wakeup::{Due, Fact};

/// How many workflows are asked for in one statement.
const CHUNK: usize = 1000;

impl Store {
    /// Gives up the place that a workflow has in its queue: it is delayed until `until_ms`, or until it is
    /// [put back](Self::return_to_queues) before. It stays with its executor, and neither this nor taking it out again is
    /// an attempt. Gives whether it was the run `owner`'s to give.
    pub(crate) async fn give_up_place(&self, workflow: &str, owner: &str, until_ms: i64, now_ms: i64) -> Result<bool> {
        let statement = Statement::new(
            "UPDATE dbos.workflow_status
                SET status = 'DELAYED', delay_until_epoch_ms = $3, updated_at = $4,
                    recovery_attempts = CASE WHEN recovery_attempts > 0 THEN recovery_attempts - 1 ELSE 0 END
              WHERE workflow_uuid = $1
                AND owner_xid = $2
                AND status = 'PENDING'
             RETURNING workflow_uuid",
        )
        .bind(workflow)
        .bind(owner)
        .bind(until_ms)
        .bind(now_ms);
        Ok(!self.insist("give up a place in a queue", Access::Write, &statement).await?.is_empty())
    }

    /// Puts those that gave up their places back into their queues, as far as they are still delayed. Gives the queues.
    pub(crate) async fn return_to_queues(&self, due: &[Due], now_ms: i64) -> Result<BTreeSet<String>> {
        let statement = Statement::new(match self.dialect() {
            Dialect::Postgres => {
                "UPDATE dbos.workflow_status
                    SET status = 'ENQUEUED', owner_xid = NULL, executor_id = NULL, updated_at = $2
                   FROM json_array_elements($1::json) AS run
                  WHERE workflow_uuid = run.value ->> 0
                    AND owner_xid = run.value ->> 1
                    AND status = 'DELAYED'
                 RETURNING COALESCE(queue_name, '') AS queue_name"
            }
            Dialect::Sqlite => {
                "UPDATE dbos.workflow_status
                    SET status = 'ENQUEUED', owner_xid = NULL, executor_id = NULL, updated_at = $2
                  WHERE (workflow_uuid, owner_xid) IN
                        (SELECT json_extract(run.value, '$[0]'), json_extract(run.value, '$[1]')
                           FROM json_each($1) AS run)
                    AND status = 'DELAYED'
                 RETURNING COALESCE(queue_name, '') AS queue_name"
            }
        })
        .bind(pairs(due))
        .bind(now_ms);
        queue_names(&self.insist("put workflows back into their queues", Access::Write, &statement).await?)
    }

    /// Those that are still open and still the runs they were, with their histories.
    pub(crate) async fn still_ours(&self, due: &[Due]) -> Result<Vec<Claimed>> {
        let statement = Statement::new(match self.dialect() {
            Dialect::Postgres => concat!(
                "SELECT ",
                claimed_columns!(),
                " FROM dbos.workflow_status
                  JOIN json_array_elements($1::json) AS run
                    ON workflow_uuid = run.value ->> 0 AND owner_xid = run.value ->> 1
                 WHERE status = 'PENDING'"
            ),
            Dialect::Sqlite => concat!(
                "SELECT ",
                claimed_columns!(),
                " FROM dbos.workflow_status
                  JOIN json_each($1) AS run
                    ON workflow_uuid = json_extract(run.value, '$[0]') AND owner_xid = json_extract(run.value, '$[1]')
                 WHERE status = 'PENDING'"
            ),
        })
        .bind(pairs(due));
        let mut runs = claimed(&self.insist("read workflows that waited", Access::Read, &statement).await?);
        let mut histories = self.histories(runs.iter().map(|run| run.workflow.as_str()).collect()).await?;
        for run in &mut runs {
            run.history = Some(histories.remove(&run.workflow).unwrap_or_default());
        }
        Ok(runs)
    }

    async fn histories(&self, workflows: Vec<&str>) -> Result<HashMap<String, History>> {
        const ACTION: &str = "read the histories of workflows";
        let statement = Statement::new(match self.dialect() {
            Dialect::Postgres => {
                "SELECT workflow_uuid, CAST(function_id AS BIGINT) AS function_id, function_name, output, error,
                        child_workflow_id
                   FROM json_array_elements_text($1::json) AS asked
                   JOIN dbos.operation_outputs ON workflow_uuid = asked.value"
            }
            Dialect::Sqlite => {
                "SELECT workflow_uuid, CAST(function_id AS BIGINT) AS function_id, function_name, output, error,
                        child_workflow_id
                   FROM json_each($1) AS asked
                   JOIN dbos.operation_outputs ON workflow_uuid = asked.value"
            }
        })
        .bind(serde_json::to_string(&workflows).expect("strings are JSON"));
        let mut histories = HashMap::<String, History>::new();
        let failed = |error| Error::database(ACTION, error);
        for row in self.insist(ACTION, Access::Read, &statement).await? {
            let history = histories.entry(row.text("workflow_uuid").map_err(failed)?).or_default();
            history.insert(row.step_id("function_id").map_err(failed)?, recorded_step(&row).map_err(failed)?);
        }
        Ok(histories)
    }

    /// The messages that nobody has taken, for open workflows of `executor`.
    pub(crate) async fn untaken_messages(&self, executor: &str) -> Result<Vec<Fact>> {
        const ACTION: &str = "look for messages";
        let statement = Statement::new(
            "SELECT DISTINCT workflow.workflow_uuid, message.topic
               FROM dbos.workflow_status AS workflow
               JOIN dbos.notifications AS message
                 ON message.destination_uuid = workflow.workflow_uuid AND message.consumed = FALSE
              WHERE workflow.status IN ('PENDING', 'DELAYED')
                AND workflow.executor_id = $1",
        )
        .bind(executor);
        let rows = self.insist(ACTION, Access::Read, &statement).await?;
        let message = |row: &Row| Ok(Fact::Message { workflow: row.text("workflow_uuid")?, topic: row.text("topic")? });
        rows.iter().map(message).collect::<sqlx::Result<_>>().map_err(|error| Error::database(ACTION, error))
    }

    /// What has come of `workflows` that somebody may wait for: the ends of those that have ended, and all their events.
    pub(crate) async fn what_came_of(&self, workflows: &[String]) -> Result<Vec<Fact>> {
        let mut facts = Vec::new();
        for chunk in workflows.chunks(CHUNK) {
            let asked = serde_json::to_string(chunk).expect("strings are JSON");
            for workflow in self.over(&asked).await? {
                facts.push(Fact::Ended { workflow });
            }
            facts.extend(self.events_of(&asked).await?);
        }
        Ok(facts)
    }

    /// Those that have ended, or never will because they are not there.
    async fn over(&self, asked: &str) -> Result<Vec<String>> {
        const ACTION: &str = "look which workflows have ended";
        let statement = Statement::new(match self.dialect() {
            Dialect::Postgres => {
                "SELECT asked.value AS workflow_uuid
                   FROM json_array_elements_text($1::json) AS asked
                   LEFT JOIN dbos.workflow_status AS workflow ON workflow.workflow_uuid = asked.value
                  WHERE workflow.workflow_uuid IS NULL
                     OR workflow.status IN ('SUCCESS', 'ERROR', 'CANCELLED', 'MAX_RECOVERY_ATTEMPTS_EXCEEDED')"
            }
            Dialect::Sqlite => {
                "SELECT asked.value AS workflow_uuid
                   FROM json_each($1) AS asked
                   LEFT JOIN dbos.workflow_status AS workflow ON workflow.workflow_uuid = asked.value
                  WHERE workflow.workflow_uuid IS NULL
                     OR workflow.status IN ('SUCCESS', 'ERROR', 'CANCELLED', 'MAX_RECOVERY_ATTEMPTS_EXCEEDED')"
            }
        })
        .bind(asked);
        let rows = self.insist(ACTION, Access::Read, &statement).await?;
        let over = rows.iter().map(|row| row.text("workflow_uuid")).collect::<sqlx::Result<_>>();
        over.map_err(|error| Error::database(ACTION, error))
    }

    async fn events_of(&self, asked: &str) -> Result<Vec<Fact>> {
        const ACTION: &str = "look which events are set";
        let statement = Statement::new(match self.dialect() {
            Dialect::Postgres => {
                "SELECT workflow_uuid, key
                   FROM json_array_elements_text($1::json) AS asked
                   JOIN dbos.workflow_events ON workflow_uuid = asked.value"
            }
            Dialect::Sqlite => {
                "SELECT workflow_uuid, workflow_events.key AS key
                   FROM json_each($1) AS asked
                   JOIN dbos.workflow_events ON workflow_uuid = asked.value"
            }
        })
        .bind(asked);
        let rows = self.insist(ACTION, Access::Read, &statement).await?;
        let event = |row: &Row| Ok(Fact::Event { workflow: row.text("workflow_uuid")?, key: row.text("key")? });
        rows.iter().map(event).collect::<sqlx::Result<_>>().map_err(|error| Error::database(ACTION, error))
    }
}

fn pairs(due: &[Due]) -> String {
    let pairs: Vec<_> = due.iter().map(|due| [&due.workflow, &due.owner]).collect();
    serde_json::to_string(&pairs).expect("strings are JSON")
}
