//! Keeps strangers' pages out of a server that trusts its own computer.
//!
//! A page from elsewhere can make the browser of someone who runs this server send it requests. It
//! cannot hide where it came from (`Origin`, `Sec-Fetch-Site`) nor under which name it asked (`Host`).

use std::net::{IpAddr, SocketAddr};

use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::{HOST, HeaderName, ORIGIN};
use axum::http::uri::{Authority, Uri};

use super::{HttpError, ServerOptions};

/// Which requests are let in. The default is that of a server that is not ours: it has the say about names and proxies.
#[derive(Clone, Debug, Default)]
pub(crate) struct Guard {
    /// The names allowed in `Host`; `None` allows every name.
    hosts: Option<Vec<String>>,
    trust_forwarded: bool,
    /// Origins of other sites whose pages are let in.
    origins: Vec<String>,
}

impl Guard {
    pub(crate) fn new(options: &ServerOptions, address: SocketAddr) -> Self {
        let restricted = address.ip().to_canonical().is_loopback() || !options.hosts.is_empty();
        Self {
            hosts: restricted.then(|| options.hosts.clone()),
            trust_forwarded: options.trust_forwarded,
            origins: options.allowed_origins.clone(),
        }
    }

    /// Says in the error why the request is turned away.
    pub(crate) fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), HttpError> {
        let host = sent_host(uri, headers)?;
        if !self.allows(&host) {
            return Err(forbidden(format!(
                "this server does not answer to the name `{}`; add it to `hosts` if it should",
                host.host()
            )));
        }
        if !self.trust_forwarded && headers.keys().any(is_forwarding) {
            return Err(forbidden(
                "forwarded requests are refused; set `trust_forwarded` if a proxy of yours stands in front",
            ));
        }
        Ok(())
    }

    /// The origins of other sites whose pages may call every route.
    pub(crate) fn origins(&self) -> &[String] {
        &self.origins
    }

    fn allows(&self, host: &Authority) -> bool {
        let name = host.host();
        let configured = |hosts: &Vec<String>| hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(name));
        self.hosts.as_ref().is_none_or(|hosts| is_loopback(name) || configured(hosts))
    }

    /// Says in the error why a page of another site may not call a route, which lets in these `origins` and the server's.
    pub(crate) fn check_origin(&self, request: &Request, origins: &[&str]) -> Result<(), HttpError> {
        let headers = request.headers();
        let origin = text(headers, ORIGIN.as_str());
        let allowed = |origin| origins.contains(&origin) || self.origins.iter().any(|allowed| allowed == origin);
        if request.method().is_safe() || origin.is_some_and(allowed) {
            return Ok(());
        }
        match (text(headers, "sec-fetch-site"), origin) {
            (Some("same-origin" | "none"), _) | (None, None) => Ok(()),
            (Some(_), _) => Err(forbidden("a page from another site may not do this")),
            (None, Some(origin)) if self.asked_host(request).is_some_and(|asked| is_origin_of(origin, &asked)) => {
                Ok(())
            }
            (None, Some(_)) => Err(forbidden("a page from another origin may not do this")),
        }
    }

    /// The name and port that the client used.
    fn asked_host(&self, request: &Request) -> Option<Authority> {
        let headers = request.headers();
        let written = self.forwarded(headers, "x-forwarded-host").or_else(|| text(headers, HOST.as_str()));
        written.and_then(|host| host.parse().ok()).or_else(|| request.uri().authority().cloned())
    }

    /// Where the request came from, as far as that can be believed.
    pub(crate) fn peer(&self, socket: SocketAddr, headers: &HeaderMap) -> Option<SocketAddr> {
        if !self.trust_forwarded || !headers.keys().any(is_forwarding) {
            return Some(socket);
        }
        // Only the last entry was written by our own proxy; the ones before it are the caller's word.
        let address: IpAddr = self.forwarded(headers, "x-forwarded-for")?.parse().ok()?;
        Some(SocketAddr::new(address, 0))
    }

    fn forwarded<'a>(&self, headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
        let last = headers.get_all(name).iter().next_back().filter(|_| self.trust_forwarded)?;
        last.to_str().ok()?.rsplit(',').next().map(str::trim)
    }
}

fn sent_host(uri: &Uri, headers: &HeaderMap) -> Result<Authority, HttpError> {
    let bad = || HttpError::new(400, "the `Host` header is missing or is no host");
    let host: Authority = headers.get(HOST).and_then(|host| host.to_str().ok()?.parse().ok()).ok_or_else(bad)?;
    if host.as_str().contains('@') || uri.authority().is_some_and(|named| *named != host) {
        return Err(bad());
    }
    Ok(host)
}

fn is_forwarding(name: &HeaderName) -> bool {
    let name = name.as_str();
    name == "forwarded" || name == "via" || name.starts_with("x-forwarded-")
}

fn is_loopback(name: &str) -> bool {
    let address = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || address.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// Whether a page of `origin` has the same host and port as `host`.
fn is_origin_of(origin: &str, host: &Authority) -> bool {
    let Ok(origin) = origin.parse::<Uri>() else { return false };
    let default_port = match origin.scheme_str() {
        Some("http") => 80,
        Some("https") => 443,
        _ => return false,
    };
    let same = |origin: &Authority| {
        origin.host().eq_ignore_ascii_case(host.host())
            && origin.port_u16().unwrap_or(default_port) == host.port_u16().unwrap_or(default_port)
    };
    origin.authority().is_some_and(same)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("unreadable"))
}

