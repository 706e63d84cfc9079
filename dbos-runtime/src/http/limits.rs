//! What a request may take: how many bytes, how long, how many at a time.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::access::Access;
use super::body::LARGEST_BODY;
use super::layers::Layer;
use super::{HttpError, ServerOptions};

/// What an attribute says about its route besides the path.
#[derive(Clone, Copy, Debug)]
pub struct RouteOptions {
    /// Whom it lets in.
    pub access: Access,
    /// How long an answer may take.
    pub timeout: Option<Duration>,
    /// The largest body, in bytes.
    pub max_body_bytes: Option<usize>,
    /// How many requests are answered at a time; more are turned away.
    pub max_concurrent: Option<usize>,
    /// Origins of other sites whose pages may call it, beside the server's.
    pub allowed_origins: &'static [&'static str],
    /// Whether its answers are compressed.
    pub compress: Option<bool>,
    /// What else stands around it.
    pub layer: Option<Layer>,
}

impl RouteOptions {
    /// What holds unless it is said: what the server says.
    pub const DEFAULT: Self = Self {
        access: Access::Anyone,
        timeout: None,
        max_body_bytes: None,
        max_concurrent: None,
        allowed_origins: &[],
        compress: None,
        layer: None,
    };
}

/// What holds for all routes of a server that say nothing themselves.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ServerLimits {
    timeout: Option<Duration>,
    max_body_bytes: Option<usize>,
}

impl ServerLimits {
    pub(super) fn new(options: &ServerOptions) -> Self {
        let timeout = Some(options.answer_deadline).filter(|limit| !limit.is_zero());
        Self { timeout, max_body_bytes: Some(options.max_body_bytes) }
    }
}

/// What holds for one route.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    options: RouteOptions,
    places: Option<Arc<Semaphore>>,
}

impl Limits {
    pub(super) fn of(options: RouteOptions) -> Self {
        Self { options, places: options.max_concurrent.map(|most| Arc::new(Semaphore::new(most))) }
    }

    /// The largest body, in bytes.
    pub(super) fn largest_body(&self, request: &Request) -> usize {
        self.options.max_body_bytes.or(of_server(request).max_body_bytes).unwrap_or(LARGEST_BODY)
    }

    /// How long the answer to `request` may take.
    pub(super) fn timeout(&self, request: &Request) -> Option<Duration> {
        self.options.timeout.or(of_server(request).timeout)
    }

    /// Runs `answer`, unless as many are running as may.
    pub(super) async fn within<T>(
        &self,
        limit: Option<Duration>,
        answer: impl Future<Output = Result<T, HttpError>>,
    ) -> Result<T, HttpError> {
        let busy = |_| HttpError::new(503, "too many of these requests are being answered; try again later");
        let _place = self.places.as_ref().map(|places| places.try_acquire()).transpose().map_err(busy)?;
        let Some(limit) = limit else { return answer.await };
        let late = |_| HttpError::new(503, format!("the answer took longer than {} ms", limit.as_millis()));
        timeout(limit, answer).await.map_err(late)?
    }
}

fn of_server(request: &Request) -> ServerLimits {
    request.extensions().get().copied().unwrap_or_default()
}
