//! Three ledgers that must agree: what customers were told, what the service has charged, what the shop has fulfilled.

use std::collections::{BTreeMap, BTreeSet};

use dbos_testkit::{Database, Ledger};

use crate::guide::{Guide, STOCK};

/// What a pen costs.
const PRICE_CENTS: &str = "1000";

/// One checkout, in all three.
#[derive(Debug, Default)]
struct Order {
    /// What the customer asked for, and each answer.
    told: BTreeMap<String, BTreeSet<u16>>,
    sessions: usize,
    charges: usize,
    fulfilled: usize,
}

/// What the audit has found.
pub(crate) struct Report {
    pub(crate) orders: usize,
    pub(crate) charged: usize,
    pub(crate) violations: Vec<String>,
}

/// Compares the ledgers once all is over.
pub(crate) async fn audit(guide: &Guide, ledger: &Ledger) -> Report {
    let orders = read(guide, ledger).await;
    let mut violations: Vec<_> = orders
        .iter()
        .flat_map(|(key, order)| order.violations().into_iter().map(move |wrong| format!("{key}: {wrong}, {order:?}")))
        .collect();
    let (reserved, fulfilled, charged) = guide.books().await;
    if reserved != fulfilled {
        violations.push(format!("{reserved} pens are reserved and {fulfilled} sold"));
    }
    for (name, database) in [("shop", &guide.orders), ("service", &guide.sessions)] {
        for row in
            database.query("SELECT workflow_uuid, status FROM dbos.workflow_status WHERE status <> 'SUCCESS'").await
        {
            violations.push(format!("{name}: a workflow did not end well: {row:?}"));
        }
    }
    let wrong_amount = format!("SELECT session_id FROM charges WHERE amount_cents <> {PRICE_CENTS}");
    violations
        .extend(column(&guide.sessions, &wrong_amount).await.into_iter().map(|id| format!("{id}: a wrong amount")));
    let charged = usize::try_from(charged).expect("a count");
    let known: usize = orders.values().map(|order| order.charges).sum();
    if charged != known || i64::try_from(orders.len()) != Ok(guide.orders.count(CHECKOUTS).await) {
        violations.push(format!("{STOCK} pens: {charged} charges, {known} of them of {} known orders", orders.len()));
    }
    Report { orders: orders.len(), charged, violations }
}

const CHECKOUTS: &str = "SELECT count(*) FROM dbos.workflow_status";

impl Order {
    fn violations(&self) -> Vec<&'static str> {
        let told = |word, status| self.told.get(word).is_some_and(|answers| answers.contains(&status));
        let rules = [
            (self.charges > 0 && self.fulfilled == 0, "charged and not fulfilled"),
            (self.charges > 1, "charged twice"),
            (self.fulfilled > self.charges, "fulfilled and not charged"),
            (self.sessions > 1, "more than one session"),
            (self.charges > 0 && !self.told.contains_key("submit"), "charged and never paid"),
            (self.charges == 0 && (told("submit", 204) || told("cancel", 409)), "told that it was paid"),
            (self.charges > 0 && (told("submit", 409) || told("cancel", 204)), "told that it was not paid"),
            (told("checkout", 200) && told("checkout", 409), "told two things about one checkout"),
            (self.charges > 0 && told("checkout", 409), "charged for a checkout that failed"),
        ];
        rules.into_iter().filter(|(broken, _)| *broken).map(|(_, rule)| rule).collect()
    }
}

async fn read(guide: &Guide, ledger: &Ledger) -> BTreeMap<String, Order> {
    let mut orders: BTreeMap<String, Order> = BTreeMap::new();
    for line in ledger.lines().expect("the ledger can be read") {
        let words: Vec<_> = line.split(' ').collect();
        let [key, word, status] = words[..] else { panic!("`{line}` is no line of this ledger") };
        let answers = orders.entry(key.to_owned()).or_default().told.entry(word.to_owned()).or_default();
        answers.insert(status.parse().expect("a status"));
    }
    for key in column(&guide.sessions, "SELECT client_reference_id FROM session").await {
        orders.entry(key).or_default().sessions += 1;
    }
    let charged = "SELECT client_reference_id FROM charges JOIN session ON charges.session_id = session.session_id";
    for key in column(&guide.sessions, charged).await {
        orders.entry(key).or_default().charges += 1;
    }
    for key in column(&guide.orders, "SELECT workflow_id FROM fulfilled_orders").await {
        orders.entry(key).or_default().fulfilled += 1;
    }
    orders
}

async fn column(database: &Database, sql: &str) -> Vec<String> {
    database.query(sql).await.into_iter().filter_map(|mut row| row.remove(0)).collect()
}
