//! Transactions: a step whose checkpoint commits with the user's rows.
//!
//! One `BEGIN … COMMIT` holds the user's statements, then the fence and the checkpoint, then whatever
//! the body asked to commit with it. So either all of it happened, and the step is recorded, or none.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use super::call::{BodyOutcome, Placed, Step};
use crate::checkpoint::Point;
use crate::codec::Encoded;
use crate::context::{self, StepContext};
use crate::error::Error;
use crate::executor::{Executor, Signal};
use crate::store::backend::Dialect;
use crate::store::bulk::Asked;
use crate::store::checkpoints::{Checkpoint, Effect, effect_statements, fenced_insert, fenced_insert_in_transaction};
use crate::store::connection::{Connection, Isolation};
use crate::store::retry::{Backoff, is_refused_write, is_transient, is_worth_rerunning};
use crate::store::sql::Statement;
use crate::store::tx::{FromTx, Tx};
use crate::store::{SharedTrouble, is_damage, messages, within};
use crate::wakeup::Fact;

/// How often a body that failed in an aborted transaction runs again before its error counts.
const BLIND_RERUNS: u32 = 3;

/// The options of a `#[transaction]`.
#[derive(Clone, Copy, Debug, Default)]
pub struct TransactionOptions {
    /// How it sees other transactions. SQLite has one way only: serializable.
    pub isolation: Isolation,
    /// Whether it only reads; its outcome is then recorded as a step's.
    pub read_only: bool,
}

/// The attempts of one call of a transaction.
#[derive(Debug)]
pub struct Transaction {
    context: Arc<StepContext>,
    placed: Placed,
    options: TransactionOptions,
    blind_reruns: AtomicU32,
    trouble: OnceLock<SharedTrouble>,
}

/// How the last statements of an attempt went.
enum Committed {
    /// Rows and checkpoint are there.
    Yes,
    /// An outcome was recorded before; ours is rolled back.
    Adopted(Encoded),
    /// Nothing was committed; the body should run again.
    Rerun,
}

/// The kind of connection that a body wants.
#[derive(Debug)]
pub struct ConnectionKind<C: ?Sized> {
    from_tx: fn(&mut Tx) -> Option<&mut C>,
    database: Option<&'static str>,
}

/// The kind of connection that `C` is. Asked for by itself, so that a `C` that is none is reported once.
#[must_use]
pub fn connection<C: FromTx + ?Sized>() -> ConnectionKind<C> {
    ConnectionKind { from_tx: C::from_tx, database: C::DATABASE }
}

impl Transaction {
    pub(super) fn new(step: &Step, options: TransactionOptions) -> Self {
        let (context, placed) = (Arc::clone(&step.context), step.placed.clone());
        Self { context, placed, options, blind_reruns: AtomicU32::new(0), trouble: OnceLock::new() }
    }

    fn point(&self) -> Option<&Point> {
        match &self.placed {
            Placed::Recorded(point) if !self.context.plain.load(Ordering::SeqCst) => Some(point),
            _ => None,
        }
    }

    fn executor(&self) -> Arc<Executor> {
        match self.point() {
            Some(point) => Arc::clone(&point.run.executor),
            // Without an engine there is no database to have a transaction on.
            None => context::engine().unwrap_or_else(|error| panic!("{error}")),
        }
    }

    fn trouble(&self) -> SharedTrouble {
        let action = || format!("run transaction `{}`", self.context.name);
        self.trouble.get_or_init(|| self.executor().store.trouble(&action()).into()).clone()
    }

    /// Opens the transaction of the next attempt, waiting through any outage.
    pub async fn begin(&self) -> Tx {
        self.context.attempt.fetch_add(1, Ordering::SeqCst);
        self.effects(Vec::clear);
        self.enqueued(Vec::clear);
        let executor = self.executor();
        let store = &executor.store;
        let opened = if self.options.read_only {
            store.repeat("open a transaction", || store.begin_reading(self.options.isolation)).await
        } else {
            store.repeat("open a transaction", || store.begin(self.options.isolation)).await
        };
        match opened {
            Ok(connection) => {
                let (clock, trouble) = (executor.clock.clone(), self.trouble());
                Tx::new(connection, store.dialect(), clock, self.options.read_only, trouble)
            }
            Err(error) => self.fail(error).await,
        }
    }

