//! The command line's side of the control API.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use quell_outbound::{UpstreamClient, UpstreamOptions, full_body, read_body, with_idle_timeout};
use serde::Deserialize;
use serde_json::Value;

use crate::commands::HEADING;
use crate::exit::Failure;
use crate::local;

/// Largest answer read, bytes.
const ANSWER_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Largest refusal read, bytes.
const PROBLEM_BYTES_MAX: usize = 64 * 1024;
/// Largest download, bytes.
const DOWNLOAD_BYTES_MAX: u64 = 64 * 1024 * 1024 * 1024;
const TIMEOUT: Duration = Duration::from_mins(1);

/// Where the API is and how to get in.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Connection {
    /// Base URL of the control API.
    #[arg(long, env = "QUELL_URL", global = true, help_heading = HEADING, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// API token. Default: the file admin.token in the data directory.
    #[arg(long, env = "QUELL_TOKEN", global = true, help_heading = HEADING, hide_env_values = true, value_name = "TOKEN")]
    pub(crate) token: Option<String>,
}

/// A client of the control API.
#[derive(Debug)]
pub(crate) struct Client {
    http: UpstreamClient,
    base: String,
    token: String,
}

/// RFC 9457, as the API sends it.
#[derive(Debug, Deserialize)]
struct Problem {
    #[serde(default)]
    title: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    detail: String,
}

impl Client {
    /// A client for `connection`, with the local files of `data_dir` as defaults.
    pub(crate) fn new(
        connection: &Connection,
        data_dir: &Path,
        default_url: &str,
    ) -> Result<Self, Failure> {
        let token = match &connection.token {
            Some(token) => token.trim().to_owned(),
            None => local_token(connection, data_dir)?,
        };
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Failure::usage("the API token is empty or has characters no token has"));
        }
        let http = UpstreamClient::new(&UpstreamOptions::default())
            .map_err(|error| Failure::error(error.to_string()))?;
        let base =
            connection.url.as_deref().unwrap_or(default_url).trim_end_matches('/').to_owned();
        if !base.starts_with("http://") && !base.starts_with("https://") {
            return Err(Failure::usage(format!(
                "{base:?} is not a URL like http://127.0.0.1:8601"
            )));
        }
        Ok(Self { http, base, token })
    }

    /// `GET`.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.call(Method::GET, path, None).await
    }

    /// `POST` with a JSON body.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.call(Method::POST, path, Some(body)).await
    }

    /// `POST` of bytes.
    pub(crate) async fn upload(&self, path: &str, bytes: Bytes) -> Result<Value, Failure> {
        let (status, answer) = self.send(Method::POST, path, bytes).await?;
        if !status.is_success() {
            return Err(problem(status, &answer));
        }
        serde_json::from_slice(&answer).map_err(|error| {
            Failure::error(format!("{} answered with something else than JSON: {error}", self.base))
        })
    }

    /// `PUT` with a JSON body.
    pub(crate) async fn put(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.call(Method::PUT, path, Some(body)).await
    }

    /// `DELETE`.
    pub(crate) async fn delete(&self, path: &str) -> Result<Value, Failure> {
        self.call(Method::DELETE, path, None).await
    }

    /// `GET` of something that is not JSON.
    pub(crate) async fn download(&self, path: &str) -> Result<Bytes, Failure> {
        let (status, bytes) = self.send(Method::GET, path, Bytes::new()).await?;
        if status.is_success() { Ok(bytes) } else { Err(problem(status, &bytes)) }
    }

    /// `GET` of something large, written to `out` as it comes.
    pub(crate) async fn download_into(
        &self,
        path: &str,
        out: &mut impl Write,
    ) -> Result<(), Failure> {
        let response = self.request(Method::GET, path, Bytes::new()).await?;
        let status = response.status();
        if !status.is_success() {
            let read = read_body(response.into_body(), PROBLEM_BYTES_MAX).await;
            return Err(problem(status, &read.unwrap_or_default()));
        }
        let mut body = with_idle_timeout(response.into_body(), TIMEOUT);
        let mut bytes = 0;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| self.unreachable(&error))?;
            let Ok(data) = frame.into_data() else { continue };
            bytes += data.len() as u64;
            if bytes > DOWNLOAD_BYTES_MAX {
                return Err(Failure::error(format!("more than {DOWNLOAD_BYTES_MAX} bytes came")));
            }
            out.write_all(&data)?;
        }
        Ok(())
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let body = body.map_or_else(Bytes::new, |body| body.to_string().into());
        let (status, bytes) = self.send(method, path, body).await?;
        if !status.is_success() {
            return Err(problem(status, &bytes));
        }
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&bytes).map_err(|error| {
            Failure::error(format!("{} answered with something else than JSON: {error}", self.base))
        })
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), Failure> {
        let response = self.request(method, path, body).await?;
        let status = response.status();
        let read = read_body(response.into_body(), ANSWER_BYTES_MAX);
        match tokio::time::timeout(TIMEOUT, read).await {
            Ok(Ok(bytes)) => Ok((status, bytes)),
            Ok(Err(error)) => Err(self.unreachable(&error)),
            Err(_) => Err(self.unreachable(&"no answer in time")),
        }
    }

    async fn request(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Response<Incoming>, Failure> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(AUTHORIZATION, format!("Bearer {}", self.token))
            .header(CONTENT_TYPE, "application/json")
            .body(full_body(body))
            .map_err(|error| Failure::usage(format!("{} is not a base URL: {error}", self.base)))?;
        self.http.send(request, TIMEOUT).await.map_err(|error| self.unreachable(&error))
    }

    fn unreachable(&self, error: &dyn std::fmt::Display) -> Failure {
        Failure::unreachable(format!(
            "cannot reach the control API at {}: {error}. Is `quell serve` running there?",
            self.base
        ))
    }
}

