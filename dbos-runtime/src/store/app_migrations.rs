//! The application's own tables: numbered files, applied in order, each once.

use std::collections::BTreeMap;

use super::Store;
use super::backend::Dialect;
use super::connection::{Connection, Isolation};
use super::sql::Statement;
use crate::config::Migrations;
use crate::error::{Error, Result};

impl Store {
    /// Applies what is missing of `migrations`, in one transaction, so that processes starting
    /// together apply each file once.
    pub(crate) async fn migrate_application(&self, application: &str, migrations: &Migrations) -> Result<()> {
        let files = match self.dialect() {
            Dialect::Postgres => migrations.postgres,
            Dialect::Sqlite => migrations.sqlite,
        };
        let files = numbered(files)?;
        if files.is_empty() {
            return Ok(());
        }
        let failed = |error| Error::database("apply the application's migrations", error);
        let mut connection = self.repeat("open a transaction", || self.begin(Isolation::ReadCommitted)).await?;
        lock(&mut connection, self.dialect()).await.map_err(failed)?;
        for (version, (name, sql)) in &files {
            apply(&mut connection, application, *version, name, sql).await?;
        }
        connection.commit().await.map_err(failed)
    }
}

/// On SQLite the transaction itself is the lock.
async fn lock(connection: &mut Connection, dialect: Dialect) -> sqlx::Result<()> {
    if dialect == Dialect::Postgres {
        let lock = Statement::new("LOCK TABLE dbos_rust.app_migrations IN SHARE ROW EXCLUSIVE MODE");
        connection.run(&lock).await?;
    }
    Ok(())
}

async fn apply(
    connection: &mut Connection,
    application: &str,
    version: i64,
    name: &str,
    sql: &'static str,
) -> Result<()> {
    let failed = |error| Error::database(&format!("apply the application's migration {name}"), error);
    let mark = Statement::new(
        "INSERT INTO dbos_rust.app_migrations (application_name, version, name)
         VALUES ($1, $2, $3)
         ON CONFLICT (application_name, version) DO NOTHING
         RETURNING name",
    )
    .bind(application)
    .bind(version)
    .bind(name);
    if connection.run(&mark).await.map_err(failed)?.is_empty() {
        return Ok(());
    }
    connection.run_script(sql).await.map_err(failed)?;
    tracing::info!(name, "application migrated");
    Ok(())
}

type Numbered = BTreeMap<i64, (&'static str, &'static str)>;

fn numbered(files: &[(&'static str, &'static str)]) -> Result<Numbered> {
    let mut numbered = Numbered::new();
    for (name, sql) in files {
        let version = name.split('_').next().and_then(|digits| digits.parse().ok()).ok_or_else(|| {
            Error::Configuration(format!("migration `{name}` needs a name like `0001_create_orders.sql`"))
        })?;
        if let Some((other, _)) = numbered.insert(version, (name, sql)) {
            return Err(Error::Configuration(format!("migrations `{other}` and `{name}` have the same number")));
        }
    }
    Ok(numbered)
}
