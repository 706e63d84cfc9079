//! What the minimal programs write: the rows of a workflow in the tables that all share, with their indexes, and the
//! fence that keeps a process that was taken for dead from writing. They decide nothing, encode nothing of a user's and
//! read nothing back.

use anyhow::{Result, ensure};
use tokio_postgres::{Client, NoTls};

/// A workflow of a minimal program.
#[derive(Clone)]
pub struct Flow {
    pub id: String,
    pub owner: String,
}

impl Flow {
    pub fn new(id: String) -> Self {
        Self { owner: format!("owner-of-{id}"), id }
    }
}

/// What a step gives back, in JSON.
pub fn receipt(i: u32) -> String {
    format!("{{\"i\":{i},\"ok\":true}}")
}

/// The tables, made by the library's own migrations, unless they are there.
pub async fn prepare(url: &str) -> Result<()> {
    let client = connect(url).await?;
    if client.query_one("SELECT to_regclass('dbos.workflow_status') IS NULL", &[]).await?.get(0) {
        for migration in dbos_migrations::POSTGRES_SYSTEM {
            client.batch_execute(migration.sql).await?;
        }
    }
    Ok(())
}

/// A connection whose other half runs by itself.
pub async fn connect(url: &str) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// A write that found nothing to write to has lost its workflow.
pub fn one(written: u64) -> Result<()> {
    ensure!(written == 1, "the fence refused a write");
    Ok(())
}
