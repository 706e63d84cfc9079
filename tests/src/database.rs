//! A database for each test.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Column, ConnectOptions, Connection, Row, TypeInfo, ValueRef};
use tempfile::TempDir;
use uuid::Uuid;

use crate::postgres::{Server, shared_url};

/// The environment variable that makes tests which can do so keep their tables in another schema of Postgres.
pub const SCHEMA_VARIABLE: &str = "DBOS_TEST_SCHEMA";

/// The two databases every behaviour runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Backend {
    /// A file.
    Sqlite,
    /// A server.
    Postgres,
}

impl fmt::Display for Backend {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        })
    }
}

/// An empty database that nobody else uses. Dropping it deletes it, whoever is still connected.
///
/// Its helpers run SQL on a connection of their own, one per call, and panic when that fails: they are
/// the eyes of a test. The same text serves both databases; on SQLite, `dbos.` before a table is left
/// out and `dbos_rust.` becomes `dbos_rust_`; on Postgres both name the schemas in use.
#[derive(Debug)]
pub struct Database {
    url: String,
    place: Place,
}

#[derive(Debug)]
enum Place {
    File { path: PathBuf, _folder: TempDir },
    Server { maintenance: Box<PgConnectOptions>, name: String },
}

impl Database {
    /// A fresh database: a file in a folder of its own, or a new database on the shared server.
    ///
    /// # Panics
    ///
    /// If there is no Postgres, or the database cannot be created.
    pub async fn fresh(backend: Backend) -> Self {
        match backend {
            Backend::Sqlite => Self::file(),
            Backend::Postgres => Self::on(shared_url().unwrap_or_else(|error| panic!("{error}"))).await,
        }
    }

    /// The schema of the tables: `dbos`, unless [`SCHEMA_VARIABLE`] names another and this is Postgres.
    #[must_use]
    pub fn schema(&self) -> String {
        let named = std::env::var(SCHEMA_VARIABLE).ok().filter(|_| self.backend() == Backend::Postgres);
        named.unwrap_or_else(|| "dbos".to_owned())
    }

    /// A fresh database on a server of one's own.
    ///
    /// # Panics
    ///
    /// If the server is stopped.
    pub async fn on_server(server: &Server) -> Self {
        Self::on(&server.url()).await
    }

    /// Which of the two it is.
    #[must_use]
    pub fn backend(&self) -> Backend {
        match self.place {
            Place::File { .. } => Backend::Sqlite,
            Place::Server { .. } => Backend::Postgres,
        }
    }

    /// What an application is given to find it.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The file, on SQLite.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match &self.place {
            Place::File { path, .. } => Some(path),
            Place::Server { .. } => None,
        }
    }

    /// Runs statements for their effect.
    ///
    /// # Panics
    ///
    /// If one of them fails.
    pub async fn execute(&self, sql: &str) {
        self.query(sql).await;
    }

    /// Runs one query and gives every value as text: booleans are `true` or `false`, bytes are hexadecimal.
    ///
    /// # Panics
    ///
    /// If the query fails.
    pub async fn query(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        self.try_query(sql).await.unwrap_or_else(|error| panic!("{error}, in: {sql}"))
    }

    /// Like [`Database::query`], for a test that expects the database to refuse, or to be away.
    ///
    /// # Errors
    ///
    /// What the database said.
    pub async fn try_query(&self, sql: &str) -> sqlx::Result<Vec<Vec<Option<String>>>> {
        match self.backend() {
            Backend::Sqlite => query_sqlite(&self.url, sql).await,
            Backend::Postgres => query_postgres(&self.url, &in_schema(&self.schema(), sql)).await,
        }
    }

    /// The first column of the only row.
    ///
    /// # Panics
    ///
    /// If the query fails, or gives more or less than one row.
    pub async fn value(&self, sql: &str) -> Option<String> {
        let mut rows = self.query(sql).await;
        assert_eq!(rows.len(), 1, "one row is expected from: {sql}");
        rows.remove(0).remove(0)
    }

    /// The number a `SELECT count(*)` gives.
    ///
    /// # Panics
    ///
    /// If the query fails, or gives no number.
    pub async fn count(&self, sql: &str) -> i64 {
        let value = self.value(sql).await.unwrap_or_else(|| panic!("NULL, from: {sql}"));
        value.parse().unwrap_or_else(|_| panic!("`{value}` is no number, from: {sql}"))
    }

    /// Waits until a `SELECT count(*)` gives this number. For facts that only the database tells, as when
    /// another process brings them about; the time limit of the test ends the wait.
    ///
    /// # Panics
    ///
    /// If the query fails.
    pub async fn until_count(&self, sql: &str, expected: i64) {
        let mut looks = tokio::time::interval(Duration::from_millis(10));
        loop {
            looks.tick().await;
            if self.count(sql).await == expected {
                return;
            }
        }
    }

    fn file() -> Self {
        Self::file_in(&std::env::temp_dir())
    }

    /// A SQLite file in a folder of its own in this one.
    pub(crate) fn file_in(place: &Path) -> Self {
        let folder = tempfile::Builder::new().prefix("dbos-sqlite-").tempdir_in(place).expect("a temporary folder");
        let path = folder.path().join("test.sqlite");
        Self { url: format!("sqlite://{}", path.display()), place: Place::File { path, _folder: folder } }
    }

    async fn on(server: &str) -> Self {
        let maintenance = PgConnectOptions::from_str(server).expect("the URL of the test server is valid");
        let name = format!("dbos_test_{}", Uuid::new_v4().simple());
        run(&maintenance, format!("CREATE DATABASE {name}"))
            .await
            .unwrap_or_else(|error| panic!("cannot create a test database: {error}"));
        Self {
            url: maintenance.clone().database(&name).to_url_lossy().into(),
            place: Place::Server { maintenance: Box::new(maintenance), name },
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let Place::Server { maintenance, name } = &self.place else {
            return;
        };
        let drop = run(maintenance, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        // A runtime cannot be started on a thread that already drives one.
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                // A test that has stopped its server throws the data away with it.
                let _ = runtime.map(|runtime| runtime.block_on(drop));
            });
        });
    }
}

