//! Who this process is, and the file lock that proves its death: the operating system releases it
//! when the process ends, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::id::random_id;
use crate::platform;
use crate::store::Store;
use crate::store::backend::Dialect;
use crate::store::executors::{ExecutorRow, NO_EXPIRY_MS};

/// An executor's name and its held lock.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) executor: String,
    lock: Option<(PathBuf, File)>,
    boot_id: String,
}

impl Identity {
    /// A fresh name, with its lock taken. On Postgres a folder that cannot be written costs the
    /// quick proof of death only; on SQLite the lock is the only proof, so it must work.
    pub(crate) fn create(store: &Store) -> Result<Self> {
        let (executor, boot_id) = (random_id(), boot_id());
        let folder = store.lock_folder(&boot_id);
        let lock = match take_lock(&folder, &executor) {
            Ok(lock) => Some(lock),
            Err(error) if store.dialect() == Dialect::Sqlite => {
                return Err(Error::Configuration(format!("cannot keep a lock file in {}: {error}", folder.display())));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot keep a lock file; a crash will be noticed when the lease runs out");
                None
            }
        };
        Ok(Self { executor, lock, boot_id })
    }

    /// The row that announces it.
    pub(crate) fn row(&self, dialect: Dialect, lease_end_ms: i64) -> ExecutorRow {
        ExecutorRow {
            executor: self.executor.clone(),
            boot_id: Some(self.boot_id.clone()),
            lock_path: self.lock.as_ref().map(|(path, _)| path.display().to_string()),
            expires_at_ms: if dialect == Dialect::Sqlite { NO_EXPIRY_MS } else { lease_end_ms },
        }
    }
}

impl Identity {
    /// Lets go of the lock as a crash would: the file stays, and proves the death.
    pub(crate) fn leave_behind(mut self) {
        self.lock = None;
    }
}

impl Drop for Identity {
    fn drop(&mut self) {
        // The file goes before the lock: then nobody can take the lock of a file that stays.
        if let Some((path, _)) = &self.lock {
            std::fs::remove_file(path).ok();
        }
    }
}

fn take_lock(folder: &Path, executor: &str) -> std::io::Result<(PathBuf, File)> {
    std::fs::create_dir_all(folder)?;
    let path = folder.canonicalize()?.join(lock_name(executor));
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
    file.try_lock().map_err(std::io::Error::from)?;
    Ok((path, file))
}

/// Whether the process behind `row` is certainly gone.
pub(crate) fn is_dead(row: &ExecutorRow, store: &Store, now_ms: i64) -> bool {
    row.expires_at_ms <= now_ms || is_lock_free(row, store)
}

fn is_lock_free(row: &ExecutorRow, store: &Store) -> bool {
    let same_machine = row.boot_id.as_deref() == Some(boot_id().as_str());
    let proves_something = store.dialect() == Dialect::Sqlite || same_machine;
    let Some(path) = lock_file(row, store).filter(|_| proves_something) else { return false };
    match File::open(path) {
        Ok(file) => match file.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => false,
        },
        // All who share an SQLite file share the folder beside it, so a lock that is not there is
        // held by nobody. A folder for temporary files may be another container's, and proves nothing.
        Err(error) => store.dialect() == Dialect::Sqlite && error.kind() == std::io::ErrorKind::NotFound,
    }
}

/// Where this process finds the lock of `row`.
fn lock_file(row: &ExecutorRow, store: &Store) -> Option<PathBuf> {
    match store.dialect() {
        // Another container may have the file, and the folder beside it, at another path than the one that is recorded.
        Dialect::Sqlite => Some(store.lock_folder(&boot_id()).join(lock_name(&row.executor))),
        Dialect::Postgres => row.lock_path.as_deref().map(PathBuf::from),
    }
}

fn lock_name(executor: &str) -> String {
    format!("{executor}.lock")
}

/// Removes what a dead executor left in the file system.
pub(crate) fn remove_lock_file(row: &ExecutorRow, store: &Store) {
    if let Some(path) = lock_file(row, store).filter(|path| path.ends_with(lock_name(&row.executor))) {
        std::fs::remove_file(path).ok();
    }
}

/// Tells one run of an operating system from another. Where it cannot be known, nobody's lock file
/// proves anything to anybody else.
fn boot_id() -> String {
    use std::sync::OnceLock;
    static BOOT_ID: OnceLock<String> = OnceLock::new();
    BOOT_ID.get_or_init(|| platform::boot_id().unwrap_or_else(random_id)).clone()
}
