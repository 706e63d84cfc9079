//! SQLite: one writer, a few readers, write-ahead log, every commit flushed.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, SqliteConnection};

use super::{Access, Backend, Dialect};
use crate::error::{Error, Result};
use crate::store::connection::Connection;
use crate::store::migrate;
use crate::store::pool::Pool;
use crate::wakeup::Wakeups;

const READERS: u32 = 4;
/// How long a statement waits for another process's write.
const BUSY_TIMEOUT: Duration = Duration::from_secs(3);

pub(crate) struct Sqlite {
    writer: Pool<SqliteConnection>,
    readers: Pool<SqliteConnection>,
    file: PathBuf,
}

impl Sqlite {
    pub(crate) async fn open(url: &str) -> Result<Self> {
        let options = SqliteConnectOptions::from_str(url)
            .map_err(|error| Error::Configuration(format!("the database URL cannot be used: {error}")))?;
        let file = options.get_filename().to_path_buf();
        if file.as_os_str().is_empty() || url.contains(":memory:") {
            return Err(Error::Configuration(
                "an SQLite database in memory survives no crash; name a file, for example sqlite:./app.sqlite"
                    .to_owned(),
            ));
        }
        let options = options
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // NORMAL may lose the last commits when the power fails.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true)
            .disable_statement_logging();
        let action = format!("open {}", file.display());
        let writer = Pool::<SqliteConnection>::new(options.clone(), 1);
        writer.borrow().await.map_err(|error| Error::database(&action, error))?.give_back();
        let readers = Pool::new(options.pragma("query_only", "ON"), READERS);
        Ok(Self { writer, readers, file })
    }

    /// Where executors of this file keep their locks: beside it, so that all who share the file
    /// share the folder.
    pub(crate) fn lock_folder(file: &Path) -> PathBuf {
        let mut name = file.file_name().unwrap_or_default().to_os_string();
        name.push("-executors");
        file.with_file_name(name)
    }

    pub(crate) fn file(url: &str) -> Result<PathBuf> {
        let options = SqliteConnectOptions::from_str(url)
            .map_err(|error| Error::Configuration(format!("the database URL cannot be used: {error}")))?;
        Ok(options.get_filename().to_path_buf())
    }
}

#[async_trait]
impl Backend for Sqlite {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn description(&self) -> String {
        format!("sqlite {}", self.file.display())
    }

    async fn connect(&self, access: Access) -> sqlx::Result<Connection> {
        match access {
            Access::Read => self.readers.borrow().await.map(Connection::from),
            Access::Write => self.writer.borrow().await.map(Connection::from),
        }
    }

    async fn migrate(&self) -> Result<()> {
        let mut connection =
            self.writer.borrow().await.map_err(|error| Error::database("open the database for migrations", error))?;
        migrate::sqlite(&mut connection).await?;
        connection.give_back();
        Ok(())
    }

    async fn listen(&self, _wakeups: &Wakeups) -> sqlx::Result<()> {
        // Waiters of this process are woken directly, those of others poll.
        std::future::pending().await
    }

    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}
