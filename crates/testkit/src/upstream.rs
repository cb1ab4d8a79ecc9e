//! A model endpoint that does what a test tells it: a real HTTP server on a free port.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

const LARGEST_REQUEST: usize = 64 * 1024 * 1024;

/// One scripted reply.
#[derive(Debug, Clone)]
pub struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    before: Vec<Step>,
    body: Vec<Step>,
}

#[derive(Debug, Clone)]
enum Step {
    Send(Bytes),
    Wait(Duration),
    Hang,
    Close,
}

impl Reply {
    /// An empty body.
    ///
    /// # Panics
    /// If `code` is no status code.
    #[expect(clippy::expect_used, reason = "tests write valid status codes")]
    pub fn status(code: u16) -> Self {
        let status = StatusCode::from_u16(code).expect("a valid status code");
        Self { status, headers: HeaderMap::new(), before: Vec::new(), body: Vec::new() }
    }

    /// A JSON body with status 200.
    pub fn json(value: &Value) -> Self {
        Self::status(200).header("content-type", "application/json").chunk(value.to_string())
    }

    /// Server-sent events with status 200: `chunks` go out one by one, exactly as given.
    pub fn sse<T: Into<Bytes>>(chunks: impl IntoIterator<Item = T>) -> Self {
        let reply = Self::status(200).header("content-type", "text/event-stream");
        chunks.into_iter().fold(reply, Self::chunk)
    }

    /// No answer at all: the request is read, and nothing comes.
    pub fn hang() -> Self {
        let mut reply = Self::status(200);
        reply.before.push(Step::Hang);
        reply
    }

    /// The connection is closed without an answer.
    pub fn close() -> Self {
        let mut reply = Self::status(200);
        reply.before.push(Step::Close);
        reply
    }

    /// Another status.
    ///
    /// # Panics
    /// If `code` is no status code.
    #[must_use]
    pub fn with_status(mut self, code: u16) -> Self {
        self.status = Self::status(code).status;
        self
    }

    /// A header more.
    ///
    /// # Panics
    /// If it is no valid header.
    #[must_use]
    #[expect(clippy::expect_used, reason = "tests write valid headers")]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::try_from(name).expect("a valid header name");
        self.headers.insert(name, HeaderValue::try_from(value).expect("a valid header value"));
        self
    }

    /// Then these bytes, as one chunk.
    #[must_use]
    pub fn chunk(mut self, bytes: impl Into<Bytes>) -> Self {
        self.body.push(Step::Send(bytes.into()));
        self
    }

    /// Then a pause.
    #[must_use]
    pub fn pause(mut self, time: Duration) -> Self {
        self.body.push(Step::Wait(time));
        self
    }

    /// Then silence, with the connection open.
    #[must_use]
    pub fn then_hang(mut self) -> Self {
        self.body.push(Step::Hang);
        self
    }

    /// Then the connection breaks in the middle of the body.
    #[must_use]
    pub fn then_close(mut self) -> Self {
        self.body.push(Step::Close);
        self
    }

    /// A pause before the head.
    #[must_use]
    pub fn after(mut self, time: Duration) -> Self {
        self.before.push(Step::Wait(time));
        self
    }

    /// The same pause after every chunk so far.
    #[must_use]
    pub fn paced(mut self, time: Duration) -> Self {
        self.body = self.body.into_iter().flat_map(|step| [step, Step::Wait(time)]).collect();
        self
    }
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Received {
    /// Its method.
    pub method: Method,
    /// Its path and query.
    pub uri: Uri,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// Which connection it came over, from 1.
    pub connection: u64,
}

impl Received {
    /// The body as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

type Answer = Box<dyn Fn(&Received) -> Reply + Send + Sync>;

/// The server. Dropping it closes its port and its connections.
pub struct ScriptedUpstream {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    script: Mutex<VecDeque<Reply>>,
    otherwise: Mutex<Option<Answer>>,
    received: Mutex<Vec<Received>>,
    arrived: tokio::sync::Notify,
}

impl ScriptedUpstream {
    /// Listens on a free port of 127.0.0.1. Without a script every request gets a 500.
    ///
    /// # Panics
    /// If there is no free port.
    #[expect(clippy::expect_used, reason = "without a port no test can run")]
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let shared = Arc::new(Shared::default());
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self { address, shared, accepting }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:<port>`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Adds a reply for one request, after those added before.
    pub fn push(&self, reply: Reply) {
        self.shared.script.lock().push_back(reply);
    }

    /// Answers whatever comes once the script is used up.
    pub fn otherwise(&self, answer: impl Fn(&Received) -> Reply + Send + Sync + 'static) {
        *self.shared.otherwise.lock() = Some(Box::new(answer));
    }

    /// Every request so far, in order of arrival.
    pub fn received(&self) -> Vec<Received> {
        self.shared.received.lock().clone()
    }

    /// Waits until `count` requests have arrived.
    pub async fn wait_for(&self, count: usize) {
        loop {
            let arrived = self.shared.arrived.notified();
            if self.shared.received.lock().len() >= count {
                return;
            }
            arrived.await;
        }
    }
}

impl fmt::Debug for ScriptedUpstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedUpstream").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Drop for ScriptedUpstream {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    let mut number = 0;
    while let Ok((socket, _)) = listener.accept().await {
        number += 1;
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let service = service_fn(move |request| serve(request, number, Arc::clone(&shared)));
            // A client that goes away, or a scripted break: both are what the test wanted.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(
    request: Request<Incoming>,
    connection: u64,
    shared: Arc<Shared>,
) -> Result<Response<UnsyncBoxBody<Bytes, io::Error>>, io::Error> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, LARGEST_REQUEST).collect().await.map_err(io::Error::other)?;
    let (method, uri, headers) = (head.method, head.uri, head.headers);
    let received = Received { method, uri, headers, body: body.to_bytes(), connection };
    let scripted = shared.script.lock().pop_front();
    let reply = scripted.unwrap_or_else(|| match &*shared.otherwise.lock() {
        Some(answer) => answer(&received),
        None => Reply::status(500)
            .header(CONTENT_TYPE.as_str(), "text/plain")
            .chunk("no reply is scripted for this request"),
    });
    shared.received.lock().push(received);
    shared.arrived.notify_waiters();
    for step in reply.before {
        perform(step).await?;
    }
    let mut response = Response::new(body_of(reply.body));
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    Ok(response)
}

fn body_of(steps: Vec<Step>) -> UnsyncBoxBody<Bytes, io::Error> {
    let frames = stream::unfold(steps.into_iter(), |mut steps| async move {
        loop {
            match perform(steps.next()?).await {
                Ok(Some(bytes)) => return Some((Ok(Frame::data(bytes)), steps)),
                Ok(None) => {}
                Err(error) => return Some((Err(error), Vec::new().into_iter())),
            }
        }
    });
    StreamBody::new(frames).boxed_unsync()
}

async fn perform(step: Step) -> io::Result<Option<Bytes>> {
    match step {
        Step::Send(bytes) => {
            // Lets what came before go out by itself.
            tokio::task::yield_now().await;
            Ok(Some(bytes))
        }
        Step::Wait(time) => {
            tokio::time::sleep(time).await;
            Ok(None)
        }
        Step::Hang => {
            std::future::pending::<Result<Infallible, io::Error>>().await.map(|n| match n {})
        }
        Step::Close => {
            tokio::task::yield_now().await;
            Err(io::Error::other("the script closes the connection here"))
        }
    }
}
