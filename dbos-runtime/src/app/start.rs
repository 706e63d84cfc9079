//! From a taken port and a launched engine to the last request answered.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use futures_util::future::OptionFuture;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::admin::Admin;
use super::settings::Settings;
use super::{Application, Shutdown, listing, print, runtime};
use crate::http::server::Server;
use crate::http::{self, Documentation, ServerOptions};
use crate::{Engine, Result};

/// What a program's port is chosen by.
const CHOSEN_BY: &str = "--port or PORT";

/// How many fifths of the drain time open requests may use; the rest is for handing workflows back.
const REQUESTS_SHARE: u32 = 4;

/// Answers requests on a port until the process is asked to end, then shuts `engine` down.
///
/// It says first what it answers, and where. The routes are those that attributes declare. SIGTERM or Ctrl-C closes the port, lets open
/// requests end, and hands unfinished workflows back, all within `options.drain`; a second signal
/// ends the process at once.
///
/// # Errors
///
/// [`Error::Configuration`](crate::Error::Configuration) if the port cannot be had; [`Error::Duplicate`](crate::Error::Duplicate) if two functions claim
/// one route.
pub async fn serve(engine: Engine, options: ServerOptions) -> Result<()> {
    let (shutdown, router) = (Shutdown::listen()?, http::router_with(&options.documentation)?);
    let (documentation, drain) = (options.documentation.clone(), options.drain);
    let server = Server::bind(options, CHOSEN_BY).await?;
    serve_on(Ports { server, router, documentation, admin: None }, engine, drain, &shutdown).await
}

/// The ports of a program, taken and not served yet.
struct Ports {
    server: Server,
    router: Router,
    documentation: Documentation,
    admin: Option<Admin>,
}

/// The `start` command.
pub(super) fn run(application: &Application, settings: Settings) -> Result<ExitCode> {
    let runtime = runtime()?;
    let done = runtime.block_on(start(application, settings));
    // What still runs was given its time; a thread that does not end must not keep the process.
    runtime.shutdown_background();
    done.map(|()| ExitCode::SUCCESS)
}

async fn start(application: &Application, settings: Settings) -> Result<()> {
    let shutdown = Shutdown::listen()?;
    let documentation = settings.server.documentation.clone();
    let router = http::router_with(&documentation)?;
    // The port first: a program that cannot have it must not take over anyone's workflows.
    let server = Server::bind(settings.server.clone(), CHOSEN_BY).await?;
    let ports = Ports { server, router, documentation, admin: Admin::bind(&settings).await? };
    let drain = settings.server.drain;
    let engine = tokio::select! {
        launched = Engine::launch_alone(settings.engine) => launched?,
        () = shutdown.requested() => return Ok(()),
    };
    let prepared = tokio::select! {
        prepared = engine.scope((application.started)()) => prepared,
        () = shutdown.requested() => Ok(()),
    };
    if let Err(error) = prepared.and_then(|()| engine.check_states()) {
        engine.shutdown().await;
        return Err(error);
    }
    engine.take_over();
    serve_on(ports, engine, drain, &shutdown).await
}

/// What whoever started the program wants to know first.
fn announce(engine: &Engine, ports: &Ports) {
    let (id, version, database) = (engine.executor_id(), engine.application_version(), engine.database());
    print(&format!("Workflow executor initialized ({id}, version {version}, {database})"));
    print("HTTP endpoints supported:");
    for endpoint in listing::endpoints() {
        print(&endpoint);
    }
    print(&format!("DBOS Server is running at {}", url(ports.server.address())));
    if let Some(admin) = &ports.admin {
        print(&format!("DBOS Admin Server is running at {}", url(admin.address())));
    }
    if ports.documentation.served {
        let Documentation { document, page, .. } = &ports.documentation;
        print(&format!("OpenAPI document at {}{document}", url(ports.server.address())));
        print(&format!("Routes to read and try at {}{page}", url(ports.server.address())));
    }
}

/// An address to type into a browser.
fn url(address: SocketAddr) -> String {
    let ip = address.ip();
    let host = if ip.is_loopback() || ip.is_unspecified() { "localhost".to_owned() } else { ip.to_string() };
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    format!("http://{host}:{}", address.port())
}

async fn serve_on(ports: Ports, engine: Engine, drain: Duration, shutdown: &Shutdown) -> Result<()> {
    announce(&engine, &ports);
    let Ports { server, router, admin, .. } = ports;
    let router = in_engine(router, &engine);
    let (ended, end) = oneshot::channel::<()>();
    let administered = admin.map(|admin| admin.run(&engine, async { end.await.unwrap_or_default() }));
    let served = async {
        serve_until(server, router, &engine, drain, shutdown).await;
        drop(ended);
    };
    tokio::join!(served, OptionFuture::from(administered));
    Ok(())
}

/// The routes with `engine` as the current one.
pub(super) fn in_engine(router: Router, engine: &Engine) -> Router {
    let engine = engine.clone();
    router.layer(middleware::from_fn(move |request: Request, next: Next| {
        let engine = engine.clone();
        async move { engine.scope(next.run(request)).await }
    }))
}

async fn serve_until(server: Server, router: Router, engine: &Engine, drain: Duration, shutdown: &Shutdown) {
    // Workflows are handed back while open requests are being answered: others need not wait for those.
    let handed_back = async {
        shutdown.requested().await;
        engine.hand_back().await;
    };
    let (stopping, ()) =
        tokio::join!(server.run(router, shutdown.requested(), drain * REQUESTS_SHARE / 5), handed_back);
    let left = drain.saturating_sub(stopping.elapsed());
    if timeout(left, engine.shutdown()).await.is_err() {
        tracing::warn!("the engine did not shut down in time; its workflows go on where their steps are recorded");
    }
}
