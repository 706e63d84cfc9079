//! The admin server's routes: what the terminal does with workflows, for programs elsewhere.
//!
//! Whoever may call them may read every payload and stop every workflow. So they have a port of their
//! own, on this computer alone unless there is a token.

mod query;

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

use query::{RERUN, filter, grouping, reach, rerun};

use super::access::Access;
use super::arguments::Arguments;
use super::limits::RouteOptions;
use super::route::{Answered, Route, RouteRequest, router_of};
use super::{HttpError, health};
use crate::Result;
use crate::context::engine;
use crate::management::{Forking, Manager, Verb, WorkflowReport};
use crate::store::queues::Target;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// A token that is shorter could be found by trying.
const SHORTEST_TOKEN: usize = 16;

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

static ROUTES: [Route; 14] = [
    route("GET", "/", index),
    route("GET", "/workflows", list),
    route("GET", "/workflows/:workflow", get),
    route("GET", "/workflows/:workflow/steps", steps),
    route("POST", "/workflows/:workflow/cancel", cancel),
    route("POST", "/workflows/:workflow/resume", resume),
    route("POST", "/workflows/:workflow/fork", fork),
    route("POST", "/workflows/:workflow/restart", restart),
    route("POST", "/workflows/:workflow/rewind", rewind),
    route("DELETE", "/workflows/:workflow", delete),
    route("GET", "/stats/workflows", count_workflows),
    route("GET", "/stats/steps", count_steps),
    route("GET", "/versions", versions),
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
        let reach = reach(&mut arguments)?;
        change(Verb::Cancel(reach), arguments.path("workflow")?).await
    })
}

fn delete(route: RouteRequest) -> Answered {
    Box::pin(async {
        let mut arguments = Arguments::read(route).await?;
        let reach = reach(&mut arguments)?;
        change(Verb::Delete(reach), arguments.path("workflow")?).await
    })
}

fn fork(route: RouteRequest) -> Answered {
    Box::pin(async {
        let mut arguments = Arguments::read(route).await?;
        arguments.check_query(&[&RERUN[..], &["new_workflow_id"]].concat())?;
        let forking = Forking { rerun: rerun(&mut arguments)?, id: arguments.query("new_workflow_id")?, timeout: None };
        change(Verb::Fork(forking), arguments.path("workflow")?).await
    })
}

fn restart(route: RouteRequest) -> Answered {
    Box::pin(async {
        let mut arguments = Arguments::read(route).await?;
        arguments.check_query(&[])?;
        change(Verb::Fork(Forking::default()), arguments.path("workflow")?).await
    })
}

fn rewind(route: RouteRequest) -> Answered {
    Box::pin(async {
        let mut arguments = Arguments::read(route).await?;
        arguments.check_query(&RERUN)?;
        let rerun = rerun(&mut arguments)?;
        change(Verb::Rewind(rerun), arguments.path("workflow")?).await
    })
}

fn resume(route: RouteRequest) -> Answered {
    Box::pin(async {
        let mut arguments = Arguments::read(route).await?;
        arguments.check_query(&[])?;
        change(Verb::Resume(Target::default()), arguments.path("workflow")?).await
    })
}

fn count_workflows(route: RouteRequest) -> Answered {
    Box::pin(async {
        let grouping = grouping(&mut Arguments::read(route).await?)?;
        answer(async |manager| Ok(manager.count_workflows(&grouping).await?)).await
    })
}

fn count_steps(route: RouteRequest) -> Answered {
    Box::pin(async {
        let grouping = grouping(&mut Arguments::read(route).await?)?;
        answer(async |manager| Ok(manager.count_steps(&grouping).await?)).await
    })
}

fn versions(route: RouteRequest) -> Answered {
    Box::pin(async {
        Arguments::read(route).await?.check_query(&[])?;
        let application = engine()?.application.clone();
        answer(async |manager| Ok(manager.versions(&application).await?)).await
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
        let report = WorkflowReport::changed(workflow.clone(), &verb, verb.apply(&manager, &workflow).await?);
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
