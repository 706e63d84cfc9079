use std::collections::{BTreeMap, HashMap};
use std::fmt::{self, Debug};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::inputs::ArgCodec;
use super::nameless::*;
use super::*;
use crate::error::Error;
use crate::schedule::Tick;

/// The codec the macros would choose for a type.
macro_rules! codec {
    ($ty:ty) => {{
        let probe = Probe::<$ty>::NEW;
        (&&&&&&&probe).codec().comparing((&&&&&probe).comparison()).describing((&&&probe).description())
    }};
}

/// Asserts that a value comes back equal, and gives what was stored.
macro_rules! comes_back {
    ($ty:ty, $value:expr) => {{
        let (codec, value): (_, $ty) = (codec!($ty), $value);
        let encoded = codec.encode(&value).expect("the value is accepted");
        let back = codec.decode(&encoded).expect("the value is read back");
        assert_eq!(back, value);
        encoded
    }};
}

/// Asserts that a value is refused, and gives the reason.
macro_rules! refused {
    ($ty:ty, $value:expr) => {{
        let value: $ty = $value;
        codec!($ty).encode(&value).expect_err("the value is refused")
    }};
}

fn stored_error(encoded: &Encoded) -> serde_json::Value {
    assert!(encoded.is_error());
    serde_json::from_str(encoded.text()).expect("errors are JSON")
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Order {
    id: u64,
    note: Option<String>,
}

#[derive(Debug, Deserialize, PartialEq, Serialize, thiserror::Error)]
enum ShopError {
    #[error("declined: {code}")]
    Declined { code: u16 },
    #[error("sold out")]
    SoldOut,
    #[error(transparent)]
    Dbos(#[from] Wrapped),
}

/// `dbos::Error` itself cannot be compared.
#[derive(Debug, Deserialize, Serialize)]
struct Wrapped(Error);

impl fmt::Display for Wrapped {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

impl std::error::Error for Wrapped {}

impl PartialEq for Wrapped {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl From<Error> for ShopError {
    fn from(error: Error) -> Self {
        Self::Dbos(Wrapped(error))
    }
}

mod arguments;
mod errors;
mod marked;
mod values;
mod workflows;
