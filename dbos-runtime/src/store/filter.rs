//! Which workflows a list has.

use serde_json::{Map, Value as Json};

use super::backend::Dialect;
use super::sql::{Statement, Value};
use super::workflow_row::WorkflowStatus;
use crate::status::Status;

/// How many workflows a list has unless it is told.
const DEFAULT_LIMIT: u32 = 100;

/// Which workflows a list has: those that fit all that is asked for. Without anything, the newest 100.
///
/// ```
/// use dbos::{Status, WorkflowFilter};
///
/// let stuck = WorkflowFilter::new().name("checkout").status(Status::Pending).oldest_first().limit(20);
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a filter lists nothing by itself"]
pub struct WorkflowFilter {
    ids: Vec<String>,
    names: Vec<String>,
    statuses: Vec<Status>,
    application_name: Option<String>,
    application_version: Option<String>,
    executor_id: Option<String>,
    queue: Option<String>,
    parent: Option<String>,
    id_prefix: Option<String>,
    user: Option<String>,
    forked_from: Option<String>,
    schedule_name: Option<String>,
    deduplication_id: Option<String>,
    attributes: Map<String, Json>,
    was_forked: Option<bool>,
    has_parent: Option<bool>,
    queued: bool,
    created: Window,
    completed: Window,
    dequeued: Window,
    after: Option<(i64, String)>,
    pub(super) order: Order,
    limit: Option<u32>,
    inputs: bool,
    outputs: bool,
}

/// From an instant on, and before another.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    from_ms: Option<i64>,
    before_ms: Option<i64>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Order {
    #[default]
    NewestFirst,
    OldestFirst,
}

