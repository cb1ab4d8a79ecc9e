//! A control plane for gateways under test: serves a snapshot by long poll, keeps the reports.
#![expect(clippy::expect_used, reason = "tests have nobody to hand an error to")]

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use quell_domain::snapshot::{GatewayReport, Snapshot, SnapshotContent};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// The token it accepts.
pub const NODE_TOKEN: &str = "node-token-for-tests";

/// A running stand-in for control.
#[derive(Debug, Clone)]
pub struct ControlStandIn {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    snapshot: watch::Sender<Option<Snapshot>>,
    reports: Mutex<Vec<GatewayReport>>,
    models: Mutex<HashMap<String, Bytes>>,
    reported: watch::Sender<usize>,
}

impl ControlStandIn {
    /// Listens on a free port of the loopback interface.
    ///
    /// # Panics
    /// When no port can be had.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let state = Arc::new(State {
            snapshot: watch::Sender::new(None),
            reports: Mutex::default(),
            models: Mutex::default(),
            reported: watch::Sender::new(0),
        });
        let serving = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&serving);
                let service = service_fn(move |request| {
                    let state = Arc::clone(&state);
                    async move { Ok::<_, Infallible>(state.answer(request).await) }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, state }
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Puts `content` into force under the next epoch, which it returns.
    pub fn publish(&self, content: SnapshotContent) -> u64 {
        let epoch = self.state.snapshot.borrow().as_ref().map_or(1, |held| held.epoch + 1);
        let mut content = content;
        for measure in content.measures.iter_mut().chain(&mut content.lifting) {
            if measure.epoch == 0 {
                measure.epoch = epoch;
            }
        }
        self.state.snapshot.send_replace(Some(Snapshot::new(epoch, content)));
        epoch
    }

    /// Serves `bytes` as the model of that digest, whether they are or not.
    pub fn serve_model(&self, sha256: &str, bytes: impl Into<Bytes>) {
        self.state.models.lock().insert(sha256.to_owned(), bytes.into());
    }

    /// Everything gateways have reported.
    pub fn reports(&self) -> Vec<GatewayReport> {
        self.state.reports.lock().clone()
    }

    /// Waits until `found` finds something in the reports, at most ten seconds.
    ///
    /// # Panics
    /// When it does not.
    pub async fn wait_for<T>(&self, mut found: impl FnMut(&[GatewayReport]) -> Option<T>) -> T {
        let mut reported = self.state.reported.subscribe();
        let search = async {
            loop {
                if let Some(found) = found(&self.state.reports.lock()) {
                    return found;
                }
                reported.changed().await.expect("the stand-in lives");
            }
        };
        tokio::time::timeout(Duration::from_secs(10), search).await.expect("the report comes")
    }

    /// Waits until a gateway runs on `epoch`.
    pub async fn wait_for_epoch(&self, epoch: u64) {
        self.wait_for(|reports| reports.iter().any(|r| r.epoch >= epoch).then_some(())).await;
    }
}

impl State {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let bearer = format!("Bearer {NODE_TOKEN}");
        let authorised =
            request.headers().get("authorization").is_some_and(|value| value == bearer.as_str());
        if !authorised {
            return reply(StatusCode::UNAUTHORIZED, Bytes::new());
        }
        match request.uri().path() {
            "/api/v1/node/snapshot" => self.poll(request.uri().query().unwrap_or_default()).await,
            "/api/v1/node/report" => self.report(request.into_body()).await,
            path => {
                let models = self.models.lock();
                let sha256 = path.strip_prefix("/api/v1/node/models/");
                match sha256.and_then(|sha256| models.get(sha256)) {
                    Some(bytes) => reply(StatusCode::OK, bytes.clone()),
                    None => reply(StatusCode::NOT_FOUND, Bytes::new()),
                }
            }
        }
    }

    async fn poll(&self, query: &str) -> Response<Full<Bytes>> {
        let held = query
            .split('&')
            .find_map(|pair| pair.strip_prefix("epoch="))
            .and_then(|epoch| epoch.parse::<u64>().ok())
            .unwrap_or(0);
        let mut snapshots = self.snapshot.subscribe();
        let newer = snapshots.wait_for(|s| s.as_ref().is_some_and(|s| s.epoch > held));
        match tokio::time::timeout(Duration::from_secs(2), newer).await {
            Ok(Ok(snapshot)) => {
                reply(StatusCode::OK, serde_json::to_vec(&*snapshot).unwrap_or_default().into())
            }
            _ => reply(StatusCode::NO_CONTENT, Bytes::new()),
        }
    }

    async fn report(&self, body: Incoming) -> Response<Full<Bytes>> {
        let Ok(body) = Limited::new(body, 16 * 1024 * 1024).collect().await else {
            return reply(StatusCode::BAD_REQUEST, Bytes::new());
        };
        match serde_json::from_slice(&body.to_bytes()) {
            Ok(report) => {
                self.reports.lock().push(report);
                self.reported.send_modify(|count| *count += 1);
                reply(StatusCode::NO_CONTENT, Bytes::new())
            }
            Err(_) => reply(StatusCode::BAD_REQUEST, Bytes::new()),
        }
    }
}

fn reply(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response
}
