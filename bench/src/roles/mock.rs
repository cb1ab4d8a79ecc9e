//! A model endpoint with a fixed answer of 0.4 KB, and streams of 50 deltas, 20 ms apart, whose
//! last event says when each delta was sent and where its text ends.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use quell_domain::clock::SharedClock;
use serde_json::json;
use tokio::net::TcpListener;

use crate::prompts;

/// Which stream is wanted: `words` or `digits`. Absent: no stream.
pub(crate) const MODE_HEADER: &str = "x-bench-stream";

/// Deltas of a stream.
pub(crate) const DELTAS: usize = 50;

const PAUSE: Duration = Duration::from_millis(20);
const REQUEST_BYTES_MAX: usize = 4 * 1024 * 1024;

type Body = BoxBody<Bytes, Infallible>;

pub(super) async fn serve(listener: TcpListener, clock: SharedClock) {
    let answer = answer();
    while let Ok((socket, _)) = listener.accept().await {
        // Without it streams wait for acknowledgements; failing means the socket is gone.
        let _gone = socket.set_nodelay(true);
        let (answer, clock) = (answer.clone(), clock.clone());
        let service = service_fn(move |request| {
            let (answer, clock) = (answer.clone(), clock.clone());
            async move { Ok::<_, Infallible>(reply(request, answer, clock).await) }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), service));
    }
}

async fn reply(request: Request<Incoming>, answer: Bytes, clock: SharedClock) -> Response<Body> {
    let (head, body) = request.into_parts();
    let read = Limited::new(body, REQUEST_BYTES_MAX).collect().await.is_ok();
    let mode = head.headers.get(MODE_HEADER).and_then(|mode| mode.to_str().ok());
    let (kind, body) = match mode {
        Some(mode) => ("text/event-stream", streamed(prompts::deltas(mode, DELTAS), clock)),
        None => ("application/json", Full::new(answer).boxed()),
    };
    let mut response = Response::new(body);
    if !read {
        *response.status_mut() = http::StatusCode::PAYLOAD_TOO_LARGE;
    }
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

fn answer() -> Bytes {
    let text = "Paper keeps best where it is dry, dark and cool. Lay the sheets flat in a box \
                without acid, do not stack more than a hand's breadth, and open the box once a year.";
    json!({
        "id": "chatcmpl-bench", "object": "chat.completion", "created": 1, "model": "bench-1",
        "choices": [{
            "index": 0,
            "message": {"role": "assistant", "content": text},
            "finish_reason": "stop",
        }],
        "usage": {"prompt_tokens": 44, "completion_tokens": 38, "total_tokens": 82},
    })
    .to_string()
    .into()
}

/// What a stream has sent so far.
struct Sending {
    clock: SharedClock,
    deltas: Vec<String>,
    next: usize,
    text_bytes: usize,
    ends: Vec<usize>,
    sent_us: Vec<i64>,
}

fn streamed(deltas: Vec<String>, clock: SharedClock) -> Body {
    let sending =
        Sending { clock, deltas, next: 0, text_bytes: 0, ends: Vec::new(), sent_us: Vec::new() };
    let frames = stream::unfold(sending, |mut sending| async move {
        let event = sending.event().await?;
        Some((Ok::<_, Infallible>(Frame::data(event)), sending))
    });
    StreamBody::new(frames).boxed()
}

impl Sending {
    async fn event(&mut self) -> Option<Bytes> {
        let at = self.next;
        self.next += 1;
        if let Some(text) = self.deltas.get(at) {
            tokio::time::sleep(PAUSE).await;
            self.text_bytes += text.len();
            self.ends.push(self.text_bytes);
            self.sent_us.push(self.clock.now().as_microsecond());
            return Some(event(&json!({
                "id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 1,
                "model": "bench-1",
                "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}],
            })));
        }
        match at - self.deltas.len() {
            0 => Some(event(&json!({
                "id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 1,
                "model": "bench-1",
                "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}],
                "bench": {"ends": self.ends, "sent_us": self.sent_us},
            }))),
            1 => Some(Bytes::from_static(b"data: [DONE]\n\n")),
            _ => None,
        }
    }
}

fn event(data: &serde_json::Value) -> Bytes {
    format!("data: {data}\n\n").into()
}
