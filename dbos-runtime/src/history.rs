//! A recorded workflow as a file: what `workflow export` writes and a replay reads.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::error::{Error, Result};

/// The form of the file. It counts up when an older program could not read a newer file.
const FORMAT: u32 = 1;

/// Workflows with everything that is recorded of them.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Histories {
    format: u32,
    pub(crate) workflows: Vec<WorkflowHistory>,
}

/// One workflow. What it was given and gave is as it is stored, which is JSON unless another library wrote it.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct WorkflowHistory {
    pub(crate) workflow_id: String,
    pub(crate) name: String,
    pub(crate) status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parent_workflow_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) application_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) application_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) serialization: Option<String>,
    pub(crate) created_at_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) completed_at_ms: Option<i64>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) inputs: Option<Box<RawValue>>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) output: Option<Box<RawValue>>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<Box<RawValue>>,
    pub(crate) steps: Vec<StepHistory>,
    /// What a replay has no use for, and an import has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) archive: Option<Archive>,
}

/// The columns of a row, as texts; one that is left out is NULL.
pub(crate) type Cells = BTreeMap<String, String>;

/// The rows of a workflow in their tables.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct Archive {
    pub(crate) status: Cells,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) attributes: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) events: Vec<Cells>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) streams: Vec<Cells>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) messages: Vec<Cells>,
}

/// One recorded step.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct StepHistory {
    pub(crate) step_id: u32,
    pub(crate) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) child_workflow_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) started_at_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) completed_at_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) serialization: Option<String>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) output: Option<Box<RawValue>>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<Box<RawValue>>,
}

impl Histories {
    pub(crate) fn new(workflows: Vec<WorkflowHistory>) -> Self {
        Self { format: FORMAT, workflows }
    }

    /// Those in a file.
    #[cfg_attr(not(feature = "http"), allow(dead_code, reason = "it is for terminals"))]
    pub(crate) fn of_file(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file)
            .map_err(|error| Error::Configuration(format!("cannot read {}: {error}", file.display())))?;
        Self::read(&text)
    }

    /// Reads the text of a file.
    pub(crate) fn read(text: &str) -> Result<Self> {
        let histories: Self = serde_json::from_str(text)
            .map_err(|error| Error::Configuration(format!("this is no file of `workflow export`: {error}")))?;
        if histories.format != FORMAT {
            return Err(Error::Configuration(format!(
                "the file has format {}, and this program reads format {FORMAT}; export it again with this program",
                histories.format
            )));
        }
        Ok(histories)
    }

    /// The text of the file.
    pub(crate) fn written(&self) -> String {
        serde_json::to_string_pretty(self).expect("rows have text for keys")
    }
}

/// A stored value for the file: as it is if it is JSON, else as a text.
pub(crate) fn payload(stored: Option<String>) -> Option<Box<RawValue>> {
    let stored = stored?;
    let json = RawValue::from_string(stored.clone());
    Some(json.unwrap_or_else(|_| {
        RawValue::from_string(serde_json::Value::String(stored).to_string()).expect("a text is JSON")
    }))
}

/// What other libraries write as a text that is no JSON.
const TEXTS: [&str; 4] = ["py_pickle", "DBOS_JSON", "DBOS_GOB", "custom_serializer"];

/// What [`payload`] was made of: a text that is written under the tag `serialization`.
pub(crate) fn stored(payload: Option<&RawValue>, serialization: Option<&str>) -> Option<String> {
    let written = payload?.get();
    let is_text = serialization.is_some_and(|tag| TEXTS.contains(&tag));
    let text = Some(written).filter(|_| is_text).and_then(|written| serde_json::from_str(written).ok());
    Some(text.unwrap_or_else(|| written.to_owned()))
}

/// A stored `null` is something else than nothing stored.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_null_is_not_nothing() {
        let step = StepHistory { step_id: 1, output: payload(Some("null".to_owned())), ..StepHistory::default() };
        let timed_out = StepHistory { step_id: 2, ..StepHistory::default() };
        let foreign = StepHistory { step_id: 3, output: payload(Some("gASV".to_owned())), ..StepHistory::default() };
        let workflow = WorkflowHistory { steps: vec![step, timed_out, foreign], ..WorkflowHistory::default() };

        let read = Histories::read(&Histories::new(vec![workflow]).written()).expect("just written");

        let outputs: Vec<_> =
            read.workflows[0].steps.iter().map(|step| step.output.as_ref().map(|raw| raw.get())).collect();
        assert_eq!(outputs, [Some("null"), None, Some("\"gASV\"")]);
    }

    #[test]
    fn a_payload_is_stored_again_as_it_was() {
        for (text, tag) in [
            (r#"{ "a" : [1, "b"] }"#, Some("portable_json")),
            (r#""a text""#, Some("portable_json")),
            ("null", None),
            ("gASV", Some("py_pickle")),
        ] {
            assert_eq!(stored(payload(Some(text.to_owned())).as_deref(), tag).as_deref(), Some(text));
        }
        assert_eq!(stored(None, None), None);
    }

    #[test]
    fn what_is_no_such_file_is_refused() {
        for (text, reason) in [("[]", "no file of `workflow export`"), (r#"{"format":2,"workflows":[]}"#, "format 2")] {
            let refused = Histories::read(text).expect_err(text).to_string();
            assert!(refused.contains(reason), "{refused}");
        }
    }
}
