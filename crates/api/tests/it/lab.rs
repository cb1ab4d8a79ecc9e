//! A control plane, its API, and callers of it.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use jiff::Timestamp;
use quell_api::{CSRF_HEADER, SESSION_COOKIE, router};
use quell_control::tokens::NewToken;
use quell_control::{Access, Control, ControlOptions};
use quell_domain::{AccessRole, InteractionId, SystemClock, SystemIds};
use quell_lake::{LogWriter, WriterOptions};
use quell_testkit::ManualClock;
use serde_json::{Value, json};
use tower::ServiceExt;

pub(crate) const PASSWORD: &str = "correct horse battery";

/// 2026-05-01T12:00:00Z
const START: i64 = 1_777_636_800;

pub(crate) struct Lab {
    pub(crate) control: Control,
    pub(crate) app: Router,
    folder: tempfile::TempDir,
}

/// How a caller proves who they are.
#[derive(Debug, Clone)]
pub(crate) enum As {
    Nobody,
    Token(String),
    Session { cookie: String, csrf: Option<String> },
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    pub(crate) bytes: bytes::Bytes,
}

impl Reply {
    /// The stable code of an error.
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

impl Lab {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/quell.db?mode=rwc", folder.path().display());
        let clock = Arc::new(ManualClock::at(Timestamp::from_second(START).unwrap()));
        let ids = Arc::new(SystemIds::new(clock.clone()));
        let options = ControlOptions {
            background: false,
            ..ControlOptions::new(&url, folder.path().to_owned(), clock, ids)
        };
        let control = Control::start(options).await.unwrap();
        let app = router(control.clone());
        Self { control, app, folder }
    }

    /// A token with `role`.
    pub(crate) async fn token(&self, role: AccessRole) -> As {
        self.any_token(role, false).await
    }

    /// A gateway's token.
    pub(crate) async fn node(&self) -> As {
        self.any_token(AccessRole::Viewer, true).await
    }

    /// Another gateway's token.
    pub(crate) async fn node_named(&self, name: &str) -> As {
        let name =
            format!("{name}-{}", self.control.tokens(&Access::system()).await.unwrap().len());
        let new = NewToken { name, role: AccessRole::Viewer, node: true, expires_at: None };
        As::Token(self.control.create_token(&Access::system(), new).await.unwrap().secret)
    }

    /// A second handle on the database.
    pub(crate) async fn store(&self) -> quell_store::Store {
        let url = format!("sqlite://{}/quell.db?mode=rwc", self.folder.path().display());
        let clock = Arc::new(SystemClock::new());
        let ids = Arc::new(SystemIds::new(clock.clone()));
        quell_store::Store::open(&url, clock, ids).await.unwrap()
    }

    /// The kinds of the newest events.
    pub(crate) async fn event_kinds(&self) -> Vec<String> {
        let overview = self.control.overview(&Access::system()).await.unwrap();
        overview.latest.into_iter().map(|event| event.kind).collect()
    }

    async fn any_token(&self, role: AccessRole, node: bool) -> As {
        let name = format!("{role}{}", if node { "-node" } else { "" });
        let new = NewToken { name, role, node, expires_at: None };
        As::Token(self.control.create_token(&Access::system(), new).await.unwrap().secret)
    }

    /// A signed-in person with `role`.
    pub(crate) async fn person(&self, name: &str, role: AccessRole) -> As {
        self.control.create_account(&Access::system(), name, PASSWORD, role).await.unwrap();
        let given = json!({"name": name, "password": PASSWORD});
        let reply = self.call(&As::Nobody, Method::POST, "/api/v1/session", Some(given)).await;
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
        session_of(&reply)
    }

    /// Records an exchange of `support-bot` as a gateway does. Gives its id.
    pub(crate) async fn exchange(&self, user: &str, text: &str) -> String {
        let id = InteractionId::new(&SystemIds::new(Arc::new(SystemClock::new()))).to_string();
        let record = json!({
            "schema": 1, "id": id, "gateway": "gw-1", "application": "support-bot",
            "endpoint": "chat_completions", "path": "/v1/chat/completions", "stream": false,
            "started_at": self.control.now(), "timing": {}, "usage": {}, "digests": {},
            "principal": {"user": {"value": user, "grade": "authenticated"}},
            "status": 200, "outcome": "allowed", "epoch": 1,
            "request_chars": text.len(), "response_chars": 0,
            "request": [{
                "field": "/messages/0/content", "role": "user", "part": "content", "text": text,
            }],
        });
        let dir = quell_lake::log_dir(&self.folder.path().join("lake"), "gw-1");
        let (log, _) = LogWriter::open(&dir, "gw-1", WriterOptions::default()).unwrap();
        log.append(record.to_string().into_bytes()).unwrap().await.unwrap();
        id
    }

