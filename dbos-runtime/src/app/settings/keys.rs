//! Every setting, once: its name, where it goes, what it may be and what it is for. Flags, variables, the file, the
//! help, the command `config` and `docs/configuration.md` are all made of this table.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::{Value, json};

use super::Settings;
use super::secret::masked;
use crate::app::logging::LogFormat;
use crate::config::{LONGEST_SCHEMA, Pooler, is_schema_name};

/// A setting. Its flag is `--its-name`, its variable `DBOS_ITS_NAME`, its key in the file `its_name`.
pub(in crate::app) struct Key {
    pub(in crate::app) name: &'static str,
    /// Variables that are looked at if `DBOS_ITS_NAME` is not set.
    also: &'static [&'static str],
    pub(super) field: Field,
    pub(in crate::app) meaning: &'static str,
}

/// A place in [`Settings`], and what may be put there.
pub(super) enum Field {
    Url(fn(&mut Settings) -> &mut Option<String>),
    MaybeText(fn(&mut Settings) -> &mut Option<String>),
    Text(fn(&mut Settings) -> &mut String),
    Texts(fn(&mut Settings) -> &mut Vec<String>),
    Switch(fn(&mut Settings) -> &mut bool),
    Port(fn(&mut Settings) -> &mut u16),
    MaybePort(fn(&mut Settings) -> &mut Option<u16>),
    Count(fn(&mut Settings) -> &mut u32, RangeInclusive<u32>),
    Size(fn(&mut Settings) -> &mut usize, RangeInclusive<u32>),
    Seconds(fn(&mut Settings) -> &mut Duration, RangeInclusive<u32>),
    Milliseconds(fn(&mut Settings) -> &mut Duration, RangeInclusive<u32>),
    Format(fn(&mut Settings) -> &mut LogFormat),
    Pooler(fn(&mut Settings) -> &mut Pooler),
    Schema(fn(&mut Settings) -> &mut String),
}

const DAY_S: u32 = 24 * 60 * 60;
const HOUR_MS: u32 = 60 * 60 * 1000;
const DAY_MS: u32 = DAY_S * 1000;

