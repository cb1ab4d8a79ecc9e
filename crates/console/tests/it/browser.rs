//! A browser without a script: cookies, links, forms.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use quell_console::Console;
use quell_control::{Access, Control, ControlOptions};
use quell_domain::application::{Application, Upstream};
use quell_domain::interaction::{Interaction, Role, TextField};
use quell_domain::signal::Span;
use quell_domain::snapshot::GatewayReport;
use quell_domain::{AccessRole, Clock};
use quell_lake::{LogWriter, WriterOptions, log_dir};
use quell_store::Store;
use quell_testkit::{ManualClock, SeededIds};
use tempfile::TempDir;
use tower::ServiceExt;

pub(crate) const PASSWORD: &str = "violet heron over water";

/// A console over a fresh control, without gateways.
pub(crate) struct Site {
    pub(crate) control: Control,
    pub(crate) clock: Arc<ManualClock>,
    router: Router,
    ids: Arc<SeededIds>,
    writer: LogWriter,
    folder: TempDir,
}

impl Site {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let clock = Arc::new(ManualClock::default());
        let ids = Arc::new(SeededIds::default());
        let lake = log_dir(&folder.path().join("lake"), "gw-1");
        let (writer, _) = LogWriter::open(&lake, "gw-1", WriterOptions::default()).expect("a log");
        let control = start(folder.path(), &clock, &ids).await;
        let router = quell_console::router(Console::new(control.clone(), ids.clone(), false));
        let site = Self { control, clock, router, ids, writer, folder };
        let upstream = Upstream::new("primary", "http://127.0.0.1:1");
        let system = Access::system();
        site.control.put_upstream(&system, upstream, None).await.expect("an upstream");
        let application = Application::new("shop", vec!["primary".into()]);
        site.control.put_application(&system, application, None).await.expect("an application");
        site
    }

    /// A browser in which the account `name` is signed in.
    pub(crate) async fn signed_in(&self, name: &str, role: AccessRole) -> Browser {
        let system = Access::system();
        self.control.create_account(&system, name, PASSWORD, role).await.expect("an account");
        let mut browser = self.browser();
        let page = browser.get("/sign-in").await;
        let answer = browser
            .post("/sign-in", &page, &[("name", name), ("password", PASSWORD), ("next", "/")])
            .await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.html);
        browser
    }

    pub(crate) fn browser(&self) -> Browser {
        Browser { router: self.router.clone(), cookies: BTreeMap::new() }
    }

    /// The database, past control.
    pub(crate) async fn store(&self) -> Store {
        let url = url(self.folder.path());
        Store::open(&url, self.clock.clone(), self.ids.clone()).await.expect("a store")
    }

    /// A gateway takes the newest snapshot and says so.
    pub(crate) async fn acknowledge(&self) {
        self.control.report(self.report()).await.expect("a report");
    }

    /// What that gateway says.
    pub(crate) fn report(&self) -> GatewayReport {
        let snapshot = self.control.snapshot().expect("a snapshot");
        GatewayReport {
            gateway: "gw-1".into(),
            epoch: snapshot.epoch,
            hash: snapshot.hash.clone(),
            probes: Vec::new(),
            refused: None,
            in_flight: 2,
            recorded: 1_204,
            open_breakers: Vec::new(),
            model: None,
            shadow: None,
            spend: None,
        }
    }

    /// An exchange in the log in which a rule matched, seen by control.
    pub(crate) async fn see(&self, id: u32, user: &str, text: &str) -> String {
        let id = format!("int_{id:032x}");
        let span = Span {
            field: "/messages/0/content".into(),
            start: 0,
            end: text.len(),
            fact: "test.fact".into(),
        };
        let record = serde_json::json!({
            "schema": 1, "id": id, "gateway": "gw-1", "application": "shop",
            "endpoint": "chat_completions", "path": "/v1/chat/completions", "stream": false,
            "started_at": self.clock.now(), "timing": {}, "status": 200, "outcome": "allowed",
            "principal": {"user": {"value": user, "grade": "authenticated"}},
            "model_asked": "large", "request_chars": text.len(), "response_chars": 0,
            "request": [TextField {
                field: "/messages/0/content".into(), role: Role::User, part: "content".into(),
                text: text.into(),
            }],
            "signals": [{
                "id": format!("sig-{id}"), "rule": "test_rule", "title": "Role-play <b>",
                "kind": "jailbreak", "severity": "high", "effect": "signal", "mode": "enforce",
                "direction": "input", "facts": ["test.fact"], "spans": [span],
            }],
            "usage": {}, "epoch": 1, "digests": {},
        });
        let record: Interaction = serde_json::from_value(record).expect("an interaction");
        let bytes = serde_json::to_vec(&record).expect("bytes");
        self.writer.append(bytes).expect("room").await.expect("written");
        self.control.reconcile_ingest().await.expect("ingested");
        id
    }
}

