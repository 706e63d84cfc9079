//! Chooses a codec by what a return type can do, without specialisation.
//!
//! Each way is a trait, implemented for the probe behind one reference more than the next. The macros
//! call the method on a probe behind enough references, and method lookup takes the first that fits.

use std::error::Error as StdError;
use std::fmt::{Debug, Display};
use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Encoded;
use super::{Codec, Comparison, Description, Recorded, database_error, decode_value, opaque, portable, strict};
use crate::error::Error;

/// Stands for a return type while its codec is chosen.
pub struct Probe<R>(PhantomData<fn() -> R>);

impl<R> std::fmt::Debug for Probe<R> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Probe")
    }
}

impl<R> Clone for Probe<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Probe<R> {}

impl<R> Probe<R> {
    /// The probe.
    pub const NEW: Self = Self(PhantomData);
}

/// The traits without names, to import into generated code.
pub mod nameless {
    pub use crate::codec::inputs::NoArgument as _;

    pub use super::{
        ComparesBoth as _, ComparesErrors as _, ComparesNothing as _, ComparesValues as _, ComparesWhole as _,
        DescribesByDebug as _, DescribesByDisplay as _, DescribesNothing as _, HoldsDatabaseError as _,
        HoldsErrorChain as _, HoldsNoDatabaseError as _, HoldsStdError as _, MissingError as _, MissingOk as _,
        MissingValue as _, ViaChain as _, ViaDatabaseError as _, ViaEngineError as _, ViaText as _, ViaTyped as _,
        ViaValue as _,
    };
}

/// An error that can be written and read back.
#[diagnostic::on_unimplemented(
    message = "the error `{Self}` cannot be recorded",
    label = "a replay has to give this error back",
    note = "derive `serde::Serialize` and `serde::Deserialize` for it",
    note = "or return `dbos::Result<T>` or `anyhow::Result<T>`: an opaque error comes back as its messages"
)]
pub trait RecordableError {}

/// What a function returns, if nothing else fits.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be recorded",
    label = "a replay has to give this value back",
    note = "derive `serde::Serialize` and `serde::Deserialize` for it, and let it own its data"
)]
pub trait Recordable {}

/// How a value of `T` is written and read, wherever it is `Ok`.
fn encode_ok<T: Serialize>(value: &T) -> Result<Encoded, String> {
    strict::to_string(value).map(Encoded::Value)
}

/// `Result<T, dbos::Error>`: the error is written so that other languages can match on its name.
pub trait ViaEngineError<R> {
    /// The codec.
    fn codec(&self) -> Codec<R>;
}

impl<T: Serialize + DeserializeOwned> ViaEngineError<Result<T, Error>> for &&&&&&Probe<Result<T, Error>> {
    fn codec(&self) -> Codec<Result<T, Error>> {
        Codec::new(
            |outcome, _| match outcome {
                Ok(value) => encode_ok(value),
                Err(error) => portable::encode_engine_error(error),
            },
            |encoded| match encoded {
                Encoded::Value(text) => decode_value(text).map(Ok),
                Encoded::Error(text) => portable::decode_engine_error(text).map(Err),
            },
        )
    }
}

/// `Result<T, sqlx::Error>`: the error comes back with its kind, code and message.
pub trait ViaDatabaseError<R> {
    /// The codec.
    fn codec(&self) -> Codec<R>;
}

impl<T: Serialize + DeserializeOwned> ViaDatabaseError<Result<T, sqlx::Error>> for &&&&&Probe<Result<T, sqlx::Error>> {
    fn codec(&self) -> Codec<Result<T, sqlx::Error>> {
        Codec::new(
            |outcome, _| match outcome {
                Ok(value) => encode_ok(value),
                Err(error) => database_error::encode(error),
            },
            |encoded| match encoded {
                Encoded::Value(text) => decode_value(text).map(Ok),
                Encoded::Error(text) => database_error::decode(text).map(Err),
            },
        )
    }
}

/// `Result<T, E>` whose error serde knows: it comes back as the same value.
pub trait ViaTyped<R> {
    /// The codec.
    fn codec(&self) -> Codec<R>;
}

impl<T, E> ViaTyped<Result<T, E>> for &&&&Probe<Result<T, E>>
where
    T: Serialize + DeserializeOwned,
    E: Serialize + DeserializeOwned,
{
    fn codec(&self) -> Codec<Result<T, E>> {
        Codec::new(
            |outcome, description| match outcome {
                Ok(value) => encode_ok(value),
                Err(error) => portable::encode(error, description.of(outcome)),
            },
            |encoded| match encoded {
                Encoded::Value(text) => decode_value(text).map(Ok),
                Encoded::Error(text) => portable::decode(text).map(Err),
            },
        )
    }
}

