//! Counting what was committed, from outside: in the write-ahead log of the database.

use std::str::FromStr;

use dbos_testkit::{Backend, Database};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};

/// The commits since some moment.
pub(crate) enum Commits {
    /// The log's salts, how many commits it held, and a reader that keeps it from being begun anew.
    Sqlite { salts: [u8; 8], before: usize, _reader: SqliteConnection },
    /// The log's position.
    Postgres { position: String },
}

impl Commits {
    /// Counts from now on.
    pub(crate) async fn from_now(database: &Database) -> Self {
        match database.backend() {
            Backend::Sqlite => {
                let options = SqliteConnectOptions::from_str(database.url()).expect("the URL of a test is valid");
                let mut reader = options.connect().await.expect("a reader");
                for sql in ["BEGIN", "SELECT count(*) FROM products"] {
                    sqlx::raw_sql(sql).execute(&mut reader).await.expect("a snapshot");
                }
                let (salts, before) = sqlite_log(database);
                Self::Sqlite { salts, before, _reader: reader }
            }
            Backend::Postgres => {
                database.execute("CREATE EXTENSION pg_walinspect").await;
                let position = database.value("SELECT pg_current_wal_insert_lsn()").await;
                Self::Postgres { position: position.expect("a position") }
            }
        }
    }

    /// How many there were that changed a table of DBOS or of the shop.
    pub(crate) async fn count(&self, database: &Database) -> usize {
        match self {
            Self::Sqlite { salts, before, .. } => {
                let (now, commits) = sqlite_log(database);
                assert_eq!(now, *salts, "the log was begun anew");
                commits - before
            }
            Self::Postgres { position } => {
                // An empty stretch of the log cannot be read; this is a commit that changes no table.
                database.execute("SELECT pg_logical_emit_message(TRUE, 'test', 'the end')").await;
                let commits = database.count(&POSTGRES_COMMITS.replace("POSITION", position)).await;
                usize::try_from(commits).expect("a count is not negative")
            }
        }
    }
}

/// Leaves out the lease, which is renewed by the clock, and what belongs to the server itself.
const POSTGRES_COMMITS: &str = "
    WITH record AS (
      SELECT * FROM pg_get_wal_records_info('POSITION', pg_current_wal_flush_lsn())
    ), changed AS (
      SELECT record.xid
        FROM record
       CROSS JOIN regexp_matches(record.block_ref, 'rel \\d+/(\\d+)/(\\d+)', 'g') AS place
        JOIN pg_database AS base ON base.datname = current_database() AND base.oid = CAST(place[1] AS oid)
        JOIN pg_class AS class ON pg_relation_filenode(class.oid) = CAST(place[2] AS oid)
        JOIN pg_namespace AS schema ON schema.oid = class.relnamespace AND schema.nspname IN ('dbos', 'public')
    )
    SELECT count(DISTINCT CAST(record.xid AS text))
      FROM record
      JOIN changed ON changed.xid = record.xid
     WHERE record.resource_manager = 'Transaction'
       AND record.record_type LIKE 'COMMIT%'";

/// The salts and the number of commits in the log of a SQLite database: a frame that ends a commit
/// says how many pages the database has after it.
fn sqlite_log(database: &Database) -> ([u8; 8], usize) {
    const HEADER: usize = 32;
    const FRAME_HEADER: usize = 24;
    let path = database.path().expect("a file").with_extension("sqlite-wal");
    let log = std::fs::read(path).expect("a log");
    let page = u32::from_be_bytes(log[8..12].try_into().expect("four or eight bytes")) as usize;
    let salts: [u8; 8] = log[16..24].try_into().expect("four or eight bytes");
    let frames = log[HEADER..].chunks_exact(FRAME_HEADER + page).take_while(|frame| frame[8..16] == salts);
    (salts, frames.filter(|frame| frame[4..8] != [0; 4]).count())
}
