//! A disk with little room, to be filled and freed.

use std::fmt;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// Mounts, waits until we are gone, and unmounts. What still runs on the disk has a guardian of its own, which needs
/// to find its files once more; five seconds are enough for that.
const HOLDER: &str = r#"
mount -t tmpfs -o "size=$2,mode=1777" tmpfs "$1" && echo mounted && read -r _
tries=50
until umount "$1" 2>/dev/null; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || { umount -l "$1"; break; }
    sleep 0.1
done
rmdir "$1"
"#;

/// What it takes to have a root user's rights over mounts, and over nothing else, as anybody else.
const NAMESPACE: [&str; 5] = ["--user", "--map-current-user", "--keep-caps", "--mount", "--"];

const INSIDE: &str = "DBOS_TEST_MAY_MOUNT";

/// A disk of its own in memory. It goes away with the test process, however that ends.
#[derive(Debug)]
pub struct Disk {
    path: PathBuf,
    holder: Child,
}

/// Why there is no disk.
#[derive(Clone, Debug)]
pub struct NotMounted(String);

impl fmt::Display for NotMounted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "no disk can be mounted: {}; run it as root, or where `unshare --user --map-current-user` works",
            self.0.trim()
        )
    }
}

impl Disk {
    /// Mounts one with so many bytes.
    ///
    /// # Errors
    ///
    /// If this process may not mount.
    pub fn of(bytes: u64) -> Result<Self, NotMounted> {
        Self::mount(bytes).map_err(|error| NotMounted(error.to_string()))
    }

    fn mount(bytes: u64) -> std::io::Result<Self> {
        let path = tempfile::Builder::new().prefix("dbos-disk-").tempdir()?.keep();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", HOLDER, "holder"]).arg(&path).arg(bytes.to_string());
        // A group of its own, or Ctrl-C in a terminal would end the holder along with the test.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut holder = command.spawn()?;
        let mut said = String::new();
        BufReader::new(holder.stdout.take().expect("standard output is piped")).read_line(&mut said)?;
        if said != "mounted\n" {
            drop(holder.stdin.take());
            let output = holder.wait_with_output()?;
            return Err(std::io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()));
        }
        Ok(Self { path, holder })
    }

    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes all the room there is.
    ///
    /// # Panics
    ///
    /// If it fails for another reason than that there is none left.
    pub fn fill(&self) {
        let mut ballast = File::options().create(true).append(true).open(self.ballast()).expect("a file");
        // What is too little for many pages is enough for one.
        for size in [1 << 20, 1 << 12] {
            let block = vec![0xFF; size];
            let full = loop {
                if let Err(error) = ballast.write_all(&block) {
                    break error;
                }
            };
            assert_eq!(full.kind(), ErrorKind::StorageFull, "{full}");
        }
    }

    /// Gives back what [`Disk::fill`] took.
    ///
    /// # Panics
    ///
    /// If it was not filled.
    pub fn free(&self) {
        fs::remove_file(self.ballast()).expect("it was filled");
    }

    /// Lets nobody write to this file or folder on it any more, who has not opened it already.
    ///
    /// # Panics
    ///
    /// If it cannot be mounted over itself.
    pub fn make_read_only(&self, path: &Path) {
        assert!(path.starts_with(&self.path), "{} is not on this disk", path.display());
        run(Command::new("mount").arg("--bind").args([path, path]));
        run(Command::new("mount").args(["-o", "remount,bind,ro"]).arg(path));
    }

    /// Undoes [`Disk::make_read_only`].
    ///
    /// # Panics
    ///
    /// If it was not read-only.
    pub fn make_writable(&self, path: &Path) {
        // Whoever had it open may take a moment to let go.
        run(Command::new("umount").arg("-l").arg(path));
    }

    fn ballast(&self) -> PathBuf {
        self.path.join("ballast")
    }
}

fn run(command: &mut Command) {
    let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}: {status}");
}

/// Runs a program where anybody may mount, if this machine lets them: `None` if it does not.
pub(crate) fn run_where_disks_may_be_mounted(program: &Path, arguments: &[&str]) -> Option<std::io::Result<Output>> {
    let probe = Command::new("unshare").args(NAMESPACE).arg("true").stderr(Stdio::null()).status();
    probe.is_ok_and(|status| status.success()).then(|| {
        let mut command = Command::new("unshare");
        command.args(NAMESPACE).arg(program).args(arguments).env(INSIDE, "1").stdin(Stdio::null()).output()
    })
}

/// Whether this process runs there already.
pub(crate) fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}
