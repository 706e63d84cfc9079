//! How many workflows and steps there are of a kind.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Store;
use super::backend::Access;
use super::sql::{Row, Statement};
use super::workflow_row::Columns;
use crate::clock::millis;
use crate::error::Result;

/// By what workflows or steps are told apart when they are counted, and which ones are.
///
/// ```
/// use std::time::Duration;
///
/// use dbos::Grouping;
///
/// let by_the_hour = Grouping::new().by_status().by_name().by_time(Duration::from_hours(1));
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a grouping counts nothing by itself"]
#[allow(clippy::struct_excessive_bools)] // each is a column
pub struct Grouping {
    status: bool,
    name: bool,
    queue: bool,
    version: bool,
    executor: bool,
    bucket_ms: i64,
    from_ms: Option<i64>,
    before_ms: Option<i64>,
    application_name: Option<String>,
}

impl Grouping {
    /// All together.
    pub fn new() -> Self {
        Self::default()
    }

    /// By where they stand. A step is `SUCCESS` or `ERROR`.
    pub fn by_status(mut self) -> Self {
        self.status = true;
        self
    }

    /// By their function.
    pub fn by_name(mut self) -> Self {
        self.name = true;
        self
    }

    /// By their queue. Steps have none.
    pub fn by_queue(mut self) -> Self {
        self.queue = true;
        self
    }

    /// By the version of the application they were started under. Steps have none.
    pub fn by_version(mut self) -> Self {
        self.version = true;
        self
    }

    /// By the executor that runs them or ran them last. Steps have none.
    pub fn by_executor(mut self) -> Self {
        self.executor = true;
        self
    }

    /// By the time at which a workflow was started or a step ended, cut into pieces as long as this, counted from 1970.
    pub fn by_time(mut self, piece: Duration) -> Self {
        self.bucket_ms = millis(piece).max(1);
        self
    }

    /// Only workflows that were started, or steps that ended, at this instant, in milliseconds since 1970, or later.
    pub fn from_ms(mut self, instant_ms: i64) -> Self {
        self.from_ms = Some(instant_ms);
        self
    }

    /// Only those before this instant, in milliseconds since 1970.
    pub fn before_ms(mut self, instant_ms: i64) -> Self {
        self.before_ms = Some(instant_ms);
        self
    }

    /// Only those of this application.
    pub fn application_name(mut self, name: impl Into<String>) -> Self {
        self.application_name = Some(name.into());
        self
    }

    fn bind_window_to(&self, statement: Statement) -> Statement {
        statement
            .bind(self.bucket_ms)
            .bind(self.from_ms.unwrap_or(i64::MIN))
            .bind(self.before_ms.map_or(i64::MAX, |before_ms| before_ms.saturating_sub(1)))
            .bind(self.application_name.clone())
    }
}

/// How many there are of one kind. What they are not told apart by is `None`.
#[derive(Clone, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[non_exhaustive]
pub struct Group {
    /// The beginning of the piece of time, in milliseconds since 1970.
    pub from_ms: Option<i64>,
    /// Where they stand.
    pub status: Option<String>,
    /// Their function.
    pub name: Option<String>,
    /// Their queue.
    pub queue_name: Option<String>,
    /// The version they were started under.
    pub application_version: Option<String>,
    /// The executor that has them or had them last.
    pub executor_id: Option<String>,
    /// How many.
    pub count: i64,
    /// How long the longest of those that have ended took from its start to its end.
    pub longest_ms: Option<i64>,
}

impl Store {
    /// The workflows, counted.
    pub(crate) async fn count_workflows(&self, grouping: &Grouping) -> Result<Vec<Group>> {
        let statement = grouping.bind_window_to(Statement::new(
            "SELECT CASE WHEN CAST($1 AS BIGINT) > 0 THEN created_at - created_at % CAST($1 AS BIGINT) END AS from_ms,
                    CASE WHEN CAST($5 AS BIGINT) = 1 THEN status END AS status,
                    CASE WHEN CAST($6 AS BIGINT) = 1 THEN name END AS name,
                    CASE WHEN CAST($7 AS BIGINT) = 1 THEN queue_name END AS queue_name,
                    CASE WHEN CAST($8 AS BIGINT) = 1 THEN application_version END AS application_version,
                    CASE WHEN CAST($9 AS BIGINT) = 1 THEN executor_id END AS executor_id,
                    count(*) AS members, max(completed_at - created_at) AS longest_ms
               FROM dbos.workflow_status
              WHERE created_at >= $2
                AND created_at <= $3
                AND (CAST($4 AS TEXT) IS NULL OR application_name = $4)
              GROUP BY 1, 2, 3, 4, 5, 6",
        ));
        let statement = statement
            .bind(i64::from(grouping.status))
            .bind(i64::from(grouping.name))
            .bind(i64::from(grouping.queue))
            .bind(i64::from(grouping.version))
            .bind(i64::from(grouping.executor));
        let rows = self.insist("count workflows", Access::Read, &statement).await?;
        Ok(groups(&rows, |columns| Group {
            queue_name: columns.read("queue_name"),
            application_version: columns.read("application_version"),
            executor_id: columns.read("executor_id"),
            ..common(columns)
        }))
    }

    /// The recorded steps, counted.
    pub(crate) async fn count_steps(&self, grouping: &Grouping) -> Result<Vec<Group>> {
        let statement = grouping.bind_window_to(Statement::new(
            "SELECT CASE WHEN CAST($1 AS BIGINT) > 0
                         THEN completed_at_epoch_ms - completed_at_epoch_ms % CAST($1 AS BIGINT) END AS from_ms,
                    CASE WHEN CAST($5 AS BIGINT) = 0 THEN NULL
                         WHEN error IS NULL THEN 'SUCCESS' ELSE 'ERROR' END AS status,
                    CASE WHEN CAST($6 AS BIGINT) = 1 THEN function_name END AS name,
                    count(*) AS members, max(completed_at_epoch_ms - started_at_epoch_ms) AS longest_ms
               FROM dbos.operation_outputs
              WHERE completed_at_epoch_ms >= $2
                AND completed_at_epoch_ms <= $3
                AND (CAST($4 AS TEXT) IS NULL OR application_name = $4)
              GROUP BY 1, 2, 3",
        ));
        let statement = statement.bind(i64::from(grouping.status)).bind(i64::from(grouping.name));
        let rows = self.insist("count steps", Access::Read, &statement).await?;
        Ok(groups(&rows, common))
    }
}

/// In the same order on both databases.
fn groups(rows: &[Row], read: impl Fn(&mut Columns<'_>) -> Group) -> Vec<Group> {
    let mut groups: Vec<_> = rows.iter().map(|row| read(&mut Columns::of(row))).collect();
    groups.sort();
    groups
}

fn common(columns: &mut Columns<'_>) -> Group {
    Group {
        from_ms: columns.read("from_ms"),
        status: columns.read("status"),
        name: columns.read("name"),
        count: columns.or_default("members"),
        longest_ms: columns.read("longest_ms"),
        ..Group::default()
    }
}
