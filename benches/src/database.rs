//! A contender's database: made, emptied, counted, and looked into.

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rusqlite::Connection;
use tempfile::TempDir;
use tokio_postgres::Client;

use crate::contender::minimal::connect;
use crate::contender::{Body, Name, Receipt};
use crate::server::Server;

const ORDERS: &str = "CREATE TABLE orders (workflow TEXT NOT NULL, position BIGINT NOT NULL)";

/// What grows with the workflows that have run, in the tables of any of them.
const GROWING: &str = "SELECT string_agg(format('%I.%I', schemaname, tablename), ', ')
      FROM pg_tables
     WHERE schemaname = 'dbos' AND tablename IN ('workflow_status', 'workflow_input', 'workflow_output',
           'operation_outputs', 'workflow_events', 'workflow_events_history', 'notifications', 'streams')
        OR tablename = 'orders'";

pub struct Database {
    pub url: String,
    place: Place,
}

#[allow(clippy::large_enum_variant, reason = "there are a handful")]
enum Place {
    /// Seen from another database, so that looking is not counted.
    Server {
        name: String,
        outside: Client,
        inside: Client,
    },
    File {
        _folder: TempDir,
        connection: Connection,
    },
}

/// What a database has done so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub statements: i64,
    /// Commits of transactions that have written.
    pub commits: i64,
}

impl Database {
    /// An empty one.
    pub async fn fresh(server: &Server, contender: Name) -> Result<Self> {
        if contender.is_on_sqlite() {
            let folder = tempfile::Builder::new().prefix("dbos-benches-").tempdir()?;
            let path = folder.path().join("benches.sqlite");
            let connection = Connection::open(&path)?;
            connection.execute_batch(&format!("PRAGMA journal_mode = WAL; {ORDERS}"))?;
            return Ok(Self {
                url: format!("sqlite:{}", path.display()),
                place: Place::File { _folder: folder, connection },
            });
        }
        let name = format!("{contender:?}").to_lowercase();
        let outside = connect(&server.url("postgres")).await?;
        outside.batch_execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements").await?;
        outside.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await?;
        outside.batch_execute(&format!("CREATE DATABASE {name}")).await?;
        let url = server.url(&name);
        let inside = connect(&url).await?;
        inside.batch_execute(ORDERS).await?;
        Ok(Self { url, place: Place::Server { name, outside, inside } })
    }

    /// Forgets all workflows, so that every run begins alike.
    pub async fn clear(&self) -> Result<()> {
        match &self.place {
            Place::Server { inside, outside, .. } => {
                let growing: String = inside.query_one(GROWING, &[]).await?.get(0);
                inside.batch_execute(&format!("TRUNCATE {growing}")).await?;
                outside.batch_execute("CHECKPOINT").await?;
            }
            Place::File { connection, .. } => {
                for table in ["workflow_status", "workflow_input", "workflow_output", "operation_outputs", "orders"] {
                    connection.execute_batch(&format!("DELETE FROM {table}"))?;
                }
                connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
            }
        }
        Ok(())
    }

    /// What it has done so far, if it counts.
    pub async fn counts(&self) -> Result<Counts> {
        let Place::Server { name, outside, .. } = &self.place else { return Ok(Counts::default()) };
        let row = outside
            .query_one(
                "SELECT COALESCE(sum(calls), 0)::bigint, txid_snapshot_xmax(txid_current_snapshot())
                   FROM pg_stat_statements JOIN pg_database ON pg_database.oid = dbid
                  WHERE datname = $1",
                &[name],
            )
            .await?;
        Ok(Counts { statements: row.get(0), commits: row.get(1) })
    }

    /// Whether all the rows are there, with what they ought to hold.
    pub async fn verify(&self, prefix: &str, body: Option<Body>, workflows: usize) -> Result<()> {
        let mine = |column: &str| format!("{column} >= '{prefix}' AND {column} < '{prefix}~'");
        let of_workflow = mine("workflow_uuid");
        let ended = self.count(&format!("dbos.workflow_status WHERE status = 'SUCCESS' AND {of_workflow}")).await?;
        ensure!(ended == workflows, "{ended} workflows have ended, {workflows} are said to have");
        let Some(body) = body else { return Ok(()) };

        let outputs = self
            .texts(&format!("SELECT output FROM dbos.operation_outputs WHERE output IS NOT NULL AND {of_workflow}"))
            .await?;
        let each = match body {
            Body::Steps(steps) | Body::Transactions(steps) => steps as usize,
            Body::Payload(_) => 1,
        };
        let is_right = |output: &str| match body {
            Body::Steps(_) | Body::Transactions(_) => is_receipt(output),
            Body::Payload(length) => output.len() >= length,
        };
        let expected = workflows * each;
        ensure!(outputs.len() == expected, "{} steps are recorded, {expected} have run", outputs.len());
        if let Some(output) = outputs.iter().find(|output| !is_right(output)) {
            anyhow::bail!("a step has recorded {:.100}", output);
        }
        if let Body::Transactions(_) = body {
            let orders = self.count(&format!("orders WHERE {}", mine("workflow"))).await?;
            ensure!(orders == expected, "there are {orders} orders, of {expected}");
        }
        Ok(())
    }

    async fn count(&self, from: &str) -> Result<usize> {
        let counted = self.texts(&format!("SELECT CAST(count(*) AS TEXT) FROM {from}")).await?;
        Ok(counted.first().context("a count")?.parse()?)
    }

    async fn texts(&self, sql: &str) -> Result<Vec<String>> {
        match &self.place {
            Place::Server { inside, .. } => Ok(inside.query(sql, &[]).await?.iter().map(|row| row.get(0)).collect()),
            Place::File { connection, .. } => {
                let mut statement = connection.prepare(&sql.replace("dbos.", ""))?;
                let texts = statement.query_map([], |row| row.get(0))?;
                Ok(texts.collect::<rusqlite::Result<_>>()?)
            }
        }
    }
}

/// Whether that is a receipt, in JSON, or in JSON in base64 as `durare` stores it.
fn is_receipt(text: &str) -> bool {
    let decoded = BASE64_STANDARD.decode(text).unwrap_or_else(|_| text.into());
    serde_json::from_slice::<Receipt>(&decoded).is_ok_and(|receipt| receipt.ok)
}
