//! `application_versions`, and which code each version has for each workflow.

use super::Store;
use super::backend::Access;
use super::sql::Statement;
use crate::error::{Error, Result};
use crate::id::random_id;

impl Store {
    /// Makes the version known to every DBOS library, and the hash of each of its workflows to ours.
    pub(crate) async fn register_version(
        &self,
        application: &str,
        version: &str,
        workflows: &[(&str, String)],
        now_ms: i64,
    ) -> Result<()> {
        let known = Statement::new(
            "INSERT INTO dbos.application_versions
                    (version_id, version_name, version_timestamp, created_at, application_name)
             VALUES ($1, $2, $3, $3, $4)
             ON CONFLICT (version_name) DO NOTHING",
        )
        .bind(random_id())
        .bind(version)
        .bind(now_ms)
        .bind(application);
        self.insist("register this version", Access::Write, &known).await?;
        for (name, hash) in workflows {
            self.register_workflow(version, name, hash).await?;
        }
        Ok(())
    }

    async fn register_workflow(&self, version: &str, name: &str, hash: &str) -> Result<()> {
        let insert = Statement::new(
            "INSERT INTO dbos_rust.version_workflows (version, name, hash)
             VALUES ($1, $2, $3)
             ON CONFLICT (version, name) DO UPDATE SET hash = version_workflows.hash
             RETURNING hash",
        );
        // On SQLite the table has another name, so the conflict clause names the column alone.
        let insert = match self.dialect() {
            super::backend::Dialect::Postgres => insert,
            super::backend::Dialect::Sqlite => Statement::new(
                "INSERT INTO dbos_rust.version_workflows (version, name, hash)
                 VALUES ($1, $2, $3)
                 ON CONFLICT (version, name) DO UPDATE SET hash = hash
                 RETURNING hash",
            ),
        };
        let rows = self
            .insist("register a workflow's code", Access::Write, &insert.bind(version).bind(name).bind(hash))
            .await?;
        let recorded = rows.first().map(|row| row.text("hash")).transpose();
        let recorded = recorded.map_err(|error| Error::database("register a workflow's code", error))?;
        if recorded.is_some_and(|recorded| recorded != hash) {
            tracing::warn!(
                workflow = name,
                version,
                "this version was registered with other code for the workflow; give the new code another version"
            );
        }
        Ok(())
    }
}
