//! `application_versions`, and which code each version has for each workflow.

use serde::{Deserialize, Serialize};

use super::Store;
use super::backend::Access;
use super::sql::{Row, Statement};
use crate::error::{Error, Result};
use crate::id::random_id;

/// A version of the application that has been launched.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ApplicationVersion {
    /// Its name.
    pub version: String,
    /// Whether it is the latest: the last to be launched for the first time, unless another was chosen since.
    pub is_latest: bool,
    /// When it was first launched, in milliseconds since 1970.
    pub created_at_ms: i64,
    /// How many of the workflows that were started under it have not ended.
    pub open: i64,
    /// How many of these the code of the latest version cannot run.
    pub stranded: i64,
}

/// To whom a workflow belongs.
#[derive(Debug)]
pub(crate) struct Home {
    pub(crate) application: String,
    /// The latest version that has the workflow, if one has.
    pub(crate) version: Option<String>,
}

impl Store {
    /// The versions of the application, the latest first. What is nobody's is everybody's.
    pub(crate) async fn versions(&self, application: &str) -> Result<Vec<ApplicationVersion>> {
        let statement = Statement::new(
            "SELECT version.version_name, version.created_at,
                    (SELECT count(*)
                       FROM dbos.workflow_status AS workflow
                      WHERE (workflow.status = 'PENDING' OR workflow.status = 'ENQUEUED'
                             OR workflow.status = 'DELAYED')
                        AND workflow.application_name = $1
                        AND workflow.application_version = version.version_name) AS open
               FROM dbos.application_versions AS version
              WHERE version.application_name = $1
                 OR version.application_name IS NULL
              ORDER BY version.version_timestamp DESC, version.version_name",
        )
        .bind(application);
        let rows = self.insist("list the versions", Access::Read, &statement).await?;
        let versions: sqlx::Result<Vec<_>> = rows.iter().map(version).collect();
        let mut versions = versions.map_err(|error| Error::database("list the versions", error))?;
        let Some(latest) = versions.first_mut() else { return Ok(versions) };
        latest.is_latest = true;
        for stranded in self.stranded(application, &latest.version.clone()).await? {
            if let Some(version) = versions.iter_mut().find(|version| version.version == stranded.version) {
                version.stranded += stranded.count;
            }
        }
        Ok(versions)
    }

    /// Makes `version` the latest of the application; `false` if it has no such version.
    pub(crate) async fn set_latest_version(&self, application: &str, version: &str, now_ms: i64) -> Result<bool> {
        let statement = Statement::new(
            "UPDATE dbos.application_versions
                SET version_timestamp = (SELECT CASE WHEN max(other.version_timestamp) >= $3
                                                     THEN max(other.version_timestamp) + 1 ELSE $3 END
                                           FROM dbos.application_versions AS other)
              WHERE version_name = $2
                AND (application_name = $1 OR application_name IS NULL)
             RETURNING version_name",
        )
        .bind(application)
        .bind(version)
        .bind(now_ms);
        Ok(!self.insist("choose the latest version", Access::Write, &statement).await?.is_empty())
    }

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

    /// To which application a workflow of this name belongs that is put into `queue`; `None` if nobody has the queue. An
    /// application of another DBOS library has not told which workflows it has.
    pub(crate) async fn home(&self, queue: &str, workflow: &str) -> Result<Option<Home>> {
        const ACTION: &str = "look who serves a queue";
        let statement = Statement::new(
            "SELECT queue.application_name,
                    (SELECT version.version_name
                       FROM dbos.application_versions AS version
                      WHERE version.application_name = queue.application_name
                        AND (EXISTS (SELECT 1
                                       FROM dbos_rust.version_workflows AS has
                                      WHERE has.version = version.version_name AND has.name = $2)
                             OR NOT EXISTS (SELECT 1
                                              FROM dbos_rust.version_workflows AS has
                                             WHERE has.version = version.version_name))
                      ORDER BY version.version_timestamp DESC
                      LIMIT 1) AS version
               FROM dbos.queues AS queue
              WHERE queue.name = $1
                AND queue.application_name IS NOT NULL",
        )
        .bind(queue)
        .bind(workflow);
        let rows = self.insist(ACTION, Access::Read, &statement).await?;
        let home = |row: &Row| Ok(Home { application: row.text("application_name")?, version: row.get("version")? });
        rows.first().map(home).transpose().map_err(|error| Error::database(ACTION, error))
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
                "this version was registered with other code for the workflow; give the new code another version, unless it takes \
                 the recorded steps, as patches make sure"
            );
        }
        Ok(())
    }
}

fn version(row: &Row) -> sqlx::Result<ApplicationVersion> {
    Ok(ApplicationVersion {
        version: row.text("version_name")?,
        created_at_ms: row.get("created_at")?,
        open: row.get("open")?,
        ..ApplicationVersion::default()
    })
}