fn forbidden(message: impl Into<String>) -> HttpError {
    HttpError::new(403, message)
}

#[cfg(test)]
mod tests {
    use axum::http::Method;

    use super::*;

    fn status(guard: &Guard, method: &Method, headers: &[(&'static str, &str)]) -> u16 {
        let mut request = Request::new(axum::body::Body::empty());
        *request.method_mut() = method.clone();
        for (name, value) in headers {
            request.headers_mut().insert(HeaderName::from_static(name), value.parse().expect("a value"));
        }
        let checked = guard.check(request.uri(), request.headers());
        checked.and_then(|()| guard.check_origin(&request, &[])).map_or_else(|error| error.status, |()| 200)
    }

    fn guard(options: &ServerOptions, address: &str) -> Guard {
        Guard::new(options, address.parse().expect("an address"))
    }

    fn local() -> Guard {
        guard(&ServerOptions::default(), "127.0.0.1:3000")
    }

    #[test]
    fn on_loopback_only_loopback_names_are_answered() {
        for host in ["localhost", "LOCALHOST:3000", "127.0.0.1:3000", "127.0.0.1", "[::1]:3000", "localhost:9"] {
            assert_eq!(status(&local(), &Method::GET, &[("host", host)]), 200, "{host}");
        }
        for host in ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:3000", "10.0.0.1", "[::2]"] {
            assert_eq!(status(&local(), &Method::GET, &[("host", host)]), 403, "{host}");
        }
        for host in ["", "user@localhost", "a b"] {
            assert_eq!(status(&local(), &Method::GET, &[("host", host)]), 400, "{host}");
        }
    }

    #[test]
    fn configured_names_are_answered_too() {
        let options = ServerOptions { hosts: vec!["shop.example".to_owned()], ..ServerOptions::default() };
        for address in ["127.0.0.1:3000", "0.0.0.0:3000"] {
            let guard = guard(&options, address);
            assert_eq!(status(&guard, &Method::GET, &[("host", "shop.example:3000")]), 200);
            assert_eq!(status(&guard, &Method::GET, &[("host", "evil.example")]), 403);
        }
        let open = guard(&ServerOptions::default(), "0.0.0.0:3000");
        assert_eq!(status(&open, &Method::GET, &[("host", "shop.example")]), 200);
    }

    #[test]
    fn only_the_servers_own_pages_may_change_anything() {
        let host = ("host", "localhost:3000");
        let post = |header| status(&local(), &Method::POST, &[host, header]);

        assert_eq!(status(&local(), &Method::POST, &[host]), 200);
        assert_eq!(post(("origin", "http://localhost:3000")), 200);
        assert_eq!(post(("sec-fetch-site", "same-origin")), 200);
        assert_eq!(post(("sec-fetch-site", "none")), 200);
        for origin in
            ["http://evil.example", "http://localhost:4000", "http://localhost", "null", "http://127.0.0.1:3000"]
        {
            assert_eq!(post(("origin", origin)), 403, "{origin}");
        }
        assert_eq!(post(("sec-fetch-site", "cross-site")), 403);
        assert_eq!(post(("sec-fetch-site", "same-site")), 403);
        assert_eq!(status(&local(), &Method::GET, &[host, ("sec-fetch-site", "cross-site")]), 200);
    }

    #[test]
    fn forwarded_requests_need_trust() {
        let host = ("host", "localhost:3000");
        let trusting = guard(&ServerOptions { trust_forwarded: true, ..ServerOptions::default() }, "127.0.0.1:3000");
        for header in ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"] {
            assert_eq!(status(&local(), &Method::POST, &[host, (header, "x")]), 403, "{header}");
            assert_eq!(status(&trusting, &Method::POST, &[host, (header, "x")]), 200, "{header}");
        }
        let page = [host, ("x-forwarded-host", "shop.example"), ("origin", "https://shop.example")];
        assert_eq!(status(&trusting, &Method::POST, &page), 200);
    }

    #[test]
    fn behind_a_trusted_proxy_the_peer_is_what_the_proxy_saw() {
        let trusting = guard(&ServerOptions { trust_forwarded: true, ..ServerOptions::default() }, "127.0.0.1:3000");
        let socket: SocketAddr = "127.0.0.1:5".parse().expect("an address");
        let headers = |value: &'static str| {
            HeaderMap::from_iter([(HeaderName::from_static("x-forwarded-for"), value.parse().expect("a value"))])
        };

        assert_eq!(trusting.peer(socket, &HeaderMap::new()), Some(socket));
        assert_eq!(
            trusting.peer(socket, &headers("127.0.0.1, 192.0.2.7")),
            Some("192.0.2.7:0".parse().expect("an address"))
        );
        assert_eq!(trusting.peer(socket, &headers("nonsense")), None);
        assert_eq!(local().peer(socket, &headers("192.0.2.7")), Some(socket));
    }
}
