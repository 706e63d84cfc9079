//! The columns that tell on whose behalf a workflow runs.

use super::Store;
use super::backend::Access;
use super::sql::{Row, Statement};
use crate::caller::Provenance;
use crate::error::Result;

impl Provenance {
    /// The roles as the column holds them: a JSON list; nothing if there is no user.
    pub(super) fn roles_text(&self) -> Option<String> {
        self.user.as_ref().map(|_| serde_json::json!(self.roles).to_string())
    }

    /// The request as the column holds it: a JSON object.
    pub(super) fn request_text(&self) -> Option<String> {
        self.request.as_ref().map(|request| serde_json::json!(request).to_string())
    }
}

impl Provenance {
    /// What a row with all of these columns says. Other libraries write them too, so what cannot be read is as if it
    /// were empty.
    pub(super) fn read(row: &Row) -> Self {
        let text = |column| row.get::<Option<String>>(column).ok().flatten();
        let roles = text("authenticated_roles").and_then(|roles| serde_json::from_str(&roles).ok());
        Self {
            user: text("authenticated_user"),
            roles: roles.unwrap_or_default(),
            assumed_role: text("assumed_role"),
            request: text("request").and_then(|request| serde_json::from_str(&request).ok()),
        }
    }
}

impl Store {
    /// On whose behalf `workflow` was started.
    pub(crate) async fn provenance(&self, workflow: &str) -> Result<Provenance> {
        let statement = Statement::new(
            "SELECT authenticated_user, authenticated_roles, assumed_role, request
               FROM dbos.workflow_status
              WHERE workflow_uuid = $1",
        )
        .bind(workflow);
        let rows = self.insist("read who started a workflow", Access::Read, &statement).await?;
        Ok(rows.first().map(Provenance::read).unwrap_or_default())
    }
}
