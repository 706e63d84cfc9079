//! Stands in for a database that is not compiled in. It cannot be opened, so nothing of it ever is.

#![allow(clippy::unused_async)] // all of this has the shape of a database that is there

use std::sync::Arc;

use super::{Backend, Opening};
use crate::error::{Error, Result};
use crate::store::connection::Isolation;
use crate::store::sql::Statement;

/// What any type can do with a database that is not there.
pub trait Parameter {}

impl<T> Parameter for T {}

/// See [`Parameter`].
pub trait Scalar {}

impl<T> Scalar for T {}

/// See [`Parameter`].
pub trait FromItsRow {}

impl<T> FromItsRow for T {}

pub(crate) async fn open(url: &str, _: Opening<'_>) -> Result<Arc<dyn Backend>> {
    Err(not_compiled_in(url))
}

fn not_compiled_in(url: &str) -> Error {
    let (absent, feature, instead) = if url.starts_with("sqlite:") {
        ("SQLite", "sqlite", "name a Postgres database with `DBOS_DATABASE_URL=postgres://…`")
    } else {
        ("Postgres", "postgres", "name a file with `DBOS_DATABASE_URL=sqlite:…`")
    };
    Error::Configuration(format!(
        "this program is built without {absent}; {instead}, or build it with the feature `{feature}` of dbos-runtime"
    ))
}

enum Never {}

pub(crate) struct Link(Never);

pub(crate) struct Row(Never);

pub(crate) struct Arguments(Never);

impl Link {
    pub(crate) async fn run(&mut self, _: &Statement) -> sqlx::Result<Vec<Row>> {
        match self.0 {}
    }

    pub(crate) async fn run_script(&mut self, _: &'static str) -> sqlx::Result<()> {
        match self.0 {}
    }

    pub(crate) fn begin(_: Isolation) -> &'static str {
        ""
    }

    pub(crate) fn begin_reading(_: Isolation) -> &'static str {
        ""
    }

    pub(crate) async fn is_still_open(&mut self) -> sqlx::Result<bool> {
        match self.0 {}
    }

    pub(crate) async fn has_marker(&mut self) -> sqlx::Result<bool> {
        match self.0 {}
    }

    pub(crate) fn give_back(self) {
        match self.0 {}
    }

    pub(crate) fn arguments(&self) -> Arguments {
        match self.0 {}
    }

    pub(crate) async fn execute(&mut self, _: String, _: Arguments) -> sqlx::Result<u64> {
        match self.0 {}
    }

    pub(crate) async fn fetch_all<R>(&mut self, _: String, _: Arguments) -> sqlx::Result<Vec<R>> {
        match self.0 {}
    }
}

impl Row {
    pub(crate) fn try_get<T>(&self, _: &str) -> sqlx::Result<T> {
        match self.0 {}
    }
}

impl Arguments {
    pub(crate) fn add<P>(&mut self, _: P) -> std::result::Result<(), sqlx::error::BoxDynError> {
        match self.0 {}
    }
}
