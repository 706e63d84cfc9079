//! What workflows are marked with, and their place in a queue.

use serde_json::{Map, Value as Json};

use super::Store;
use super::backend::{Access, Dialect};
use super::connection::{Connection, Isolation};
use super::sql::Statement;
use super::within;
use crate::error::Result;

/// What becomes of the attributes that a workflow has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Update {
    /// They give way.
    Replace,
    /// They stay, but for those of the same name.
    Merge,
}

impl Store {
    /// Marks `workflow` with `attributes`; `false` if there is no such workflow.
    pub(crate) async fn update_attributes(
        &self,
        workflow: &str,
        attributes: &Map<String, Json>,
        update: Update,
        now_ms: i64,
    ) -> Result<bool> {
        let action = "update the attributes of a workflow";
        let write = self.durable_write(action).await;
        let updated = self
            .repeat(action, async || {
                let mut connection = self.begin(Isolation::ReadCommitted).await?;
                let Some(mut own) = self.lock_attributes(&mut connection, workflow).await? else {
                    within(self.deadline(), connection.rollback()).await?;
                    return Ok(false);
                };
                if update == Update::Replace {
                    own.clear();
                }
                own.extend(attributes.clone());
                let statement = self.marked(workflow, &Json::Object(own).to_string(), now_ms);
                within(self.deadline(), connection.run(&statement)).await?;
                within(self.deadline(), connection.commit()).await?;
                Ok(true)
            })
            .await?;
        write.end().await;
        Ok(updated)
    }

    /// The attributes it has, as long as they can be read.
    async fn lock_attributes(
        &self,
        connection: &mut Connection,
        workflow: &str,
    ) -> sqlx::Result<Option<Map<String, Json>>> {
        let statement = Statement::new(
            "SELECT CAST(attributes AS TEXT) AS attributes
               FROM dbos.workflow_status AS candidate
              WHERE workflow_uuid = $1
                FOR NO KEY UPDATE OF candidate",
        )
        .bind(workflow);
        let rows = within(self.deadline(), connection.run(&statement)).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let text: Option<String> = row.get("attributes")?;
        Ok(Some(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()))
    }

    pub(super) fn marked(&self, workflow: &str, attributes: &str, now_ms: i64) -> Statement {
        Statement::new(match self.dialect() {
            Dialect::Postgres => {
                "UPDATE dbos.workflow_status SET attributes = $2::jsonb, updated_at = $3 WHERE workflow_uuid = $1"
            }
            Dialect::Sqlite => {
                "UPDATE dbos.workflow_status SET attributes = $2, updated_at = $3 WHERE workflow_uuid = $1"
            }
        })
        .bind(workflow)
        .bind(attributes)
        .bind(now_ms)
    }

    /// Gives `workflow` another place in its queue; `false` if it waits in none.
    pub(crate) async fn set_priority(&self, workflow: &str, priority: u32, now_ms: i64) -> Result<bool> {
        let statement = Statement::new(
            "UPDATE dbos.workflow_status
                SET priority = $2, updated_at = $3
              WHERE workflow_uuid = $1
                AND status IN ('ENQUEUED', 'DELAYED')
             RETURNING workflow_uuid",
        )
        .bind(workflow)
        .bind(priority)
        .bind(now_ms);
        Ok(!self.insist("set the priority of a workflow", Access::Write, &statement).await?.is_empty())
    }
}