    /// The same, with a finding about the whole text.
    pub(crate) async fn flagged_exchange(&self, user: &str, text: &str) -> String {
        let ids = SystemIds::new(Arc::new(SystemClock::new()));
        let id = InteractionId::new(&ids).to_string();
        let span = json!({
            "field": "/messages/0/content", "start": 0, "end": text.len(), "fact": "test.fact",
        });
        let record = json!({
            "schema": 1, "id": id, "gateway": "gw-1", "application": "support-bot",
            "endpoint": "chat_completions", "path": "/v1/chat/completions", "stream": false,
            "started_at": self.control.now(), "timing": {}, "usage": {}, "digests": {},
            "principal": {"user": {"value": user, "grade": "authenticated"}},
            "status": 200, "outcome": "allowed", "epoch": 1,
            "request_chars": text.len(), "response_chars": 0,
            "request": [{
                "field": "/messages/0/content", "role": "user", "part": "content", "text": text,
            }],
            "signals": [{
                "id": format!("sig-{id}"), "rule": "test_rule", "title": "A test",
                "kind": "jailbreak", "severity": "high", "effect": "signal", "mode": "enforce",
                "direction": "input", "facts": ["test.fact"], "spans": [span],
            }],
        });
        let dir = quell_lake::log_dir(&self.folder.path().join("lake"), "gw-1");
        let (log, _) = LogWriter::open(&dir, "gw-1", WriterOptions::default()).unwrap();
        log.append(record.to_string().into_bytes()).unwrap().await.unwrap();
        id
    }

    /// An application `support-bot` with an upstream.
    pub(crate) async fn application(&self) {
        let admin = self.token(AccessRole::Admin).await;
        let upstream = json!({"value": {"name": "main", "base_url": "https://api.example.org"}});
        let reply = self.put(&admin, "/api/v1/upstreams/main", upstream).await;
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
        let application = json!({"value": {"name": "support-bot", "upstreams": ["main"]}});
        let reply = self.put(&admin, "/api/v1/applications/support-bot", application).await;
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    }

    pub(crate) async fn get(&self, caller: &As, path: &str) -> Reply {
        self.call(caller, Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, caller: &As, path: &str, body: Value) -> Reply {
        self.call(caller, Method::POST, path, Some(body)).await
    }

    pub(crate) async fn put(&self, caller: &As, path: &str, body: Value) -> Reply {
        self.call(caller, Method::PUT, path, Some(body)).await
    }

    pub(crate) async fn delete(&self, caller: &As, path: &str) -> Reply {
        self.call(caller, Method::DELETE, path, None).await
    }

    pub(crate) async fn call(
        &self,
        caller: &As,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Reply {
        let body = body.map_or_else(String::new, |body| body.to_string());
        self.raw(request(caller, method, path, body)).await
    }

    pub(crate) async fn raw(&self, request: Request<Body>) -> Reply {
        let response = self.app.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Reply { status: parts.status, headers: parts.headers, body, bytes }
    }
}

pub(crate) fn request(
    caller: &As,
    method: Method,
    path: &str,
    body: impl Into<Body>,
) -> Request<Body> {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::CONTENT_TYPE, "application/json")
        .body(body.into())
        .unwrap();
    let headers = request.headers_mut();
    match caller {
        As::Nobody => {}
        As::Token(text) => {
            headers.insert(header::AUTHORIZATION, format!("Bearer {text}").parse().unwrap());
        }
        As::Session { cookie, csrf } => {
            let cookie = format!("theme=dark; {SESSION_COOKIE}={cookie}");
            headers.insert(header::COOKIE, cookie.parse().unwrap());
            if let Some(csrf) = csrf {
                headers.insert(CSRF_HEADER, csrf.parse().unwrap());
            }
        }
    }
    request
}

/// The session a sign-in reply opened.
pub(crate) fn session_of(reply: &Reply) -> As {
    let line = reply.headers[header::SET_COOKIE].to_str().unwrap();
    let (_, value) = line.split(';').next().unwrap().split_once('=').unwrap();
    let csrf = reply.body["csrf"].as_str().map(str::to_owned);
    As::Session { cookie: value.to_owned(), csrf }
}
