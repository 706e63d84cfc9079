//! Lists of workflows, a page at a time.

use super::Store;
use super::backend::{Access, Dialect};
use super::filter::{Order, WorkflowFilter};
use super::sql::{Row, Statement};
use super::workflow_row::{Columns, WorkflowStatus, workflow_columns};
use crate::error::Result;
use crate::status::Status;

/// The statement that lists what fits, forwards or backwards.
macro_rules! listing {
    ($fits:expr, $after:literal, $order:literal) => {
        concat!(
            "SELECT ",
            workflow_columns!(),
            ", CASE WHEN CAST($27 AS BIGINT) = 1 THEN COALESCE(input.inputs, workflow.inputs) END AS inputs,
               CASE WHEN CAST($28 AS BIGINT) = 1 THEN COALESCE(result.output, workflow.output) END AS output,
               CASE WHEN CAST($28 AS BIGINT) = 1 THEN COALESCE(result.error, workflow.error) END AS error
               FROM dbos.workflow_status AS workflow
               LEFT JOIN dbos.workflow_input AS input
                 ON input.workflow_uuid = workflow.workflow_uuid AND CAST($27 AS BIGINT) = 1
               LEFT JOIN dbos.workflow_output AS result
                 ON result.workflow_uuid = workflow.workflow_uuid AND CAST($28 AS BIGINT) = 1
              WHERE ",
            $fits,
            " AND (CAST($11 AS BIGINT) IS NULL OR (workflow.created_at, workflow.workflow_uuid) ",
            $after,
            " ($11, $12)) ORDER BY ",
            $order,
            " LIMIT $13"
        )
    };
    ($fits:expr) => {
        [
            listing!($fits, "<", "workflow.created_at DESC, workflow.workflow_uuid DESC"),
            listing!($fits, ">", "workflow.created_at, workflow.workflow_uuid"),
        ]
    };
}

/// What is not asked for folds away when Postgres plans the statement, so that what is asked for finds its index.
macro_rules! fits_on_postgres {
    () => {
        "($9::bigint IS NULL OR workflow.created_at >= $9)
         AND ($10::bigint IS NULL OR workflow.created_at <= $10)
         AND (cardinality($1::text[]) = 0 OR workflow.workflow_uuid = ANY ($1))
         AND (cardinality($2::text[]) = 0 OR workflow.name = ANY ($2))
         AND (cardinality($3::text[]) = 0 OR workflow.status = ANY ($3))
         AND ($4::text IS NULL OR workflow.application_name = $4)
         AND ($5::text IS NULL OR workflow.application_version = $5)
         AND ($6::text IS NULL OR workflow.executor_id = $6)
         AND ($7::text IS NULL OR workflow.parent_workflow_id = $7)
         AND ($8::text IS NULL OR starts_with(workflow.workflow_uuid, $8))
         AND ($14::text IS NULL OR workflow.queue_name = $14)
         AND ($15::bigint IS NULL OR workflow.completed_at >= $15)
         AND ($16::bigint IS NULL OR workflow.completed_at < $16)
         AND ($17::bigint IS NULL OR workflow.started_at_epoch_ms >= $17)
         AND ($18::bigint IS NULL OR workflow.started_at_epoch_ms < $18)
         AND ($19::text IS NULL OR workflow.authenticated_user = $19)
         AND ($20::text IS NULL OR workflow.forked_from = $20)
         AND ($21::text IS NULL OR workflow.schedule_name = $21)
         AND ($22::text IS NULL OR workflow.deduplication_id = $22)
         AND ($23::text IS NULL OR workflow.attributes @> $23::jsonb)
         AND ($24::bigint IS NULL OR workflow.was_forked_from = ($24 = 1))
         AND ($25::bigint IS NULL OR (workflow.parent_workflow_id IS NOT NULL) = ($25 = 1))
         AND ($26::bigint = 0 OR workflow.queue_name IS NOT NULL
                             AND workflow.status IN ('ENQUEUED', 'PENDING', 'DELAYED'))"
    };
}

