//! Checking recorded workflows against this program's code.

use std::path::Path;
use std::process::ExitCode;

use super::super::NOT_DONE;
use super::flags::VerifyFlags;
use super::{patiently, show, table};
use crate::Result;
use crate::history::Histories;
use crate::management::{Manager, Scope};
use crate::replay::replay;
use crate::store::filter::WorkflowFilter;

/// Replays what the flags name; fails if the code is not what is recorded.
pub(super) async fn verify(manager: &Manager, flags: VerifyFlags, json: bool) -> Result<ExitCode> {
    let mut ids = flags.workflow_ids;
    if !flags.status.is_empty() {
        let filter = WorkflowFilter::new().limit(flags.limit);
        let filter = flags.status.into_iter().fold(filter, WorkflowFilter::status);
        let found = patiently(manager.list(&filter)).await?;
        ids.extend(found.into_iter().map(|workflow| workflow.workflow_id));
    }
    report(&patiently(manager.export(ids, Scope::Themselves)).await?, json).await
}

/// The same for a file, which needs no database.
pub(super) async fn verify_file(file: &Path, json: bool) -> Result<ExitCode> {
    report(&Histories::of_file(file)?, json).await
}

async fn report(histories: &Histories, json: bool) -> Result<ExitCode> {
    let replayed = replay(histories).await?;
    show(json, &replayed, || table::replayed(&replayed));
    let diverged = replayed.iter().any(|replayed| !replayed.divergences.is_empty());
    Ok(if diverged { ExitCode::from(NOT_DONE) } else { ExitCode::SUCCESS })
}
