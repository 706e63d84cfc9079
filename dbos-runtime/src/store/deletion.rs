//! Deleting workflows with everything that is recorded of them.

use super::Store;
use super::backend::Dialect;
use super::connection::{Connection, Isolation};
use super::sql::Statement;
use super::within;
use crate::error::Result;

/// The rows of a list of workflows, table by table; the rows that others refer to come last.
macro_rules! deletions {
    ($list:literal) => {
        [
            concat!("DELETE FROM dbos_rust.left_queues WHERE workflow_id IN (SELECT value FROM ", $list, ")"),
            concat!("DELETE FROM dbos.notifications WHERE destination_uuid IN (SELECT value FROM ", $list, ")"),
            concat!("DELETE FROM dbos.workflow_events WHERE workflow_uuid IN (SELECT value FROM ", $list, ")"),
            concat!("DELETE FROM dbos.workflow_events_history WHERE workflow_uuid IN (SELECT value FROM ", $list, ")"),
            concat!("DELETE FROM dbos.streams WHERE workflow_uuid IN (SELECT value FROM ", $list, ")"),
            concat!("DELETE FROM dbos.workflow_input WHERE workflow_uuid IN (SELECT value FROM ", $list, ")"),
            concat!("DELETE FROM dbos.workflow_output WHERE workflow_uuid IN (SELECT value FROM ", $list, ")"),
            concat!("DELETE FROM dbos.operation_outputs WHERE workflow_uuid IN (SELECT value FROM ", $list, ")"),
            concat!("DELETE FROM dbos.workflow_status WHERE workflow_uuid IN (SELECT value FROM ", $list, ")"),
        ]
    };
}

/// What became of workflows that were to be deleted.
#[derive(Debug, PartialEq)]
pub(crate) enum Deletion {
    /// They are gone.
    Done,
    /// Nothing was deleted: this one has not ended.
    Refused { workflow: String, status: String },
}

impl Store {
    /// Deletes these workflows, all or none of them.
    pub(crate) async fn delete(&self, workflows: &[String]) -> Result<Deletion> {
        let write = self.durable_write("delete workflows").await;
        let list = serde_json::to_string(workflows).expect("strings are JSON");
        let done = self
            .repeat("delete workflows", async || {
                let mut connection = self.begin(Isolation::ReadCommitted).await?;
                if let Some(refused) = self.open_one(&mut connection, &list).await? {
                    within(self.deadline(), connection.rollback()).await?;
                    return Ok(refused);
                }
                self.delete_rows(&mut connection, &list).await?;
                within(self.deadline(), connection.commit()).await?;
                Ok(Deletion::Done)
            })
            .await?;
        write.end().await;
        Ok(done)
    }

    /// Deletes every row of the workflows in this JSON list.
    pub(super) async fn delete_rows(&self, connection: &mut Connection, list: &str) -> sqlx::Result<()> {
        let deletions = match self.dialect() {
            Dialect::Postgres => deletions!("json_array_elements_text($1::json)"),
            Dialect::Sqlite => deletions!("json_each($1)"),
        };
        for deletion in deletions {
            within(self.deadline(), connection.run(&Statement::new(deletion).bind(list))).await?;
        }
        Ok(())
    }

    /// Locks the rows, so that none is resumed meanwhile, and gives the first that has not ended.
    async fn open_one(&self, connection: &mut Connection, list: &str) -> sqlx::Result<Option<Deletion>> {
        let statement = Statement::new(match self.dialect() {
            Dialect::Postgres => {
                "SELECT workflow_uuid, status
                   FROM dbos.workflow_status
                  WHERE workflow_uuid IN (SELECT value FROM json_array_elements_text($1::json))
                  ORDER BY workflow_uuid
                    FOR UPDATE"
            }
            Dialect::Sqlite => {
                "SELECT workflow_uuid, status
                   FROM dbos.workflow_status
                  WHERE workflow_uuid IN (SELECT value FROM json_each($1))"
            }
        })
        .bind(list);
        for row in within(self.deadline(), connection.run(&statement)).await? {
            let status: Option<String> = row.get("status")?;
            if let Some(status @ ("PENDING" | "ENQUEUED" | "DELAYED")) = status.as_deref() {
                return Ok(Some(Deletion::Refused { workflow: row.text("workflow_uuid")?, status: status.to_owned() }));
            }
        }
        Ok(None)
    }
}
