//! Placeholder until the engine's own module takes this place.

use std::marker::PhantomData;

use futures_util::future::BoxFuture;

use crate::codec::WorkflowCodec;
use crate::registry::AnyWorkflow;

/// A call of a workflow.
#[derive(Debug)]
pub struct WorkflowCall<R>(PhantomData<fn() -> R>);

impl<R> WorkflowCall<R> {
    pub(crate) fn new(
        _workflow: &'static dyn AnyWorkflow,
        _inputs: Result<String, String>,
        _codec: WorkflowCodec<R>,
        _body: BoxFuture<'static, R>,
    ) -> Self {
        Self(PhantomData)
    }
}
