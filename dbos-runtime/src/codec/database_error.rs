//! `sqlx::Error` as the error of a step: what a program may match on comes back, together with the words.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};
use sqlx::error::{BoxDynError, DatabaseError, ErrorKind};

use super::portable::Portable;
use super::{Encoded, decode_value};

/// `data`: the variants that can be told apart after a replay.
#[derive(Deserialize, Serialize)]
enum Kept {
    Database(KeptDatabaseError),
    Configuration(String),
    InvalidArgument(String),
    Io {
        kind: String,
        message: String,
    },
    Tls(String),
    Protocol(String),
    RowNotFound,
    TypeNotFound(String),
    ColumnIndexOutOfBounds {
        index: usize,
        len: usize,
    },
    ColumnNotFound(String),
    ColumnDecode {
        index: String,
        message: String,
    },
    Encode(String),
    Decode(String),
    PoolTimedOut,
    PoolClosed,
    WorkerCrashed,
    /// Any other: only its words.
    Other(String),
}

/// The stored form of a database error.
pub(super) fn encode(error: &sqlx::Error) -> Result<Encoded, String> {
    Portable::encode("DatabaseError", error.to_string(), Kept::from(error))
}

/// The database error that was stored, or the words of an error from elsewhere.
pub(super) fn decode(text: &str) -> Result<sqlx::Error, String> {
    if let Ok(portable) = decode_value::<Portable<Kept>>(text) {
        return Ok(portable.data.into());
    }
    let portable: Portable<serde_json::Value> = decode_value(text)?;
    Ok(sqlx::Error::InvalidArgument(portable.message))
}

impl From<&sqlx::Error> for Kept {
    fn from(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(error) => Self::Database(KeptDatabaseError::new(error.as_ref())),
            sqlx::Error::Configuration(error) => Self::Configuration(error.to_string()),
            sqlx::Error::InvalidArgument(message) => Self::InvalidArgument(message.clone()),
            sqlx::Error::Io(error) => Self::Io { kind: format!("{:?}", error.kind()), message: error.to_string() },
            sqlx::Error::Tls(error) => Self::Tls(error.to_string()),
            sqlx::Error::Protocol(message) => Self::Protocol(message.clone()),
            sqlx::Error::RowNotFound => Self::RowNotFound,
            sqlx::Error::TypeNotFound { type_name } => Self::TypeNotFound(type_name.clone()),
            sqlx::Error::ColumnIndexOutOfBounds { index, len } => {
                Self::ColumnIndexOutOfBounds { index: *index, len: *len }
            }
            sqlx::Error::ColumnNotFound(name) => Self::ColumnNotFound(name.clone()),
            sqlx::Error::ColumnDecode { index, source } => {
                Self::ColumnDecode { index: index.clone(), message: source.to_string() }
            }
            sqlx::Error::Encode(error) => Self::Encode(error.to_string()),
            sqlx::Error::Decode(error) => Self::Decode(error.to_string()),
            sqlx::Error::PoolTimedOut => Self::PoolTimedOut,
            sqlx::Error::PoolClosed => Self::PoolClosed,
            sqlx::Error::WorkerCrashed => Self::WorkerCrashed,
            other => Self::Other(other.to_string()),
        }
    }
}

impl From<Kept> for sqlx::Error {
    fn from(kept: Kept) -> Self {
        let boxed = |message: String| -> BoxDynError { message.into() };
        match kept {
            Kept::Database(error) => Self::Database(Box::new(error)),
            Kept::Configuration(message) => Self::Configuration(boxed(message)),
            // The one variant whose words are its message and nothing else.
            Kept::InvalidArgument(message) | Kept::Other(message) => Self::InvalidArgument(message),
            Kept::Io { kind, message } => Self::Io(io::Error::new(io_kind(&kind), message)),
            Kept::Tls(message) => Self::Tls(boxed(message)),
            Kept::Protocol(message) => Self::Protocol(message),
            Kept::RowNotFound => Self::RowNotFound,
            Kept::TypeNotFound(type_name) => Self::TypeNotFound { type_name },
            Kept::ColumnIndexOutOfBounds { index, len } => Self::ColumnIndexOutOfBounds { index, len },
            Kept::ColumnNotFound(name) => Self::ColumnNotFound(name),
            Kept::ColumnDecode { index, message } => Self::ColumnDecode { index, source: boxed(message) },
            Kept::Encode(message) => Self::Encode(boxed(message)),
            Kept::Decode(message) => Self::Decode(boxed(message)),
            Kept::PoolTimedOut => Self::PoolTimedOut,
            Kept::PoolClosed => Self::PoolClosed,
            Kept::WorkerCrashed => Self::WorkerCrashed,
        }
    }
}

