use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use super::*;
use crate::Migrations;
use crate::app::logging::LogFormat;

const SHOP: Application = Application {
    name: "shop",
    version: "1.0.0",
    migrations: Migrations { postgres: &[], sqlite: &[] },
    port: None,
    admin_port: None,
    supervise: false,
    started: || Box::pin(async { Ok(()) }),
};

fn flags(values: &[(&'static str, &str)]) -> Flags {
    Flags { values: values.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(), ..Flags::default() }
}

fn read(flags: &Flags, environment: &[(&str, &str)], file: &str) -> Result<Settings> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("settings.toml");
    fs::write(&path, file).expect("a file");
    let environment: HashMap<_, _> = environment.iter().copied().collect();
    let flags = Flags { config: Some(path), ..flags.clone() };
    Settings::read(&SHOP, &flags, |name| environment.get(name).map(|value| (*value).to_owned()))
}

fn refusal(flags: &Flags, environment: &[(&str, &str)], file: &str) -> String {
    let refusal = read(flags, environment, file).err().expect("a refusal").to_string();
    assert!(!refusal.contains('\n'), "{refusal}");
    refusal
}

#[test]
fn flag_beats_environment_beats_file_beats_default() {
    let environment = [("PORT", "2"), ("DBOS_DATABASE_URL", "sqlite:env")];
    let file = "port = 3\nhost = \"0.0.0.0\"\ndatabase_url = \"sqlite:file\"\ndrain_seconds = 5";

    let all = read(&flags(&[("port", "1")]), &environment, file).expect("good settings");
    assert_eq!((all.server.port, all.server.host.as_str()), (1, "0.0.0.0"));
    assert_eq!(all.engine.database_url.as_deref(), Some("sqlite:env"));
    assert_eq!(all.server.drain, Duration::from_secs(5));

    assert_eq!(read(&flags(&[]), &environment, file).expect("good settings").server.port, 2);
    assert_eq!(read(&flags(&[]), &[], file).expect("good settings").server.port, 3);
    let none = read(&flags(&[]), &[], "").expect("good settings");
    assert_eq!((none.server.port, none.server.host.as_str()), (3000, "127.0.0.1"));
    assert_eq!(none.engine.database_url.as_deref(), Some("sqlite:./shop.sqlite"));
}

#[test]
fn a_program_has_ports_of_its_own_unless_others_are_set() {
    let guide = Application { port: Some(8082), admin_port: Some(8083), ..SHOP };

    let own = Settings::new(&guide);
    assert_eq!((own.server.port, own.admin.port), (8082, Some(8083)));

    let flags = flags(&[("port", "1")]);
    let set = Settings::read(&guide, &flags, |name| (name == "DBOS_ADMIN_PORT").then(|| "2".to_owned()));
    let set = set.expect("good settings");
    assert_eq!((set.server.port, set.admin.port), (1, Some(2)));
}

#[test]
fn a_variable_of_ours_beats_the_one_that_others_use_too() {
    for (ours, other) in
        [("DBOS_DATABASE_URL", "DBOS_SYSTEM_DATABASE_URL"), ("DBOS_LOG", "RUST_LOG"), ("DBOS_HOST", "HOST")]
    {
        let key = KEYS.iter().find(|key| key.variables().any(|name| name == ours)).expect("a key");
        let shown = |environment: &[_]| key.shown(&read(&flags(&[]), environment, "").expect("good settings"));
        assert_eq!(shown(&[(ours, "sqlite:1"), (other, "sqlite:2")]).as_deref(), Some("sqlite:1"));
        assert_eq!(shown(&[(other, "sqlite:2")]).as_deref(), Some("sqlite:2"));
    }
}

#[test]
fn every_key_is_settable_in_every_way() {
    for key in KEYS {
        let value = match key.field.kind().as_str() {
            "`true` or `false`" => "true",
            "`text` or `json`" => "json",
            "`none` or `transaction`" => "transaction",
            "a URL" => "sqlite:other",
            "text" => "words",
            kind if kind.starts_with("a plain name") => "shop",
            "a list of names, with commas between" => "one,two",
            _ => "1000",
        };
        let written = if value.parse::<u32>().is_ok() || value == "true" {
            format!("{} = {value}", key.name)
        } else {
            format!("{} = \"{value}\"", key.name)
        };
        let variable = key.variables().next().expect("a variable");
        for settings in [
            read(&flags(&[(key.name, value)]), &[], ""),
            read(&flags(&[]), &[(variable.as_str(), value)], ""),
            read(&flags(&[]), &[], &written),
        ] {
            let settings = settings.unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(key.shown(&settings).as_deref(), Some(value), "{}", key.name);
        }
    }
    let settings = read(&flags(&[]), &[], "hosts = [\"a.example\", \"b.example\"]\nlog_format = \"json\"");
    let settings = settings.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(settings.server.hosts, ["a.example", "b.example"]);
    assert_eq!(settings.log.format, LogFormat::Json);
}

#[test]
fn mistakes_are_one_sentence_that_names_their_place() {
    for (environment, file, expected) in [
        (("PORT", "http"), "", "the environment variable PORT is `http`, which is not a port, from 0 to 65535"),
        (("X", ""), "port = 1\nprot = 3000", "settings.toml, line 2: there is no setting `prot`; did you mean `port`?"),
        (("X", ""), "\nport = \"x\"", "settings.toml, line 2: `port` is `x`, which is not a port, from 0 to 65535"),
        (("X", ""), "port = 1.5", "settings.toml, line 1: `port` is of type float; it must be a port, from 0 to 65535"),
        (("X", ""), "pool_size = 0", "`pool_size` is `0`, which is not a number from 1 to 10000"),
        (
            ("X", ""),
            "lease_ms = 100",
            "`lease_ms` is `100`, which is not a number of milliseconds from 1000 to 3600000",
        ),
        (("DBOS_LOG_FORMAT", "xml"), "", "DBOS_LOG_FORMAT is `xml`, which is not `text` or `json`"),
        (("X", ""), "port = ", "settings.toml, line 1: "),
        (("X", ""), "[server]\nport = 1", "settings.toml, line 1: there is no setting `server`"),
    ] {
        let refusal = refusal(&flags(&[]), &[environment], file);
        assert!(refusal.contains(expected), "{refusal}");
    }
    let refusal = refusal(&flags(&[("port", "99999")]), &[], "");
    assert!(refusal.contains("the flag --port is `99999`, which is not a port, from 0 to 65535"), "{refusal}");
    let missing = Flags { config: Some("no/such/file.toml".into()), ..Flags::default() };
    Settings::read(&SHOP, &missing, |_| None).err().expect("a file that was named must be there");
}

#[test]
fn a_statement_may_not_outlast_the_lease() {
    let file = "database_url = \"postgres://localhost/shop\"\nlease_ms = 2000";

    let refusal = refusal(&flags(&[]), &[], file);

    assert!(refusal.contains("`statement_deadline_ms` is 4000 and `lease_ms` is 2000"), "{refusal}");
    read(&flags(&[("statement_deadline_ms", "1600")]), &[], file).expect("what the sentence asks for");
    read(&flags(&[]), &[], "lease_ms = 2000").expect("on SQLite there is no lease");
}

#[test]
fn the_admin_token_is_a_variable_that_is_never_shown() {
    let token = ("DBOS_ADMIN_TOKEN", "0123456789abcdef");
    let settings = read(&flags(&[("admin_port", "5")]), &[token], "").unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((settings.admin.port, settings.admin.token.is_some()), (Some(5), true));
    assert!(KEYS.iter().all(|key| key.shown(&settings).is_none_or(|shown| !shown.contains(token.1))));

    let refused = refusal(&flags(&[]), &[("DBOS_ADMIN_TOKEN", "secret")], "");
    assert!(refused.contains("fewer than 16 characters") && !refused.contains("secret"), "{refused}");
}

#[test]
fn variables_that_are_nearly_ours_are_told_apart_from_others() {
    let variables = ["DBOS_POOLSIZE", "DBOS_POOL_SIZE", "DBOS_CONDUCTOR_KEY", "PROT", "DBOS__VMID"];

    let suspicions = misspelt(variables.into_iter().map(str::to_owned));

    assert_eq!(suspicions, ["the environment variable DBOS_POOLSIZE is not known; did you mean DBOS_POOL_SIZE?"]);
}

/// `UPDATE_DOCUMENTS=1` writes the table anew.
#[test]
fn the_document_has_the_table_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    let document = fs::read_to_string(&path).expect("the document");
    let (before, rest) = document.split_once("<!-- settings -->\n").expect("where the table begins");
    let (_, after) = rest.split_once("<!-- end of settings -->").expect("where it ends");

    let expected = format!("{before}<!-- settings -->\n{}<!-- end of settings -->{after}", table());

    if std::env::var_os("UPDATE_DOCUMENTS").is_some() {
        fs::write(path, &expected).expect("a writable document");
    } else {
        assert!(document == expected, "docs/configuration.md differs; UPDATE_DOCUMENTS=1 writes it anew");
    }
}

fn table() -> String {
    let defaults = Settings::new(&Application { name: "my-app", ..SHOP });
    let mut table = "| Key | Flag | Variables | Value | Default | What it is |\n|---|---|---|---|---|---|\n".to_owned();
    for key in KEYS {
        let variables: Vec<_> = key.variables().map(|name| format!("`{name}`")).collect();
        let default = key.shown(&defaults).map_or_else(String::new, |default| format!("`{default}`"));
        let cells = [
            format!("`{}`", key.name),
            format!("`--{}`", key.flag()),
            variables.join(", "),
            key.field.kind(),
            default,
            key.meaning.to_owned(),
        ];
        table.extend(["| ", &cells.join(" | "), " |\n"]);
    }
    table
}
