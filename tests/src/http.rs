//! A small HTTP/1.1 client that hides nothing: one connection per request, no retries, no redirects,
//! and every header may be forged.

use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Sends a GET request.
///
/// # Errors
///
/// If nobody answers, or the connection breaks before the answer is complete.
pub async fn get(url: impl AsRef<str>) -> io::Result<Response> {
    Request::new("GET", url).send().await
}

/// Sends a POST request without a body.
///
/// # Errors
///
/// If nobody answers, or the connection breaks before the answer is complete.
pub async fn post(url: impl AsRef<str>) -> io::Result<Response> {
    Request::new("POST", url).send().await
}

/// Sends a POST request with a JSON body.
///
/// # Errors
///
/// If nobody answers, or the connection breaks before the answer is complete.
pub async fn post_json(url: impl AsRef<str>, body: &(impl Serialize + Sync)) -> io::Result<Response> {
    Request::new("POST", url).json(body).send().await
}

/// A request about to be sent.
#[derive(Clone, Debug)]
#[must_use = "a request is sent only by `send`"]
pub struct Request {
    method: String,
    authority: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    /// A request to `http://host:port/path`.
    ///
    /// # Panics
    ///
    /// If the URL does not start with `http://`.
    pub fn new(method: &str, url: impl AsRef<str>) -> Self {
        let url = url.as_ref();
        let rest = url.strip_prefix("http://").unwrap_or_else(|| panic!("`{url}` does not start with http://"));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        Self {
            method: method.to_owned(),
            authority: authority.to_owned(),
            target: format!("/{path}"),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// Adds a header, which may also take the place of one that is sent anyway (`Host`, `Content-Length`).
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets the body to a value in JSON, with its content type.
    ///
    /// # Panics
    ///
    /// If the value cannot be written as JSON.
    pub fn json(self, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("the value can be written as JSON");
        self.header("Content-Type", "application/json").body(body)
    }

    /// Sends it and reads the whole answer.
    ///
    /// # Errors
    ///
    /// If nobody answers, or the connection breaks before the answer is complete.
    pub async fn send(self) -> io::Result<Response> {
        let mut stream = TcpStream::connect(self.address()).await?;
        stream.write_all(&self.bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Response::parse(&answer, self.method == "HEAD").ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn address(&self) -> String {
        let port_is_given = self.authority.rsplit(']').next().is_some_and(|end| end.contains(':'));
        if port_is_given { self.authority.clone() } else { format!("{}:80", self.authority) }
    }

    fn bytes(&self) -> Vec<u8> {
        let length = self.body.len().to_string();
        let given = |name: &str| self.headers.iter().any(|(header, _)| header.eq_ignore_ascii_case(name));
        let defaults = [("Host", self.authority.as_str()), ("Connection", "close"), ("Content-Length", &length)];
        let defaults = defaults.into_iter().filter(|(name, _)| !given(name));
        let headers = defaults.chain(self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let head = headers.fold(format!("{} {} HTTP/1.1\r\n", self.method, self.target), |head, (name, value)| {
            head + name + ": " + value + "\r\n"
        });
        [head.as_bytes(), b"\r\n", &self.body].concat()
    }
}

/// An answer, complete.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The headers as they came.
    pub headers: Vec<(String, String)>,
    /// The body as text.
    pub body: String,
}

impl Response {
    /// The first header of this name, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body, read as JSON.
    ///
    /// # Panics
    ///
    /// If it is something else; shows it.
    #[must_use]
    pub fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}, in: {}", self.body))
    }

    /// `None` if the answer is cut short.
    fn parse(answer: &[u8], without_body: bool) -> Option<Self> {
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&answer[..end]);
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect();
        let mut response = Self { status, headers, body: String::new() };
        if !without_body && !matches!(status, 204 | 304) {
            let body = response.read_body(&answer[end + 4..])?;
            response.body = String::from_utf8_lossy(&body).into_owned();
        }
        Some(response)
    }

    fn read_body(&self, rest: &[u8]) -> Option<Vec<u8>> {
        if self.header("Transfer-Encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            return read_chunks(rest);
        }
        match self.header("Content-Length") {
            Some(length) => rest.get(..length.parse().ok()?).map(<[u8]>::to_vec),
            None => Some(rest.to_vec()),
        }
    }
}

fn read_chunks(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|window| window == b"\r\n")?;
        let size = str::from_utf8(&rest[..end]).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        let start = end + 2;
        body.extend_from_slice(rest.get(start..start + size)?);
        rest = rest.get(start + size + 2..)?;
    }
}
