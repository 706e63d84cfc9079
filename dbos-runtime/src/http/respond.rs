//! From what a route's function returned to a response, by its type.
//!
//! The choice is made at compile time, by the order in which a method call looks at references: of
//! the traits in `respond_tiers`, the one that is implemented for the most references and fits
//! the type wins. A `Result` is parted first; then text and responses go before JSON.

use std::error::Error as StdError;
use std::fmt::Display;
use std::marker::PhantomData;

use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::{HttpError, Reply};

/// Chooses how a value of type `R` is answered: `(&Respond::<R>::NEW).respond(value)` with the
/// [`nameless`] traits in scope.
#[derive(Debug)]
pub struct Respond<R>(PhantomData<fn(R)>);

/// As many references as the first tier has, and one.
type Referenced<T> = &'static &'static &'static &'static &'static &'static &'static &'static &'static TenTimes<T>;
type TenTimes<T> = &'static &'static &'static &'static &'static &'static &'static &'static &'static &'static T;

impl<R: 'static> Respond<R> {
    /// The choice, with enough references for every tier.
    pub const NEW: Referenced<Self> = &&&&&&&&&&&&&&&&&&&Self(PhantomData);

    /// The choice for the type of a value, where the type cannot be written down.
    #[must_use]
    pub const fn of(_: &R) -> Referenced<Self> {
        Self::NEW
    }
}

/// An error type no route can answer with.
#[diagnostic::on_unimplemented(
    message = "a route cannot answer with the error `{Self}`",
    label = "this error says nothing",
    note = "implement `std::fmt::Display` for it (answered as 500), or `From<{Self}> for dbos::HttpError` to choose the status"
)]
pub trait RouteError: Sized {
    /// Never called.
    fn answered(self) -> HttpError;
}

/// A type no route can answer with.
#[diagnostic::on_unimplemented(
    message = "a route cannot answer with `{Self}`",
    label = "this has no form on the wire",
    note = "derive `serde::Serialize` to answer JSON, or return a `String`, `()`, `dbos::http::Html` or `dbos::http::Response`"
)]
pub trait RouteValue: Sized {
    /// Never called.
    fn answered(self) -> Response;
}

/// The traits without names, to import into generated code.
pub mod nameless {
    pub use super::respond_tiers::{
        AsIs as _, ChainAsIs as _, ChainEmpty as _, ChainJson as _, Empty as _, HiddenAsIs as _, HiddenEmpty as _,
        HiddenJson as _, Json as _, OpaqueAsIs as _, OpaqueEmpty as _, OpaqueJson as _, Refused as _,
        RefusedError as _, RefusedValue as _, ToldAsIs as _, ToldEmpty as _, ToldJson as _,
    };
}

/// How an answer ends.
type Outcome = Result<Response, HttpError>;

/// The choices, best first.
#[allow(missing_docs)]
mod respond_tiers {
    use super::{
        Display, HttpError, IntoResponse, Outcome, Reply, Respond, RouteError, RouteValue, Serialize, StdError, as_is,
        chained, changed, hidden, json, nothing, opaque, perhaps,
    };

    /// One tier: a trait, and the types it is for at its number of references.
    macro_rules! tier {
        ($tier:ident $references:tt $($generics:tt $returned:ty => $respond:expr;)*) => {
            pub trait $tier<R> {
                #[allow(clippy::missing_errors_doc)]
                fn respond(&self, returned: R) -> Outcome;
            }
            $(tier! { @impl $tier $references $generics $returned => $respond })*
        };
        (@impl $tier:ident [$($references:tt)*] [$($generics:tt)*] $returned:ty => $respond:expr) => {
            impl<$($generics)*> $tier<$returned> for $($references)* Respond<$returned> {
                fn respond(&self, returned: $returned) -> Outcome {
                    $respond(returned)
                }
            }
        };
    }

    /// The three tiers of results with one kind of error.
    macro_rules! tiers_of_results {
        ([$($references:tt)*] $empty:ident $as_is:ident $json:ident [$($error:tt)*] $told:expr) => {
            tier! {
                $empty [&& $($references)*]
                [E: $($error)*] Result<(), E> => |returned: Result<(), E>| returned.map_err($told).and_then(nothing);
                [T: IntoResponse, E: $($error)*] Result<Option<T>, E> =>
                    |returned: Result<Option<T>, E>| returned.map_err($told).and_then(perhaps);
                [E: $($error)*] Result<Reply<()>, E> =>
                    |returned: Result<Reply<()>, E>| returned.map_err($told).and_then(|reply| changed(reply, nothing));
            }
            tier! {
                $as_is [& $($references)*]
                [T: IntoResponse, E: $($error)*] Result<T, E> => |returned: Result<T, E>| returned.map_err($told).and_then(as_is);
                [T: IntoResponse, E: $($error)*] Result<Reply<T>, E> =>
                    |returned: Result<Reply<T>, E>| returned.map_err($told).and_then(|reply| changed(reply, as_is));
            }
            tier! {
                $json [$($references)*]
                [T: Serialize, E: $($error)*] Result<T, E> => |returned: Result<T, E>| returned.map_err($told).and_then(json);
                [T: Serialize, E: $($error)*] Result<Reply<T>, E> =>
                    |returned: Result<Reply<T>, E>| returned.map_err($told).and_then(|reply| changed(reply, json));
            }
        };
    }

