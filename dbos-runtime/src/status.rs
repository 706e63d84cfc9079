//! The states of a workflow, spelled as every DBOS library spells them in the database.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a workflow stands.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum Status {
    /// Running, or waiting to be recovered.
    Pending,
    /// Ended with a value.
    Success,
    /// Ended with an error.
    Error,
    /// Cancelled by a person, a program or its timeout.
    Cancelled,
    /// Waiting in a queue.
    Enqueued,
    /// Waiting for its delay to pass.
    Delayed,
    /// Set aside after too many recoveries.
    MaxRecoveryAttemptsExceeded,
}

impl Status {
    pub(crate) const ALL: [Self; 7] = [
        Self::Pending,
        Self::Success,
        Self::Error,
        Self::Cancelled,
        Self::Enqueued,
        Self::Delayed,
        Self::MaxRecoveryAttemptsExceeded,
    ];

    /// The spelling in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Success => "SUCCESS",
            Self::Error => "ERROR",
            Self::Cancelled => "CANCELLED",
            Self::Enqueued => "ENQUEUED",
            Self::Delayed => "DELAYED",
            Self::MaxRecoveryAttemptsExceeded => "MAX_RECOVERY_ATTEMPTS_EXCEEDED",
        }
    }

    /// The status spelled `text`, unless a newer library invented it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Whether the workflow runs no further unless somebody resumes it.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Success | Self::Error | Self::Cancelled | Self::MaxRecoveryAttemptsExceeded)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
