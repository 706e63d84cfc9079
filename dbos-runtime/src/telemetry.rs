//! The spans in which user code runs. Their names and attributes are made here and nowhere else.
//!
//! | Span | Attribute | What it is |
//! |---|---|---|
//! | `workflow` | `dbos.workflow.id` | the workflow's id |
//! | | `dbos.workflow.name` | its function |
//! | | `trace_id` | the trace of the request that started it or one of its ancestors, wherever it goes on |
//! | `step` | `dbos.step.id` | the step's number in its workflow; none outside a workflow |
//! | | `dbos.step.name` | its function |
//!
//! A workflow's span has no parent: whoever started it may long be gone when it goes on elsewhere. It
//! follows from the span it was started in.
//!
//! Both are of the level ERROR, so that choosing to see little never costs a line its workflow.

use tracing::Span;

/// The span of one execution of a workflow.
pub(crate) fn workflow(id: &str, name: &str, trace_id: Option<&str>) -> Span {
    let span = tracing::error_span!(
        parent: None,
        "workflow",
        dbos.workflow.id = id,
        dbos.workflow.name = name,
        trace_id
    );
    span.follows_from(Span::current());
    span
}

/// The span of a step's body, within its workflow's.
pub(crate) fn step(id: Option<u32>, name: &str) -> Span {
    tracing::error_span!("step", dbos.step.id = id, dbos.step.name = name)
}
