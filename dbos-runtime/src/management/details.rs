//! One workflow in full, in the form in which programs read it.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::store::listing::Payloads;
use crate::store::workflow_row::WorkflowStatus;

/// A workflow with its payloads.
#[derive(Debug, Serialize)]
pub(crate) struct Details {
    #[serde(flatten)]
    pub(crate) status: WorkflowStatus,
    /// How the payloads are written.
    pub(crate) serialization: Option<String>,
    pub(crate) inputs: Option<Payload>,
    pub(crate) output: Option<Payload>,
    pub(crate) error: Option<Payload>,
}

/// A stored value: as JSON if it is that, else as the text it is stored as.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Payload {
    Json(Box<RawValue>),
    Text(String),
}

impl Details {
    pub(super) fn new(status: WorkflowStatus, payloads: Payloads) -> Self {
        let Payloads { serialization, inputs, output, error } = payloads;
        Self {
            status,
            serialization,
            inputs: inputs.map(Payload::from),
            output: output.map(Payload::from),
            error: error.map(Payload::from),
        }
    }
}

impl From<String> for Payload {
    fn from(text: String) -> Self {
        RawValue::from_string(text.clone()).map_or(Self::Text(text), Self::Json)
    }
}

impl Payload {
    /// The stored text.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Json(json) => json.get(),
            Self::Text(text) => text,
        }
    }
}
