//! Phase 5: to the model. Upstreams in order of preference, each behind its breaker; a connect
//! that failed sent nothing and may be tried again, anything else may not.

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderValue,
};
use http::request::Parts;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use quell_domain::application::Dialect;
use quell_domain::interaction::{Endpoint, Interaction, Outcome, Role, TextField};
use quell_domain::rule::Direction;
use quell_outbound::{OutboundError, RequestBody, full_body, with_idle_timeout};
use quell_response::Permit;
use quell_wire::{ParsedResponse, Refusal, RefusalReason};
use secrecy::ExposeSecret;
use std::sync::Arc;

use crate::active::{ActiveUpstream, Secret};
use crate::exchange::{Exchange, Stop, refused};
use crate::reply;

/// Headers of the request that never reach an upstream.
const NOT_FORWARDED: [&str; 5] =
    ["host", "content-length", "accept-encoding", "x-forwarded-for", "cookie"];

/// A response body, from the network or scripted for a probe.
pub(crate) type UpstreamBody = UnsyncBoxBody<Bytes, OutboundError>;

/// A response whose body has not been read.
#[derive(Debug)]
pub(crate) struct Forwarded {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: UpstreamBody,
}

/// A response that was read to its end.
#[derive(Debug)]
pub(crate) struct WholeResponse {
    status: u16,
    headers: HeaderMap,
    raw: Bytes,
    body: Option<serde_json::Value>,
    /// What it says.
    pub parsed: ParsedResponse,
    altered: bool,
}

/// Sends the request on, with whatever was taken from it, and waits for the response's head.
pub(crate) async fn forward(
    exchange: &mut Exchange,
    parts: &Parts,
    received: Bytes,
) -> Result<Forwarded, Stop> {
    let body = outgoing_body(exchange, received);
    let application = exchange.application()?;
    let now = exchange.shared.clock.now();
    let mut last = refused(
        RefusalReason::Unavailable,
        "no upstream of this application is available right now; try again later",
    );
    let mut passed_over = Vec::new();
    for name in upstream_order(exchange, &application.config.upstreams) {
        let forbidden =
            exchange.active.table.upstream_forbidden(&application.config.name, &name, now);
        if let Some(cause) = forbidden {
            let shut = cause.outcome == Outcome::ShutDown;
            exchange.cause(cause.outcome, cause.by.clone());
            passed_over.push(cause);
            last = exchange.refuse_contained(if shut {
                RefusalReason::ShutDown
            } else {
                RefusalReason::Blocked
            });
            continue;
        }
        if let Some(probe) = &exchange.probe {
            return Ok(probe.sink(exchange, &name, &body));
        }
        let Some(upstream) = exchange.active.upstream(&name).cloned() else { continue };
        match send(exchange, parts, &body, &upstream).await {
            Ok(forwarded) => {
                // An upstream that was forbidden has been passed over: nothing was refused.
                exchange.record.causes.retain(|cause| !passed_over.contains(cause));
                exchange.record.upstream = Some(name);
                return Ok(forwarded);
            }
            Err(Failure::TryNext(refusal)) => last = Stop::Refused(refusal),
            Err(Failure::Final(refusal)) => {
                exchange.record.upstream = Some(name);
                return Err(Stop::Refused(refusal));
            }
        }
    }
    Err(last)
}

/// The application's order; a probe about one upstream asks for that one first.
fn upstream_order(exchange: &Exchange, configured: &[String]) -> Vec<String> {
    let preferred = exchange.probe.as_ref().and_then(|probe| probe.upstream());
    let others = configured.iter().map(String::as_str).filter(|name| Some(*name) != preferred);
    preferred.into_iter().chain(others).map(str::to_owned).collect()
}

enum Failure {
    /// Nothing was sent; another upstream may serve.
    TryNext(Refusal),
    /// The request may have been acted on.
    Final(Refusal),
}