/// SQLite plans without knowing the values, so what is to find its index says so by itself. It takes the index of
/// creation for the best one wherever it may; a plus keeps it from that.
macro_rules! fits_on_sqlite {
    ($found_by:literal) => {
        fits_on_sqlite!($found_by, "workflow.created_at")
    };
    ($found_by:literal, $created_at:literal) => {
        concat!(
            $found_by,
            " AND ",
            $created_at,
            " >= COALESCE($9, -9000000000000000000) AND ",
            $created_at,
            " <= COALESCE($10, 9000000000000000000)
         AND (json_array_length($1) = 0 OR workflow.workflow_uuid IN (SELECT value FROM json_each($1)))
         AND (json_array_length($2) = 0 OR workflow.name IN (SELECT value FROM json_each($2)))
         AND (json_array_length($3) = 0 OR workflow.status IN (SELECT value FROM json_each($3)))
         AND ($4 IS NULL OR workflow.application_name = $4)
         AND ($5 IS NULL OR workflow.application_version = $5)
         AND ($6 IS NULL OR workflow.executor_id = $6)
         AND ($7 IS NULL OR workflow.parent_workflow_id = $7)
         AND ($8 IS NULL OR substr(workflow.workflow_uuid, 1, length($8)) = $8)
         AND ($14 IS NULL OR workflow.queue_name = $14)
         AND ($15 IS NULL OR workflow.completed_at >= $15)
         AND ($16 IS NULL OR workflow.completed_at < $16)
         AND ($17 IS NULL OR workflow.started_at_epoch_ms >= $17)
         AND ($18 IS NULL OR workflow.started_at_epoch_ms < $18)
         AND ($19 IS NULL OR workflow.authenticated_user = $19)
         AND ($20 IS NULL OR workflow.forked_from = $20)
         AND ($21 IS NULL OR workflow.schedule_name = $21)
         AND ($22 IS NULL OR workflow.deduplication_id = $22)
         AND ($23 IS NULL
              OR NOT EXISTS
                 (SELECT 1
                    FROM json_each($23) AS asked
                   WHERE NOT EXISTS
                         (SELECT 1
                            FROM json_each(CASE WHEN json_valid(workflow.attributes) THEN workflow.attributes
                                                ELSE '{}' END) AS had
                           WHERE had.key = asked.key AND had.type = asked.type AND had.value IS asked.value)))
         AND ($24 IS NULL OR workflow.was_forked_from = $24)
         AND ($25 IS NULL OR (workflow.parent_workflow_id IS NOT NULL) = $25)
         AND ($26 = 0 OR workflow.queue_name IS NOT NULL AND workflow.status IN ('ENQUEUED', 'PENDING', 'DELAYED'))"
        )
    };
}

fn listing(filter: &WorkflowFilter, dialect: Dialect) -> &'static str {
    let [newest_first, oldest_first] = match dialect {
        Dialect::Postgres => listing!(fits_on_postgres!()),
        Dialect::Sqlite => listing_on_sqlite(filter),
    };
    match filter.order {
        Order::NewestFirst => newest_first,
        Order::OldestFirst => oldest_first,
    }
}

fn listing_on_sqlite(filter: &WorkflowFilter) -> [&'static str; 2] {
    const FAILED: [Status; 3] = [Status::Error, Status::Cancelled, Status::MaxRecoveryAttemptsExceeded];
    if filter.names_ids() {
        listing!(fits_on_sqlite!("workflow.workflow_uuid IN (SELECT value FROM json_each($1))"))
    } else if filter.names_parent() {
        listing!(fits_on_sqlite!("workflow.parent_workflow_id = $7"))
    } else if filter.names_origin() {
        listing!(fits_on_sqlite!("workflow.forked_from = $20"))
    } else if filter.stands_in(&[Status::Pending]) {
        listing!(fits_on_sqlite!("workflow.status = 'PENDING'"))
    } else if filter.stands_in(&[Status::Pending, Status::Enqueued]) {
        listing!(fits_on_sqlite!("workflow.status IN ('ENQUEUED', 'PENDING')", "+workflow.created_at"))
    } else if filter.stands_in(&[Status::Delayed]) {
        listing!(fits_on_sqlite!("workflow.status = 'DELAYED'", "+workflow.created_at"))
    } else if filter.stands_in(&FAILED) {
        listing!(fits_on_sqlite!("workflow.status IN ('ERROR', 'CANCELLED', 'MAX_RECOVERY_ATTEMPTS_EXCEEDED')"))
    } else {
        listing!(fits_on_sqlite!("TRUE"))
    }
}

/// What went in and what came out, as it is stored.
#[derive(Clone, Debug, Default)]
pub(crate) struct Payloads {
    pub(crate) serialization: Option<String>,
    pub(crate) inputs: Option<String>,
    pub(crate) output: Option<String>,
    pub(crate) error: Option<String>,
}

