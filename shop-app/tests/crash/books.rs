//! What the database and the customers' ledger must agree on.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;

use dbos_testkit::{Database, Ledger};

/// Pairs of numbers that are equal at every moment, however the shop was killed: an effect and the
/// rows of the steps that had it. They are read in one statement, so from one snapshot.
const ALWAYS: &[(&str, &str, &str)] = &[
    (
        "units taken",
        "STOCK - (SELECT inventory FROM products)",
        "(SELECT count(*) FROM dbos.operation_outputs WHERE function_name = 'subtract_inventory' AND error IS NULL)
         - (SELECT count(*) FROM dbos.operation_outputs WHERE function_name = 'undo_subtract_inventory')",
    ),
    (
        "orders",
        "(SELECT count(*) FROM orders)",
        "(SELECT count(*) FROM dbos.operation_outputs WHERE function_name = 'create_order')",
    ),
    (
        "paid orders",
        "(SELECT count(*) FROM orders WHERE order_status IN (1, 2))",
        "(SELECT count(*) FROM dbos.operation_outputs WHERE function_name = 'mark_order_paid')",
    ),
    (
        "cancelled orders",
        "(SELECT count(*) FROM orders WHERE order_status = -1)",
        "(SELECT count(*) FROM dbos.operation_outputs WHERE function_name = 'error_order')",
    ),
    (
        "steps of progress",
        "(SELECT COALESCE(sum(10 - progress_remaining), 0) FROM orders)",
        "(SELECT count(*) FROM dbos.operation_outputs WHERE function_name = 'update_order_progress')",
    ),
    (
        "events",
        "(SELECT count(*) FROM dbos.workflow_events)",
        "(SELECT count(*) FROM dbos.operation_outputs WHERE function_name = 'DBOS.setEvent')",
    ),
    (
        "messages taken",
        "(SELECT count(*) FROM dbos.notifications WHERE consumed)",
        "(SELECT count(*) FROM dbos.operation_outputs WHERE function_name = 'DBOS.recv' AND output <> 'null')",
    ),
    (
        "dispatches",
        "(SELECT count(*) FROM dbos.workflow_status WHERE parent_workflow_id IS NOT NULL)",
        "(SELECT count(*) FROM dbos.operation_outputs WHERE child_workflow_id IS NOT NULL)",
    ),
    // The timer of a wait has the number after the wait's own and is recorded while the wait goes on.
    (
        "steps without a predecessor",
        "(SELECT count(*)
            FROM dbos.operation_outputs AS step
           WHERE step.function_id > 1
             AND NOT EXISTS (SELECT 1 FROM dbos.operation_outputs AS previous
                              WHERE previous.workflow_uuid = step.workflow_uuid
                                AND previous.function_id = step.function_id - 1)
             AND NOT (step.function_name = 'DBOS.sleep' AND step.function_id = 5
                      AND NOT EXISTS (SELECT 1 FROM dbos.operation_outputs AS next
                                       WHERE next.workflow_uuid = step.workflow_uuid
                                         AND next.function_id > step.function_id)))",
        "0",
    ),
];

/// The same, once every workflow has ended.
const AT_THE_END: &[(&str, &str, &str)] = &[
    ("workflows that did not end well", "(SELECT count(*) FROM dbos.workflow_status WHERE status <> 'SUCCESS')", "0"),
    (
        "units on the shelf",
        "(SELECT inventory FROM products) + (SELECT count(*) FROM orders WHERE order_status <> -1)",
        "STOCK",
    ),
    ("unsettled orders", "(SELECT count(*) FROM orders WHERE order_status NOT IN (-1, 1))", "0"),
    (
        "dispatches of other than ten steps",
        "(SELECT count(*)
            FROM dbos.workflow_status AS dispatch
           WHERE parent_workflow_id IS NOT NULL
             AND ((SELECT count(*) FROM dbos.operation_outputs AS step
                    WHERE step.workflow_uuid = dispatch.workflow_uuid
                      AND step.function_name = 'update_order_progress') <> 10
               OR (SELECT count(*) FROM dbos.operation_outputs AS step
                    WHERE step.workflow_uuid = dispatch.workflow_uuid) <> 20))",
        "0",
    ),
    (
        "workflows whose steps are not numbered through",
        "(SELECT count(*)
            FROM (SELECT workflow_uuid
                    FROM dbos.operation_outputs
                   GROUP BY workflow_uuid
                  HAVING min(function_id) <> 1 OR max(function_id) <> count(*)) AS gaps)",
        "0",
    ),
    (
        "dispatched orders",
        "(SELECT count(*) FROM orders WHERE order_status = 1)",
        "(SELECT count(*) FROM dbos.workflow_status WHERE parent_workflow_id IS NOT NULL)",
    ),
];

