//! A client for the tests.

use std::time::Duration;

use http::{HeaderMap, Request, StatusCode};
use quell_outbound::{UpstreamClient, UpstreamOptions, full_body, read_body};
use quell_range::{RangeConfig, RangeServer};
use serde_json::Value;

const LIMIT: usize = 32 * 1024 * 1024;

/// A whole response; `body` is what came, `complete` whether it came to its end.
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Result<String, String>,
}

impl Answered {
    pub(crate) fn text(&self) -> &str {
        self.body.as_ref().unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(self.text()).unwrap()
    }

    /// The data of every event.
    pub(crate) fn events(&self) -> Vec<Value> {
        let data = self.text().lines().filter_map(|line| line.strip_prefix("data: "));
        data.filter(|data| *data != "[DONE]")
            .map(|data| serde_json::from_str(data).unwrap())
            .collect()
    }
}

pub(crate) async fn start(config: RangeConfig) -> RangeServer {
    RangeServer::start(config, "127.0.0.1:0".parse().unwrap()).await.unwrap()
}

pub(crate) async fn post(server: &RangeServer, path: &str, body: &Value) -> Answered {
    let uri = format!("{}{path}", server.base_url());
    send(Request::post(uri), body.to_string()).await
}

pub(crate) async fn get(server: &RangeServer, path: &str) -> Answered {
    send(Request::get(format!("{}{path}", server.base_url())), String::new()).await
}

pub(crate) async fn send(request: http::request::Builder, body: String) -> Answered {
    let client = UpstreamClient::new(&UpstreamOptions::default()).unwrap();
    let request = request.body(full_body(body)).unwrap();
    let response = client.send(request, Duration::from_secs(20)).await.unwrap();
    let (head, body) = response.into_parts();
    let body = read_body(body, LIMIT)
        .await
        .map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
        .map_err(|error| error.to_string());
    Answered { status: head.status, headers: head.headers, body }
}