/// The token that `quell serve` left for commands on its own machine.
fn local_token(connection: &Connection, data_dir: &Path) -> Result<String, Failure> {
    if let Some(url) = connection.url.as_deref().filter(|url| !is_loopback(url)) {
        return Err(Failure::usage(format!(
            "no API token for {url}: give --token or QUELL_TOKEN (the local administrator's token \
             is not sent to other machines)"
        )));
    }
    let path = data_dir.join(local::ADMIN_TOKEN);
    let text = std::fs::read_to_string(&path).map_err(|error| {
        Failure::usage(format!(
            "no API token: cannot read {} ({error}). Start `quell serve` there, or give --token or \
             QUELL_TOKEN",
            path.display()
        ))
    })?;
    Ok(text.trim().to_owned())
}

/// Whether `url` names this machine.
fn is_loopback(url: &str) -> bool {
    match url::Url::parse(url).as_ref().map(url::Url::host) {
        Ok(Some(url::Host::Ipv4(address))) => address.is_loopback(),
        Ok(Some(url::Host::Ipv6(address))) => address.is_loopback(),
        Ok(Some(url::Host::Domain(name))) => name == "localhost",
        Ok(None) | Err(_) => false,
    }
}

/// `text` as one segment of a path.
pub(crate) fn segment(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

/// Query parameters.
pub(crate) struct Query(url::form_urlencoded::Serializer<'static, String>);

impl Query {
    /// None.
    pub(crate) fn new() -> Self {
        Self(url::form_urlencoded::Serializer::new(String::new()))
    }

    /// Adds one, if there is a value.
    pub(crate) fn with(mut self, name: &str, value: Option<impl ToString>) -> Self {
        if let Some(value) = value {
            self.0.append_pair(name, &value.to_string());
        }
        self
    }

    /// `path` with the parameters behind it.
    pub(crate) fn of(mut self, path: &str) -> String {
        let query = self.0.finish();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
    }
}

fn problem(status: StatusCode, bytes: &[u8]) -> Failure {
    match serde_json::from_slice::<Problem>(bytes) {
        Ok(problem) => {
            let detail = if problem.detail.is_empty() { problem.title } else { problem.detail };
            Failure::refused(detail).with_problem(problem.code)
        }
        Err(_) => Failure::refused(format!("the control API answered {status}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_queries_are_escaped() {
        assert_eq!(segment("a b/../c?d"), "a%20b%2F..%2Fc%3Fd");
        let query = Query::new().with("user", Some("a&b=c")).with("none", None::<&str>);
        assert_eq!(query.of("/x"), "/x?user=a%26b%3Dc");
        assert_eq!(Query::new().of("/x"), "/x");
    }

    #[test]
    fn the_local_token_goes_to_this_machine_only() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(local::ADMIN_TOKEN), "qt_x\n").unwrap();
        for (url, ok) in [
            (None, true),
            (Some("http://127.0.0.1:9"), true),
            (Some("http://localhost:9"), true),
            (Some("http://[::1]:9"), true),
            (Some("http://quell.example"), false),
            (Some("http://127.0.0.1@quell.example"), false),
            (Some("nonsense"), false),
        ] {
            let connection = Connection { url: url.map(Into::into), token: None };
            let made = Client::new(&connection, folder.path(), "http://127.0.0.1:8601");
            assert_eq!(made.is_ok(), ok, "{url:?}");
        }
    }
}
