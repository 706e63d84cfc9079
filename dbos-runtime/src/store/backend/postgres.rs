//! Postgres: a pool, LISTEN/NOTIFY, and migrations under an advisory lock.

mod link;
mod migrate;
mod url;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection as _, PgConnection};

use super::{Access, Backend, Dialect, Missing};
use crate::error::{Error, Result};
use crate::store::connection::Connection;
use crate::store::notify::{EVENTS_CHANNEL, QUEUES_CHANNEL, WORKFLOWS_CHANNEL};
use crate::store::pool::Pool;
use crate::store::within;
use crate::wakeup::{Fact, Wakeups};

pub(crate) use link::{Arguments, FromItsRow, Link, Parameter, Row, Scalar};

/// Told by a trigger of the shared schema.
const MESSAGES_CHANNEL: &str = "dbos_notifications_channel";

/// A transaction in which nothing happens for so long is the server's to end: a stopped process must
/// not hold its locks for ever.
const IDLE_IN_TRANSACTION: &str = "30s";
/// Postgres sends no message about a connection that a firewall has forgotten.
const KEEPALIVES: [(&str, &str); 3] =
    [("tcp_keepalives_idle", "10"), ("tcp_keepalives_interval", "5"), ("tcp_keepalives_count", "3")];

/// How long the first connection may take, at least: a server that has just come up is slow, and
/// there is nothing yet that waiting could harm.
const FIRST_CONNECTION: Duration = Duration::from_secs(4);
/// How long nothing may be heard before the line is tried.
const LONGEST_SILENCE: Duration = Duration::from_secs(10);

struct Postgres {
    pool: Pool<PgConnection>,
    options: PgConnectOptions,
    deadline: Duration,
}

pub(super) async fn open(url: &str, pool_size: u32, deadline: Duration, missing: Missing) -> Result<Arc<dyn Backend>> {
    Ok(Arc::new(Postgres::open(url, pool_size, deadline, missing).await?))
}

/// Any folder of this machine will do: a lock proves something to those who run on it.
#[allow(clippy::unnecessary_wraps)] // it has the shape of the other database's
pub(super) fn lock_folder(_url: &str, boot_id: &str) -> Result<PathBuf> {
    Ok(std::env::temp_dir().join(format!("dbos-executors-{boot_id}")))
}

impl Postgres {
    /// Connects once, so that a wrong URL is told at launch.
    async fn open(url: &str, pool_size: u32, deadline: Duration, missing: Missing) -> Result<Self> {
        let options = url::read(url)?
            .options([("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION)])
            .options(KEEPALIVES)
            .disable_statement_logging();
        let first = within(deadline.max(FIRST_CONNECTION), async { Ok(connect_once(&options, missing).await) }).await;
        first.map_err(|error| Error::database(&format!("connect to {}", describe(&options)), error))??;
        Ok(Self { pool: Pool::new(options.clone(), pool_size), options, deadline })
    }
}

fn describe(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or("postgres");
    format!("postgres {}:{}/{database}", options.get_host(), options.get_port())
}

async fn connect_once(options: &PgConnectOptions, missing: Missing) -> Result<()> {
    const INVALID_CATALOG_NAME: &str = "3D000";
    match PgConnection::connect_with(options).await {
        Ok(connection) => {
            connection.close().await.ok();
            Ok(())
        }
        Err(sqlx::Error::Database(error))
            if missing == Missing::Create && error.code().as_deref() == Some(INVALID_CATALOG_NAME) =>
        {
            create_database(options).await;
            Ok(())
        }
        Err(error) => Err(Error::database(&format!("connect to {}", describe(options)), error)),
    }
}

/// A developer's first launch should not need `createdb`. Where the role may not create databases the
/// message of the next connection is the clearer one, so a failure here says nothing.
async fn create_database(options: &PgConnectOptions) {
    if let Ok(mut connection) = PgConnection::connect_with(&options.clone().database("postgres")).await {
        let name = options.get_database().unwrap_or_default().replace('"', "\"\"");
        let statement = AssertSqlSafe(format!("CREATE DATABASE \"{name}\""));
        sqlx::raw_sql(statement).execute(&mut connection).await.ok();
        connection.close().await.ok();
    }
}

#[async_trait]
impl Backend for Postgres {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    fn description(&self) -> String {
        describe(&self.options)
    }

    async fn connect(&self, _access: Access) -> sqlx::Result<Connection> {
        self.pool.borrow().await.map(|link| Link::new(link).into())
    }

    async fn migrate(&self) -> Result<()> {
        let mut connection = PgConnection::connect_with(&self.options)
            .await
            .map_err(|error| Error::database("connect for migrations", error))?;
        let outcome = migrate::migrate(&mut connection).await;
        connection.close().await.ok();
        outcome
    }

    async fn check(&self) -> Result<()> {
        let mut connection = self.pool.borrow().await.map_err(|error| Error::database("look for the tables", error))?;
        migrate::check(&mut connection).await?;
        connection.give_back();
        Ok(())
    }

    async fn listen(&self, wakeups: &Wakeups) -> sqlx::Result<()> {
        // A listener wants a pool of the driver's; it keeps its only connection.
        let pool = PgPoolOptions::new().max_connections(1).connect_lazy_with(self.options.clone());
        let channels = [MESSAGES_CHANNEL, EVENTS_CHANNEL, WORKFLOWS_CHANNEL, QUEUES_CHANNEL];
        let mut listener = within(self.deadline, PgListener::connect_with(&pool)).await?;
        within(self.deadline, listener.listen_all(channels)).await?;
        // Whatever happened before LISTEN took hold was not told.
        wakeups.wake_all();
        loop {
            let Ok(news) = tokio::time::timeout(LONGEST_SILENCE, listener.try_recv()).await else {
                // Silence is what a dead line sounds like.
                within(self.deadline, sqlx::raw_sql("SELECT 1").execute(&mut listener)).await?;
                continue;
            };
            let Some(news) = news? else { return Ok(()) };
            match fact(news.channel(), news.payload()) {
                Some(fact) => wakeups.wake(&fact),
                None => wakeups.wake_all(),
            }
        }
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}

/// The fact behind a notification; payloads are `{workflow}::{topic or key}`.
fn fact(channel: &str, payload: &str) -> Option<Fact> {
    if channel == WORKFLOWS_CHANNEL {
        return Some(Fact::Ended { workflow: payload.to_owned() });
    }
    if channel == QUEUES_CHANNEL {
        return Some(Fact::Enqueued { queue: payload.to_owned() });
    }
    let (workflow, name) = payload.split_once("::")?;
    if workflow.contains(':') || name.contains("::") {
        // An id with colons could be split in more than one way; waking everybody is always right.
        return None;
    }
    let (workflow, name) = (workflow.to_owned(), name.to_owned());
    Some(if channel == MESSAGES_CHANNEL {
        Fact::Message { workflow, topic: name }
    } else {
        Fact::Event { workflow, key: name }
    })
}