/// The kinds of I/O errors that a database connection has.
fn io_kind(name: &str) -> io::ErrorKind {
    use io::ErrorKind;
    let known = [
        ErrorKind::NotFound,
        ErrorKind::PermissionDenied,
        ErrorKind::ConnectionRefused,
        ErrorKind::ConnectionReset,
        ErrorKind::ConnectionAborted,
        ErrorKind::NotConnected,
        ErrorKind::AddrNotAvailable,
        ErrorKind::BrokenPipe,
        ErrorKind::TimedOut,
        ErrorKind::Interrupted,
        ErrorKind::UnexpectedEof,
        ErrorKind::HostUnreachable,
        ErrorKind::NetworkUnreachable,
    ];
    known.into_iter().find(|kind| format!("{kind:?}") == name).unwrap_or(ErrorKind::Other)
}

/// What a database said, after a replay.
#[derive(Debug, Deserialize, Serialize)]
struct KeptDatabaseError {
    /// Its words as a whole, and its own message within them.
    display: String,
    message: String,
    code: Option<String>,
    constraint: Option<String>,
    table: Option<String>,
    kind: KeptKind,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
enum KeptKind {
    UniqueViolation,
    ForeignKeyViolation,
    NotNullViolation,
    CheckViolation,
    ExclusionViolation,
    Other,
}

impl KeptDatabaseError {
    fn new(error: &dyn DatabaseError) -> Self {
        Self {
            display: error.to_string(),
            message: error.message().to_owned(),
            code: error.code().map(Cow::into_owned),
            constraint: error.constraint().map(str::to_owned),
            table: error.table().map(str::to_owned),
            kind: match error.kind() {
                ErrorKind::UniqueViolation => KeptKind::UniqueViolation,
                ErrorKind::ForeignKeyViolation => KeptKind::ForeignKeyViolation,
                ErrorKind::NotNullViolation => KeptKind::NotNullViolation,
                ErrorKind::CheckViolation => KeptKind::CheckViolation,
                ErrorKind::ExclusionViolation => KeptKind::ExclusionViolation,
                _ => KeptKind::Other,
            },
        }
    }
}

impl fmt::Display for KeptDatabaseError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.display)
    }
}

impl StdError for KeptDatabaseError {}

impl DatabaseError for KeptDatabaseError {
    fn message(&self) -> &str {
        &self.message
    }

    fn code(&self) -> Option<Cow<'_, str>> {
        self.code.as_deref().map(Cow::Borrowed)
    }

    fn as_error(&self) -> &(dyn StdError + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn StdError + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn StdError + Send + Sync + 'static> {
        self
    }

    fn constraint(&self) -> Option<&str> {
        self.constraint.as_deref()
    }

    fn table(&self) -> Option<&str> {
        self.table.as_deref()
    }

    fn kind(&self) -> ErrorKind {
        match self.kind {
            KeptKind::UniqueViolation => ErrorKind::UniqueViolation,
            KeptKind::ForeignKeyViolation => ErrorKind::ForeignKeyViolation,
            KeptKind::NotNullViolation => ErrorKind::NotNullViolation,
            KeptKind::CheckViolation => ErrorKind::CheckViolation,
            KeptKind::ExclusionViolation => ErrorKind::ExclusionViolation,
            KeptKind::Other => ErrorKind::Other,
        }
    }
}
