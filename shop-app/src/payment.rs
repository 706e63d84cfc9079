//! What a payment service and a shop tell each other.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a session stands. It leaves `Pending` once.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PaymentStatus {
    /// The customer may pay, or cancel.
    Pending,
    /// The customer has been charged.
    Paid,
    /// Nobody has been charged, and nobody will be.
    Cancelled,
}

impl fmt::Display for PaymentStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Pending => "pending",
            Self::Paid => "paid",
            Self::Cancelled => "cancelled",
        })
    }
}

/// A customer's chance to pay for one thing, once.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct PaymentSession {
    /// Its name at the payment service.
    pub session_id: String,
    /// The page on which the customer pays; a service that could make no session gives none.
    pub url: Option<String>,
    /// Where it stands.
    pub payment_status: PaymentStatus,
}

/// The news that a session has ended, as a webhook carries it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct PaymentEvent {
    /// The same each time this news is sent.
    pub event_id: String,
    /// The session that has ended.
    pub session_id: String,
    /// How.
    pub payment_status: PaymentStatus,
    /// What the shop called it.
    pub client_reference_id: Option<String>,
}
