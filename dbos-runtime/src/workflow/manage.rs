//! What others may do to a workflow.

use crate::error::{Error, Result};
use crate::executor::{Executor, Signal};
use crate::wakeup::Fact;

/// Cancels `workflow` unless it has ended. Its code stops at once if it runs here, and within a
/// second elsewhere; nothing it does after this is recorded.
pub(crate) async fn cancel(executor: &Executor, workflow: &str) -> Result<()> {
    match executor.store.cancel(workflow, executor.clock.now_ms()).await? {
        None => Err(Error::NonExistentWorkflow { workflow: workflow.to_owned() }),
        Some(cancelled) => {
            if cancelled {
                executor.stop_run(workflow, Signal::Cancelled);
                executor.notifier.told(&Fact::Ended { workflow: workflow.to_owned() });
            }
            Ok(())
        }
    }
}
