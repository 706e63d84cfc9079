//! The admin server's routes: what the terminal does with workflows, for programs elsewhere.
//!
//! Whoever may call them may read every payload and stop every workflow. So they have a port of their
//! own, on this computer alone unless there is a token.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde::Serialize;
use subtle::ConstantTimeEq;

use super::access::Access;
use super::arguments::Arguments;
use super::limits::RouteOptions;
use super::route::{Answered, Route, RouteRequest, router_of};
use super::{HttpError, health};
use crate::Result;
use crate::context::engine;
use crate::management::{Manager, Reach, Report, Verb};
use crate::status::Status;
use crate::store::listing::WorkflowFilter;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// A token that is shorter could be found by trying.
const SHORTEST_TOKEN: usize = 16;
/// The longest list.
const MOST: u32 = 1000;

/// What callers of the admin server have to show.
#[derive(Clone)]
pub(crate) struct AdminToken(Arc<str>);

impl AdminToken {
    /// Refuses one that is easily guessed.
    pub(crate) fn new(token: &str) -> Result<Self, String> {
        if token.chars().count() < SHORTEST_TOKEN {
            return Err(format!("it has fewer than {SHORTEST_TOKEN} characters"));
        }
        Ok(Self(token.into()))
    }

    fn is_shown_by(&self, request: &Request) -> bool {
        let shown = request.headers().get(AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
        shown.is_some_and(|shown| self.0.as_bytes().ct_eq(shown).into())
    }
}

impl fmt::Debug for AdminToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("AdminToken")
    }
}

static ROUTES: [Route; 7] = [
    route("GET", "/", index),
    route("GET", "/workflows", list),
    route("GET", "/workflows/:workflow", get),
    route("GET", "/workflows/:workflow/steps", steps),
    route("POST", "/workflows/:workflow/cancel", cancel),
    route("POST", "/workflows/:workflow/resume", resume),
    route("POST", "/dbos-workflow-recovery", recover),
];

const fn route(method: &'static str, path: &'static str, handler: fn(RouteRequest) -> Answered) -> Route {
    Route {
        method,
        path,
        function: "admin",
        module: module_path!(),
        file: file!(),
        line: line!(),
        handler,
        // Nothing tells of it but its index.
        describe: |_| (),
        // The token is asked for where the routes are served; the program's users are no operators.
        options: RouteOptions { access: Access::Unasked, ..RouteOptions::DEFAULT },
    }
}

/// The routes, and those for the health; these alone are answered without the token.
pub(crate) fn router(token: Option<AdminToken>) -> Result<Router> {
    let mut operations = router_of(&ROUTES.iter().collect::<Vec<_>>())?;
    if let Some(token) = token {
        operations = operations.layer(middleware::from_fn(move |request: Request, next: Next| {
            let admitted = token.is_shown_by(&request);
            async move { if admitted { next.run(request).await } else { unauthorized() } }
        }));
    }
    Ok(operations.merge(router_of(&health::ROUTES.iter().collect::<Vec<_>>())?))
}

fn unauthorized() -> Response {
    let error = HttpError::new(401, "the header `Authorization: Bearer …` with the admin token is needed");
    ([(WWW_AUTHENTICATE, "Bearer")], error).into_response()
}

/// What there is, for whoever opens the address that the program printed.
fn index(_: RouteRequest) -> Answered {
    Box::pin(async {
        let routes = ROUTES.iter().chain(&health::ROUTES);
        let lines = routes.map(|route| format!("{:<6}  {}\n", route.method, route.path));
        Ok(lines.collect::<Vec<_>>().concat().into_response())
    })
}

fn list(route: RouteRequest) -> Answered {
    Box::pin(async {
        let mut arguments = Arguments::read(route).await?;
        answer(async |manager| {
            let filter = filter(&manager, &mut arguments).await?;
            Ok(manager.list(&filter).await?)
        })
        .await
    })
}

fn get(route: RouteRequest) -> Answered {
    Box::pin(async {
        let workflow: String = Arguments::read(route).await?.path("workflow")?;
        answer(async |manager| Ok(manager.details(&workflow).await?)).await
    })
}

fn steps(route: RouteRequest) -> Answered {
    Box::pin(async {
        let workflow: String = Arguments::read(route).await?.path("workflow")?;
        answer(async |manager| Ok(manager.steps(&workflow).await?)).await
    })
}

