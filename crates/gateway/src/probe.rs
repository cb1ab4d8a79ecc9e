//! The gateway probing itself: requests over its own listener, through its own phases, that a
//! single-use token turns into somebody else's and binds to a sink instead of an upstream. They
//! are not recorded, raise no signals and touch no breaker, slot or baseline.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use parking_lot::Mutex;
use quell_domain::id::SharedIds;
use quell_domain::interaction::{Endpoint, Interaction};
use quell_domain::snapshot::ProbeResult;
use quell_domain::{Measure, MeasureId};
use quell_outbound::{full_body, read_body};
use quell_response::probe::{self, Observed, ProbePlan, ProbeRequest, SinkSaw};
use quell_wire::{RefusalReason, SseParser, StreamReader};
use serde_json::{Value, json};

use crate::active::Active;
use crate::exchange::Exchange;
use crate::forward::Forwarded;
use crate::identify::{Identity, Unidentified};
use crate::shared::Shared;

/// Carries the single-use token. Stripped before anything else looks at the headers.
const PROBE_HEADER: &str = "x-quell-probe";
/// Tokens that may be out at once.
const TOKENS_MAX: usize = 256;
/// How long one probe may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);
/// Largest reply read.
const REPLY_BYTES_MAX: usize = 1024 * 1024;
/// How long a verification is taken to hold before it is made again.
const PROVEN_FOR: Duration = Duration::from_mins(1);

/// Probes on their way.
#[derive(Debug)]
pub(crate) struct Probes {
    ids: SharedIds,
    waiting: Mutex<HashMap<String, ProbeContext>>,
}

/// What a probe's token stands for.
#[derive(Debug, Clone)]
pub(crate) struct ProbeContext {
    application: String,
    request: Arc<ProbeRequest>,
    observed: Arc<Mutex<Observed>>,
}

impl Probes {
    pub(crate) fn new(ids: SharedIds) -> Self {
        Self { ids, waiting: Mutex::default() }
    }

    /// Takes the token out of the headers and, if it is one of ours, what it stands for. Whatever
    /// a client sends under this name is gone afterwards.
    pub(crate) fn take(&self, headers: &mut HeaderMap) -> Option<ProbeContext> {
        let token = headers.remove(PROBE_HEADER)?;
        self.waiting.lock().remove(token.to_str().ok()?)
    }

    fn issue(&self, context: ProbeContext) -> Option<HeaderValue> {
        let mut secret = [0_u8; 32];
        self.ids.random(&mut secret);
        let token = hex::encode(secret);
        let value = HeaderValue::from_str(&token).ok()?;
        let mut waiting = self.waiting.lock();
        if waiting.len() >= TOKENS_MAX {
            return None;
        }
        waiting.insert(token, context);
        Some(value)
    }

    fn forget(&self, token: &HeaderValue) {
        if let Ok(token) = token.to_str() {
            self.waiting.lock().remove(token);
        }
    }
}

impl ProbeContext {
    /// Who the probe pretends to be.
    pub(crate) fn identity(&self, active: &Active, path: &str) -> Result<Identity, Unidentified> {
        let application = active.application(&self.application).ok_or(Unidentified {
            reason: RefusalReason::NotFound,
            message: "the probed application is not in this snapshot",
        })?;
        Ok(Identity {
            application: Arc::clone(application),
            principal: self.request.principal.clone(),
            path: path.to_owned(),
            pass_through: false,
        })
    }

    /// The upstream the probe asks for first, if it is about one.
    pub(crate) fn upstream(&self) -> Option<&str> {
        self.request.upstream.as_deref()
    }

    /// The scripted reply, in place of `upstream`'s; notes what would have been sent.
    pub(crate) fn sink(&self, exchange: &Exchange, upstream: &str, body: &[u8]) -> Forwarded {
        let endpoint = exchange.record.endpoint;
        self.observed.lock().sink = Some(saw(endpoint, upstream, body));
        let reply = scripted(endpoint, &self.request);
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(reply.0));
        Forwarded {
            status: 200,
            headers,
            body: UnsyncBoxBody::new(Full::new(reply.1).map_err(|never| match never {})),
        }
    }

    /// Notes what became of the probe, in place of recording it.
    pub(crate) fn settle(&self, record: &Interaction) {
        let mut observed = self.observed.lock();
        observed.epoch = record.epoch;
        observed.outcome = record.outcome;
        observed.causes.clone_from(&record.causes);
    }
}

