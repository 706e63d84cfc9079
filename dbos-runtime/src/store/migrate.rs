//! Brings the tables into shape: the shared ones at the family's version, ours at our own, under a
//! lock so that processes starting together do not collide. How it is done is each database's own.

use dbos_migrations::Migration;

use crate::error::{Error, Result};

/// The version of the shared tables that this library writes.
pub(super) const SYSTEM_VERSION: i64 = 125;

/// Newer tables only have more in them; older ones lack what we need.
pub(super) fn check_system_version(found: Option<i64>) -> Result<()> {
    match found {
        Some(version) if version > SYSTEM_VERSION => {
            tracing::warn!(
                "the DBOS tables are at version {version}, newer than the {SYSTEM_VERSION} known here; going on"
            );
            Ok(())
        }
        Some(version) if version < SYSTEM_VERSION => Err(Error::Configuration(format!(
            "the DBOS tables are at version {version} and version {SYSTEM_VERSION} is needed; \
             upgrade them with a current DBOS library of another language (`dbos migrate`), or name another database"
        ))),
        _ => Ok(()),
    }
}

pub(super) fn check_complete(system: Option<i64>, own: Option<i64>, needed: &[Migration]) -> Result<()> {
    check_system_version(system)?;
    let complete = needed.iter().all(|step| own.is_some_and(|version| version >= step.version));
    if system.is_some() && complete {
        return Ok(());
    }
    Err(Error::Configuration(
        "the database lacks tables that this program needs; run the command `migrate` to make them".to_owned(),
    ))
}

pub(super) fn failed(step: &Migration, error: sqlx::Error) -> Error {
    Error::database(&format!("apply migration {} ({})", step.version, step.name), error)
}
