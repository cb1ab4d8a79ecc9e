//! The command line's side of the control API.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request, StatusCode};
use quell_outbound::{UpstreamClient, UpstreamOptions, full_body, read_body};
use serde::Deserialize;
use serde_json::Value;

use crate::exit::Failure;
use crate::local;

/// Largest answer read, bytes.
const ANSWER_BYTES_MAX: usize = 256 * 1024 * 1024;
const TIMEOUT: Duration = Duration::from_secs(60);

/// Where the API is and how to get in.
#[derive(Debug, Clone, clap::Args)]
pub struct Connection {
    /// Base URL of the control API.
    #[arg(long, env = "QUELL_URL", global = true, value_name = "URL")]
    pub url: Option<String>,
    /// API token. Default: the file admin.token in the data directory.
    #[arg(long, env = "QUELL_TOKEN", global = true, hide_env_values = true, value_name = "TOKEN")]
    pub token: Option<String>,
}

/// A client of the control API.
#[derive(Debug)]
pub struct Client {
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
    pub fn new(connection: &Connection, data_dir: &Path, default_url: &str) -> Result<Self, Failure> {
        let token = match &connection.token {
            Some(token) => token.clone(),
            None => {
                let path = data_dir.join(local::ADMIN_TOKEN);
                std::fs::read_to_string(&path).map(|text| text.trim().to_owned()).map_err(|error| {
                    Failure::usage(format!(
                        "no API token: cannot read {} ({error}). Start `quell serve` there, or give \
                         --token / QUELL_TOKEN",
                        path.display()
                    ))
                })?
            }
        };
        let http = UpstreamClient::new(&UpstreamOptions::default())
            .map_err(|error| Failure::error(error.to_string()))?;
        let base = connection.url.as_deref().unwrap_or(default_url).trim_end_matches('/').to_owned();
        Ok(Self { http, base, token })
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.call(Method::GET, path, None).await
    }

    /// `POST` with a JSON body.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.call(Method::POST, path, Some(body)).await
    }

    /// `PUT` with a JSON body.
    pub async fn put(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.call(Method::PUT, path, Some(body)).await
    }

    /// `DELETE`.
    pub async fn delete(&self, path: &str) -> Result<Value, Failure> {
        self.call(Method::DELETE, path, None).await
    }

    /// `GET` of something that is not JSON.
    pub async fn download(&self, path: &str) -> Result<Bytes, Failure> {
        let (status, bytes) = self.send(Method::GET, path, Bytes::new()).await?;
        if status.is_success() { Ok(bytes) } else { Err(problem(status, &bytes)) }
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let body = body.map_or_else(Bytes::new, |body| body.to_string().into());
        let (status, bytes) = self.send(method, path, body).await?;
        if !status.is_success() {
            return Err(problem(status, &bytes));
        }
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&bytes)
            .map_err(|error| Failure::error(format!("{} answered with something else than JSON: {error}", self.base)))
    }

    async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<(StatusCode, Bytes), Failure> {
        let unreachable = |error: &dyn std::fmt::Display| {
            Failure::unreachable(format!(
                "cannot reach the control API at {}: {error}. Is `quell serve` running there?",
                self.base
            ))
        };
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(AUTHORIZATION, format!("Bearer {}", self.token))
            .header(CONTENT_TYPE, "application/json")
            .body(full_body(body))
            .map_err(|error| Failure::usage(format!("{}{path} is not a URL: {error}", self.base)))?;
        let response = self.http.send(request, TIMEOUT).await.map_err(|error| unreachable(&error))?;
        let status = response.status();
        let read = read_body(response.into_body(), ANSWER_BYTES_MAX);
        match tokio::time::timeout(TIMEOUT, read).await {
            Ok(Ok(bytes)) => Ok((status, bytes)),
            Ok(Err(error)) => Err(unreachable(&error)),
            Err(_) => Err(unreachable(&"no answer in time")),
        }
    }
}

fn problem(status: StatusCode, bytes: &[u8]) -> Failure {
    match serde_json::from_slice::<Problem>(bytes) {
        Ok(problem) => {
            let detail = if problem.detail.is_empty() { problem.title } else { problem.detail };
            Failure::refused(format!("{detail} [{}]", problem.code))
        }
        Err(_) => Failure::refused(format!("the control API answered {status}")),
    }
}