async fn run(options: &PgConnectOptions, sql: String) -> sqlx::Result<()> {
    let mut connection = PgConnection::connect_with(options).await?;
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await?;
    connection.close().await
}

fn in_schema(schema: &str, sql: &str) -> String {
    sql.replace("dbos_rust.", &format!("{schema}_rust.")).replace(" dbos.", &format!(" {schema}."))
}

async fn query_postgres(url: &str, sql: &str) -> sqlx::Result<Vec<Vec<Option<String>>>> {
    let mut connection = PgConnection::connect(url).await?;
    // Simple queries are answered in text, whatever the type.
    let rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut connection).await?;
    connection.close().await?;
    rows.iter().map(|row| (0..row.len()).map(|column| postgres_text(row, column)).collect()).collect()
}

fn postgres_text(row: &PgRow, column: usize) -> sqlx::Result<Option<String>> {
    let value = row.try_get_raw(column)?;
    if value.is_null() {
        return Ok(None);
    }
    let text = value.as_str().map_err(sqlx::Error::Decode)?;
    Ok(Some(match (row.column(column).type_info().name(), text) {
        ("BOOL", "t") => "true".to_owned(),
        ("BOOL", "f") => "false".to_owned(),
        ("BYTEA", text) => text.trim_start_matches("\\x").to_owned(),
        (_, text) => text.to_owned(),
    }))
}

async fn query_sqlite(url: &str, sql: &str) -> sqlx::Result<Vec<Vec<Option<String>>>> {
    let options = SqliteConnectOptions::from_str(url)?.create_if_missing(true).busy_timeout(Duration::from_secs(30));
    let mut connection = SqliteConnection::connect_with(&options).await?;
    let sql = sql.replace("dbos_rust.", "dbos_rust_").replace("dbos.", "");
    let rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut connection).await?;
    connection.close().await?;
    rows.iter().map(|row| (0..row.len()).map(|column| sqlite_text(row, column)).collect()).collect()
}

fn sqlite_text(row: &SqliteRow, column: usize) -> sqlx::Result<Option<String>> {
    let value = row.try_get_raw(column)?;
    if value.is_null() {
        return Ok(None);
    }
    let declared = row.column(column).type_info().name().to_owned();
    let stored = value.type_info().name().to_owned();
    Ok(Some(match (declared.as_str(), stored.as_str()) {
        ("BOOLEAN", _) => row.try_get_unchecked::<bool, _>(column)?.to_string(),
        (_, "REAL") => row.try_get_unchecked::<f64, _>(column)?.to_string(),
        (_, "BLOB") => hexadecimal(&row.try_get_unchecked::<Vec<u8>, _>(column)?),
        (_, "TEXT") => row.try_get_unchecked::<String, _>(column)?,
        _ => row.try_get_unchecked::<i64, _>(column)?.to_string(),
    }))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
