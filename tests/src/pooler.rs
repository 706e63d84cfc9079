//! `PgBouncer` in transaction mode: each transaction may go to another server process.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::str::FromStr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;
use tempfile::TempDir;

use crate::port::free_port;
use crate::postgres::shared_url;
use crate::process::{Process, Program};

/// The environment variable that makes tests which can go through a pooler do so.
pub const POOLER_VARIABLE: &str = "DBOS_TEST_POOLER";

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(30);

/// A pooler before a server, with nothing set that its manual does not ask for.
#[derive(Debug)]
pub struct Pooler {
    _process: Process,
    _folder: TempDir,
    port: u16,
}

impl Pooler {
    /// Starts one before the server of this URL.
    ///
    /// # Panics
    ///
    /// If it is not installed (`apt-get install pgbouncer`) or does not start.
    #[must_use]
    pub fn before(url: &str) -> Self {
        let server = PgConnectOptions::from_str(url).expect("a Postgres URL");
        let port = free_port();
        let folder = tempfile::Builder::new().prefix("dbos-pooler-").tempdir().expect("a temporary folder");
        let users = folder.path().join("users");
        let settings = folder.path().join("pgbouncer.ini");
        fs::write(&users, format!("\"{}\" \"\"\n", server.get_username())).expect("the folder is ours");
        fs::write(
            &settings,
            format!(
                "[databases]\n* = host={} port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
                 unix_socket_dir =\nauth_type = trust\nauth_file = {}\npool_mode = transaction\n\
                 max_client_conn = 2000\ndefault_pool_size = 5\n",
                server.get_host(),
                server.get_port(),
                users.display(),
            ),
        )
        .expect("the folder is ours");
        // It refuses to be root, and whoever it becomes must be able to read these.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("the folder is ours");
        let process = as_nobody("pgbouncer").arg(&settings).start();
        wait_until_open(port, &process);
        Self { _process: process, _folder: folder, port }
    }

    /// The pooler that all tests of this process share, if [`POOLER_VARIABLE`] asks for one.
    #[must_use]
    pub fn shared() -> Option<&'static Self> {
        static POOLER: OnceLock<Option<Pooler>> = OnceLock::new();
        POOLER
            .get_or_init(|| {
                std::env::var_os(POOLER_VARIABLE)?;
                Some(Self::before(shared_url().ok()?))
            })
            .as_ref()
    }

    /// The URL of the database of this URL, through the pooler.
    ///
    /// # Panics
    ///
    /// If it is no URL of Postgres.
    #[must_use]
    pub fn url(&self, url: &str) -> String {
        let options = PgConnectOptions::from_str(url).expect("a Postgres URL");
        options.host("127.0.0.1").port(self.port).to_url_lossy().into()
    }
}

/// The program under the user `nobody`, if it would be root's otherwise. Who becomes another user by itself forgets that
/// it should die with us, so it is told after that.
fn as_nobody(program: &str) -> Program {
    if !rustix::process::geteuid().is_root() {
        return Program::new(program);
    }
    let words = ["--reuid=65534", "--regid=65534", "--clear-groups", "--pdeathsig=KILL", "--", program];
    words.into_iter().fold(Program::new("setpriv"), Program::arg)
}

fn wait_until_open(port: u16, process: &Process) {
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(begun.elapsed() < PATIENCE, "the pooler does not start: {:#?}", process.lines());
        std::thread::sleep(Duration::from_millis(10));
    }
}
