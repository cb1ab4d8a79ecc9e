//! The client for model endpoints the operator configured.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio_rustls::rustls;

use crate::body::{BoxError, RequestBody};
use crate::connect::{TimedConnector, tcp};
use crate::error::OutboundError;
use crate::tls;

#[expect(clippy::disallowed_types, reason = "this is the crate that wraps it")]
type Client = legacy::Client<TimedConnector<HttpsConnector<HttpConnector>>, RequestBody>;

/// Limits of an upstream client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamOptions {
    /// Name resolution, socket and TLS session together.
    pub connect_timeout: Duration,
    /// Idle connections kept per host.
    pub pool_idle_per_host: usize,
    /// How long an idle connection is kept.
    pub pool_idle_timeout: Duration,
}

impl Default for UpstreamOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(2),
            pool_idle_per_host: 64,
            pool_idle_timeout: Duration::from_mins(1),
        }
    }
}

/// Sends requests to model endpoints over pooled connections. Cheap to clone.
#[derive(Clone)]
pub struct UpstreamClient {
    client: Client,
}

impl fmt::Debug for UpstreamClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamClient").finish_non_exhaustive()
    }
}

impl UpstreamClient {
    /// A client with its own connection pool.
    pub fn new(options: &UpstreamOptions) -> Result<Self, OutboundError> {
        let config = tls::client_config()?;
        let connector = HttpsConnector::from((tcp(), config));
        let client = legacy::Builder::new(TokioExecutor::new())
            .pool_idle_timeout(options.pool_idle_timeout)
            .pool_max_idle_per_host(options.pool_idle_per_host)
            .pool_timer(TokioTimer::new())
            .build(TimedConnector::new(connector, options.connect_timeout));
        Ok(Self { client })
    }

    /// Sends a request, whose URI must be absolute, and waits at most `header_timeout` for the
    /// response's head. Its body streams; see [`crate::with_idle_timeout`].
    pub async fn send(
        &self,
        request: Request<RequestBody>,
        header_timeout: Duration,
    ) -> Result<Response<Incoming>, OutboundError> {
        let host = request.uri().authority().map(ToString::to_string).unwrap_or_default();
        match tokio::time::timeout(header_timeout, self.client.request(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) if error.is_connect() => Err(connect_error(host, error)),
            Ok(Err(error)) => Err(OutboundError::Protocol(error.into())),
            Err(_) => Err(OutboundError::HeaderTimeout { host, after: header_timeout }),
        }
    }
}

fn connect_error(host: String, error: legacy::Error) -> OutboundError {
    let source = BoxError::from(error);
    if is_tls(source.as_ref()) {
        OutboundError::Tls { host, source }
    } else {
        OutboundError::Connect { host, source }
    }
}

/// Whether TLS itself failed, wherever in the chain of causes that stands.
pub(crate) fn is_tls(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        // An io::Error hides the error it wraps from `source`.
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if error.is::<rustls::Error>() || wrapped.is_some_and(|inner| is_tls(inner)) {
            return true;
        }
        cause = error.source();
    }
    false
}