/// In the order in which they are shown.
pub(in crate::app) static KEYS: &[Key] = &[
    Key {
        name: "database_url",
        also: &["DBOS_SYSTEM_DATABASE_URL"],
        field: Field::Url(|to| &mut to.engine.database_url),
        meaning: "the database: `postgres://user:password@host/name`, or `sqlite:file`",
    },
    Key {
        name: "schema",
        also: &[],
        field: Field::Schema(|to| &mut to.engine.schema),
        meaning: "the schema of the tables on Postgres; applications in two of them know nothing of each other",
    },
    Key {
        name: "application_version",
        also: &["DBOS__APPVERSION"],
        field: Field::MaybeText(|to| &mut to.engine.application_version),
        meaning: "the version under which workflows are started, instead of the hash of their code",
    },
    Key {
        name: "pool_size",
        also: &[],
        field: Field::Count(|to| &mut to.engine.pool_size, 1..=10_000),
        meaning: "connections to Postgres for transactions and reads; the engine has two more",
    },
    Key {
        name: "poll_interval_ms",
        also: &[],
        field: Field::Milliseconds(|to| &mut to.engine.poll_interval, 10..=HOUR_MS),
        meaning: "how often a waiter looks without having been woken",
    },
    Key {
        name: "park_after_ms",
        also: &[],
        field: Field::Milliseconds(|to| &mut to.engine.park_after, 0..=DAY_MS),
        meaning: "how long a workflow that only waits stays in memory before it leaves and comes back by replay; 0 for any \
                  time",
    },
    Key {
        name: "most_waiting",
        also: &[],
        field: Field::Count(|to| &mut to.engine.most_waiting, 0..=10_000_000),
        meaning: "how many workflows may wait in memory for so long; while more do, each leaves as soon as it waits",
    },
    Key {
        name: "listen",
        also: &[],
        field: Field::Switch(|to| &mut to.engine.listen),
        meaning: "whether waiters are woken by LISTEN and NOTIFY of Postgres; if not, they poll",
    },
    Key {
        name: "queues",
        also: &[],
        field: Field::Texts(|to| &mut to.engine.queues),
        meaning: "the queues that this process takes workflows out of, besides what is resumed; none means all",
    },
    Key {
        name: "pooler",
        also: &[],
        field: Field::Pooler(|to| &mut to.engine.pooler),
        meaning: "`transaction` behind PgBouncer in transaction mode, or what is like it; waiters poll then",
    },
    Key {
        name: "lease_ms",
        also: &[],
        field: Field::Milliseconds(|to| &mut to.engine.lease, 1_000..=HOUR_MS),
        meaning: "how long a process on Postgres may be silent before others take its workflows over; it is renewed three \
                  times in that time",
    },
    Key {
        name: "statement_deadline_ms",
        also: &[],
        field: Field::Milliseconds(|to| &mut to.engine.statement_deadline, 100..=HOUR_MS),
        meaning: "how long one statement of the engine may take before it is given up and tried again; at most four fifths \
                  of the lease",
    },
    Key {
        name: "transaction_deadline_seconds",
        also: &[],
        field: Field::Seconds(|to| &mut to.engine.transaction_deadline, 1..=DAY_S),
        meaning: "how long a `#[transaction]` may take before it is rolled back",
    },
    Key {
        name: "retention_days",
        also: &[],
        field: Field::Count(|to| &mut to.engine.retention.days, 0..=36_500),
        meaning: "for how many days workflows are kept after their end; 0 for ever",
    },
    Key {
        name: "retention_rows",
        also: &[],
        field: Field::Count(|to| &mut to.engine.retention.rows, 0..=1_000_000_000),
        meaning: "how many of the workflows that have ended are kept; 0 for all",
    },
    Key {
        name: "host",
        also: &["HOST"],
        field: Field::Text(|to| &mut to.server.host),
        meaning: "the name or address to listen on; the default serves this computer alone",
    },
    Key {
        name: "port",
        also: &["PORT"],
        field: Field::Port(|to| &mut to.server.port),
        meaning: "the port to listen on; 0 takes any free one",
    },
    Key {
        name: "hosts",
        also: &[],
        field: Field::Texts(|to| &mut to.server.hosts),
        meaning: "the names under which browsers may ask for this server, beside `localhost`; if it listens elsewhere than \
                  on loopback, none means every name",
    },
    Key {
        name: "trust_forwarded",
        also: &[],
        field: Field::Switch(|to| &mut to.server.trust_forwarded),
        meaning: "whether a proxy that sets `X-Forwarded-For` stands in front; without it, forwarded requests are refused",
    },
    Key {
        name: "max_connections",
        also: &[],
        field: Field::Size(|to| &mut to.server.max_connections, 1..=1_000_000),
        meaning: "how many connections are served at a time; more wait",
    },
    Key {
        name: "max_body_bytes",
        also: &[],
        field: Field::Size(|to| &mut to.server.max_body_bytes, 1..=1_073_741_824),
        meaning: "the largest body of a request, for routes that say nothing themselves",
    },
    Key {
        name: "answer_deadline_seconds",
        also: &[],
        field: Field::Seconds(|to| &mut to.server.answer_deadline, 0..=DAY_S),
        meaning: "how long routes that say nothing themselves may take to answer; 0 is no limit",
    },
    Key {
        name: "allowed_origins",
        also: &[],
        field: Field::Texts(|to| &mut to.server.allowed_origins),
        meaning: "the origins of other sites whose pages may call the routes, as `https://shop.example`",
    },
    Key {
        name: "compress",
        also: &[],
        field: Field::Switch(|to| &mut to.server.compress),
        meaning: "whether answers are compressed for clients that take it",
    },
    Key {
        name: "openapi",
        also: &[],
        field: Field::Switch(|to| &mut to.server.documentation.served),
        meaning: "whether the program tells of its routes, in an OpenAPI document and on a page",
    },
    Key {
        name: "openapi_path",
        also: &[],
        field: Field::Text(|to| &mut to.server.documentation.document),
        meaning: "the path of the OpenAPI document",
    },
    Key {
        name: "docs_path",
        also: &[],
        field: Field::Text(|to| &mut to.server.documentation.page),
        meaning: "the path of the page that shows the routes and tries them out",
    },
    Key {
        name: "header_deadline_seconds",
        also: &[],
        field: Field::Seconds(|to| &mut to.server.header_deadline, 1..=DAY_S),
        meaning: "how long the head of a request may take to arrive",
    },
    Key {
        name: "body_deadline_seconds",
        also: &[],
        field: Field::Seconds(|to| &mut to.server.body_deadline, 1..=DAY_S),
        meaning: "how long the body of a request may take to arrive",
    },
    Key {
        name: "idle_deadline_seconds",
        also: &[],
        field: Field::Seconds(|to| &mut to.server.idle_deadline, 1..=DAY_S),
        meaning: "how long a connection may stay open with nothing asked",
    },
    Key {
        name: "write_deadline_seconds",
        also: &[],
        field: Field::Seconds(|to| &mut to.server.write_deadline, 1..=DAY_S),
        meaning: "how long a client may take no byte of an answer that is ready",
    },
    Key {
        name: "drain_seconds",
        also: &[],
        field: Field::Seconds(|to| &mut to.server.drain, 0..=DAY_S),
        meaning: "how long open requests and workflows may take to end once the program is asked to stop",
    },
    Key {
        name: "admin_port",
        also: &[],
        field: Field::MaybePort(|to| &mut to.admin.port),
        meaning: "the port of the admin server, which lists, cancels and resumes workflows; without one there is none",
    },
    Key {
        name: "admin_host",
        also: &[],
        field: Field::Text(|to| &mut to.admin.host),
        meaning: "the name or address the admin server listens on; any but this computer's needs `DBOS_ADMIN_TOKEN`",
    },
    Key {
        name: "log",
        also: &["RUST_LOG"],
        field: Field::Text(|to| &mut to.log.filter),
        meaning: "what is logged: levels by module, as in `info,sqlx=warn`",
    },
    Key {
        name: "log_format",
        also: &[],
        field: Field::Format(|to| &mut to.log.format),
        meaning: "`text` for people, `json` for programs: one object a line",
    },
];

