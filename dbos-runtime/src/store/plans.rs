//! How SQLite finds what is to be taken out of a queue: by the indexes of the shared schema, beside any number of rows
//! that have left it. `DBOS_TEST_FINISHED` sets how many (default 50000).

use std::time::Duration;

use super::Store;
use super::backend::Access;
use super::queues::Claim;
use super::sql::Statement;
use super::workflows::Claimant;
use crate::config::Config;
use crate::queue::{Limits, RateLimit};

const QUEUE_INDEXES: [&str; 3] = [
    "idx_workflow_status_in_flight_v2",
    "idx_workflow_status_partition_dequeue_v3",
    "idx_workflow_status_rate_limited",
];

/// A file in which so many have left their queue.
async fn store(folder: &std::path::Path, finished: &str) -> Store {
    let url = format!("sqlite:{}", folder.join("plans.sqlite").display());
    let mut config = Config::new("plans").database_url(url);
    config.statement_deadline = Duration::from_mins(10);
    let store = Store::open(&config, 1).await.expect("a file");
    store.migrate().await.expect("tables");
    let rows = Statement::new(
        "INSERT INTO dbos.workflow_status
                (workflow_uuid, status, name, queue_name, queue_partition_key, application_name, application_version,
                 priority, created_at, updated_at, started_at_epoch_ms, rate_limited, recovery_attempts)
         WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < CAST($1 AS INTEGER))
         SELECT 'left-' || n, 'SUCCESS', 'ship', 'parcels', 'p-' || n % 10, 'plans', 'v', 0, n, n, n, TRUE, 1
           FROM numbers",
    );
    store.run(Access::Write, &rows.bind(finished)).await.expect("rows");
    store.run(Access::Write, &Statement::new("ANALYZE")).await.expect("statistics");
    store
}

/// What the plan of `statement` says of the table of workflows, a line for each place where it is read.
async fn reads(store: &Store, statement: Statement) -> Vec<String> {
    let sql = format!("EXPLAIN QUERY PLAN {}", statement.sql);
    let explained = Statement { sql: Box::leak(sql.into_boxed_str()), values: statement.values };
    let rows = store.run(Access::Write, &explained).await.expect("a plan");
    let lines = rows.iter().map(|row| row.text("detail").expect("text"));
    lines.filter(|line| line.starts_with("SCAN") || line.starts_with("SEARCH")).collect()
}

/// Either an index that has nothing but what waits and what runs, or one row by its id, or what is small.
fn is_quick(line: &str) -> bool {
    let is_of_workflows =
        !["me", "theirs", "mine", "latest", "has", "paused", "queues", "executors", "line", "waiting", "running"]
            .iter()
            .chain(&["recent", "room", "version_workflows", "input", "CONSTANT"])
            .any(|small| line.split(' ').nth(1).is_some_and(|table| table.ends_with(small)));
    !is_of_workflows || QUEUE_INDEXES.iter().any(|index| line.contains(index)) || line.contains("(workflow_uuid=?)")
}

#[tokio::test]
async fn taking_out_of_a_queue_reads_nothing_that_has_left_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let finished = std::env::var("DBOS_TEST_FINISHED").unwrap_or_else(|_| "50000".to_owned());
    let store = store(folder.path(), &finished).await;
    let claimant = Claimant { executor: "e".to_owned(), application: "plans".to_owned(), version: "v".to_owned() };
    let claim = Claim { queue: "parcels", claimant: &claimant, owner: "o", now_ms: i64::MAX / 2 };
    let rate_limit = Some(RateLimit { starts: 5, period_ms: 1000 });
    let limits = Limits { concurrency: Some(3), worker_concurrency: Some(2), rate_limit };

    for (what, statement) in [("a queue", claim.of_queue(100)), ("its partitions", claim.of_partitions(&limits, 100))] {
        let reads = reads(&store, statement).await;
        let slow: Vec<_> = reads.iter().filter(|line| !is_quick(line)).collect();
        assert!(slow.is_empty(), "{what}: {slow:#?}\nof {reads:#?}");
        assert!(reads.iter().any(|line| QUEUE_INDEXES.iter().any(|index| line.contains(index))), "{what}: {reads:#?}");
    }
    store.close().await;
}
