//! The admin server: a port of its own beside the program's.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;

use super::settings::{AdminSettings, Settings};
use super::start::in_engine;
use crate::http::server::Server;
use crate::http::{ServerOptions, admin};
use crate::{Engine, Error, Result};

/// How long its open requests may go on after everything else has ended.
const DRAIN: Duration = Duration::from_secs(1);

/// Its port, taken and not served yet.
pub(super) struct Admin {
    server: Server,
    router: Router,
}

impl Admin {
    /// Takes the port, if there is to be one.
    pub(super) async fn bind(settings: &Settings) -> Result<Option<Self>> {
        let AdminSettings { host, port: Some(port), token } = settings.admin.clone() else { return Ok(None) };
        let options = ServerOptions { host, port, ..settings.server.clone() };
        let server = Server::bind(options, "--admin-port or DBOS_ADMIN_PORT").await?;
        if token.is_none() && !server.address().ip().to_canonical().is_loopback() {
            return Err(Error::Configuration(format!(
                "the admin server on {} could be reached from elsewhere; set DBOS_ADMIN_TOKEN, or leave it on 127.0.0.1",
                server.address().ip()
            )));
        }
        Ok(Some(Self { server, router: admin::router(token)? }))
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Serves until `end`: longer than the program itself, so that it can tell that the program drains.
    pub(super) async fn run(self, engine: &Engine, end: impl Future<Output = ()>) {
        self.server.run(in_engine(self.router, engine), end, DRAIN).await;
    }
}
