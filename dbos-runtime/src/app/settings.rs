//! Where a setting comes from: flag, environment, file, default; the first that has it wins.

use std::fs;
use std::io;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

use super::command::Flags;
use crate::http::ServerOptions;
use crate::{Error, Result};

/// The file that is read if no other is named.
const DEFAULT_FILE: &str = "dbos.toml";

/// Everything that can be set from outside.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) database_url: Option<String>,
    pub(super) application_version: Option<String>,
    pub(super) server: ServerOptions,
}

/// The settings file. A key it does not know is a typing mistake, and refused.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    database_url: Option<String>,
    application_version: Option<String>,
    host: Option<String>,
    port: Option<u16>,
    #[serde(default)]
    hosts: Vec<String>,
    trust_forwarded: Option<bool>,
    drain_seconds: Option<u32>,
    max_connections: Option<usize>,
}

impl Settings {
    /// Gathers the settings; an environment variable that is empty counts as absent.
    pub(super) fn read(flags: &Flags, environment: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let file = File::read(flags.config.as_deref())?;
        let default = ServerOptions::default();
        let server = ServerOptions {
            host: flags.host.clone().or_else(|| environment("HOST")).or(file.host).unwrap_or(default.host),
            port: flags
                .port
                .map_or_else(|| parsed(&environment, "PORT", "a port"), |port| Ok(Some(port)))?
                .or(file.port)
                .unwrap_or(default.port),
            hosts: file.hosts,
            trust_forwarded: file.trust_forwarded.unwrap_or(default.trust_forwarded),
            drain: file.drain_seconds.map_or(default.drain, |seconds| Duration::from_secs(seconds.into())),
            max_connections: file.max_connections.unwrap_or(default.max_connections),
            ..default
        };
        let database_url = flags
            .database_url
            .clone()
            .or_else(|| environment("DBOS_DATABASE_URL"))
            .or_else(|| environment("DBOS_SYSTEM_DATABASE_URL"))
            .or(file.database_url);
        let application_version = environment("DBOS__APPVERSION").or(file.application_version);
        Ok(Self { database_url, application_version, server })
    }
}

fn parsed<T: FromStr>(environment: impl Fn(&str) -> Option<String>, name: &str, what: &str) -> Result<Option<T>> {
    let read = |value: String| {
        value.parse().map_err(|_| {
            Error::Configuration(format!("the environment variable {name} is `{value}`, which is not {what}"))
        })
    };
    environment(name).map(read).transpose()
}

impl File {
    fn read(named: Option<&Path>) -> Result<Self> {
        let path = named.unwrap_or(Path::new(DEFAULT_FILE));
        match fs::read_to_string(path) {
            Ok(text) => {
                Self::parse(&text).map_err(|reason| Error::Configuration(format!("{}: {reason}", path.display())))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && named.is_none() => Ok(Self::default()),
            Err(error) => Err(Error::Configuration(format!("cannot read {}: {error}", path.display()))),
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count());
            format!("line {line}: {}", error.message())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn read(flags: &Flags, environment: &[(&str, &str)], file: &str) -> Result<Settings> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("settings.toml");
        fs::write(&path, file).expect("a file");
        let environment: HashMap<_, _> = environment.iter().copied().collect();
        let flags = Flags { config: Some(path), ..flags.clone() };
        Settings::read(&flags, |name| environment.get(name).map(|value| (*value).to_owned()))
    }

    #[test]
    fn flag_beats_environment_beats_file_beats_default() {
        let flags = Flags { port: Some(1), ..Flags::default() };
        let environment = [("PORT", "2"), ("DBOS_DATABASE_URL", "sqlite:env")];
        let file = "port = 3\nhost = \"0.0.0.0\"\ndatabase_url = \"sqlite:file\"\ndrain_seconds = 5";

        let all = read(&flags, &environment, file).expect("good settings");
        assert_eq!((all.server.port, all.server.host.as_str()), (1, "0.0.0.0"));
        assert_eq!(all.database_url.as_deref(), Some("sqlite:env"));
        assert_eq!(all.server.drain, Duration::from_secs(5));

        assert_eq!(read(&Flags::default(), &environment, file).expect("good settings").server.port, 2);
        assert_eq!(read(&Flags::default(), &[], file).expect("good settings").server.port, 3);
        let none = read(&Flags::default(), &[], "").expect("good settings");
        assert_eq!((none.server.port, none.server.host.as_str(), none.database_url), (3000, "127.0.0.1", None));
    }

    #[test]
    fn the_older_name_of_the_database_url_is_understood() {
        let both = [("DBOS_DATABASE_URL", "sqlite:new"), ("DBOS_SYSTEM_DATABASE_URL", "sqlite:old")];
        let url = |environment| read(&Flags::default(), environment, "").expect("good settings").database_url;
        assert_eq!(url(&both).as_deref(), Some("sqlite:new"));
        assert_eq!(url(&both[1..]).as_deref(), Some("sqlite:old"));
    }

    #[test]
    fn mistakes_are_named_in_one_line() {
        for (environment, file, part) in [
            (("PORT", "http"), "", "environment variable PORT is `http`"),
            (("X", ""), "port = 1\nprot = 3000", "line 2: unknown field `prot`"),
            (("X", ""), "port = \"x\"", "line 1: "),
            (("X", ""), "port = ", "line 1: "),
        ] {
            let error = read(&Flags::default(), &[environment], file).expect_err(part).to_string();
            assert!(error.contains(part), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
        let missing = Flags { config: Some("no/such/file.toml".into()), ..Flags::default() };
        Settings::read(&missing, |_| None).expect_err("a file that was named must be there");
    }
}
