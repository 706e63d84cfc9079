//! The name of an application, in every table that has it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::connection::{Connection, Isolation};
use super::executors::ExecutorRow;
use super::sql::Statement;
use super::{Store, within};
use crate::error::Result;

/// How long one statement may take: the rows of an application may be many.
const PATIENCE: Duration = Duration::from_mins(10);

/// What has another owner since an application was renamed.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RenamedApplication {
    /// So many workflows, ended or not.
    pub workflows: i64,
    /// So many queues.
    pub queues: i64,
    /// So many schedules.
    pub schedules: i64,
    /// So many versions.
    pub versions: i64,
}

/// What became of an attempt to rename an application.
#[derive(Debug)]
pub(crate) enum Renaming {
    Done(RenamedApplication),
    /// This executor is alive; nothing was changed.
    InUse(String),
}

const WORKFLOWS: &str = "SELECT count(*) AS rows FROM dbos.workflow_status WHERE application_name = $1";
const QUEUES: &str = "SELECT count(*) AS rows FROM dbos.queues WHERE application_name = $1";
const SCHEDULES: &str = "SELECT count(*) AS rows FROM dbos.workflow_schedules WHERE application_name = $1";
const VERSIONS: &str = "SELECT count(*) AS rows FROM dbos.application_versions WHERE application_name = $1";

/// Queues and schedules first: with them goes what clients and ticks are about to start. A migration that both names have
/// applied stays the new one's.
const CHANGES: [&str; 7] = [
    "UPDATE dbos.queues SET application_name = $2 WHERE application_name = $1",
    "UPDATE dbos.workflow_schedules SET application_name = $2 WHERE application_name = $1",
    "UPDATE dbos.application_versions SET application_name = $2 WHERE application_name = $1",
    "UPDATE dbos.workflow_status SET application_name = $2 WHERE application_name = $1",
    "UPDATE dbos.operation_outputs SET application_name = $2 WHERE application_name = $1",
    "UPDATE dbos_rust.app_migrations
        SET application_name = $2
      WHERE application_name = $1
        AND version NOT IN (SELECT version FROM dbos_rust.app_migrations WHERE application_name = $2)",
    "DELETE FROM dbos_rust.app_migrations WHERE application_name = $1 AND application_name <> $2",
];

impl Store {
    /// Gives all rows of the application `old` to `new`, unless one of its executors is alive.
    pub(crate) async fn rename_application(
        &self,
        old: &str,
        new: &str,
        is_alive: impl Fn(&ExecutorRow) -> bool,
    ) -> Result<Renaming> {
        let write = self.durable_write("rename an application").await;
        let renaming = self.repeat("rename an application", || self.try_to_rename(old, new, &is_alive)).await?;
        write.end().await;
        Ok(renaming)
    }

    async fn try_to_rename(
        &self,
        old: &str,
        new: &str,
        is_alive: &impl Fn(&ExecutorRow) -> bool,
    ) -> sqlx::Result<Renaming> {
        let mut connection = self.begin(Isolation::ReadCommitted).await?;
        let renaming = self.rename_in(&mut connection, old, new, is_alive).await?;
        match renaming {
            Renaming::Done(_) => within(PATIENCE, connection.commit()).await?,
            Renaming::InUse(_) => within(self.deadline(), connection.rollback()).await?,
        }
        Ok(renaming)
    }

    async fn rename_in(
        &self,
        connection: &mut Connection,
        old: &str,
        new: &str,
        is_alive: &impl Fn(&ExecutorRow) -> bool,
    ) -> sqlx::Result<Renaming> {
        let executors = within(self.deadline(), executors_of(connection, old)).await?;
        if let Some(alive) = executors.into_iter().find(is_alive) {
            return Ok(Renaming::InUse(alive.executor));
        }
        let renamed = RenamedApplication {
            workflows: count(connection, WORKFLOWS, old).await?,
            queues: count(connection, QUEUES, old).await?,
            schedules: count(connection, SCHEDULES, old).await?,
            versions: count(connection, VERSIONS, old).await?,
        };
        for change in CHANGES {
            within(PATIENCE, connection.run(&Statement::new(change).bind(old).bind(new))).await?;
        }
        for executor in within(self.deadline(), executors_of(connection, old)).await? {
            // One may have been launched meanwhile.
            if is_alive(&executor) {
                return Ok(Renaming::InUse(executor.executor));
            }
            // What the dead have left behind is recovered by who has the new name.
            let change = "UPDATE dbos_rust.executors SET application_name = $2 WHERE executor_id = $1";
            within(self.deadline(), connection.run(&Statement::new(change).bind(executor.executor).bind(new))).await?;
        }
        Ok(Renaming::Done(renamed))
    }
}

async fn executors_of(connection: &mut Connection, application: &str) -> sqlx::Result<Vec<ExecutorRow>> {
    let statement = Statement::new(
        "SELECT executor_id, boot_id, lock_path, expires_at_ms
           FROM dbos_rust.executors
          WHERE application_name = $1",
    )
    .bind(application);
    connection.run(&statement).await?.iter().map(ExecutorRow::read).collect()
}

async fn count(connection: &mut Connection, counting: &'static str, application: &str) -> sqlx::Result<i64> {
    let rows = within(PATIENCE, connection.run(&Statement::new(counting).bind(application))).await?;
    rows.first().ok_or(sqlx::Error::RowNotFound)?.get("rows")
}
