//! Deleting what ended long ago.

use super::Store;
use super::backend::{Access, Dialect};
use super::connection::{Connection, Isolation};
use super::sql::Statement;
use super::within;
use crate::config::Retention;
use crate::error::{Error, Result};

/// How many workflows are deleted at once.
const BATCH: usize = 1000;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

impl Store {
    /// Deletes the workflows of `application` that `retention` does not keep, and says how many; `None` if another
    /// process is just doing it.
    pub(crate) async fn delete_expired(
        &self,
        application: &str,
        retention: Retention,
        now_ms: i64,
    ) -> Result<Option<usize>> {
        let Some(before_ms) = self.kept_from_ms(application, retention, now_ms).await? else { return Ok(Some(0)) };
        let mut deleted = 0;
        loop {
            let batch = async || self.delete_batch(application, before_ms).await;
            let Some(count) = self.repeat("delete what ended long ago", batch).await? else { return Ok(None) };
            deleted += count;
            if count < BATCH {
                return Ok(Some(deleted));
            }
        }
    }

    /// The instant before which what has ended is not kept: the later one, of the age and of the number.
    async fn kept_from_ms(&self, application: &str, retention: Retention, now_ms: i64) -> Result<Option<i64>> {
        let by_age = (retention.days > 0).then(|| now_ms.saturating_sub(i64::from(retention.days) * DAY_MS));
        if retention.rows == 0 {
            return Ok(by_age);
        }
        let statement = Statement::new(
            "SELECT completed_at
               FROM dbos.workflow_status
              WHERE completed_at IS NOT NULL
                AND (application_name = $1 OR application_name IS NULL)
              ORDER BY completed_at DESC
              LIMIT 1 OFFSET $2",
        )
        .bind(application)
        .bind(retention.rows - 1);
        let rows = self.insist("look for what ended long ago", Access::Read, &statement).await?;
        let by_number = rows.first().map(|row| row.get::<i64>("completed_at")).transpose();
        let by_number = by_number.map_err(|error| Error::database("look for what ended long ago", error))?;
        Ok(by_age.max(by_number))
    }

    /// `None` if it is another process's turn.
    async fn delete_batch(&self, application: &str, before_ms: i64) -> sqlx::Result<Option<usize>> {
        let mut connection = self.begin(Isolation::ReadCommitted).await?;
        if !self.lock_job(&mut connection, application).await? {
            within(self.deadline(), connection.rollback()).await?;
            return Ok(None);
        }
        let rows = within(self.deadline(), connection.run(&expired(application, before_ms))).await?;
        let expired: Vec<_> = rows.iter().map(|row| row.text("workflow_uuid")).collect::<sqlx::Result<_>>()?;
        if !expired.is_empty() {
            let list = serde_json::to_string(&expired).expect("strings are JSON");
            self.delete_rows(&mut connection, &list).await?;
        }
        within(self.deadline(), connection.commit()).await?;
        Ok(Some(expired.len()))
    }

    /// Takes the lock under which every DBOS library does its background jobs, until the transaction ends. On SQLite
    /// nobody else writes meanwhile in any case.
    async fn lock_job(&self, connection: &mut Connection, application: &str) -> sqlx::Result<bool> {
        if self.dialect() == Dialect::Sqlite {
            return Ok(true);
        }
        let statement = Statement::new(
            "SELECT pg_try_advisory_xact_lock(
                      ('x' || substr(encode(sha256(convert_to($1, 'UTF8')), 'hex'), 1, 16))::bit(64)::bigint) AS mine",
        )
        .bind(format!("dbos.background_job.{}.{application}.background_jobs", self.schema));
        let rows = within(self.deadline(), connection.run(&statement)).await?;
        rows.first().ok_or(sqlx::Error::RowNotFound)?.get("mine")
    }
}

/// What ended before the instant and nobody waits for: no parent that may still run, and no other workflow that has
/// begun to wait for it.
fn expired(application: &str, before_ms: i64) -> Statement {
    Statement::new(
        "SELECT candidate.workflow_uuid
           FROM dbos.workflow_status AS candidate
          WHERE candidate.completed_at < $1
            AND candidate.status IN ('SUCCESS', 'ERROR', 'CANCELLED', 'MAX_RECOVERY_ATTEMPTS_EXCEEDED')
            AND (candidate.application_name = $2 OR candidate.application_name IS NULL)
            AND NOT EXISTS (SELECT 1
                              FROM dbos.workflow_status AS parent
                             WHERE parent.workflow_uuid = candidate.parent_workflow_id
                               AND parent.status NOT IN ('SUCCESS', 'ERROR'))
            AND candidate.workflow_uuid NOT IN
                (SELECT step.child_workflow_id
                   FROM dbos.workflow_status AS waiting
                   JOIN dbos.operation_outputs AS step ON step.workflow_uuid = waiting.workflow_uuid
                  WHERE waiting.status IN ('ENQUEUED', 'PENDING')
                    AND step.child_workflow_id IS NOT NULL)
          ORDER BY candidate.completed_at
          LIMIT $3
            FOR NO KEY UPDATE OF candidate SKIP LOCKED",
    )
    .bind(before_ms)
    .bind(application)
    .bind(i64::try_from(BATCH).expect("a thousand"))
}
