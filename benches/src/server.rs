//! A throwaway Postgres that flushes every commit, from the installed binaries.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;
use tokio_postgres::NoTls;

use crate::cpu;

/// What differs from the defaults; `fsync` and `synchronous_commit` are said aloud.
const SETTINGS: &str = "
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = on
synchronous_commit = on
max_connections = 300
shared_buffers = 1GB
max_wal_size = 8GB
shared_preload_libraries = 'pg_stat_statements'
";

/// A running server. Dropping it stops it and removes its data; it does not outlive this process either.
pub struct Server {
    postmaster: Child,
    port: u16,
    _folder: TempDir,
}

impl Server {
    /// Makes one and waits until it answers.
    pub async fn start() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("dbos-benches-").tempdir()?;
        let data = folder.path().join("data");
        let owner = owner()?;
        if let Some((user, group)) = owner {
            chown(folder.path(), Some(user), Some(group))?;
        }

        let mut initdb = Command::new(binary("initdb")?);
        initdb.args(["--no-sync", "--no-locale", "-A", "trust", "-U", "postgres", "-E", "UTF8", "-D"]).arg(&data);
        run_as(owner, initdb.current_dir(&folder)).context("initdb")?;
        OpenOptions::new().append(true).open(data.join("postgresql.conf"))?.write_all(SETTINGS.as_bytes())?;

        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        // The kernel stops the server when this process ends, in whatever way.
        let mut postmaster = Command::new("setpriv");
        if let Some((user, group)) = owner {
            postmaster.arg(format!("--reuid={user}")).arg(format!("--regid={group}")).arg("--clear-groups");
        }
        postmaster
            .arg("--pdeathsig=QUIT")
            .arg(binary("postgres")?)
            .arg("-D")
            .arg(&data)
            .args(["-p", &port.to_string()]);
        let log = OpenOptions::new().create(true).append(true).open(folder.path().join("log"))?;
        let postmaster = postmaster.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;

        let server = Self { postmaster, port, _folder: folder };
        server.answers().await?;
        Ok(server)
    }

    /// How to connect to one of its databases.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The processor time that it has taken so far, in microseconds, with all of its processes.
    pub fn cpu_us(&self) -> Result<u64> {
        cpu::of_family(self.postmaster.id())
    }

    async fn answers(&self) -> Result<()> {
        for _ in 0..300 {
            if tokio_postgres::connect(&self.url("postgres"), NoTls).await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        anyhow::bail!("Postgres does not start; it needs `setpriv`, and a user other than root")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let postmaster = Pid::from_child(&self.postmaster);
        kill_process(postmaster, Signal::QUIT).ok();
        self.postmaster.wait().ok();
    }
}

/// A program of Postgres: from `PG_BIN`, else the newest that Debian has installed, else the search path.
pub fn binary(name: &str) -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os("PG_BIN") {
        return Ok(Path::new(&folder).join(name));
    }
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = installed.max_by_key(|entry| entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()));
    Ok(newest.map_or_else(|| PathBuf::from(name), |version| version.path().join("bin").join(name)))
}

/// Whom the server belongs to, if root may not run it.
fn owner() -> Result<Option<(u32, u32)>> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    Ok(Some((id("-u")?, id("-g")?)))
}

fn id(flag: impl AsRef<OsStr>) -> Result<u32> {
    let output = Command::new("id").arg(flag).arg("postgres").output()?;
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

fn run_as(owner: Option<(u32, u32)>, command: &mut Command) -> Result<()> {
    if let Some((user, group)) = owner {
        command.uid(user).gid(group);
    }
    let output = command.output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
