//! The client for URLs from content, users and webhook settings.
//!
//! The host is resolved once, every address it has is checked, and one of those checked addresses
//! is connected to: a name that changes its mind between check and use changes nothing.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderValue, USER_AGENT};
use http::{Method, Request, StatusCode};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use url::{Host, Url};

use crate::address::is_public;
use crate::body::{full_body, read_body};
use crate::connect::ConnectTimeout;
use crate::error::OutboundError;
use crate::signature::{SIGNATURE_HEADER, sign};
use crate::tls;

const LONGEST_URL: usize = 2_048;
const MOST_ADDRESSES: usize = 16;

/// Limits of a guarded client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardOptions {
    /// Hosts the operator allows wherever they lead: `host` for any port, or `host:port`.
    pub allow: Vec<String>,
    /// Name resolution, socket and TLS session together.
    pub connect_timeout: Duration,
    /// The whole exchange.
    pub total_timeout: Duration,
    /// Largest response body.
    pub response_bytes: usize,
}

impl Default for GuardOptions {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            connect_timeout: Duration::from_secs(3),
            total_timeout: Duration::from_secs(10),
            response_bytes: 64 * 1024,
        }
    }
}

/// Why a destination is not allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not a URL.
    #[error("this is not a URL a request can be sent to")]
    NotAUrl,
    /// Neither http nor https.
    #[error("scheme {0:?} is not allowed: use http or https")]
    Scheme(String),
    /// User name or password in the URL.
    #[error("the URL carries a user name or password: remove it")]
    UserInfo,
    /// The host leads to an address outside the public internet.
    #[error(
        "{host} leads to {address}, which is not on the public internet; \
         the operator can allow the host in the outbound allow list"
    )]
    Address {
        /// The host.
        host: String,
        /// One of its addresses.
        address: IpAddr,
    },
}

/// A future of addresses.
pub type Resolving<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>>;

/// Turns names into addresses.
pub trait Resolve: Send + Sync + fmt::Debug {
    /// The addresses of `host`.
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Resolving<'a>;
}

/// The machine's resolver.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Resolving<'a> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
    }
}

/// A whole, small response.
#[derive(Debug, Clone)]
pub struct GuardedResponse {
    /// Its status. Redirects are not followed.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// Sends requests to URLs nobody vouches for. One connection per request. Cheap to clone.
#[derive(Debug, Clone)]
pub struct GuardedClient {
    options: Arc<GuardOptions>,
    resolver: Arc<dyn Resolve>,
}

impl GuardedClient {
    /// A client that uses the machine's resolver.
    pub fn new(options: GuardOptions) -> Self {
        Self::with_resolver(options, Arc::new(SystemResolver))
    }

    /// A client that uses `resolver`.
    pub fn with_resolver(options: GuardOptions, resolver: Arc<dyn Resolve>) -> Self {
        Self { options: Arc::new(options), resolver }
    }

    /// Posts JSON with a signature made with `secret` and `at`; see [`crate::verify`].
    pub async fn post_signed(
        &self,
        url: &str,
        secret: &[u8],
        body: impl Into<Bytes>,
        at: Timestamp,
    ) -> Result<GuardedResponse, OutboundError> {
        let body = body.into();
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Ok(signature) = HeaderValue::try_from(sign(secret, &body, at)) {
            headers.insert(SIGNATURE_HEADER, signature);
        }
        self.send(Method::POST, url, headers, body).await
    }

    /// Sends one request and reads the whole response.
    pub async fn send(
        &self,
        method: Method,
        url: &str,
        headers: HeaderMap,
        body: impl Into<Bytes>,
    ) -> Result<GuardedResponse, OutboundError> {
        let target = Target::parse(url)?;
        let request = target.request(method, headers, body.into())?;
        let after = self.options.total_timeout;
        tokio::time::timeout(after, self.exchange(&target, request))
            .await
            .unwrap_or_else(|_| Err(OutboundError::TotalTimeout { host: target.place(), after }))
    }

    async fn exchange(
        &self,
        target: &Target,
        request: Request<crate::RequestBody>,
    ) -> Result<GuardedResponse, OutboundError> {
        let limit = self.options.connect_timeout;
        let connection =
            tokio::time::timeout(limit, self.connect(target)).await.unwrap_or_else(|_| {
                let source = ConnectTimeout(limit).into();
                Err(OutboundError::Connect { host: target.place(), source })
            })?;
        let protocol = |error: hyper::Error| OutboundError::Protocol(error.into());
        let (mut sender, driver) =
            http1::handshake(TokioIo::new(connection)).await.map_err(protocol)?;
        // Dropped, and the connection with it, when this future is.
        let mut tasks = JoinSet::new();
        tasks.spawn(driver);
        let (head, body) = sender.send_request(request).await.map_err(protocol)?.into_parts();
        let body = read_body(body, self.options.response_bytes).await?;
        Ok(GuardedResponse { status: head.status, headers: head.headers, body })
    }

