//! Who listens to the database. A listener holds a shared lock under a name, by which others see it, and says that it
//! has come; with its connection its lock goes too.

use std::time::Duration;

use sqlx::postgres::PgListener;

use crate::store::notify::Audience;
use crate::store::within;

/// A listener's place among all who listen.
pub(super) struct Place {
    channel: String,
    process: String,
    deadline: Duration,
}

impl Place {
    /// Takes it and tells those on `channel`, to which `listener` listens already: of two who come at the same time, each
    /// is seen or heard by the other.
    pub(super) async fn take(listener: &mut PgListener, channel: String, deadline: Duration) -> sqlx::Result<Self> {
        let taken = sqlx::query_scalar(
            "SELECT pg_backend_pid()::text
               FROM pg_try_advisory_lock_shared(hashtextextended($1, 0)) AS taken,
                    pg_notify($1, pg_backend_pid()::text)",
        );
        let process = within(deadline, taken.persistent(false).bind(&channel).fetch_one(listener)).await?;
        Ok(Self { channel, process, deadline })
    }

    /// Whether anybody else has one.
    pub(super) async fn has_neighbours(&self, listener: &mut PgListener) -> sqlx::Result<bool> {
        let neighbours = sqlx::query_scalar(
            "SELECT EXISTS (
               SELECT 1
                 FROM pg_locks, hashtextextended($1, 0) AS name
                WHERE locktype = 'advisory'
                  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                  AND classid::bigint = (name >> 32) & 4294967295
                  AND objid::bigint = name & 4294967295
                  AND pid <> pg_backend_pid()
             )",
        );
        within(self.deadline, neighbours.bind(&self.channel).fetch_one(listener)).await
    }

    /// Somebody has said that he has come.
    pub(super) fn hear(&self, process: &str, audience: &Audience) {
        if process != self.process {
            audience.note(true);
        }
    }
}
