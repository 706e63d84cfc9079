//! The columns that tell on whose behalf a workflow runs.

use super::Store;
use super::backend::Access;
use super::sql::Statement;
use crate::caller::Provenance;
use crate::error::{Error, Result};

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

impl Store {
    /// On whose behalf `workflow` was started. Other libraries write these columns too, so what cannot be read is as
    /// if it were empty.
    pub(crate) async fn provenance(&self, workflow: &str) -> Result<Provenance> {
        const ACTION: &str = "read who started a workflow";
        let statement = Statement::new(
            "SELECT authenticated_user, authenticated_roles, assumed_role, request
               FROM dbos.workflow_status
              WHERE workflow_uuid = $1",
        )
        .bind(workflow);
        let rows = self.insist(ACTION, Access::Read, &statement).await?;
        let Some(row) = rows.first() else { return Ok(Provenance::default()) };
        let text = |column| row.get::<Option<String>>(column).map_err(|error| Error::database(ACTION, error));
        let roles = text("authenticated_roles")?.and_then(|roles| serde_json::from_str(&roles).ok());
        Ok(Provenance {
            user: text("authenticated_user")?,
            roles: roles.unwrap_or_default(),
            assumed_role: text("assumed_role")?,
            request: text("request")?.and_then(|request| serde_json::from_str(&request).ok()),
        })
    }
}