    // The error knows its answer.
    tiers_of_results! { [&&&&&&&&&&&&&&&] ToldEmpty ToldAsIs ToldJson [Into<HttpError>] Into::into }
    // The error may have come from one that knows.
    tiers_of_results! { [&&&&&&&&&&&&] ChainEmpty ChainAsIs ChainJson [StdError + 'static] chained }
    // The same for errors whose type was forgotten: `anyhow::Error`, `Box<dyn Error + Send + Sync>`.
    tiers_of_results! { [&&&&&&&&&] OpaqueEmpty OpaqueAsIs OpaqueJson [AsRef<dyn StdError + Send + Sync>] opaque }
    // The error is a sentence for the log.
    tiers_of_results! { [&&&&&&] HiddenEmpty HiddenAsIs HiddenJson [Display] hidden }

    /// The error is fine, so it is the value that cannot be answered.
    pub trait RefusedValue<T, E> {
        #[allow(clippy::missing_errors_doc)]
        fn respond(&self, returned: Result<T, E>) -> Outcome
        where
            T: RouteValue;
    }

    impl<T, E: Display> RefusedValue<T, E> for &&&&&Respond<Result<T, E>> {
        fn respond(&self, returned: Result<T, E>) -> Outcome
        where
            T: RouteValue,
        {
            returned.map(T::answered).map_err(hidden)
        }
    }

    /// The error cannot be answered.
    pub trait RefusedError<T, E> {
        #[allow(clippy::missing_errors_doc)]
        fn respond(&self, returned: Result<T, E>) -> Outcome
        where
            E: RouteError;
    }

    impl<T, E> RefusedError<T, E> for &&&&Respond<Result<T, E>> {
        fn respond(&self, returned: Result<T, E>) -> Outcome
        where
            E: RouteError,
        {
            Err(returned.map_or_else(E::answered, |_| HttpError::internal("a tier that nothing reaches")))
        }
    }

    tier! {
        Empty [&&&]
        [] () => nothing;
        [T: IntoResponse] Option<T> => perhaps;
        [] Reply<()> => |reply| changed(reply, nothing);
    }
    tier! {
        AsIs [&&]
        [T: IntoResponse] T => as_is;
        [T: IntoResponse] Reply<T> => |reply| changed(reply, as_is);
    }
    tier! {
        Json [&]
        [T: Serialize] T => json;
        [T: Serialize] Reply<T> => |reply| changed(reply, json);
    }

    /// Nothing fits.
    pub trait Refused<T> {
        #[allow(clippy::missing_errors_doc)]
        fn respond(&self, returned: T) -> Outcome
        where
            T: RouteValue;
    }

    impl<T> Refused<T> for Respond<T> {
        fn respond(&self, returned: T) -> Outcome
        where
            T: RouteValue,
        {
            Ok(returned.answered())
        }
    }
}

fn chained<E: StdError + 'static>(error: E) -> HttpError {
    HttpError::from_chain(&error)
}

fn opaque<E: AsRef<dyn StdError + Send + Sync>>(error: E) -> HttpError {
    HttpError::from_chain(error.as_ref())
}

fn hidden<E: Display>(error: E) -> HttpError {
    HttpError::internal(error.to_string())
}

#[allow(clippy::unnecessary_wraps)] // every way to answer may fail
fn nothing((): ()) -> Outcome {
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn perhaps<T: IntoResponse>(value: Option<T>) -> Outcome {
    value.map_or_else(|| nothing(()), as_is)
}

#[allow(clippy::unnecessary_wraps)] // every way to answer may fail
fn as_is<T: IntoResponse>(value: T) -> Outcome {
    Ok(value.into_response())
}

/// The answer that `respond` makes of the value, with what the reply changes about it.
fn changed<T>(reply: Reply<T>, respond: impl FnOnce(T) -> Outcome) -> Outcome {
    let (value, changes) = reply.into_parts();
    changes.apply(respond(value)?)
}

/// A JSON body; what serialises to `null` is nothing, whatever its type.
fn json<T: Serialize>(value: T) -> Outcome {
    let text =
        serde_json::to_vec(&value).map_err(|error| HttpError::internal(format!("the answer is no JSON: {error}")))?;
    if text == b"null" {
        return nothing(());
    }
    Ok(([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], text).into_response())
}
