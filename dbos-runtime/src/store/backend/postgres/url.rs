//! The database URL as the driver may see it.

use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;

use crate::error::{Error, Result};

/// What the driver knows, beside `options[…]`. It logs any other parameter with its value, which may
/// be a misspelt password.
const KNOWN: &[&str] = &[
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "ssl-mode",
    "ssl-root-cert",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
    "user",
];

/// How to connect to the database at `url`.
pub(super) fn read(url: &str) -> Result<PgConnectOptions> {
    let (url, left_out) = without_unknown(url);
    for parameter in left_out {
        tracing::warn!(parameter, "the database URL has a parameter that is not known here; it is left out");
    }
    PgConnectOptions::from_str(&url)
        .map_err(|error| Error::Configuration(format!("the database URL cannot be used: {error}")))
}

/// The URL without parameters that are not known, and their names.
fn without_unknown(url: &str) -> (String, Vec<&str>) {
    let Some((place, parameters)) = url.split_once('?') else { return (url.to_owned(), Vec::new()) };
    let (known, unknown): (Vec<_>, Vec<_>) = parameters.split('&').partition(|parameter| {
        let name = name(parameter);
        KNOWN.contains(&name) || name.starts_with("options[")
    });
    let unknown = unknown.into_iter().map(name).filter(|name| is_word(name)).collect();
    (format!("{place}?{}", known.join("&")), unknown)
}

fn name(parameter: &str) -> &str {
    parameter.split('=').next().unwrap_or_default()
}

/// Whatever is no word may be a piece of a password with a `?` in it.
fn is_word(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_driver_sees_only_parameters_that_it_knows() {
        for (url, seen, left_out) in [
            ("postgres://h/d", "postgres://h/d", vec![]),
            ("postgres://h/d?sslmode=require&pasword=p", "postgres://h/d?sslmode=require", vec!["pasword"]),
            ("postgres://h/d?options[a]=b&channel_binding=x", "postgres://h/d?options[a]=b", vec!["channel_binding"]),
            ("postgres://u:a?b@h/d", "postgres://u:a?", vec![]),
        ] {
            assert_eq!(without_unknown(url), (seen.to_owned(), left_out));
        }
    }
}
