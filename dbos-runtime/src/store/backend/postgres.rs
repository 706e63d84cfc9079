//! Postgres: a pool, LISTEN/NOTIFY, and migrations under an advisory lock.

mod audience;
mod link;
mod migrate;
mod schema;
mod url;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection as _, PgConnection, Row as _};

use super::{Access, Backend, Dialect, Missing, Opening};
use crate::config::Pooler;
use crate::error::{Error, Result};
use crate::store::connection::Connection;
use crate::store::notify::{Audience, Channel};
use crate::store::pool::Pool;
use crate::store::within;
use crate::wakeup::{Fact, Wakeups};

use audience::Place;
use schema::Schema;

pub(crate) use link::{Arguments, FromItsRow, Link, Parameter, Row, Scalar};

/// What a session is told at its start. A transaction in which nothing happens for long is the server's to
/// end: a stopped process must not hold its locks for ever. And Postgres sends no message about a
/// connection that a firewall has forgotten.
const SETTINGS: [(&str, &str); 4] = [
    ("idle_in_transaction_session_timeout", "30s"),
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
];

/// How long the first connection may take, at least: a server that has just come up is slow, and
/// there is nothing yet that waiting could harm.
const FIRST_CONNECTION: Duration = Duration::from_secs(4);
/// How often a listener looks who else listens, by which it also tries whether its line is dead.
const BETWEEN_LOOKS: Duration = Duration::from_secs(10);

struct Postgres {
    pool: Pool<PgConnection>,
    options: PgConnectOptions,
    deadline: Duration,
    pooler: Pooler,
    schema: Schema,
}

pub(super) async fn open(url: &str, opening: Opening<'_>) -> Result<Arc<dyn Backend>> {
    Ok(Arc::new(Postgres::open(url, opening).await?))
}

impl Postgres {
    /// Connects once, so that a wrong URL is told at launch.
    async fn open(url: &str, opening: Opening<'_>) -> Result<Self> {
        let Opening { pool_size, deadline, pooler, .. } = opening;
        let schema = Schema::named(opening.schema)?;
        let options = url::read(url)?.disable_statement_logging();
        let options = match pooler {
            Pooler::None => options.options(SETTINGS),
            // A pooler refuses what it cannot set for each transaction anew.
            Pooler::Transaction => options.extra_float_digits(None).statement_cache_capacity(0),
        };
        let first = within(deadline.max(FIRST_CONNECTION), async { Ok(connect_once(&options, opening).await) }).await;
        first.map_err(|error| Error::database(&format!("connect to {}", describe(&options)), error))??;
        Ok(Self { pool: Pool::new(options.clone(), pool_size), options, deadline, pooler, schema })
    }
}

fn describe(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or("postgres");
    format!("postgres {}:{}/{database}", options.get_host(), options.get_port())
}

