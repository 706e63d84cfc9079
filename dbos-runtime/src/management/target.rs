//! The queue, and the partition of it, that a workflow is to wait in.

use super::Manager;
use crate::error::{Error, Result};
use crate::id::check_key;
use crate::store::queues::Target;

impl Manager {
    /// Refuses a place where the workflow would wait for ever. `what` would be put there.
    pub(super) async fn check_target(&self, target: &Target, what: &str) -> Result<()> {
        let Some(queue) = &target.queue else { return Ok(()) };
        let limits = self.store().queue_limits(queue).await?;
        let limits = limits.ok_or_else(|| Error::NonExistentQueue { queue: queue.clone() })?;
        match &target.partition_key {
            Some(key) => check_key("partition key", key),
            None if limits.are_partitioned() => Err(Error::InvalidKey {
                what: format!("{what} without a partition key"),
                reason: format!("the queue `{queue}` has limits for partitions; give the key of one"),
            }),
            None => Ok(()),
        }
    }
}