fn cancel(route: RouteRequest) -> Answered {
    Box::pin(async {
        let mut arguments = Arguments::read(route).await?;
        arguments.check_query(&["children"])?;
        let children: Option<bool> = arguments.query("children")?;
        let reach = if children == Some(true) { Reach::Descendants } else { Reach::Itself };
        change(Verb::Cancel(reach), arguments.path("workflow")?).await
    })
}

fn resume(route: RouteRequest) -> Answered {
    Box::pin(async {
        let mut arguments = Arguments::read(route).await?;
        arguments.check_query(&[])?;
        change(Verb::Resume, arguments.path("workflow")?).await
    })
}

/// The body is a list of executors.
fn recover(route: RouteRequest) -> Answered {
    Box::pin(async {
        let mut arguments = Arguments::read(route).await?;
        arguments.check_query(&[])?;
        let executors: Vec<String> = arguments.whole_body()?;
        answer(async |manager| {
            let recovered = manager.recover(&executors).await?;
            tracing::info!(?executors, workflows = recovered.len(), "recovery asked for on the admin server");
            Ok(recovered)
        })
        .await
    })
}

async fn change(verb: Verb, workflow: String) -> Result<Response, HttpError> {
    answer(async |manager| {
        let report = Report::changed(workflow.clone(), verb, verb.apply(&manager, &workflow).await?);
        tracing::info!(workflow, outcome = ?report.outcome, "asked for on the admin server");
        Ok(report)
    })
    .await
}

/// JSON, or an error within the time a caller may have to wait.
async fn answer<T: Serialize>(ask: impl AsyncFnOnce(Manager) -> Result<T, HttpError>) -> Result<Response, HttpError> {
    let manager = Manager::Engine(engine()?);
    match tokio::time::timeout(PATIENCE, ask(manager)).await {
        Ok(answer) => Ok(Json(answer?).into_response()),
        Err(_) => Err(HttpError::new(503, format!("the database did not answer within {} s", PATIENCE.as_secs()))),
    }
}

/// The filter in the query, in the words of the command line.
async fn filter(manager: &Manager, arguments: &mut Arguments) -> Result<WorkflowFilter, HttpError> {
    arguments.check_query(&[
        "id",
        "id_prefix",
        "name",
        "status",
        "application",
        "application_version",
        "executor",
        "queue",
        "parent",
        "created_from_ms",
        "created_before_ms",
        "oldest_first",
        "after",
        "limit",
    ])?;
    let mut filter = WorkflowFilter::new();
    for id in arguments.query_values("id") {
        filter = filter.id(id);
    }
    for name in arguments.query_values("name") {
        filter = filter.name(name);
    }
    for status in arguments.query_values("status") {
        let known = Status::parse(&status.to_ascii_uppercase());
        filter = filter.status(known.ok_or_else(|| HttpError::new(400, format!("there is no status `{status}`")))?);
    }
    let mut text = |name: &str| arguments.query::<Option<String>>(name);
    filter = text("id_prefix")?.into_iter().fold(filter, WorkflowFilter::id_prefix);
    filter = text("application")?.into_iter().fold(filter, WorkflowFilter::application_name);
    filter = text("application_version")?.into_iter().fold(filter, WorkflowFilter::application_version);
    filter = text("executor")?.into_iter().fold(filter, WorkflowFilter::executor_id);
    filter = text("queue")?.into_iter().fold(filter, WorkflowFilter::queue);
    filter = text("parent")?.into_iter().fold(filter, WorkflowFilter::parent);
    if let Some(last) = text("after")? {
        filter = filter.after(&manager.workflow(&last).await?);
    }
    filter =
        arguments.query::<Option<i64>>("created_from_ms")?.into_iter().fold(filter, WorkflowFilter::created_from_ms);
    filter = arguments
        .query::<Option<i64>>("created_before_ms")?
        .into_iter()
        .fold(filter, WorkflowFilter::created_before_ms);
    if arguments.query::<Option<bool>>("oldest_first")? == Some(true) {
        filter = filter.oldest_first();
    }
    match arguments.query::<Option<u32>>("limit")? {
        Some(limit @ 1..=MOST) => Ok(filter.limit(limit)),
        Some(limit) => Err(HttpError::new(400, format!("the limit {limit} is not from 1 to {MOST}"))),
        None => Ok(filter),
    }
}
