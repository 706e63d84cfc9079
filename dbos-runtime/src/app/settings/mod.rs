//! Where a setting comes from: flag, environment, file, default; the first that has it wins.

mod file;
#[cfg(feature = "fuzzing")]
pub(super) mod fuzz;
mod keys;
mod print;
mod secret;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use super::Application;
use super::command::Flags;
use super::logging::LogOptions;
use crate::http::ServerOptions;
use crate::http::admin::AdminToken;
use crate::{Config, Error, Result};
use file::File;

pub(super) use keys::{KEYS, Key};
pub(super) use print::print;

/// Everything that can be set from outside.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) engine: Config,
    pub(super) server: ServerOptions,
    pub(super) admin: AdminSettings,
    pub(super) log: LogOptions,
    /// Where each key was found that has not its default.
    sources: BTreeMap<&'static str, Source>,
}

/// The admin server's settings. Without a port there is none.
#[derive(Clone)]
pub(super) struct AdminSettings {
    pub(super) host: String,
    pub(super) port: Option<u16>,
    pub(super) token: Option<AdminToken>,
}

/// The one setting that is a variable only: a flag could be seen by others, and a file is kept.
const ADMIN_TOKEN: &str = "DBOS_ADMIN_TOKEN";

/// Where a value was found.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Source {
    Flag(String),
    Variable(String),
    /// The file and the line.
    File(String),
}

/// Whoever is told about a mistake is told where it stands.
impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(formatter, "the flag --{flag}"),
            Self::Variable(variable) => write!(formatter, "the environment variable {variable}"),
            Self::File(place) => write!(formatter, "{place}"),
        }
    }
}

impl Settings {
    /// The defaults of the application.
    pub(super) fn new(application: &Application) -> Self {
        let mut engine = Config::new(application.name);
        engine.database_url = Some(engine.effective_url());
        engine.migrations = application.migrations;
        let mut server = ServerOptions::default();
        server.port = application.port.unwrap_or(server.port);
        application.name.clone_into(&mut server.documentation.title);
        application.version.clone_into(&mut server.documentation.version);
        let admin = AdminSettings { host: server.host.clone(), port: application.admin_port, token: None };
        Self { engine, server, admin, log: LogOptions::default(), sources: BTreeMap::new() }
    }

    /// Gathers the settings; an environment variable that is empty counts as absent.
    pub(super) fn read(
        application: &Application,
        flags: &Flags,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self> {
        let file = File::read(flags.config.as_deref())?;
        let mut settings = Self::new(application);
        for key in KEYS {
            if let Some((value, source)) = find(key, flags, &environment, &file) {
                settings.set(key, &value, source)?;
            }
        }
        let token = environment(ADMIN_TOKEN).map(|token| AdminToken::new(&token)).transpose();
        settings.admin.token = token.map_err(|reason| {
            Error::Configuration(format!("the environment variable {ADMIN_TOKEN} is refused: {reason}"))
        })?;
        settings.check()?;
        Ok(settings)
    }

    fn set(&mut self, key: &Key, value: &str, source: Source) -> Result<()> {
        key.field.set(self, value).map_err(|kind| {
            let place = match &source {
                Source::File(_) => format!("{source}: `{}`", key.name),
                Source::Flag(_) | Source::Variable(_) => source.to_string(),
            };
            Error::Configuration(format!("{place} is `{value}`, which is not {kind}"))
        })?;
        self.sources.insert(key.name, source);
        Ok(())
    }

    /// Refuses values that do not go together.
    fn check(&self) -> Result<()> {
        let engine = &self.engine;
        let is_sqlite = engine.database_url.as_ref().is_some_and(|url| url.starts_with("sqlite:"));
        if !is_sqlite && engine.statement_deadline > engine.lease * 4 / 5 {
            let (deadline, lease) = (engine.statement_deadline.as_millis(), engine.lease.as_millis());
            return Err(Error::Configuration(format!(
                "`statement_deadline_ms` is {deadline} and `lease_ms` is {lease}: a statement may take four fifths of the \
                 lease at most, or the lease could run out while it waits; set a longer lease or a shorter deadline"
            )));
        }
        Ok(())
    }

    /// Where the value of the key `name` was found, for a sentence about it.
    pub(super) fn place(&self, name: &'static str) -> String {
        self.sources.get(name).map_or_else(|| format!("the setting `{name}`"), Source::to_string)
    }
}

fn find(
    key: &Key,
    flags: &Flags,
    environment: impl Fn(&str) -> Option<String>,
    file: &File,
) -> Option<(String, Source)> {
    if let Some(value) = flags.values.get(key.name) {
        return Some((value.clone(), Source::Flag(key.flag())));
    }
    let variable = key.variables().find_map(|name| environment(&name).map(|value| (value, Source::Variable(name))));
    variable.or_else(|| file.get(key.name).map(|(value, place)| (value, Source::File(place))))
}

/// A sentence for each of the environment's `variables` that looks like one of ours and is none.
pub(super) fn misspelt(variables: impl Iterator<Item = String>) -> Vec<String> {
    /// More letters than these are no slip.
    const SLIP: usize = 2;
    let known: Vec<_> = KEYS.iter().flat_map(Key::variables).collect();
    let ours = variables.filter(|name| name.starts_with("DBOS_") && !known.contains(name));
    let suspects = ours.filter_map(|name| {
        let near = nearest(&name, known.iter().map(String::as_str));
        (strsim::damerau_levenshtein(&name, near) <= SLIP)
            .then(|| format!("the environment variable {name} is not known; did you mean {near}?"))
    });
    suspects.collect()
}

/// Which of `names` is the most like `name`.
fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> &'a str {
    names.min_by_key(|known| strsim::damerau_levenshtein(name, known)).expect("there are settings")
}