/// `Result<T, E>` with an opaque error that shows its chain, such as `anyhow::Error`.
pub trait ViaChain<R> {
    /// The codec.
    fn codec(&self) -> Codec<R>;
}

impl<T, E> ViaChain<Result<T, E>> for &&&Probe<Result<T, E>>
where
    T: Serialize + DeserializeOwned,
    E: Display + From<Recorded> + AsRef<dyn StdError + Send + Sync>,
{
    fn codec(&self) -> Codec<Result<T, E>> {
        Codec::new(
            |outcome, _| match outcome {
                Ok(value) => encode_ok(value),
                Err(error) => opaque::encode(error, Some(error.as_ref())),
            },
            decode_opaque,
        )
    }
}

/// `Result<T, E>` with an opaque error of which there is only a message.
pub trait ViaText<R> {
    /// The codec.
    fn codec(&self) -> Codec<R>;
}

impl<T, E> ViaText<Result<T, E>> for &&Probe<Result<T, E>>
where
    T: Serialize + DeserializeOwned,
    E: Display + From<Recorded>,
{
    fn codec(&self) -> Codec<Result<T, E>> {
        Codec::new(
            |outcome, _| match outcome {
                Ok(value) => encode_ok(value),
                Err(error) => opaque::encode(error, None),
            },
            decode_opaque,
        )
    }
}

fn decode_opaque<T: DeserializeOwned, E: From<Recorded>>(encoded: &Encoded) -> Result<Result<T, E>, String> {
    match encoded {
        Encoded::Value(text) => decode_value(text).map(Ok),
        Encoded::Error(text) => opaque::decode(text).map(|recorded| Err(E::from(recorded))),
    }
}

/// A value that is no `Result`.
pub trait ViaValue<R> {
    /// The codec.
    fn codec(&self) -> Codec<R>;
}

impl<R: Serialize + DeserializeOwned> ViaValue<R> for &Probe<R> {
    fn codec(&self) -> Codec<R> {
        Codec::new(
            |value, _| encode_ok(value),
            |encoded| match encoded {
                Encoded::Value(text) => decode_value(text),
                Encoded::Error(text) => Err(format!("an error is recorded where a value belongs: {text}")),
            },
        )
    }
}

/// Nothing fits, though the value of the `Result` would: the error is to blame. There for its message.
pub trait MissingError<T, E> {
    /// Never callable.
    fn codec(self) -> Codec<Result<T, E>>
    where
        E: RecordableError;
}

impl<T: Serialize + DeserializeOwned, E> MissingError<T, E> for &&Probe<Result<T, E>> {
    fn codec(self) -> Codec<Result<T, E>>
    where
        E: RecordableError,
    {
        unreachable!("nothing implements `RecordableError`")
    }
}

/// Nothing fits, and the value of the `Result` is to blame. There for its message.
pub trait MissingOk<T, E> {
    /// Never callable.
    fn codec(self) -> Codec<Result<T, E>>
    where
        T: Recordable;
}

impl<T, E> MissingOk<T, E> for &Probe<Result<T, E>> {
    fn codec(self) -> Codec<Result<T, E>>
    where
        T: Recordable,
    {
        unreachable!("nothing implements `Recordable`")
    }
}

/// Nothing fits. There for its message.
pub trait MissingValue<R> {
    /// Never callable.
    fn codec(self) -> Codec<R>
    where
        R: Recordable;
}

impl<R> MissingValue<R> for Probe<R> {
    fn codec(self) -> Codec<R>
    where
        R: Recordable,
    {
        unreachable!("nothing implements `Recordable`")
    }
}

/// Values and errors can be compared.
pub trait ComparesBoth<R> {
    /// The comparison.
    fn comparison(&self) -> Comparison<R>;
}

impl<T: PartialEq, E: PartialEq> ComparesBoth<Result<T, E>> for &&&&Probe<Result<T, E>> {
    fn comparison(&self) -> Comparison<Result<T, E>> {
        Comparison(Some(|one, other| one == other))
    }
}

/// Only values can be compared.
pub trait ComparesValues<R> {
    /// The comparison.
    fn comparison(&self) -> Comparison<R>;
}

impl<T: PartialEq, E> ComparesValues<Result<T, E>> for &&&Probe<Result<T, E>> {
    fn comparison(&self) -> Comparison<Result<T, E>> {
        Comparison(Some(|one, other| match (one, other) {
            (Ok(one), Ok(other)) => one == other,
            (Err(_), Err(_)) => true,
            _ => false,
        }))
    }
}

