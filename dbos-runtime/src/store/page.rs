//! A page of what a workflow puts out one after another.

use super::sql::Row;
use crate::status::Status;

/// Values in their order, each with its number, and whether the workflow is over, so that no more will come after the
/// last page.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) values: Vec<(i64, String)>,
    pub(crate) is_over: bool,
}

impl Page {
    /// Of rows that join a workflow's `status` with a `value` each, or with none, and the column `number`.
    pub(super) fn of(rows: &[Row], number: &str) -> sqlx::Result<Self> {
        let mut page = Self::default();
        for row in rows {
            let status = row.get::<Option<String>>("status")?;
            page.is_over = status.as_deref().and_then(Status::parse).is_some_and(Status::is_terminal);
            if let Some(value) = row.get::<Option<String>>("value")? {
                page.values.push((row.get(number)?, value));
            }
        }
        Ok(page)
    }
}
