//! `workflow_events`: the latest value under each key of a workflow.

use super::Store;
use super::backend::Access;
#[cfg(feature = "http")]
use super::page::Page;
use super::sql::Statement;
use crate::error::{Error, Result};
use crate::status::Status;

/// What a look for an event found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum EventLook {
    /// Its value, as JSON.
    Value(String),
    /// Not set, and never will be: the workflow is over.
    Never,
    /// Not set so far.
    NotYet,
}

impl Store {
    /// Looks for the event under `key` once.
    pub(crate) async fn look_for_event(&self, workflow: &str, key: &str) -> Result<EventLook> {
        // Event and status are read together: a workflow that sets its event and ends between two
        // reads would else look as if it had ended without.
        let statement = Statement::new(
            "SELECT workflow.status, event.value
               FROM dbos.workflow_status AS workflow
               LEFT JOIN dbos.workflow_events AS event
                 ON event.workflow_uuid = workflow.workflow_uuid AND event.key = $2
              WHERE workflow.workflow_uuid = $1",
        )
        .bind(workflow)
        .bind(key);
        let rows = self.insist("read an event", Access::Read, &statement).await?;
        let Some(row) = rows.first() else { return Ok(EventLook::NotYet) };
        let read = |error| Error::database("read an event", error);
        if let Some(value) = row.get::<Option<String>>("value").map_err(read)? {
            return Ok(EventLook::Value(value));
        }
        let status = row.get::<Option<String>>("status").map_err(read)?.as_deref().and_then(Status::parse);
        Ok(if status.is_some_and(Status::is_terminal) { EventLook::Never } else { EventLook::NotYet })
    }

    /// Each key with its latest value.
    pub(crate) async fn all_events(&self, workflow: &str) -> Result<Vec<(String, String)>> {
        const ACTION: &str = "read the events of a workflow";
        let statement =
            Statement::new("SELECT key, value FROM dbos.workflow_events WHERE workflow_uuid = $1").bind(workflow);
        let rows = self.insist(ACTION, Access::Read, &statement).await?;
        let events: sqlx::Result<_> = rows.iter().map(|row| Ok((row.text("key")?, row.text("value")?))).collect();
        events.map_err(|error| Error::database(ACTION, error))
    }

    /// The first `limit` values under `key` after the step `after`, and whether the workflow is over. One that does not
    /// exist may still be started.
    #[cfg(feature = "http")]
    pub(crate) async fn published(&self, workflow: &str, key: &str, after: i64, limit: i64) -> Result<Page> {
        const ACTION: &str = "read the events of a workflow";
        let statement = Statement::new(
            "SELECT workflow.status, CAST(history.function_id AS BIGINT) AS function_id, history.value
               FROM dbos.workflow_status AS workflow
               LEFT JOIN dbos.workflow_events_history AS history
                 ON history.workflow_uuid = workflow.workflow_uuid AND history.key = $2 AND history.function_id > $3
              WHERE workflow.workflow_uuid = $1
              ORDER BY history.function_id
              LIMIT $4",
        )
        .bind(workflow)
        .bind(key)
        .bind(after)
        .bind(limit);
        let rows = self.insist(ACTION, Access::Read, &statement).await?;
        Page::of(&rows, "function_id").map_err(|error| Error::database(ACTION, error))
    }
}