impl Key {
    /// Its variables, the one that counts first in front.
    pub(super) fn variables(&self) -> impl Iterator<Item = String> {
        std::iter::once(format!("DBOS_{}", self.name.to_uppercase())).chain(self.also.iter().map(ToString::to_string))
    }

    pub(in crate::app) fn flag(&self) -> String {
        self.name.replace('_', "-")
    }

    /// Whether its flag may stand alone, for `true`.
    pub(in crate::app) fn is_switch(&self) -> bool {
        matches!(self.field, Field::Switch(_))
    }

    /// The line of the help about it.
    pub(in crate::app) fn help(&self, defaults: &Settings) -> String {
        let variables: Vec<_> = self.variables().collect();
        let default = self.shown(defaults).map_or_else(String::new, |default| format!(" [default: {default}]"));
        format!("{} [env: {}]{default}", self.meaning.replace('`', ""), variables.join(", "))
    }

    /// Its value for people, without secrets.
    pub(in crate::app) fn shown(&self, settings: &Settings) -> Option<String> {
        match self.field.value(settings) {
            Value::Null => None,
            Value::String(text) => Some(text),
            Value::Array(texts) if texts.is_empty() => None,
            Value::Array(texts) => Some(texts.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")),
            other => Some(other.to_string()),
        }
    }
}

impl Field {
    /// Puts what `text` says into its place, or says what it should be instead.
    pub(super) fn set(&self, settings: &mut Settings, text: &str) -> Result<(), String> {
        match self {
            Self::Url(place) | Self::MaybeText(place) => *place(settings) = Some(text.to_owned()),
            Self::Text(place) => text.clone_into(place(settings)),
            Self::Texts(place) => *place(settings) = listed(text),
            Self::Switch(place) => *place(settings) = text.parse().map_err(|_| self.kind())?,
            Self::Port(place) => *place(settings) = text.parse().map_err(|_| self.kind())?,
            Self::MaybePort(place) => *place(settings) = Some(text.parse().map_err(|_| self.kind())?),
            Self::Count(place, range) => *place(settings) = self.number(text, range)?,
            Self::Size(place, range) => *place(settings) = self.number(text, range)? as usize,
            Self::Seconds(place, range) => {
                *place(settings) = Duration::from_secs(self.number(text, range)?.into());
            }
            Self::Milliseconds(place, range) => {
                *place(settings) = Duration::from_millis(self.number(text, range)?.into());
            }
            Self::Format(place) => *place(settings) = LogFormat::named(text).ok_or_else(|| self.kind())?,
            Self::Pooler(place) => *place(settings) = pooler_named(text).ok_or_else(|| self.kind())?,
            Self::Schema(_) if !is_schema_name(text) => return Err(self.kind()),
            Self::Schema(place) => text.clone_into(place(settings)),
        }
        Ok(())
    }

