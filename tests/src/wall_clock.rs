//! The wall clock of another process, set wrong.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

/// A clock that libfaketime (`apt-get install faketime`) shows to the processes that have its
/// [environment](Self::environment). Monotonic time stays as it is, as when somebody sets the clock of a machine.
#[derive(Debug)]
pub struct WallClock {
    folder: TempDir,
    library: PathBuf,
}

impl WallClock {
    /// A clock that is right so far.
    ///
    /// # Panics
    ///
    /// If the library is not installed.
    #[must_use]
    pub fn right() -> Self {
        let clock = Self { folder: tempfile::tempdir().expect("a temporary folder"), library: library() };
        clock.set_off_by(0);
        clock
    }

    /// What makes a process believe it.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, String); 4] {
        [
            ("LD_PRELOAD", self.library.display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.file().display().to_string()),
            // Or a jump would be seen late.
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]
    }

    /// Sets it so many seconds before the right time, or after it if there are less than none.
    ///
    /// # Panics
    ///
    /// If its file cannot be written.
    pub fn set_off_by(&self, seconds: i64) {
        // Nobody may find it half-written.
        let next = self.folder.path().join("next");
        fs::write(&next, format!("{seconds:+}")).expect("a file");
        fs::rename(next, self.file()).expect("it takes the place of the last one");
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("clock")
    }
}

fn library() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    let mut libraries = folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1"));
    libraries.find(|path| path.exists()).expect("libfaketime is installed with the program faketime")
}