async fn send(
    exchange: &Exchange,
    parts: &Parts,
    body: &Bytes,
    upstream: &Arc<ActiveUpstream>,
) -> Result<Forwarded, Failure> {
    let clock = &exchange.shared.clock;
    if matches!(upstream.secret, Secret::Missing) && !exchange.pass_through {
        let message = "the credential for the model provider is missing; tell the operator";
        return Err(Failure::TryNext(Refusal::new(RefusalReason::Unavailable, message)));
    }
    if let Permit::Refused { .. } = upstream.breaker.permit(clock.ticks()) {
        let message = "the model provider has been failing and is being given time to recover";
        return Err(Failure::TryNext(Refusal::new(RefusalReason::Unavailable, message)));
    }
    let header_timeout = Duration::from_millis(upstream.config.header_ms);
    let mut retries = upstream.config.connect_retries;
    loop {
        let request = outgoing_request(exchange, parts, body, upstream).map_err(|refusal| {
            upstream.breaker.abandon(clock.ticks());
            Failure::Final(refusal)
        })?;
        match upstream.client.send(request, header_timeout).await {
            Ok(response) => {
                let failed = response.status().is_server_error();
                if failed {
                    upstream.breaker.failure(clock.ticks());
                } else {
                    upstream.breaker.success(clock.ticks());
                }
                let (head, body) = response.into_parts();
                return Ok(Forwarded {
                    status: head.status.as_u16(),
                    headers: head.headers,
                    body: with_idle_timeout(body, Duration::from_millis(upstream.config.idle_ms))
                        .boxed_unsync(),
                });
            }
            Err(error) if error.nothing_was_sent() && retries > 0 => retries -= 1,
            Err(error) => {
                upstream.breaker.failure(clock.ticks());
                tracing::warn!(
                    interaction.id = %exchange.record.id,
                    upstream = %upstream.config.name,
                    %error,
                    "upstream failed"
                );
                return Err(failure(&error));
            }
        }
    }
}

fn failure(error: &OutboundError) -> Failure {
    if error.nothing_was_sent() {
        let message = "the model provider cannot be reached";
        return Failure::TryNext(Refusal::new(RefusalReason::Upstream, message));
    }
    Failure::Final(match error {
        OutboundError::HeaderTimeout { .. } => Refusal::new(
            RefusalReason::UpstreamTimeout,
            "the model provider did not answer in time",
        ),
        _ => Refusal::new(RefusalReason::Upstream, "the model provider broke the connection"),
    })
}

/// The body to send: as received, unless Quell altered it. Notes the digest if so.
fn outgoing_body(exchange: &mut Exchange, received: Bytes) -> Bytes {
    let alters = |outcome| matches!(outcome, Outcome::Degraded | Outcome::Redacted);
    let altered =
        exchange.altered || exchange.record.causes.iter().any(|cause| alters(cause.outcome));
    let Some(request) = exchange.request.as_ref().filter(|_| altered) else { return received };
    match serde_json::to_vec(&request.body) {
        Ok(bytes) => {
            exchange.record.digests.request_forwarded =
                Some(quell_domain::canonical::sha256_hex(&bytes));
            bytes.into()
        }
        Err(_) => received,
    }
}

fn outgoing_request(
    exchange: &Exchange,
    parts: &Parts,
    body: &Bytes,
    upstream: &ActiveUpstream,
) -> Result<Request<RequestBody>, Refusal> {
    let bad =
        |_| Refusal::new(RefusalReason::InvalidRequest, "the request path or query is malformed");
    let query = parts.uri.query().map_or_else(String::new, |query| format!("?{query}"));
    let base = upstream.config.base_url.trim_end_matches('/');
    let url = format!("{base}{}{query}", exchange.record.path);
    let mut request = Request::builder()
        .method(parts.method.clone())
        .uri(url)
        .body(full_body(body.clone()))
        .map_err(bad)?;
    let headers = request.headers_mut();
    for (name, value) in &parts.headers {
        if reply::passes(name) && !NOT_FORWARDED.contains(&name.as_str()) {
            headers.append(name, value.clone());
        }
    }
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    if !exchange.pass_through {
        for name in ["authorization", "x-api-key", "api-key"] {
            headers.remove(name);
        }
        if let Secret::Known(secret) = &upstream.secret {
            swap_secret(headers, upstream.config.dialect, secret.expose_secret());
        }
    }
    Ok(request)
}

fn swap_secret(headers: &mut HeaderMap, dialect: Dialect, secret: &str) {
    let (name, value) = match dialect {
        Dialect::Openai => (AUTHORIZATION, format!("Bearer {secret}")),
        Dialect::Anthropic => (http::HeaderName::from_static("x-api-key"), secret.to_owned()),
    };
    if let Ok(mut value) = HeaderValue::from_str(&value) {
        value.set_sensitive(true);
        headers.insert(name, value);
    }
}

impl Forwarded {
    /// Whether the body is a stream of server-sent events.
    pub(crate) fn is_stream(&self) -> bool {
        self.status == 200
            && self
                .headers
                .get(CONTENT_TYPE)
                .and_then(|value| value.to_str().ok())
                .is_some_and(|value| value.trim_start().starts_with("text/event-stream"))
    }

