//! No database at all, for runs that need none.

use std::path::PathBuf;

use async_trait::async_trait;

use super::{Access, Backend, Dialect};
use crate::error::{Error, Result};
use crate::store::connection::Connection;
use crate::store::notify::Audience;
use crate::wakeup::Wakeups;

pub(in crate::store) struct Nowhere;

fn refusal() -> Error {
    Error::Configuration("there is no database here".to_owned())
}

#[async_trait]
impl Backend for Nowhere {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn description(&self) -> String {
        "no database".to_owned()
    }

    fn lock_folder(&self, _boot_id: &str) -> PathBuf {
        PathBuf::new()
    }

    async fn connect(&self, _access: Access) -> sqlx::Result<Connection> {
        Err(sqlx::Error::PoolClosed)
    }

    async fn migrate(&self) -> Result<()> {
        Err(refusal())
    }

    async fn check(&self) -> Result<()> {
        Err(refusal())
    }

    async fn listen(&self, _wakeups: &Wakeups, _audience: &Audience) -> sqlx::Result<()> {
        std::future::pending().await
    }

    async fn close(&self) {}
}
