//! The installed server: where it is, who may run it, how its data are prepared.

use std::fs;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Flush, Log};

/// `PG_BIN`, else the newest version where Debian keeps them, else the search path.
pub(super) fn binaries() -> Option<PathBuf> {
    let complete = |folder: &PathBuf| folder.join("initdb").exists() && folder.join("pg_ctl").exists();
    if let Some(folder) = std::env::var_os("PG_BIN") {
        return Some(PathBuf::from(folder)).filter(complete);
    }
    let newest = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path().join("bin"))))
        .filter(|(_, folder)| complete(folder))
        .max();
    newest.map(|(_, folder)| folder).or_else(|| {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).find(complete)
    })
}

/// Creates the data folder and configures it.
pub(super) fn initialize(binaries: &Path, directory: &Path, owner: &Owner, settings: &str) -> std::io::Result<()> {
    let data = directory.join("data");
    let mut initdb = Command::new(binaries.join("initdb"));
    initdb.args(["--no-sync", "--no-locale", "-A", "trust", "-U", "postgres", "-E", "UTF8", "-D"]);
    initdb.arg(&data).current_dir(directory);
    let output = owner.run(&mut initdb).output()?;
    if !output.status.success() {
        return Err(std::io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    let mut configuration = fs::OpenOptions::new().append(true).open(data.join("postgresql.conf"))?;
    configuration.write_all(settings.as_bytes())
}

/// What the configuration says beyond its defaults.
pub(super) fn settings(binaries: &Path, flush: Flush, log: Log) -> String {
    let mut settings = String::from(
        "\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\nmax_connections = 300\nshared_buffers = 64MB\n",
    );
    settings.push_str(match log {
        Log::Whole => "wal_keep_size = '4GB'\nmax_wal_size = '4GB'\n",
        Log::Short => "min_wal_size = '32MB'\nmax_wal_size = '64MB'\n",
    });
    if flush == Flush::Never {
        settings.push_str("fsync = off\nfull_page_writes = off\n");
    }
    // Lets a test count the statements the server has seen.
    if binaries.with_file_name("lib").join("pg_stat_statements.so").exists() {
        settings.push_str("shared_preload_libraries = 'pg_stat_statements'\n");
    }
    settings
}

/// Postgres refuses to run as root, so root hands it to somebody else.
pub(super) struct Owner(Option<(u32, u32)>);

impl Owner {
    /// Who that is.
    pub(super) fn of_servers() -> std::io::Result<Self> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self(None));
        }
        ["postgres", "nobody"]
            .into_iter()
            .find_map(|user| Some((id("-u", user)?, id("-g", user)?)))
            .map(|ids| Self(Some(ids)))
            .ok_or_else(|| std::io::Error::other("it must not run as root, and there is no user `postgres`"))
    }

    /// Hands over a folder.
    pub(super) fn give(&self, path: &Path) -> std::io::Result<()> {
        match self.0 {
            Some((user, group)) => std::os::unix::fs::chown(path, Some(user), Some(group)),
            None => Ok(()),
        }
    }

    /// Makes a command run as that user.
    pub(super) fn run<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        match self.0 {
            Some((user, group)) => command.uid(user).gid(group),
            None => command,
        }
    }
}

fn id(flag: &str, user: &str) -> Option<u32> {
    let output = Command::new("id").args([flag, user]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
