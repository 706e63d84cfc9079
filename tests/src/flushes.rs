//! A disk that does not take what is flushed: the operating system answers `fsync` and `fdatasync` with an I/O error.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tempfile::TempPath;

use crate::process::{Process, Program};

/// Processes whose flushes fail. They work again when it is dropped.
#[derive(Debug)]
pub struct BrokenFlushes {
    strace: Process,
    trace: TempPath,
}

impl BrokenFlushes {
    /// Breaks those of these processes, as they are now; one that has ended meanwhile is left out. It takes the program
    /// `strace`.
    ///
    /// # Panics
    ///
    /// If `strace` is not installed.
    pub async fn of(processes: &[u32]) -> Self {
        Self::start(processes, &[]).await
    }

    /// Breaks those of this process that are for an SQLite file, and no others.
    ///
    /// # Panics
    ///
    /// As [`BrokenFlushes::of`].
    pub async fn of_file(process: u32, file: &Path) -> Self {
        let mut log = file.as_os_str().to_owned();
        log.push("-wal");
        Self::start(&[process], &[file, Path::new(&log)]).await
    }

    async fn start(processes: &[u32], files: &[&Path]) -> Self {
        let trace = tempfile::NamedTempFile::new().expect("a temporary file").into_temp_path();
        let strace = Program::new("strace").arg("-f").arg("-o").arg(&trace).arg("-e").arg("trace=fsync,fdatasync");
        let strace = strace.arg("-e").arg("inject=fsync,fdatasync:error=EIO");
        let strace = files.iter().fold(strace, |strace, file| strace.arg("-P").arg(file));
        let strace = processes.iter().fold(strace, |strace, process| strace.arg("-p").arg(process.to_string())).start();
        // It says that it is attached to a process, or why it cannot be.
        strace.wait_for_line_number(processes.len(), "attach").await;
        Self { strace, trace }
    }

    /// How many have failed so far.
    #[must_use]
    pub fn failed(&self) -> usize {
        let trace = fs::read_to_string(&self.trace).unwrap_or_default();
        trace.lines().filter(|line| line.contains("EIO") && line.contains("INJECTED")).count()
    }

    /// Waits until so many have failed.
    pub async fn until_failed(&self, times: usize) {
        let mut looks = tokio::time::interval(Duration::from_millis(10));
        while self.failed() < times {
            looks.tick().await;
        }
    }

    /// Lets them work again, and gives how many failed.
    pub async fn mend(self) -> usize {
        self.strace.terminate();
        self.until_ended().await
    }

    /// Waits until all the processes have ended, and gives how many failed.
    pub async fn until_ended(self) -> usize {
        self.strace.wait().await;
        self.failed()
    }
}
