//! What may be shown of a setting that holds a secret.

const MASK: &str = "****";

/// A database URL without its password: neither the one before the host nor those among the parameters.
///
/// What does not look like a URL is not shown at all, for nobody knows where its secret stands.
pub(super) fn masked(url: &str) -> String {
    if url.starts_with("sqlite:") {
        return url.to_owned();
    }
    let Some((scheme, rest)) = url.split_once("://") else { return MASK.to_owned() };
    let (place, parameters) = rest.split_once('?').map_or((rest, None), |(place, rest)| (place, Some(rest)));
    // A password may hold anything, even what ought to be escaped, so the last `@` is the one that counts.
    let place = match place.rsplit_once('@') {
        Some((login, host)) => match login.split_once(':') {
            Some((user, _)) => format!("{user}:{MASK}@{host}"),
            None => place.to_owned(),
        },
        None => place.to_owned(),
    };
    match parameters {
        Some(parameters) => {
            let parameters: Vec<_> = parameters.split('&').map(masked_parameter).collect();
            format!("{scheme}://{place}?{}", parameters.join("&"))
        }
        None => format!("{scheme}://{place}"),
    }
}

/// The parameters that are known to hold no secret are shown, and of all others the names.
fn masked_parameter(parameter: &str) -> String {
    const HARMLESS: &[&str] = &["application_name", "connect_timeout", "dbname", "host", "port", "sslmode", "user"];
    match parameter.split_once('=') {
        Some((name, _)) if HARMLESS.contains(&name) => parameter.to_owned(),
        Some((name, _)) => format!("{name}={MASK}"),
        None => MASK.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_password_however_it_is_written() {
        for (url, shown) in [
            ("postgres://shop:hunter2@localhost:5432/shop", "postgres://shop:****@localhost:5432/shop"),
            ("postgres://shop:hunt@er/2@localhost/shop", "postgres://shop:****@localhost/shop"),
            (
                "postgres://shop:hunt:er2@localhost/shop?sslmode=require",
                "postgres://shop:****@localhost/shop?sslmode=require",
            ),
            ("postgres:///shop?host=/run&password=hunter2", "postgres:///shop?host=/run&password=****"),
            ("postgres://shop@localhost/shop?pasword=hunter2&user", "postgres://shop@localhost/shop?pasword=****&****"),
            ("postgres://shop@localhost/shop", "postgres://shop@localhost/shop"),
            ("host=localhost password=hunter2", "****"),
            ("sqlite:./shop.sqlite", "sqlite:./shop.sqlite"),
        ] {
            assert_eq!(masked(url), shown);
            assert!(!masked(url).contains("hunt"));
        }
    }
}
