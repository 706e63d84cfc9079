//! A record outside every database of what really happened.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// An append-only file that several processes write and that survives them being killed.
///
/// A line is on the disk when [`Ledger::append`] returns, and stands before every line appended later.
/// A test reads it to learn which effects took place, and how often, whatever the database says.
#[derive(Clone, Debug)]
pub struct Ledger {
    path: PathBuf,
}

impl Ledger {
    /// The ledger in this file, which need not exist yet.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is, to be told to another process.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes one line and flushes it.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    ///
    /// # Panics
    ///
    /// If the text holds a line break.
    pub fn append(&self, line: &str) -> io::Result<()> {
        assert!(!line.contains('\n'), "a line has no line break: {line}");
        let mut file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        // In one write, so that lines of two processes cannot mix.
        file.write_all(format!("{line}\n").as_bytes())?;
        file.sync_data()
    }

    /// Every complete line so far; none if nothing was written.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn lines(&self) -> io::Result<Vec<String>> {
        let text = match fs::read_to_string(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            text => text?,
        };
        // What was cut off by a crash was never acknowledged.
        let complete = text.rfind('\n').map_or("", |end| &text[..end]);
        Ok(complete.split('\n').filter(|line| !line.is_empty()).map(str::to_owned).collect())
    }

    /// How many lines are exactly this one.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn count(&self, line: &str) -> io::Result<usize> {
        Ok(self.lines()?.iter().filter(|entry| *entry == line).count())
    }
}
