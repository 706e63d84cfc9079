//! Sagas: what has been done is undone, last first, if what follows fails.

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Mutex;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

/// Takes note of how to undo each part of some work, and undoes them in reverse if the work fails.
///
/// ```
/// use dbos::{Result, Saga, step, workflow};
///
/// # #[step] async fn book_flight(trip: u64) -> Result<u64> { Ok(trip) }
/// # #[step] async fn cancel_flight(flight: u64) -> Result<()> { Ok(()) }
/// # #[step] async fn book_hotel(trip: u64) -> Result<u64> { Ok(trip) }
/// # #[step] async fn cancel_hotel(trip: u64) -> Result<()> { Ok(()) }
/// #[workflow]
/// async fn book_trip(trip: u64) -> Result<(u64, u64)> {
///     let saga = Saga::new();
///     saga.run(async {
///         let flight = book_flight(trip).await?;
///         saga.compensate(move || cancel_flight(flight));
///         // Noted before it is tried: should it fail half-way, it is cancelled as well.
///         saga.compensate(move || cancel_hotel(trip));
///         let hotel = book_hotel(trip).await?;
///         Ok((flight, hotel))
///     })
///     .await
/// }
/// ```
///
/// Compensations are as durable as the workflow: they are calls of steps, transactions or workflows, which are recorded
/// like all others. A process that dies while it undoes is followed by one that goes on where it was, and nothing that was
/// undone is undone twice once that is recorded.
///
/// A workflow that is cancelled, or whose time is over, stops where it stands, and undoes nothing.
#[derive(Default)]
#[must_use = "a saga undoes nothing unless the work is run by it"]
pub struct Saga {
    compensations: Mutex<Vec<Compensation>>,
}

/// Begins only when it is called, and so takes its step ids then. It tells of its failure by itself.
type Compensation = Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>;

impl Saga {
    /// One without any compensation.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes what undoes a part of the work: `undo` is called if the work fails, after those that were noted later.
    ///
    /// Note it before the part if that may leave something behind although it fails, and write it so that it does no harm
    /// where there is nothing to undo; else after it, when it is known what there is to undo. A crash in between loses
    /// nothing: the workflow comes to the same place again.
    ///
    /// One that fails, after whatever retries its step has, is logged, and recorded like any failed step; the others run all
    /// the same.
    pub fn compensate<F, T, E>(&self, undo: impl FnOnce() -> F + Send + 'static)
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        E: fmt::Display,
    {
        let compensation = || {
            let undoing = undo();
            async move {
                if let Err(error) = undoing.await {
                    tracing::error!("a compensation failed, and what it was to undo stays: {error}");
                }
            }
            .boxed()
        };
        self.compensations.lock().expect("no panic while held").push(Box::new(compensation));
    }

    /// Does the work, and gives what it gives. If that is an error, or a panic, whatever was noted is undone first, last
    /// noted first undone.
    ///
    /// # Errors
    ///
    /// That of the work.
    pub async fn run<T, E>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        match AssertUnwindSafe(work).catch_unwind().await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => {
                self.undo().await;
                Err(error)
            }
            Err(panic) => {
                self.undo().await;
                resume_unwind(panic)
            }
        }
    }

    async fn undo(&self) {
        while let Some(compensation) = self.last() {
            compensation().await;
        }
    }

    fn last(&self) -> Option<Compensation> {
        self.compensations.lock().expect("no panic while held").pop()
    }
}

impl fmt::Debug for Saga {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Saga")
    }
}