impl Store {
    /// The workflows that `filter` asks for, without their payloads unless it wants them.
    pub(crate) async fn list_workflows(&self, filter: &WorkflowFilter) -> Result<Vec<WorkflowStatus>> {
        let dialect = self.dialect();
        let statement = filter.bind_to(Statement::new(listing(filter, dialect)), dialect);
        let rows = self.insist("list workflows", Access::Read, &statement).await?;
        Ok(rows.iter().map(WorkflowStatus::read_with_payloads).collect())
    }

    /// The payloads of `workflow`, wherever this or another library has put them; `None` if there is
    /// no such workflow.
    pub(crate) async fn payloads(&self, workflow: &str) -> Result<Option<Payloads>> {
        let statement = Statement::new(
            "SELECT workflow.serialization,
                    COALESCE(input.inputs, workflow.inputs) AS inputs,
                    COALESCE(result.output, workflow.output) AS output,
                    COALESCE(result.error, workflow.error) AS error
               FROM dbos.workflow_status AS workflow
               LEFT JOIN dbos.workflow_input AS input ON input.workflow_uuid = workflow.workflow_uuid
               LEFT JOIN dbos.workflow_output AS result ON result.workflow_uuid = workflow.workflow_uuid
              WHERE workflow.workflow_uuid = $1",
        )
        .bind(workflow);
        let rows = self.insist("read what a workflow was given and gave", Access::Read, &statement).await?;
        Ok(rows.first().map(payloads))
    }

    /// The ids of the workflows that `parent` started.
    pub(crate) async fn children(&self, parent: &str) -> Result<Vec<String>> {
        let statement =
            Statement::new("SELECT workflow_uuid FROM dbos.workflow_status WHERE parent_workflow_id = $1").bind(parent);
        let rows = self.insist("look for children", Access::Read, &statement).await?;
        Ok(rows.iter().map(|row| Columns::of(row).or_default("workflow_uuid")).collect())
    }
}

fn payloads(row: &Row) -> Payloads {
    let mut columns = Columns::of(row);
    Payloads {
        serialization: columns.read("serialization"),
        inputs: columns.read("inputs"),
        output: columns.read("output"),
        error: columns.read("error"),
    }
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use super::*;
    use crate::config::Config;

    /// How SQLite goes about a list, in its own words.
    async fn plan(store: &Store, filter: &WorkflowFilter) -> String {
        let explain = format!("EXPLAIN QUERY PLAN {}", listing(filter, Dialect::Sqlite));
        let statement = Statement::new(Box::leak(explain.into_boxed_str()));
        let rows = store.run(Access::Read, &filter.bind_to(statement, Dialect::Sqlite)).await;
        let steps = rows.expect("a plan").iter().map(|row| row.text("detail").expect("a text")).collect::<Vec<_>>();
        steps.join("; ")
    }

    #[tokio::test]
    async fn a_list_on_sqlite_finds_its_index() {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite:{}", folder.path().join("plans.sqlite").display());
        let store = Store::open(&Config::new("plans").database_url(url), 1).await.expect("a file");
        store.migrate().await.expect("tables");
        let filter = WorkflowFilter::new;

        for (asked, index) in [
            (filter(), "workflow_status_created_at_index"),
            (filter().oldest_first().name("checkout"), "workflow_status_created_at_index"),
            (filter().created_from_ms(1).created_before_ms(2), "workflow_status_created_at_index (created_at>?"),
            (filter().status(Status::Success), "workflow_status_created_at_index"),
            (filter().status(Status::Pending), "idx_workflow_status_pending"),
            (filter().status(Status::Pending).status(Status::Enqueued), "idx_workflow_status_in_flight_v2"),
            (filter().status(Status::Delayed), "idx_workflow_status_delayed"),
            (filter().status(Status::Error).status(Status::Cancelled), "idx_workflow_status_failed"),
            (filter().id("w-1"), "sqlite_autoindex_workflow_status_1 (workflow_uuid=?)"),
            (filter().parent("w-1"), "idx_workflow_status_parent_workflow_id"),
            (filter().forked_from("w-1"), "idx_workflow_status_forked_from"),
        ] {
            let plan = plan(&store, &asked).await;
            assert!(plan.contains(index), "{asked:?}: {plan}");
        }
    }
}
