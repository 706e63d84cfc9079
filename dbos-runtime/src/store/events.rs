//! `workflow_events`: the latest value under each key of a workflow.

use super::Store;
use super::backend::Access;
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
}