/// What is compared, by name.
pub(crate) fn comparisons() -> impl Iterator<Item = &'static str> {
    ALWAYS.iter().chain(AT_THE_END).map(|(name, ..)| *name)
}

/// What is wrong right now, with a shop that began with so many widgets.
///
/// # Errors
///
/// If the database cannot be asked right now.
pub(crate) async fn try_audit(database: &Database, stock: i64) -> Result<Vec<String>, Box<dyn Error + Send + Sync>> {
    compare(database, stock, ALWAYS).await
}

/// What is wrong once all is over, in the database or against what customers were told.
pub(crate) async fn final_audit(database: &Database, stock: i64, ledger: &Ledger) -> Vec<String> {
    let mut wrong = Vec::new();
    for pairs in [ALWAYS, AT_THE_END] {
        wrong.extend(compare(database, stock, pairs).await.expect("the database can be asked"));
    }
    wrong.extend(against_ledger(database, ledger).await);
    wrong
}

async fn compare(
    database: &Database,
    stock: i64,
    pairs: &[(&str, &str, &str)],
) -> Result<Vec<String>, Box<dyn Error + Send + Sync>> {
    let columns: Vec<_> = pairs.iter().map(|(_, left, right)| format!("{left}, {right}")).collect();
    let sql = format!("SELECT {}", columns.join(", ")).replace("STOCK", &stock.to_string());
    let row = database.try_query(&sql).await?.remove(0);
    let both = row.chunks_exact(2).zip(pairs);
    let wrong = both
        .filter(|(values, _)| values[0] != values[1])
        .map(|(values, (what, ..))| {
            let [left, right] = [&values[0], &values[1]].map(|value| value.as_deref().unwrap_or("NULL"));
            format!("{what}: {left}, expected {right}")
        })
        .collect();
    Ok(wrong)
}

async fn against_ledger(database: &Database, ledger: &Ledger) -> Vec<String> {
    let orders = orders_by_key(database).await;
    let mut wrong = Vec::new();
    let mut told: BTreeMap<(String, String), String> = BTreeMap::new();
    for line in ledger.lines().expect("the ledger can be read") {
        let words: Vec<_> = line.split(' ').collect();
        let [key, request, status, answer] = words[..] else { panic!("`{line}` is no line of this ledger") };
        let before = told.insert((key.to_owned(), request.to_owned()), format!("{status} {answer}"));
        if before.is_some_and(|before| before != format!("{status} {answer}")) {
            wrong.push(format!("{key} was told two things about {request}"));
        }
        let order = orders.get(key);
        let state = order.map(|(_, state)| state.as_str());
        let agrees = match (request, status) {
            ("checkout", "200") => answer == key && order.is_some(),
            ("paid", "200") => state == Some("1") && order.is_some_and(|(order, _)| order == answer),
            ("failed", "200") => state == Some("-1") && order.is_some_and(|(order, _)| order == answer),
            ("paid", "409") => state == Some("-1"),
            ("failed", "409") => state == Some("1"),
            ("checkout", "409") | ("paid" | "failed", "404") => order.is_none(),
            _ => false,
        };
        if !agrees {
            wrong.push(format!("told: {line}; in the database: {order:?}"));
        }
    }
    let distinct: BTreeSet<_> = orders.values().map(|(order, _)| order).collect();
    let total = database.count("SELECT count(*) FROM orders").await;
    if distinct.len() != orders.len() || i64::try_from(orders.len()) != Ok(total) {
        wrong.push(format!("{total} orders for {} checkouts with {} numbers", orders.len(), distinct.len()));
    }
    wrong
}

/// The number and the state of each checkout's order.
async fn orders_by_key(database: &Database) -> BTreeMap<String, (String, String)> {
    let rows = database
        .query(
            "SELECT step.workflow_uuid, step.output, orders.order_status
               FROM dbos.operation_outputs AS step
               JOIN orders ON CAST(orders.order_id AS TEXT) = step.output
              WHERE step.function_name = 'create_order'",
        )
        .await;
    let text = |value: &Option<String>| value.clone().expect("no column is NULL");
    rows.iter().map(|row| (text(&row[0]), (text(&row[1]), text(&row[2])))).collect()
}
