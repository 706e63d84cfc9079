//! From what a route's function returned to a response, by its type.
//!
//! Two choices are made at compile time, each by the order in which method calls look at
//! references: an outermost trait that fits wins. [`Settle`] parts a `Result` into a value and an
//! error that can be answered, [`Answer`] gives the value its shape.

use std::error::Error as StdError;
use std::fmt::Display;
use std::marker::PhantomData;

use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::HttpError;

/// Turns the value a route's function returned into a `Result<Response, HttpError>`.
#[doc(hidden)]
#[macro_export]
macro_rules! respond {
    ($returned:expr) => {{
        #[allow(unused_imports)]
        use $crate::__private::tiers::*;
        match $returned {
            returned => {
                let settled = (&&&&&&$crate::__private::Settle::of(&returned)).settle(returned);
                match settled {
                    ::core::result::Result::Ok(value) => (&&&&$crate::__private::Answer::of(&value)).answer(value),
                    ::core::result::Result::Err(error) => ::core::result::Result::Err(error),
                }
            }
        }
    }};
}

/// Chooses how a function's errors are answered.
#[derive(Debug)]
pub struct Settle<R>(PhantomData<fn(R)>);

impl<R> Settle<R> {
    /// The choice for the type of this value.
    pub const fn of(_: &R) -> Self {
        Self(PhantomData)
    }
}

/// Chooses the shape of a function's value.
#[derive(Debug)]
pub struct Answer<T>(PhantomData<fn(T)>);

impl<T> Answer<T> {
    /// The choice for the type of this value.
    pub const fn of(_: &T) -> Self {
        Self(PhantomData)
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

/// The choices in order, from the outermost reference inwards.
#[allow(missing_docs)]
pub mod tiers {
    use super::{
        Answer, Display, HttpError, IntoResponse, Response, RouteError, RouteValue, Serialize, Settle,
        StatusCode, StdError, json,
    };

    /// The error knows its answer.
    pub trait SettleTold<T, E> {
        fn settle(&self, returned: Result<T, E>) -> Result<T, HttpError>;
    }

    impl<T, E: Into<HttpError>> SettleTold<T, E> for &&&&&Settle<Result<T, E>> {
        fn settle(&self, returned: Result<T, E>) -> Result<T, HttpError> {
            returned.map_err(Into::into)
        }
    }

    /// The error may have come from one that knows.
    pub trait SettleChain<T, E> {
        fn settle(&self, returned: Result<T, E>) -> Result<T, HttpError>;
    }

    impl<T, E: StdError + 'static> SettleChain<T, E> for &&&&Settle<Result<T, E>> {
        fn settle(&self, returned: Result<T, E>) -> Result<T, HttpError> {
            returned.map_err(|error| HttpError::from_chain(&error))
        }
    }

    /// The same for errors of a type that was forgotten: `anyhow::Error`, `Box<dyn Error + Send + Sync>`.
    pub trait SettleOpaque<T, E> {
        fn settle(&self, returned: Result<T, E>) -> Result<T, HttpError>;
    }

    impl<T, E: AsRef<dyn StdError + Send + Sync>> SettleOpaque<T, E> for &&&Settle<Result<T, E>> {
        fn settle(&self, returned: Result<T, E>) -> Result<T, HttpError> {
            returned.map_err(|error| HttpError::from_chain(error.as_ref()))
        }
    }

    /// The error is a sentence for the log.
    pub trait SettleHidden<T, E> {
        fn settle(&self, returned: Result<T, E>) -> Result<T, HttpError>;
    }

    impl<T, E: Display> SettleHidden<T, E> for &&Settle<Result<T, E>> {
        fn settle(&self, returned: Result<T, E>) -> Result<T, HttpError> {
            returned.map_err(|error| HttpError::internal(error.to_string()))
        }
    }

    /// The error is a riddle; the bound says so in words.
    pub trait SettleRefused<T, E> {
        fn settle(&self, returned: Result<T, E>) -> Result<T, HttpError>
        where
            E: RouteError;
    }

    impl<T, E> SettleRefused<T, E> for &Settle<Result<T, E>> {
        fn settle(&self, returned: Result<T, E>) -> Result<T, HttpError>
        where
            E: RouteError,
        {
            returned.map_err(E::answered)
        }
    }

    /// The function cannot fail.
    pub trait SettleValue<T> {
        fn settle(&self, returned: T) -> Result<T, HttpError>;
    }

    impl<T> SettleValue<T> for Settle<T> {
        fn settle(&self, returned: T) -> Result<T, HttpError> {
            Ok(returned)
        }
    }

    /// Nothing, or perhaps something: 204 where there is nothing.
    pub trait AnswerPerhaps<T> {
        fn answer(&self, value: T) -> Result<Response, HttpError>;
    }

    impl AnswerPerhaps<()> for &&&Answer<()> {
        fn answer(&self, (): ()) -> Result<Response, HttpError> {
            Ok(StatusCode::NO_CONTENT.into_response())
        }
    }

    impl<T: IntoResponse> AnswerPerhaps<Option<T>> for &&&Answer<Option<T>> {
        fn answer(&self, value: Option<T>) -> Result<Response, HttpError> {
            Ok(value.map_or_else(|| StatusCode::NO_CONTENT.into_response(), IntoResponse::into_response))
        }
    }

    /// A response as it is; text is `text/plain`.
    pub trait AnswerAsIs<T> {
        fn answer(&self, value: T) -> Result<Response, HttpError>;
    }

    impl<T: IntoResponse> AnswerAsIs<T> for &&Answer<T> {
        fn answer(&self, value: T) -> Result<Response, HttpError> {
            Ok(value.into_response())
        }
    }

    /// Anything that can be JSON.
    pub trait AnswerJson<T> {
        fn answer(&self, value: T) -> Result<Response, HttpError>;
    }

    impl<T: Serialize> AnswerJson<T> for &Answer<T> {
        fn answer(&self, value: T) -> Result<Response, HttpError> {
            json(&value)
        }
    }

    /// Nothing fits; the bound says so in words.
    pub trait AnswerRefused<T> {
        fn answer(&self, value: T) -> Result<Response, HttpError>
        where
            T: RouteValue;
    }

    impl<T> AnswerRefused<T> for Answer<T> {
        fn answer(&self, value: T) -> Result<Response, HttpError>
        where
            T: RouteValue,
        {
            Ok(value.answered())
        }
    }
}

/// A JSON body; what serialises to `null` is nothing, whatever its type.
fn json<T: Serialize>(value: &T) -> Result<Response, HttpError> {
    let text = serde_json::to_vec(value).map_err(|error| HttpError::internal(format!("the answer is no JSON: {error}")))?;
    if text == b"null" {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Ok(([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], text).into_response())
}