/// What the sink saw, read back from the bytes it was sent.
fn saw(endpoint: Endpoint, upstream: &str, body: &[u8]) -> SinkSaw {
    let mut saw = SinkSaw { upstream: upstream.to_owned(), ..SinkSaw::default() };
    let Ok(request) = quell_wire::parse_request(endpoint, body) else { return saw };
    let limits = ["max_tokens", "max_completion_tokens", "max_output_tokens"];
    saw.max_tokens = limits
        .iter()
        .filter_map(|name| request.body.get(name)?.as_u64())
        .max()
        .map(|tokens| u32::try_from(tokens).unwrap_or(u32::MAX));
    saw.system = quell_wire::system_text(&request);
    let turns = request.body.get("messages").or_else(|| request.body.get("input"));
    let is_system = |turn: &Value| {
        matches!(turn.get("role").and_then(Value::as_str), Some("system" | "developer"))
    };
    saw.messages = match turns {
        Some(Value::Array(turns)) => turns.iter().filter(|turn| !is_system(turn)).count() as u32,
        Some(Value::String(_)) => 1,
        _ => 0,
    };
    saw.tools = request.tools;
    saw
}

fn scripted(endpoint: Endpoint, request: &ProbeRequest) -> (&'static str, Bytes) {
    let json = |value: Value| ("application/json", Bytes::from(value.to_string()));
    match endpoint {
        Endpoint::Models => json(json!({"object": "list", "data": []})),
        Endpoint::Forwarded => json(json!({"text": request.reply})),
        Endpoint::Embeddings => json(json!({
            "object": "list",
            "model": request.model,
            "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
            "usage": {"prompt_tokens": 1, "total_tokens": 1},
        })),
        _ => {
            let reply = quell_wire::fallback_reply(
                endpoint,
                request.stream,
                &request.reply,
                &request.model,
                "probe",
                0,
                false,
            );
            let kind = if request.stream { "text/event-stream" } else { "application/json" };
            (kind, reply.body)
        }
    }
}

/// Which measures were proven, and when.
#[derive(Debug, Default)]
pub(crate) struct Proven {
    at: HashMap<(MeasureId, bool), (u64, Duration)>,
    epoch: u64,
}

impl Proven {
    /// Whether something waits for proof: always after a new epoch.
    pub(crate) fn is_due(&self, active: &Active) -> bool {
        let content = &active.snapshot.content;
        self.epoch != active.epoch || !content.measures.is_empty() || !content.lifting.is_empty()
    }

    /// Results that did not reach control are made again.
    pub(crate) fn forget(&mut self, results: &[ProbeResult]) {
        for result in results {
            self.at.retain(|(measure, _), _| *measure != result.measure);
        }
    }

    fn holds(&self, measure: &Measure, lifting: bool, now: Duration) -> bool {
        self.at.get(&(measure.id, lifting)).is_some_and(|(epoch, at)| {
            *epoch == measure.epoch && now.saturating_sub(*at) < PROVEN_FOR
        })
    }
}

/// Probes every measure of `active` whose proof is missing or old.
pub(crate) async fn run(shared: &Shared, active: &Active, proven: &mut Proven) -> Vec<ProbeResult> {
    let content = &active.snapshot.content;
    let now = shared.clock.ticks();
    let mut results = Vec::new();
    let in_force = content.measures.iter().map(|measure| (measure, false));
    let lifting = content.lifting.iter().map(|measure| (measure, true));
    for (measure, lifting) in in_force.chain(lifting) {
        let expired = !lifting && !active.table.in_force(measure.id, shared.clock.now());
        if expired || proven.holds(measure, lifting, now) {
            continue;
        }
        let Some(application) = active.application(&measure.application) else { continue };
        let plan = if lifting {
            probe::plan_lift(measure, &application.config)
        } else {
            probe::plan(measure, &application.config)
        };
        let result = carry_out(shared, active.epoch, &plan).await;
        if result.met {
            proven.at.insert((measure.id, lifting), (measure.epoch, now));
        }
        results.push(result);
    }
    let present = |id: &MeasureId| {
        content.measures.iter().chain(&content.lifting).any(|measure| measure.id == *id)
    };
    proven.at.retain(|(id, _), _| present(id));
    proven.epoch = active.epoch;
    results
}

async fn carry_out(shared: &Shared, epoch: u64, plan: &ProbePlan) -> ProbeResult {
    let mut observed = Vec::with_capacity(plan.probes.len());
    for probe in &plan.probes {
        observed.push(send(shared, &plan.application, &probe.request).await);
    }
    let judgement = probe::judge(plan, &observed);
    if !judgement.met {
        tracing::error!(measure.id = %plan.measure, detail = %judgement.detail, "containment is not verified");
    }
    ProbeResult {
        measure: plan.measure,
        epoch,
        met: judgement.met,
        detail: judgement.detail,
        at: shared.clock.now(),
    }
}