    /// The connection as the body wants it.
    pub async fn connection<'t, C: ?Sized + 't>(&self, kind: ConnectionKind<C>, tx: &'t mut Tx) -> &'t mut C {
        match (kind.from_tx)(tx) {
            Some(connection) => connection,
            None => {
                let needed = kind.database.unwrap_or("another database");
                let name = self.context.name;
                self.fail(Error::Configuration(format!(
                    "transaction `{name}` needs {needed}, and the database is another; take `tx: &mut dbos::Tx` for both"
                )))
                .await
            }
        }
    }

    /// Runs one attempt's body for no longer than a transaction may be open; `None` if it took longer.
    ///
    /// A line that died under one of the body's statements looks like a slow body, so the body runs
    /// again, a few times.
    pub async fn limit<F: Future>(&self, attempt: F) -> Option<F::Output> {
        let limit = self.executor().transaction_deadline;
        if let Ok(outcome) = tokio::time::timeout(limit, attempt).await {
            return Some(outcome);
        }
        tracing::warn!("transaction was open for too long");
        if self.blind_reruns.fetch_add(1, Ordering::SeqCst) >= BLIND_RERUNS {
            let after_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
            self.fail(Error::StepTimedOut { step: self.context.name.to_owned(), after_ms }).await
        }
        None
    }

    /// Whether the body failed with an error of the database that a rerun may mend.
    pub fn is_transient(&self, error: Option<&sqlx::Error>) -> bool {
        // A body that writes although it promised not to would write again.
        error.is_some_and(|error| {
            self.trouble().note_damage(error);
            let rerun = is_worth_rerunning(error) && !(self.options.read_only && is_refused_write(error));
            if rerun {
                self.trouble().note(error);
            }
            rerun
        })
    }

    /// Commits or rolls back what the body did. `None` if the body should run again.
    pub async fn finish(&self, mut tx: Tx, outcome: BodyOutcome, database_trouble: bool) -> Option<BodyOutcome> {
        let encoded = match outcome {
            Ok(encoded) => encoded,
            Err(reason) => return Some(Err(reason)),
        };
        if encoded.is_error()
            && let Some(damage) = self.trouble().damage()
            && let Some(point) = self.point()
        {
            point.run.stop(Signal::Damaged(damage)).await
        }
        if self.options.read_only || encoded.is_error() {
            if encoded.is_error() && self.is_worth_rerunning(&mut tx, database_trouble).await {
                self.wait_for_rerun().await;
                return None;
            }
            self.roll_back(tx.into_connection()).await;
            if !encoded.is_error() && self.asks_for_more() {
                let name = self.context.name;
                self.fail(Error::Configuration(format!(
                    "transaction `{name}` is `read_only`, so it can send no message, set no event, write to no stream and \
                     enqueue no workflow; \
                     leave `read_only` out"
                )))
                .await
            }
            return Some(Ok(self.record_alone(encoded).await));
        }
        match self.commit(tx, &encoded).await {
            Committed::Yes => {
                self.tell();
                Some(Ok(encoded))
            }
            Committed::Adopted(recorded) => {
                // Perhaps it is our own commit whose answer was lost. A wake-up too many does no harm.
                self.tell();
                Some(Ok(recorded))
            }
            Committed::Rerun => {
                self.wait_for_rerun().await;
                None
            }
        }
    }

    /// Wakes who waits for what has been committed with the rows.
    fn tell(&self) {
        let executor = self.executor();
        for effect in self.effects(std::mem::take).unwrap_or_default() {
            let fact = match (effect, &self.context.workflow) {
                (Effect::Message { destination, topic, .. }, _) => Fact::Message { workflow: destination, topic },
                (Effect::Event { key, .. }, Some(workflow)) => Fact::Event { workflow: workflow.clone(), key },
                (Effect::Stream { key, .. }, Some(workflow)) => Fact::Stream { workflow: workflow.clone(), key },
                (Effect::Event { .. } | Effect::Stream { .. }, None) | (Effect::None, _) => continue,
            };
            executor.notifier.told(&fact);
        }
        let places =
            self.enqueued(std::mem::take).unwrap_or_default().into_iter().filter_map(|asked| asked.start.place);
        let news: HashSet<_> = places.map(|place| place.news()).collect();
        for fact in &news {
            executor.notifier.told(fact);
        }
    }

    /// A rollback that fails, or takes too long, closes the connection, which rolls back too.
    async fn roll_back(&self, connection: Connection) {
        within(self.executor().store.deadline(), connection.rollback()).await.ok();
    }

    async fn wait_for_rerun(&self) {
        let attempt = self.context.attempt.load(Ordering::SeqCst);
        tracing::debug!(attempt, "transaction runs again");
        let mut backoff = Backoff::after(attempt);
        backoff.wait().await;
    }

    /// Whether the body failed because of the database's state rather than its own rules.
    async fn is_worth_rerunning(&self, tx: &mut Tx, database_trouble: bool) -> bool {
        if database_trouble || tx.wants_rerun() {
            return true;
        }
        // The user's error does not show what happened. On Postgres a failed statement leaves the
        // transaction aborted, and so tells that there was something; but it may be the body's own
        // mistake, so the patience is limited.
        let deadline = self.executor().store.deadline();
        let aborted = tx.dialect() == Dialect::Postgres
            && within(deadline, tx.connection().run_script("SELECT 1")).await.is_err();
        aborted && self.blind_reruns.fetch_add(1, Ordering::SeqCst) < BLIND_RERUNS
    }

    async fn record_alone(&self, encoded: Encoded) -> Encoded {
        let Some(point) = self.point() else { return encoded };
        let now_ms = point.run.executor.clock.now_ms();
        point.record(encoded.into(), Effect::None, now_ms).await.into_encoded()
    }

    async fn commit(&self, tx: Tx, encoded: &Encoded) -> Committed {
        let Some(point) = self.point() else { return self.commit_unrecorded(tx).await };
        let now_ms = point.run.executor.clock.now_ms();
        let mut checkpoint = point.checkpoint(encoded.clone().into(), Effect::None, now_ms, now_ms);
        let deadline = point.run.executor.store.deadline();
        let mut connection = tx.into_connection();
        match within(deadline, self.write_checkpoint(&mut connection, &mut checkpoint)).await {
            Ok(Fenced::Written) => {}
            Ok(Fenced::Refused) => {
                self.roll_back(connection).await;
                return match point.explain_refusal().await {
                    Some(recorded) => Committed::Adopted(recorded.into_encoded()),
                    None => Committed::Rerun,
                };
            }
            Ok(Fenced::AlreadyEnded) => {
                drop(connection);
                self.fail(self.ended_by_itself()).await
            }
            Ok(Fenced::Impossible(error)) => {
                self.roll_back(connection).await;
                self.fail(error).await
            }
            Err(error) if is_transient(&error) => return self.rerun_unless_hopeless(&error).await,
            Err(error) => point.fail_to_store(&Error::database("record a transaction", error)).await,
        }
        let write = point.run.executor.store.durable_write("commit a transaction").await;
        match within(deadline, connection.commit()).await {
            Ok(()) => {
                write.end().await;
                Committed::Yes
            }
            Err(error) if is_transient(&error) => self.resolve_unknown_commit(point, &error).await,
            Err(error) => self.fail(self.refused_commit(error)).await,
        }
    }

    /// A constraint that is checked at the end, for example: it would fail again.
    fn refused_commit(&self, error: sqlx::Error) -> Error {
        Error::database(&format!("commit transaction `{}`", self.context.name), error)
    }

    /// A COMMIT whose answer is missing may have worked. Our own row tells.
    ///
    /// Should it be on its way still, the next attempt meets its row and adopts it: the primary key
    /// makes the second of two commits wait for the first.
    async fn resolve_unknown_commit(&self, point: &Point, error: &sqlx::Error) -> Committed {
        tracing::debug!(%error, "unknown whether the commit worked; looking");
        self.trouble().note(error);
        match point.explain_refusal().await {
            Some(recorded) => Committed::Adopted(recorded.into_encoded()),
            None => Committed::Rerun,
        }
    }

    /// A body that swallowed a failed statement leaves an aborted transaction, every time.
    async fn rerun_unless_hopeless(&self, error: &sqlx::Error) -> Committed {
        const IN_FAILED_TRANSACTION: &str = "25P02";
        self.trouble().note(error);
        let aborted =
            matches!(error, sqlx::Error::Database(error) if error.code().as_deref() == Some(IN_FAILED_TRANSACTION));
        if aborted && self.blind_reruns.fetch_add(1, Ordering::SeqCst) >= BLIND_RERUNS {
            let name = self.context.name;
            self.fail(Error::Configuration(format!(
                "a statement of transaction `{name}` failed and its error was ignored, so nothing can be committed; \
                 return the error"
            )))
            .await
        }
        Committed::Rerun
    }

    async fn write_checkpoint(&self, connection: &mut Connection, checkpoint: &mut Checkpoint) -> sqlx::Result<Fenced> {
        if !connection.is_still_open().await? {
            return Ok(Fenced::AlreadyEnded);
        }
        for effect in self.effects(|effects| effects.clone()).unwrap_or_default() {
            if let Some(workflow) = write_effect(connection, checkpoint, effect).await? {
                return Ok(Fenced::Impossible(Error::NonExistentWorkflow { workflow }));
            }
        }
        if let Some(refusal) = self.enqueue(connection).await? {
            return Ok(Fenced::Impossible(refusal));
        }
        // Last before COMMIT, so that the row of the workflow is locked for as short as can be.
        if self.executor().store.dialect() == Dialect::Sqlite {
            let rows = connection.run(&fenced_insert(checkpoint)).await?;
            return Ok(if rows.is_empty() { Fenced::Refused } else { Fenced::Written });
        }
        let rows = connection.run(&fenced_insert_in_transaction(checkpoint)).await?;
        let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
        Ok(match (row.get::<i64>("written")?, row.text("transaction")?.as_str()) {
            (1, _) => Fenced::Written,
            (_, "open") => Fenced::Refused,
            _ => Fenced::AlreadyEnded,
        })
    }

    async fn commit_unrecorded(&self, tx: Tx) -> Committed {
        let executor = self.executor();
        let deadline = executor.store.deadline();
        let mut connection = tx.into_connection();
        match within(deadline, self.write_beside(&mut connection)).await {
            Ok(Fenced::Written) => {}
            Ok(Fenced::Impossible(error)) => {
                self.roll_back(connection).await;
                self.fail(error).await
            }
            Ok(Fenced::Refused | Fenced::AlreadyEnded) => self.fail(self.ended_by_itself()).await,
            Err(error) if is_transient(&error) => return self.rerun_unless_hopeless(&error).await,
            Err(error) => self.fail(self.refused_commit(error)).await,
        }
        let write = executor.store.durable_write("commit a transaction").await;
        match within(deadline, connection.commit()).await {
            Ok(()) => {
                write.end().await;
                Committed::Yes
            }
            Err(error @ sqlx::Error::Database(_)) if is_transient(&error) => self.rerun_unless_hopeless(&error).await,
            Err(error @ sqlx::Error::Database(_)) => self.fail(self.refused_commit(error)).await,
            // No row of ours tells whether it worked, and running twice would be worse than failing.
            Err(error) => panic!(
                "it is unknown whether transaction `{}` was committed, and outside a workflow nothing records it: {error}",
                self.context.name
            ),
        }
    }

    /// What a transaction that is no step of a workflow commits besides its rows.
    async fn write_beside(&self, connection: &mut Connection) -> sqlx::Result<Fenced> {
        if !(connection.is_still_open().await? && connection.has_marker().await?) {
            return Ok(Fenced::AlreadyEnded);
        }
        for effect in self.effects(|effects| effects.clone()).unwrap_or_default() {
            if let Some(workflow) = write_message(connection, &effect).await? {
                return Ok(Fenced::Impossible(Error::NonExistentWorkflow { workflow }));
            }
        }
        Ok(match self.enqueue(connection).await? {
            Some(refusal) => Fenced::Impossible(refusal),
            None => Fenced::Written,
        })
    }

    /// Enqueues what the body asked for; why that cannot be, if it cannot.
    async fn enqueue(&self, connection: &mut Connection) -> sqlx::Result<Option<Error>> {
        let asked = self.enqueued(|asked| asked.clone()).unwrap_or_default();
        self.executor().store.enqueue_asked(connection, &asked).await
    }

    fn ended_by_itself(&self) -> Error {
        let name = self.context.name;
        Error::Configuration(format!(
            "transaction `{name}` ended its own transaction; leave COMMIT and ROLLBACK to the engine"
        ))
    }

    fn effects<T>(&self, access: impl FnOnce(&mut Vec<Effect>) -> T) -> Option<T> {
        let own = self.context.transaction.get()?;
        Some(access(&mut own.effects.lock().expect("no panic while held")))
    }

    fn enqueued<T>(&self, access: impl FnOnce(&mut Vec<Asked>) -> T) -> Option<T> {
        let own = self.context.transaction.get()?;
        Some(access(&mut own.enqueued.lock().expect("no panic while held")))
    }

    /// Whether the body asked to commit anything with its rows.
    fn asks_for_more(&self) -> bool {
        self.effects(|effects| !effects.is_empty()) == Some(true)
            || self.enqueued(|asked| !asked.is_empty()) == Some(true)
    }

    async fn fail(&self, error: Error) -> ! {
        match self.point() {
            Some(point) if is_damage(&error) => point.run.stop(Signal::Damaged(error)).await,
            Some(point) => point.run.stop(Signal::Failed(error)).await,
            None => panic!("{error}"),
        }
    }
}

enum Fenced {
    Written,
    Refused,
    AlreadyEnded,
    /// What was to be committed beside the rows cannot be.
    Impossible(Error),
}

/// Writes what the body asked for; the missing destination if it was a message to nobody.
async fn write_effect(
    connection: &mut Connection,
    checkpoint: &Checkpoint,
    effect: Effect,
) -> sqlx::Result<Option<String>> {
    if let Effect::Message { .. } = effect {
        return write_message(connection, &effect).await;
    }
    let with_effect = Checkpoint { effect, ..checkpoint.clone() };
    for statement in effect_statements(&with_effect) {
        connection.run(&statement).await?;
    }
    Ok(None)
}

/// Sends a message, which needs no step to be recorded; the destination if nobody is there.
async fn write_message(connection: &mut Connection, effect: &Effect) -> sqlx::Result<Option<String>> {
    let Effect::Message { destination, topic, message, id, sent_at_ms, .. } = effect else { return Ok(None) };
    let send = messages::insert(destination, topic, message, id, *sent_at_ms);
    if !connection.run(&send).await?.is_empty() {
        return Ok(None);
    }
    // Nothing was inserted: nobody is there, or it was sent before under its key.
    let exists = Statement::new("SELECT workflow_uuid FROM dbos.workflow_status WHERE workflow_uuid = $1");
    let missing = connection.run(&exists.bind(destination)).await?.is_empty();
    Ok(missing.then(|| destination.clone()))
}
