//! The failpoints of a program as it is shipped: none.

#[derive(Clone, Debug, Default)]
pub(crate) struct Failpoints(());

#[derive(Debug)]
#[must_use]
pub(crate) struct DurableWrite;

#[expect(clippy::unused_async, clippy::unused_self, reason = "the same shape as where they exist")]
impl Failpoints {
    pub(crate) fn are_armed(&self) -> bool {
        false
    }

    pub(crate) async fn begin(&self, _action: &'static str) -> DurableWrite {
        DurableWrite
    }
}

#[expect(clippy::unused_async, reason = "the same shape as where they exist")]
impl DurableWrite {
    pub(crate) async fn end(self) {}
}
