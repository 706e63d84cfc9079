//! Workflows whose delay has not passed.

use std::collections::BTreeSet;

use super::Store;
use super::backend::Access;
use super::queues::queue_names;
use super::sql::Statement;
use crate::error::{Error, Result};

impl Store {
    /// When the next delay of the application passes.
    pub(crate) async fn next_due_ms(&self, application: &str) -> Result<Option<i64>> {
        let statement = Statement::new(
            "SELECT min(delay_until_epoch_ms) AS due
               FROM dbos.workflow_status
              WHERE status = 'DELAYED'
                AND (application_name = $1 OR application_name IS NULL)",
        )
        .bind(application);
        let rows = self.insist("look for delayed workflows", Access::Read, &statement).await?;
        let due = rows.first().map(|row| row.get::<Option<i64>>("due")).transpose();
        due.map(Option::flatten).map_err(|error| Error::database("look for delayed workflows", error))
    }

    /// Puts up to `most` workflows into their queues whose delay has passed, and gives the queues. A debounced one
    /// is no longer to be replaced.
    pub(crate) async fn enqueue_due(&self, application: &str, now_ms: i64, most: i64) -> Result<BTreeSet<String>> {
        let statement = Statement::new(
            "UPDATE dbos.workflow_status
                SET status = 'ENQUEUED', updated_at = $2,
                    deduplication_id = CASE WHEN is_debounced THEN NULL ELSE deduplication_id END
              WHERE workflow_uuid IN
                    (SELECT candidate.workflow_uuid
                       FROM dbos.workflow_status AS candidate
                      WHERE candidate.status = 'DELAYED'
                        AND candidate.delay_until_epoch_ms <= $2
                        AND (candidate.application_name = $1 OR candidate.application_name IS NULL)
                      ORDER BY candidate.delay_until_epoch_ms
                      LIMIT $3
                        FOR NO KEY UPDATE OF candidate SKIP LOCKED)
             RETURNING COALESCE(queue_name, '') AS queue_name",
        )
        .bind(application)
        .bind(now_ms)
        .bind(most);
        let rows = self.insist("enqueue workflows whose delay has passed", Access::Write, &statement).await?;
        queue_names(&rows)
    }
}
