//! What the program consists of, for people.

use std::process::ExitCode;

use super::print;
use crate::Result;
use crate::http::route::{Route, router_of, routes as registered};

/// Prints every endpoint with its function and place.
pub(super) fn routes() -> Result<ExitCode> {
    let routes = registered();
    router_of(&routes).map(drop)?;
    let wide = widest(routes.iter().map(|route| route.path));
    for route in routes {
        let Route { method, path, function, file, line, .. } = route;
        print(&format!("{method:<6}  {path:<wide$}  {function}  {file}:{line}"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints every workflow, step and transaction with its place.
#[allow(clippy::unnecessary_wraps)] // every command may fail
pub(super) fn functions() -> Result<ExitCode> {
    let functions = registered_functions();
    let wide = widest(functions.iter().map(|(_, name, ..)| *name));
    for (kind, name, file, line) in functions {
        print(&format!("{kind:<11}  {name:<wide$}  {file}:{line}"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Kind, name, file and line of everything registered.
fn registered_functions() -> Vec<(&'static str, &'static str, &'static str, u32)> {
    Vec::new()
}

/// The endpoints as the start-up lines show them.
pub(super) fn endpoints() -> Vec<String> {
    registered().iter().map(|route| format!("    {:<6}  :  {}", route.method, route.path)).collect()
}

fn widest<'a>(words: impl Iterator<Item = &'a str>) -> usize {
    words.map(str::len).max().unwrap_or(0)
}