    /// Reads the body to its end and parses it.
    pub(crate) async fn collect(&mut self, exchange: &mut Exchange) -> Result<WholeResponse, Stop> {
        note_provider(&mut exchange.record, &self.headers);
        let encoded = self
            .headers
            .get(http::header::CONTENT_ENCODING)
            .is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"));
        if encoded {
            return Err(
                self.broken("the model provider sent a compressed response although asked not to")
            );
        }
        let limits = &exchange.application()?.config.limits;
        let limit = usize::try_from(limits.response_bytes).unwrap_or(usize::MAX);
        let body = std::mem::replace(
            &mut self.body,
            UnsyncBoxBody::new(Empty::new().map_err(|never| match never {})),
        );
        let read = Limited::new(body, limit).collect();
        let deadline = Duration::from_secs(u64::from(limits.exchange_seconds));
        let raw = match tokio::time::timeout(deadline, read).await {
            Ok(Ok(collected)) => collected.to_bytes(),
            Ok(Err(error)) if error.is::<LengthLimitError>() => {
                exchange.cause(Outcome::Blocked, "limit:response_bytes".into());
                return Err(refused(
                    RefusalReason::Upstream,
                    format!(
                        "the response is larger than this application's limit of {limit} bytes"
                    ),
                ));
            }
            Ok(Err(_)) => return Err(self.broken("the model provider broke off its response")),
            Err(_) => {
                exchange.cause(Outcome::Blocked, "limit:exchange_seconds".into());
                return Err(refused(
                    RefusalReason::UpstreamTimeout,
                    "the response took longer than this application allows",
                ));
            }
        };
        self.parse(exchange, &raw)
    }

    fn parse(&self, exchange: &mut Exchange, raw: &Bytes) -> Result<WholeResponse, Stop> {
        let whole = |body, parsed| WholeResponse {
            status: self.status,
            headers: self.headers.clone(),
            raw: raw.clone(),
            body,
            parsed,
            altered: false,
        };
        let endpoint = exchange.record.endpoint;
        if endpoint == Endpoint::Forwarded || endpoint == Endpoint::Models {
            return Ok(whole(None, ParsedResponse::default()));
        }
        let failed = !(200..300).contains(&self.status);
        match quell_wire::parse_response(endpoint, raw) {
            Ok((body, parsed)) => Ok(whole(Some(body), parsed)),
            // An error in words of its own.
            Err(_) if failed => {
                let text = String::from_utf8_lossy(raw).into_owned();
                let field = TextField {
                    field: String::new(),
                    role: Role::Assistant,
                    part: "error".into(),
                    text,
                };
                Ok(whole(None, ParsedResponse { fields: vec![field], ..Default::default() }))
            }
            Err(error) => {
                tracing::warn!(interaction.id = %exchange.record.id, %error, "unparseable response");
                exchange.unjudged("unparseable", Direction::Output)?;
                Ok(whole(None, ParsedResponse::default()))
            }
        }
    }

    fn broken(&self, message: &str) -> Stop {
        tracing::warn!(status = self.status, message, "upstream response unusable");
        refused(RefusalReason::Upstream, message)
    }
}

impl WholeResponse {
    /// Replaces `ranges` of the field at `pointer`. False: it could not be done.
    pub(crate) fn redact(&mut self, pointer: &str, ranges: &[Range<usize>]) -> bool {
        self.altered = true;
        if let Some(body) = self.body.as_mut() {
            return quell_wire::redact_field(body, pointer, ranges, reply::REDACTED);
        }
        let text = String::from_utf8_lossy(&self.raw).into_owned();
        let redacted = quell_wire::redact::replace(&text, ranges, reply::REDACTED);
        redacted.map(|text| self.raw = Bytes::from(text)).is_some()
    }

    /// Status, headers and body as they leave; notes the digests if they were altered.
    pub(crate) fn into_parts(self, record: &mut Interaction) -> (u16, HeaderMap, Bytes) {
        let mut raw = self.raw;
        if let Some(body) = self.body.filter(|_| self.altered)
            && let Ok(bytes) = serde_json::to_vec(&body)
        {
            record.digests.response_received = Some(quell_domain::canonical::sha256_hex(&raw));
            record.digests.response_delivered = Some(quell_domain::canonical::sha256_hex(&bytes));
            raw = bytes.into();
        }
        let mut headers = self.headers;
        headers.remove(CONTENT_LENGTH);
        headers.remove(HOST);
        (StatusCode::from_u16(self.status).map_or(502, |status| status.as_u16()), headers, raw)
    }
}

/// The provider's own request id.
pub(crate) fn note_provider(record: &mut Interaction, headers: &HeaderMap) {
    let id = headers.get("x-request-id").or_else(|| headers.get("request-id"));
    record.provider_request_id = id
        .and_then(|value| value.to_str().ok())
        .filter(|value| value.len() <= 256)
        .map(str::to_owned);
}