    fn number(&self, text: &str, range: &RangeInclusive<u32>) -> Result<u32, String> {
        text.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| self.kind())
    }

    /// What is in its place; of a secret, what may be shown.
    pub(super) fn value(&self, settings: &Settings) -> Value {
        let settings = &mut settings.clone();
        match self {
            Self::Url(place) => json!(place(settings).as_deref().map(masked)),
            Self::MaybeText(place) => json!(place(settings)),
            Self::Text(place) | Self::Schema(place) => json!(place(settings)),
            Self::Texts(place) => json!(place(settings)),
            Self::Switch(place) => json!(place(settings)),
            Self::Port(place) => json!(place(settings)),
            Self::MaybePort(place) => json!(place(settings)),
            Self::Count(place, _) => json!(place(settings)),
            Self::Size(place, _) => json!(place(settings)),
            Self::Seconds(place, _) => json!(place(settings).as_secs()),
            Self::Milliseconds(place, _) => json!(u64::try_from(place(settings).as_millis()).ok()),
            Self::Format(place) => json!(place(settings).name()),
            Self::Pooler(place) => json!(name_of(*place(settings))),
        }
    }

    /// What it must be, to follow "which is not" in a sentence.
    pub(super) fn kind(&self) -> String {
        match self {
            Self::Url(_) => "a URL".to_owned(),
            Self::MaybeText(_) | Self::Text(_) => "text".to_owned(),
            Self::Texts(_) => "a list of names, with commas between".to_owned(),
            Self::Switch(_) => "`true` or `false`".to_owned(),
            Self::Port(_) | Self::MaybePort(_) => "a port, from 0 to 65535".to_owned(),
            Self::Count(_, range) | Self::Size(_, range) => between("a number", range),
            Self::Seconds(_, range) => between("a number of seconds", range),
            Self::Milliseconds(_, range) => between("a number of milliseconds", range),
            Self::Format(_) => "`text` or `json`".to_owned(),
            Self::Schema(_) => format!("a plain name: up to {LONGEST_SCHEMA} small letters, digits and `_`"),
            Self::Pooler(_) => "`none` or `transaction`".to_owned(),
        }
    }
}

const POOLERS: [(&str, Pooler); 2] = [("none", Pooler::None), ("transaction", Pooler::Transaction)];

fn pooler_named(name: &str) -> Option<Pooler> {
    POOLERS.iter().find(|(known, _)| *known == name).map(|(_, pooler)| *pooler)
}

fn name_of(pooler: Pooler) -> &'static str {
    POOLERS.iter().find(|(_, known)| *known == pooler).map_or("", |(name, _)| name)
}

fn between(what: &str, range: &RangeInclusive<u32>) -> String {
    format!("{what} from {} to {}", range.start(), range.end())
}

fn listed(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}
