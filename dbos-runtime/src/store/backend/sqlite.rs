//! SQLite: one writer, a few readers, write-ahead log, every commit flushed.

mod link;
mod migrate;

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, SqliteConnection};

use super::{Access, Backend, Dialect, Missing, Opening};
use crate::config::DEFAULT_SCHEMA;
use crate::error::{Error, Result};
use crate::store::connection::Connection;
use crate::store::notify::Audience;
use crate::store::pool::Pool;
use crate::store::retry::{cannot_open, is_damage, is_refused_write};
use crate::wakeup::Wakeups;

pub(crate) use link::{Arguments, FromItsRow, Link, Parameter, Row, Scalar};

const READERS: u32 = 4;
/// How long a statement waits for another process's write.
const BUSY_TIMEOUT: Duration = Duration::from_secs(3);

struct Sqlite {
    writer: Pool<SqliteConnection>,
    readers: Pool<SqliteConnection>,
    file: PathBuf,
    lock_folder: PathBuf,
}

pub(super) async fn open(url: &str, opening: Opening<'_>) -> Result<Arc<dyn Backend>> {
    if opening.schema != DEFAULT_SCHEMA {
        return Err(Error::Configuration(
            "`schema` is set, but SQLite has no schemas; leave it out, and give each application a file of its own"
                .to_owned(),
        ));
    }
    Ok(Arc::new(Sqlite::open(url, opening.missing).await?))
}

/// Beside the file itself, whatever links lead to it: all who share the file share the folder.
fn lock_folder(file: &Path) -> std::io::Result<PathBuf> {
    let file = file.canonicalize()?;
    let mut name = file.file_name().unwrap_or_default().to_os_string();
    name.push("-executors");
    Ok(file.with_file_name(name))
}

impl Sqlite {
    async fn open(url: &str, missing: Missing) -> Result<Self> {
        let options = SqliteConnectOptions::from_str(url)
            .map_err(|error| Error::Configuration(format!("the database URL cannot be used: {error}")))?;
        let file = options.get_filename().to_path_buf();
        if file.as_os_str().is_empty() || url.contains(":memory:") {
            return Err(Error::Configuration(
                "an SQLite database in memory survives no crash; name a file, for example sqlite:./app.sqlite"
                    .to_owned(),
            ));
        }
        if missing == Missing::Refuse && !file.exists() {
            return Err(Error::Configuration(format!(
                "there is no file {}; run the command `migrate` to create it, or name another with --database-url",
                file.display()
            )));
        }
        let options = match missing {
            Missing::Create => options.create_if_missing(true).journal_mode(SqliteJournalMode::Wal),
            // The mode is written into the file, which is another's.
            Missing::Refuse => options,
        };
        let options = options
            // NORMAL may lose the last commits when the power fails.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true)
            .disable_statement_logging();
        let writer = Pool::<SqliteConnection>::new(options.clone(), 1);
        let action = format!("open {}", file.display());
        let opened = writer.borrow().await.map_err(|error| Error::database(&action, error));
        opened.map_err(|error| explained(&file, error))?.give_back();
        let readers = Pool::new(options.pragma("query_only", "ON"), READERS);
        let lock_folder = lock_folder(&file).map_err(|error| Error::database(&action, error.into()))?;
        Ok(Self { writer, readers, file, lock_folder })
    }
}

/// What is to be done about a file that cannot be used as it is.
fn explained(file: &Path, error: Error) -> Error {
    let Error::Database { source: Some(source), message, .. } = &error else { return error };
    let advice = if is_damage(source) {
        "it is damaged, or no database; put back a copy that is whole, or name another file with `DBOS_DATABASE_URL`"
    } else if is_refused_write(source) || cannot_open(source) {
        "this user must be able to write to the file and to its folder, where SQLite keeps its log; or name another file \
         with `DBOS_DATABASE_URL`"
    } else {
        return error;
    };
    Error::Configuration(format!("{} cannot be used ({message}): {advice}", file.display()))
}

#[async_trait]
impl Backend for Sqlite {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn description(&self) -> String {
        format!("sqlite {}", self.file.display())
    }

    fn lock_folder(&self, _boot_id: &str) -> PathBuf {
        self.lock_folder.clone()
    }

    async fn connect(&self, access: Access) -> sqlx::Result<Connection> {
        match access {
            Access::Read => self.readers.borrow().await.map(|link| Link::new(link).into()),
            Access::Write => self.writer.borrow().await.map(|link| Link::new(link).into()),
        }
    }

    async fn migrate(&self) -> Result<()> {
        let mut connection =
            self.writer.borrow().await.map_err(|error| Error::database("open the database for migrations", error))?;
        migrate::migrate(&mut connection).await.map_err(|error| explained(&self.file, error))?;
        connection.give_back();
        Ok(())
    }

    async fn check(&self) -> Result<()> {
        let action = format!("read {}", self.file.display());
        let mut connection = self.readers.borrow().await.map_err(|error| Error::database(&action, error))?;
        migrate::check(&mut connection).await.map_err(|error| explained(&self.file, error))?;
        connection.give_back();
        Ok(())
    }

    async fn listen(&self, _wakeups: &Wakeups, _audience: &Audience) -> sqlx::Result<()> {
        // Waiters of this process are woken directly, those of others poll.
        std::future::pending().await
    }

    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}
