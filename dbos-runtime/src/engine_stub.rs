//! Stands where the engine will be; replaced when the parts are joined.
#![allow(missing_docs, clippy::unused_async, clippy::missing_errors_doc)]

use std::time::Duration;

use crate::Result;

#[derive(Clone, Copy, Debug, Default)]
pub struct Migrations {
    pub postgres: &'static [(&'static str, &'static str)],
    pub sqlite: &'static [(&'static str, &'static str)],
}

#[derive(Clone, Debug, Default)]
pub struct Config {
    pub application: String,
    pub database_url: Option<String>,
    pub application_version: Option<String>,
    pub migrations: Migrations,
}

#[derive(Debug)]
pub struct DBOS;

impl DBOS {
    pub async fn launch(config: Config) -> Result<Engine> {
        Ok(Engine { config })
    }
}

#[derive(Clone, Debug)]
pub struct Engine {
    config: Config,
}

impl Engine {
    pub async fn migrate_only(_config: Config) -> Result<()> {
        Ok(())
    }

    #[must_use]
    pub fn executor_id(&self) -> String {
        "executor".to_owned()
    }

    #[must_use]
    pub fn application_version(&self) -> &str {
        self.config.application_version.as_deref().unwrap_or("0")
    }

    #[must_use]
    pub fn database(&self) -> String {
        format!("sqlite ./{}.sqlite", self.config.application)
    }

    pub async fn scope<F: Future>(&self, future: F) -> F::Output {
        future.await
    }

    pub async fn shutdown(&self, _drain: Duration) {}
}

/// Every registered function as (kind, name, file, line).
pub(crate) fn functions() -> Vec<(&'static str, &'static str, &'static str, u32)> {
    Vec::new()
}