/// Only errors can be compared.
pub trait ComparesErrors<R> {
    /// The comparison.
    fn comparison(&self) -> Comparison<R>;
}

impl<T, E: PartialEq> ComparesErrors<Result<T, E>> for &&Probe<Result<T, E>> {
    fn comparison(&self) -> Comparison<Result<T, E>> {
        Comparison(Some(|one, other| match (one, other) {
            (Err(one), Err(other)) => one == other,
            (Ok(_), Ok(_)) => true,
            _ => false,
        }))
    }
}

/// The type as a whole can be compared.
pub trait ComparesWhole<R> {
    /// The comparison.
    fn comparison(&self) -> Comparison<R>;
}

impl<R: PartialEq> ComparesWhole<R> for &Probe<R> {
    fn comparison(&self) -> Comparison<R> {
        Comparison(Some(|one, other| one == other))
    }
}

/// Nothing can be compared; being readable has to do.
pub trait ComparesNothing<R> {
    /// No comparison.
    fn comparison(&self) -> Comparison<R>;
}

impl<R> ComparesNothing<R> for Probe<R> {
    fn comparison(&self) -> Comparison<R> {
        Comparison::NONE
    }
}

/// The error can be put into words for people.
pub trait DescribesByDisplay<R> {
    /// The description.
    fn description(&self) -> Description<R>;
}

impl<T, E: Display> DescribesByDisplay<Result<T, E>> for &&Probe<Result<T, E>> {
    fn description(&self) -> Description<Result<T, E>> {
        Description(Some(|outcome| outcome.as_ref().err().map(ToString::to_string)))
    }
}

/// The error can be put into words for programmers.
pub trait DescribesByDebug<R> {
    /// The description.
    fn description(&self) -> Description<R>;
}

impl<T, E: Debug> DescribesByDebug<Result<T, E>> for &Probe<Result<T, E>> {
    fn description(&self) -> Description<Result<T, E>> {
        Description(Some(|outcome| outcome.as_ref().err().map(|error| format!("{error:?}"))))
    }
}

/// There are no words for the error.
pub trait DescribesNothing<R> {
    /// No description.
    fn description(&self) -> Description<R>;
}

impl<R> DescribesNothing<R> for Probe<R> {
    fn description(&self) -> Description<R> {
        Description::NONE
    }
}

/// The error is a database error.
pub trait HoldsDatabaseError<R> {
    /// The database error in `outcome`.
    fn database_error<'r>(&self, outcome: &'r R) -> Option<&'r sqlx::Error>;
}

impl<T> HoldsDatabaseError<Result<T, sqlx::Error>> for &&&Probe<Result<T, sqlx::Error>> {
    fn database_error<'r>(&self, outcome: &'r Result<T, sqlx::Error>) -> Option<&'r sqlx::Error> {
        outcome.as_ref().err()
    }
}

/// The error is opaque and shows its chain.
pub trait HoldsErrorChain<R> {
    /// The database error in `outcome`.
    fn database_error<'r>(&self, outcome: &'r R) -> Option<&'r sqlx::Error>;
}

impl<T, E: AsRef<dyn StdError + Send + Sync>> HoldsErrorChain<Result<T, E>> for &&Probe<Result<T, E>> {
    fn database_error<'r>(&self, outcome: &'r Result<T, E>) -> Option<&'r sqlx::Error> {
        outcome.as_ref().err().and_then(|error| database_error_in(error.as_ref()))
    }
}

/// The error has sources.
pub trait HoldsStdError<R> {
    /// The database error in `outcome`.
    fn database_error<'r>(&self, outcome: &'r R) -> Option<&'r sqlx::Error>;
}

impl<T, E: StdError + 'static> HoldsStdError<Result<T, E>> for &Probe<Result<T, E>> {
    fn database_error<'r>(&self, outcome: &'r Result<T, E>) -> Option<&'r sqlx::Error> {
        outcome.as_ref().err().and_then(|error| database_error_in(error))
    }
}

/// There is no way to look for a database error.
pub trait HoldsNoDatabaseError<R> {
    /// `None`.
    fn database_error<'r>(&self, outcome: &'r R) -> Option<&'r sqlx::Error>;
}

impl<R> HoldsNoDatabaseError<R> for Probe<R> {
    fn database_error<'r>(&self, _: &'r R) -> Option<&'r sqlx::Error> {
        None
    }
}

/// The first database error among `error` and its sources.
fn database_error_in<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e sqlx::Error> {
    std::iter::successors(Some(error), |&error| error.source()).find_map(|error| {
        let shared = || error.downcast_ref::<Arc<sqlx::Error>>().map(AsRef::as_ref);
        error.downcast_ref::<sqlx::Error>().or_else(shared)
    })
}