async fn connect_once(options: &PgConnectOptions, opening: Opening<'_>) -> Result<()> {
    const INVALID_CATALOG_NAME: &str = "3D000";
    let failed = |error| Error::database(&format!("connect to {}", describe(options)), error);
    match PgConnection::connect_with(options).await {
        Ok(mut connection) => {
            let is_as_asked =
                opening.pooler == Pooler::Transaction || is_as_asked(&mut connection).await.map_err(failed)?;
            // Who may not create anything only reads.
            let is_writable =
                opening.missing == Missing::Refuse || is_writable(&mut connection).await.map_err(failed)?;
            connection.close().await.ok();
            match (is_as_asked, is_writable) {
                (true, true) => Ok(()),
                (true, false) => Err(read_only(options)),
                (false, _) => Err(hidden_pooler()),
            }
        }
        Err(sqlx::Error::Database(error)) if error.message().starts_with("unsupported startup parameter") => {
            Err(hidden_pooler())
        }
        Err(sqlx::Error::Database(error))
            if opening.missing == Missing::Create && error.code().as_deref() == Some(INVALID_CATALOG_NAME) =>
        {
            create_database(options).await;
            Ok(())
        }
        Err(error) => Err(failed(error)),
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

/// Whether the session is as it was asked for. A pooler in between may leave out what it does not know, without a word.
async fn is_as_asked(connection: &mut PgConnection) -> sqlx::Result<bool> {
    let asked = "SELECT current_setting('idle_in_transaction_session_timeout') = '30s'";
    sqlx::query_scalar(asked).persistent(false).fetch_one(connection).await
}

/// Asked in a single message, whose parts a pooler cannot send to two servers.
async fn is_writable(connection: &mut PgConnection) -> sqlx::Result<bool> {
    let asked = "SELECT current_setting('transaction_read_only') = 'off'";
    sqlx::raw_sql(asked).fetch_one(connection).await?.try_get(0)
}

fn read_only(options: &PgConnectOptions) -> Error {
    Error::Configuration(format!(
        "{} is read-only; name the primary if this is a standby, else set `default_transaction_read_only` to `off` for \
         this database and role",
        describe(options)
    ))
}

fn hidden_pooler() -> Error {
    Error::Configuration(
        "a connection pooler stands before the database; if it is PgBouncer in transaction mode, or like it, set \
         `pooler` to `transaction`, else connect to the server itself"
            .to_owned(),
    )
}

#[async_trait]
impl Backend for Postgres {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    fn description(&self) -> String {
        let place = describe(&self.options);
        if self.schema.is_default() { place } else { format!("{place}, schema {}", self.schema.name()) }
    }

    /// Any folder of this machine will do: a lock proves something to those who run on it.
    fn lock_folder(&self, boot_id: &str) -> PathBuf {
        std::env::temp_dir().join(format!("dbos-executors-{boot_id}"))
    }

    async fn connect(&self, _access: Access) -> sqlx::Result<Connection> {
        self.pool.borrow().await.map(|link| Link::new(link, self.pooler, self.schema.clone()).into())
    }

    async fn migrate(&self) -> Result<()> {
        let mut connection = PgConnection::connect_with(&self.options)
            .await
            .map_err(|error| Error::database("connect for migrations", error))?;
        let outcome = migrate::migrate(&mut connection, &self.schema).await;
        connection.close().await.ok();
        outcome
    }

    async fn check(&self) -> Result<()> {
        let mut connection = self.pool.borrow().await.map_err(|error| Error::database("look for the tables", error))?;
        migrate::check(&mut connection, &self.schema).await?;
        connection.give_back();
        Ok(())
    }

    async fn listen(&self, wakeups: &Wakeups, audience: &Audience) -> sqlx::Result<()> {
        // A listener wants a pool of the driver's; it keeps its only connection.
        let pool = PgPoolOptions::new().max_connections(1).connect_lazy_with(self.options.clone());
        let channels = Channel::ALL.map(|channel| (channel, channel.name(self.schema.name())));
        let mut listener = within(self.deadline, PgListener::connect_with(&pool)).await?;
        within(self.deadline, listener.listen_all(channels.iter().map(|(_, name)| name.as_str()))).await?;
        let place = Place::take(&mut listener, Channel::Listeners.name(self.schema.name()), self.deadline).await?;
        // Whatever happened before LISTEN took hold was not told.
        wakeups.wake_all();
        loop {
            audience.note(place.has_neighbours(&mut listener).await?);
            let next_look = tokio::time::Instant::now() + BETWEEN_LOOKS;
            while let Ok(news) = tokio::time::timeout_at(next_look, listener.try_recv()).await {
                let Some(news) = news? else { return Ok(()) };
                let channel = channels.iter().find(|(_, name)| name == news.channel()).map(|(channel, _)| *channel);
                match channel {
                    Some(Channel::Listeners) => place.hear(news.payload(), audience),
                    _ => match channel.and_then(|channel| fact(channel, news.payload())) {
                        Some(fact) => wakeups.wake(&fact),
                        None => wakeups.wake_all(),
                    },
                }
            }
        }
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}

/// The fact behind a notification; payloads are `{workflow}::{topic or key}`.
fn fact(channel: Channel, payload: &str) -> Option<Fact> {
    match channel {
        Channel::Workflows => Some(Fact::Ended { workflow: payload.to_owned() }),
        Channel::Queues => Some(Fact::Enqueued { queue: payload.to_owned() }),
        Channel::QueueList => Some(Fact::Queues),
        Channel::Listeners => None,
        Channel::Messages => workflow_and_name(payload).map(|(workflow, topic)| Fact::Message { workflow, topic }),
        Channel::Events => workflow_and_name(payload).map(|(workflow, key)| Fact::Event { workflow, key }),
        Channel::Streams => workflow_and_name(payload).map(|(workflow, key)| Fact::Stream { workflow, key }),
    }
}

fn workflow_and_name(payload: &str) -> Option<(String, String)> {
    let (workflow, name) = payload.split_once("::")?;
    // An id with colons could be split in more than one way; waking everybody is always right.
    let is_clear = !workflow.contains(':') && !name.contains("::");
    is_clear.then(|| (workflow.to_owned(), name.to_owned()))
}
