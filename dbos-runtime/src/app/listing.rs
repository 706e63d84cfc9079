//! What the program consists of, for people.

use std::process::ExitCode;

use super::print;
use crate::Result;
use crate::catalog::Catalog;
use crate::http;
use crate::http::route::{Route, routes as registered};
use crate::registry::{Function, StepFunction, workflows};

/// Prints every endpoint with its function and place.
pub(super) fn routes() -> Result<ExitCode> {
    let routes = registered();
    http::router().map(drop)?;
    let wide = widest(routes.iter().map(|route| route.path));
    for route in routes {
        let Route { method, path, function, file, line, .. } = route;
        print(&format!("{method:<6}  {path:<wide$}  {function}  {file}:{line}"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints every workflow, step and transaction with its place.
pub(super) fn functions() -> Result<ExitCode> {
    // Two workflows of one name are a mistake that the program would not start with.
    Catalog::collect()?;
    let functions: Vec<_> = listed_workflows().chain(listed_steps()).collect();
    let wide = widest(functions.iter().map(|(_, name, _)| *name));
    for (kind, name, place) in functions {
        print(&format!("{kind:<11}  {name:<wide$}  {place}"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Kind, name and place.
type Listed = (&'static str, &'static str, String);

fn listed_workflows() -> impl Iterator<Item = Listed> {
    workflows().into_iter().map(|workflow| {
        let Function { name, file, line, .. } = workflow.function();
        ("workflow", name(), format!("{file}:{line}"))
    })
}

fn listed_steps() -> impl Iterator<Item = Listed> {
    let mut steps: Vec<_> = inventory::iter::<StepFunction>.into_iter().collect();
    steps.sort_by_key(|step| (step.name, step.file, step.line));
    steps.into_iter().map(|step| (step.kind, step.name, format!("{}:{}", step.file, step.line)))
}

/// The endpoints as the start-up lines show them.
pub(super) fn endpoints() -> Vec<String> {
    registered().iter().map(|route| format!("    {:<6}  :  {}", route.method, route.path)).collect()
}

fn widest<'a>(words: impl Iterator<Item = &'a str>) -> usize {
    words.map(str::len).max().unwrap_or(0)
}