    async fn connect(&self, target: &Target) -> Result<Box<dyn Connection>, OutboundError> {
        let failed = |error: io::Error| OutboundError::Connect {
            host: target.place(),
            source: error.into(),
        };
        let addresses = self.checked_addresses(target).await?;
        let mut socket = Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
        for address in addresses {
            socket = TcpStream::connect(address).await;
            if socket.is_ok() {
                break;
            }
        }
        let socket = socket.map_err(failed)?;
        socket.set_nodelay(true).map_err(failed)?;
        if !target.tls {
            return Ok(Box::new(socket));
        }
        let tls_failed = |source| OutboundError::Tls { host: target.place(), source };
        let name =
            ServerName::try_from(target.host.clone()).map_err(|error| tls_failed(error.into()))?;
        let session = TlsConnector::from(tls::client_config()?)
            .connect(name, socket)
            .await
            .map_err(|error| tls_failed(error.into()))?;
        Ok(Box::new(session))
    }

    /// The addresses of a host, all of them public unless the operator allows the host.
    async fn checked_addresses(&self, target: &Target) -> Result<Vec<SocketAddr>, OutboundError> {
        let mut addresses = match target.host.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, target.port)],
            Err(_) => self.resolver.resolve(&target.host, target.port).await.map_err(|error| {
                OutboundError::Connect { host: target.place(), source: error.into() }
            })?,
        };
        if !self.is_allowed(target)
            && let Some(refused) = addresses.iter().find(|address| !is_public(address.ip()))
        {
            let (host, address) = (target.host.clone(), refused.ip());
            return Err(Refused::Address { host, address }.into());
        }
        addresses.truncate(MOST_ADDRESSES);
        Ok(addresses)
    }

    fn is_allowed(&self, target: &Target) -> bool {
        let place = target.place();
        self.options.allow.iter().map(|entry| entry.trim().trim_end_matches('.')).any(|entry| {
            entry.eq_ignore_ascii_case(&target.host) || entry.eq_ignore_ascii_case(&place)
        })
    }
}

/// A socket, plain or with TLS.
trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

/// What a URL says, once it is acceptable.
#[derive(Debug)]
struct Target {
    tls: bool,
    /// Name or address, lower case, without brackets or final dot.
    host: String,
    port: u16,
    /// The `host` header.
    authority: String,
    path: String,
}

impl Target {
    fn parse(text: &str) -> Result<Self, Refused> {
        if text.len() > LONGEST_URL {
            return Err(Refused::NotAUrl);
        }
        let url = Url::parse(text).map_err(|_| Refused::NotAUrl)?;
        let tls = match url.scheme() {
            "https" => true,
            "http" => false,
            other => return Err(Refused::Scheme(other.chars().take(32).collect())),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused::UserInfo);
        }
        let host = match url.host().ok_or(Refused::NotAUrl)? {
            Host::Domain(name) => name.trim_end_matches('.').to_owned(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        };
        let port = url.port_or_known_default().filter(|port| *port != 0).ok_or(Refused::NotAUrl)?;
        if host.is_empty() {
            return Err(Refused::NotAUrl);
        }
        let authority = match (url.host_str().unwrap_or_default(), url.port()) {
            (name, Some(port)) => format!("{name}:{port}"),
            (name, None) => name.to_owned(),
        };
        let path = url[url::Position::BeforePath..url::Position::AfterQuery].to_owned();
        Ok(Self { tls, host, port, authority, path })
    }

    /// Host and port, as errors and the allow list name them.
    fn place(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    fn request(
        &self,
        method: Method,
        mut headers: HeaderMap,
        body: Bytes,
    ) -> Result<Request<crate::RequestBody>, Refused> {
        let host = HeaderValue::try_from(&self.authority).map_err(|_| Refused::NotAUrl)?;
        headers.insert(HOST, host);
        headers.entry(USER_AGENT).or_insert(HeaderValue::from_static("quell"));
        let mut request = Request::builder()
            .method(method)
            .uri(&self.path)
            .body(full_body(body))
            .map_err(|_| Refused::NotAUrl)?;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart_the_way_they_are_connected_to() {
        for (url, place, path) in [
            ("https://Example.COM./hook?a=b#c", "example.com:443", "/hook?a=b"),
            ("http://0x7f.1:8080", "127.0.0.1:8080", "/"),
            ("http://2130706433/", "127.0.0.1:80", "/"),
            ("http://[::1]:9/x", "::1:9", "/x"),
            ("http:\\\\evil\\x", "evil:80", "/x"),
        ] {
            let target = Target::parse(url).unwrap();
            assert_eq!((target.place().as_str(), target.path.as_str()), (place, path), "{url}");
        }
    }

    #[test]
    fn what_is_no_plain_web_address_is_refused() {
        let long = format!("http://a/{}", "x".repeat(LONGEST_URL));
        for (url, reason) in [
            ("", Refused::NotAUrl),
            ("/relative", Refused::NotAUrl),
            ("http://", Refused::NotAUrl),
            ("http://a:0/", Refused::NotAUrl),
            ("http://a:99999/", Refused::NotAUrl),
            (long.as_str(), Refused::NotAUrl),
            ("file:///etc/passwd", Refused::Scheme("file".into())),
            ("gopher://a/", Refused::Scheme("gopher".into())),
            ("http://user@a/", Refused::UserInfo),
            ("http://:secret@a/", Refused::UserInfo),
        ] {
            assert_eq!(Target::parse(url).unwrap_err(), reason, "{url}");
        }
    }
}