async fn send(shared: &Shared, application: &str, request: &ProbeRequest) -> Observed {
    let observed = Arc::new(Mutex::new(Observed::default()));
    let context = ProbeContext {
        application: application.to_owned(),
        request: Arc::new(request.clone()),
        observed: Arc::clone(&observed),
    };
    let failed = |error: String| Observed { error: Some(error), ..Observed::default() };
    let Some(token) = shared.probes.issue(context) else {
        return failed("too many probes are under way".into());
    };
    let received =
        tokio::time::timeout(PROBE_TIMEOUT, deliver(shared, request, token.clone())).await;
    shared.probes.forget(&token);
    let (status, body) = match received {
        Ok(Ok(received)) => received,
        Ok(Err(error)) => return failed(error),
        Err(_) => return failed("no answer in time".into()),
    };
    let mut observed = observed.lock().clone();
    observed.status = status.as_u16();
    observed.delivered = delivered_text(request, &body);
    observed
}

async fn deliver(
    shared: &Shared,
    request: &ProbeRequest,
    token: HeaderValue,
) -> Result<(StatusCode, Bytes), String> {
    let (method, path, body) = wire_request(request);
    let request = Request::builder()
        .method(method)
        .uri(format!("http://{}{path}", own_address(shared.address)))
        .header(CONTENT_TYPE, "application/json")
        .header(PROBE_HEADER, token)
        .body(full_body(body))
        .map_err(|error| error.to_string())?;
    let response =
        shared.control.send(request, PROBE_TIMEOUT).await.map_err(|error| error.to_string())?;
    let status = response.status();
    let body = read_body(response.into_body(), REPLY_BYTES_MAX).await;
    Ok((status, body.map_err(|error| error.to_string())?))
}

/// Where the gateway reaches itself when it listens on every address.
fn own_address(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// The probe as a client would send it.
fn wire_request(request: &ProbeRequest) -> (Method, String, Bytes) {
    let turns: Vec<Value> = (0..request.earlier_turns)
        .map(|turn| {
            let role = if turn % 2 == 0 { "user" } else { "assistant" };
            json!({"role": role, "content": format!("Earlier turn {turn}.")})
        })
        .chain([json!({"role": "user", "content": request.text})])
        .collect();
    let schema = json!({"type": "object", "properties": {}});
    let function =
        |name: &String| json!({"name": name, "description": "A probe.", "parameters": schema});
    let tools = |wrap: &dyn Fn(&String) -> Value| -> Vec<Value> {
        request.tools.iter().map(wrap).collect()
    };
    let max = request.max_tokens;
    let (path, mut body) = match request.endpoint {
        Endpoint::Models => return (Method::GET, "/v1/models".into(), Bytes::new()),
        Endpoint::Forwarded => {
            let path = request.path.clone().unwrap_or_else(|| "/".into());
            return (Method::POST, path, json!({"text": request.text}).to_string().into());
        }
        Endpoint::ChatCompletions => (
            "/v1/chat/completions",
            json!({"messages": turns, "max_tokens": max,
                "tools": tools(&|name| json!({"type": "function", "function": function(name)}))}),
        ),
        Endpoint::Completions => {
            ("/v1/completions", json!({"prompt": request.text, "max_tokens": max}))
        }
        Endpoint::Responses => (
            "/v1/responses",
            json!({"input": turns, "max_output_tokens": max,
                "tools": tools(&|name| json!({"type": "function", "name": name, "parameters": schema}))}),
        ),
        Endpoint::Messages => (
            "/v1/messages",
            json!({"messages": turns, "max_tokens": max.unwrap_or(1_024),
                "tools": tools(&|name| json!({"name": name, "input_schema": schema}))}),
        ),
        Endpoint::Embeddings => ("/v1/embeddings", json!({"input": request.text})),
    };
    if let Value::Object(members) = &mut body {
        members.retain(|_, value| {
            !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty())
        });
        members.insert("model".into(), json!(request.model));
        if request.stream {
            members.insert("stream".into(), json!(true));
        }
    }
    (Method::POST, path.into(), body.to_string().into())
}

/// All text a client would have read out of `body`; the body itself where it has no text of the
/// wire's shape.
fn delivered_text(request: &ProbeRequest, body: &Bytes) -> String {
    let raw = || String::from_utf8_lossy(body).into_owned();
    if request.stream {
        return streamed_text(request.endpoint, body).unwrap_or_else(raw);
    }
    match quell_wire::parse_response(request.endpoint, body) {
        Ok((_, parsed)) if !parsed.fields.is_empty() => {
            parsed.fields.into_iter().map(|field| field.text).collect::<Vec<_>>().join("\n")
        }
        _ => raw(),
    }
}

fn streamed_text(endpoint: Endpoint, body: &Bytes) -> Option<String> {
    let mut parser = SseParser::default();
    let mut reader = StreamReader::new(endpoint);
    let mut text = String::new();
    parser.push(body);
    while let Some(frame) = parser.next_frame().ok()? {
        match reader.read(&frame) {
            Ok(deltas) => deltas.iter().for_each(|delta| text.push_str(&delta.text)),
            Err(_) => text.push_str(&frame.data),
        }
    }
    (!text.is_empty()).then_some(text)
}