impl WorkflowFilter {
    /// The newest 100 workflows, whatever they are.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only the one with this id; given again, that one too.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.ids.push(id.into());
        self
    }

    /// Only runs of this function; given again, of that one too.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.names.push(name.into());
        self
    }

    /// Only those that stand here; given again, there too.
    pub fn status(mut self, status: Status) -> Self {
        self.statuses.push(status);
        self
    }

    /// Only those of this application.
    pub fn application_name(mut self, name: impl Into<String>) -> Self {
        self.application_name = Some(name.into());
        self
    }

    /// Only those that were started under this version of their application.
    pub fn application_version(mut self, version: impl Into<String>) -> Self {
        self.application_version = Some(version.into());
        self
    }

    /// Only those that this executor runs or ran last.
    pub fn executor_id(mut self, executor: impl Into<String>) -> Self {
        self.executor_id = Some(executor.into());
        self
    }

    /// Only those that wait in this queue or were taken out of it.
    pub fn queue(mut self, name: impl Into<String>) -> Self {
        self.queue = Some(name.into());
        self
    }

    /// Only the children of this workflow.
    pub fn parent(mut self, workflow_id: impl Into<String>) -> Self {
        self.parent = Some(workflow_id.into());
        self
    }

    /// Only those whose id begins so.
    pub fn id_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.id_prefix = Some(prefix.into());
        self
    }

    /// Only those that were started at this instant, in milliseconds since 1970, or later.
    pub fn created_from_ms(mut self, instant_ms: i64) -> Self {
        self.created.from_ms = Some(instant_ms);
        self
    }

    /// Only those that were started before this instant, in milliseconds since 1970.
    pub fn created_before_ms(mut self, instant_ms: i64) -> Self {
        self.created.before_ms = Some(instant_ms);
        self
    }

    /// Only those that ended at this instant, in milliseconds since 1970, or later.
    pub fn completed_from_ms(mut self, instant_ms: i64) -> Self {
        self.completed.from_ms = Some(instant_ms);
        self
    }

    /// Only those that ended before this instant, in milliseconds since 1970.
    pub fn completed_before_ms(mut self, instant_ms: i64) -> Self {
        self.completed.before_ms = Some(instant_ms);
        self
    }

    /// Only those that left their queue at this instant, in milliseconds since 1970, or later.
    pub fn dequeued_from_ms(mut self, instant_ms: i64) -> Self {
        self.dequeued.from_ms = Some(instant_ms);
        self
    }

    /// Only those that left their queue before this instant, in milliseconds since 1970.
    pub fn dequeued_before_ms(mut self, instant_ms: i64) -> Self {
        self.dequeued.before_ms = Some(instant_ms);
        self
    }

    /// Only those that run on behalf of this user.
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// Only the forks of this workflow.
    pub fn forked_from(mut self, workflow_id: impl Into<String>) -> Self {
        self.forked_from = Some(workflow_id.into());
        self
    }

    /// Only those that have been forked, or only those that have not.
    pub fn was_forked(mut self, was_forked: bool) -> Self {
        self.was_forked = Some(was_forked);
        self
    }

    /// Only those that another workflow started, or only those that none did.
    pub fn has_parent(mut self, has_parent: bool) -> Self {
        self.has_parent = Some(has_parent);
        self
    }

    /// Only those that wait in any queue, or were taken out of one and have not ended.
    pub fn queued(mut self) -> Self {
        self.queued = true;
        self
    }

    /// Only those that this schedule started.
    pub fn schedule_name(mut self, name: impl Into<String>) -> Self {
        self.schedule_name = Some(name.into());
        self
    }

    /// Only the one that has this deduplication id in its queue.
    pub fn deduplication_id(mut self, id: impl Into<String>) -> Self {
        self.deduplication_id = Some(id.into());
        self
    }

    /// Only those with this attribute; given again, with that one too. A list or an object must be the same on SQLite,
    /// and contain this one on Postgres.
    pub fn attribute(mut self, key: impl Into<String>, value: impl Into<Json>) -> Self {
        self.attributes.insert(key.into(), value.into());
        self
    }

    /// Reads what they were given as well: [`WorkflowStatus::inputs`].
    pub fn with_inputs(mut self) -> Self {
        self.inputs = true;
        self
    }

    /// Reads what they gave as well: [`WorkflowStatus::output`] and [`WorkflowStatus::error`].
    pub fn with_outputs(mut self) -> Self {
        self.outputs = true;
        self
    }

    /// Only those that come after `last` in the order of the list: give the last workflow of one page
    /// to get the next.
    pub fn after(mut self, last: &WorkflowStatus) -> Self {
        self.after = Some((last.created_at_ms, last.workflow_id.clone()));
        self
    }

    /// The oldest first, instead of the newest.
    pub fn oldest_first(mut self) -> Self {
        self.order = Order::OldestFirst;
        self
    }

    /// At most so many; 100 if nothing is said.
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Whether all that are asked for stand in one of these, so that an index of those alone has them.
    pub(super) fn stands_in(&self, statuses: &[Status]) -> bool {
        !self.statuses.is_empty() && self.statuses.iter().all(|status| statuses.contains(status))
    }

    pub(super) fn names_ids(&self) -> bool {
        !self.ids.is_empty()
    }

    pub(super) fn names_parent(&self) -> bool {
        self.parent.is_some()
    }

    pub(super) fn names_origin(&self) -> bool {
        self.forked_from.is_some()
    }

    /// The first and the last instant of creation that a page may have, which is where the one before it ended: an
    /// index is entered there.
    fn page(&self) -> (Option<i64>, Option<i64>) {
        let after_ms = self.after.as_ref().map(|(after_ms, _)| *after_ms);
        let last_ms = self.created.before_ms.map(|before_ms| before_ms.saturating_sub(1));
        match self.order {
            Order::NewestFirst => (self.created.from_ms, last_ms.into_iter().chain(after_ms).min()),
            Order::OldestFirst => (self.created.from_ms.max(after_ms), last_ms),
        }
    }

    pub(super) fn bind_to(&self, statement: Statement, dialect: Dialect) -> Statement {
        let statuses: Vec<_> = self.statuses.iter().map(Status::to_string).collect();
        let (after_ms, after_id) = self.after.clone().unzip();
        let (from_ms, last_ms) = self.page();
        let attributes = (!self.attributes.is_empty()).then(|| Json::from(self.attributes.clone()).to_string());
        statement
            .bind(list(&self.ids, dialect))
            .bind(list(&self.names, dialect))
            .bind(list(&statuses, dialect))
            .bind(self.application_name.clone())
            .bind(self.application_version.clone())
            .bind(self.executor_id.clone())
            .bind(self.parent.clone())
            .bind(self.id_prefix.clone())
            .bind(from_ms)
            .bind(last_ms)
            .bind(after_ms)
            .bind(after_id)
            .bind(self.limit.unwrap_or(DEFAULT_LIMIT))
            .bind(self.queue.clone())
            .bind(self.completed.from_ms)
            .bind(self.completed.before_ms)
            .bind(self.dequeued.from_ms)
            .bind(self.dequeued.before_ms)
            .bind(self.user.clone())
            .bind(self.forked_from.clone())
            .bind(self.schedule_name.clone())
            .bind(self.deduplication_id.clone())
            .bind(attributes)
            .bind(self.was_forked.map(i64::from))
            .bind(self.has_parent.map(i64::from))
            .bind(i64::from(self.queued))
            .bind(i64::from(self.inputs))
            .bind(i64::from(self.outputs))
    }
}

/// Several values as one: an array where there are arrays, else JSON.
fn list(texts: &[String], dialect: Dialect) -> Value {
    match dialect {
        Dialect::Postgres => texts.iter().cloned().map(Some).collect::<Vec<_>>().into(),
        Dialect::Sqlite => serde_json::to_string(texts).expect("strings are JSON").into(),
    }
}
