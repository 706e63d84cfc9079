//! Takes over at once what an executor left, for whoever knows that it is gone.

use super::Manager;
use crate::error::{Error, Result};
use crate::service::identity::is_dead;
use crate::service::recovery::run_once;

impl Manager {
    /// Lets the workflows of these executors go on here, and gives their ids. An executor that may be alive keeps its
    /// own, whatever anybody says of it.
    pub(crate) async fn recover(&self, executors: &[String]) -> Result<Vec<String>> {
        let Self::Engine(here) = self else { return Err(Error::NotLaunched) };
        let mut recovered = Vec::new();
        for name in executors {
            let Some(row) = here.store.executor(name).await? else { continue };
            if is_dead(&row, &here.store, here.clock.now_ms()) {
                recovered.extend(run_once(here, &row).await?);
            }
        }
        Ok(recovered)
    }
}
