//! What a workflow returns: a `Result` whose error can also say that the run was cancelled, panicked or set aside.

use std::fmt;

use serde_json::Value;

#[allow(unused_imports, reason = "the compiler chooses one of them")]
use super::nameless::*;
use super::{Codec, Encoded, Probe, portable};
use crate::error::Error;

/// The return type of a workflow.
#[diagnostic::on_unimplemented(
    message = "a workflow returns a `Result`, not `{Self}`",
    label = "a run that is cancelled or panics ends with an error",
    note = "write `dbos::Result<T>`, or `Result<T, E>` with an `E` that implements `From<dbos::Error>`"
)]
pub trait Outcome: Sized {
    /// What it returns when all goes well.
    type Value;
    /// What it returns otherwise.
    type Error;

    /// The outcome of a run that did not get to return: cancelled, panicked, set aside.
    fn from_error(error: Error) -> Self;
}

impl<T, E: From<Error>> Outcome for Result<T, E> {
    type Value = T;
    type Error = E;

    fn from_error(error: Error) -> Self {
        Err(E::from(error))
    }
}

/// An error type that a [`dbos::Error`](Error) fits into.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot say that a run was cancelled or timed out",
    label = "the error type must be able to hold a `dbos::Error`",
    note = "implement `From<dbos::Error>` for it, for example with a variant `#[error(transparent)] Dbos(#[from] dbos::Error)`"
)]
pub trait CarriesErrors {
    /// The error as this type.
    fn carry(error: Error) -> Self;
}

impl<E: From<Error>> CarriesErrors for E {
    fn carry(error: Error) -> Self {
        Self::from(error)
    }
}

/// A `Result`, whatever is in it.
#[diagnostic::on_unimplemented(
    message = "a `Result` is needed here, not `{Self}`",
    label = "a run that is cancelled, panics or times out ends with an error",
    note = "write `dbos::Result<T>`, or `Result<T, E>` with an `E` that implements `From<dbos::Error>`"
)]
pub trait Fallible {
    /// The error.
    type Error;

    /// A failure.
    fn failed(error: Self::Error) -> Self;
}

impl<T, E> Fallible for Result<T, E> {
    type Error = E;

    fn failed(error: E) -> Self {
        Err(error)
    }
}

/// [`Outcome::from_error`], with each bound checked on its own so that each has its own message.
#[must_use]
pub fn from_error<R>() -> fn(Error) -> R
where
    R: Fallible,
    R::Error: CarriesErrors,
{
    |error| R::failed(R::Error::carry(error))
}

/// [`from_error`] for the return type of a workflow, which is handed to whoever awaits it, on any thread.
#[must_use]
pub fn workflow_failure<R>() -> fn(Error) -> R
where
    R: Fallible + Send,
    R::Error: CarriesErrors,
{
    from_error::<R>()
}

/// How a workflow's outcome is stored, and how it is told if there is none.
pub struct WorkflowCodec<R> {
    /// How the outcome is stored.
    pub codec: Codec<R>,
    /// The outcome of a run that did not get to return.
    pub from_error: fn(Error) -> R,
}

impl<R> Clone for WorkflowCodec<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for WorkflowCodec<R> {}

impl<R> fmt::Debug for WorkflowCodec<R> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "WorkflowCodec<{}>", std::any::type_name::<R>())
    }
}

impl WorkflowCodec<Result<Value, Error>> {
    /// For a workflow whose types are not at hand.
    pub(crate) fn json() -> Self {
        Self { codec: (&&&&&&&Probe::<Result<Value, Error>>::NEW).codec(), from_error: from_error() }
    }
}

impl<R> WorkflowCodec<R> {
    /// The outcome of `workflow`, whoever recorded it: its own code, the engine, or another language.
    ///
    /// An error that is not of the workflow's own type comes back inside a [`dbos::Error`](Error).
    pub fn decode(&self, workflow: &str, encoded: &Encoded) -> R {
        if let Encoded::Error(text) = encoded
            && let Some(error) = portable::decode_marked(text)
        {
            return (self.from_error)(error);
        }
        self.codec.decode(encoded).unwrap_or_else(|reason| {
            let foreign = match encoded {
                Encoded::Error(text) => portable::decode_engine_error(text).ok(),
                Encoded::Value(_) => None,
            };
            (self.from_error)(
                foreign.unwrap_or_else(|| Error::Unreadable {
                    what: format!("the outcome of workflow `{workflow}`"),
                    reason,
                }),
            )
        })
    }
}