fn url(folder: &Path) -> String {
    format!("sqlite://{}?mode=rwc", folder.join("quell.db").display())
}

async fn start(folder: &Path, clock: &Arc<ManualClock>, ids: &Arc<SeededIds>) -> Control {
    let options = ControlOptions::new(&url(folder), folder.to_owned(), clock.clone(), ids.clone());
    Control::start(ControlOptions { background: false, ..options }).await.expect("control starts")
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) location: String,
    pub(crate) html: String,
    pub(crate) raw: Response<()>,
}

impl Answer {
    /// Every link to a page of the console.
    pub(crate) fn links(&self) -> Vec<String> {
        self.html
            .split("href=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .filter(|href| href.starts_with('/') && !href.starts_with("/assets/"))
            .map(|href| href.split('#').next().unwrap_or_default().replace("&amp;", "&"))
            .collect()
    }

    fn token(&self) -> String {
        let rest = self.html.split("name=\"csrf\" value=\"").nth(1).unwrap_or_default();
        rest.split('"').next().unwrap_or_default().into()
    }
}

/// Keeps cookies, follows nothing by itself.
pub(crate) struct Browser {
    router: Router,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(Request::get(path), Body::empty()).await
    }

    /// Sends `fields` with the token of `page`.
    pub(crate) async fn post(
        &mut self,
        path: &str,
        page: &Answer,
        fields: &[(&str, &str)],
    ) -> Answer {
        let token = page.token();
        let mut body = format!("csrf={token}");
        for (name, value) in fields {
            let value: String = value
                .bytes()
                .map(|b| {
                    if b.is_ascii_alphanumeric() {
                        char::from(b).to_string()
                    } else {
                        format!("%{b:02X}")
                    }
                })
                .collect();
            body = format!("{body}&{name}={value}");
        }
        let request =
            Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request, Body::from(body)).await
    }

    /// Sends a form with a file, with the token of `page`.
    pub(crate) async fn upload(
        &mut self,
        path: &str,
        page: &Answer,
        fields: &[(&str, &str)],
        file: &[u8],
    ) -> Answer {
        let mut body = Vec::new();
        let token = page.token();
        for (name, value) in [("csrf", token.as_str())].iter().chain(fields) {
            let head = format!("--b\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n");
            body.extend(format!("{head}{value}\r\n").bytes());
        }
        body.extend(
            b"--b\r\nContent-Disposition: form-data; name=\"model\"; filename=\"m\"\r\n\r\n",
        );
        body.extend(file);
        body.extend(b"\r\n--b--\r\n");
        let request =
            Request::post(path).header(header::CONTENT_TYPE, "multipart/form-data; boundary=b");
        self.send(request, Body::from(body)).await
    }

    /// Open a stream and give it back unread.
    pub(crate) async fn stream(&mut self, path: &str) -> Response<Body> {
        let request = self.with_cookies(Request::get(path));
        self.router
            .clone()
            .oneshot(request.body(Body::empty()).expect("a request"))
            .await
            .expect("infallible")
    }

    fn with_cookies(&self, request: axum::http::request::Builder) -> axum::http::request::Builder {
        let line: Vec<String> = self.cookies.iter().map(|(k, v)| format!("{k}={v}")).collect();
        if line.is_empty() { request } else { request.header(header::COOKIE, line.join("; ")) }
    }

    async fn send(&mut self, request: axum::http::request::Builder, body: Body) -> Answer {
        let request = self.with_cookies(request).body(body).expect("a request");
        let response = self.router.clone().oneshot(request).await.expect("infallible");
        let (parts, body) = response.into_parts();
        for cookie in parts.headers.get_all(header::SET_COOKIE) {
            let text = cookie.to_str().expect("a cookie");
            assert!(text.contains("HttpOnly; SameSite=Lax"), "{text}");
            let (name, value) =
                text.split(';').next().and_then(|p| p.split_once('=')).expect("a pair");
            self.cookies.insert(name.into(), value.into());
        }
        let bytes = body.collect().await.expect("a body").to_bytes();
        let location = parts.headers.get(header::LOCATION);
        let location = location.and_then(|l| l.to_str().ok()).unwrap_or_default().to_owned();
        let html = String::from_utf8_lossy(&bytes).replace("&#x2f;", "/");
        Answer { status: parts.status, location, html, raw: Response::from_parts(parts, ()) }
    }
}
