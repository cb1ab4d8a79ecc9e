//! Turning results into HTTP replies.

use std::ops::Range;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use quell_detection::Redaction;
use quell_domain::interaction::Endpoint;
use quell_wire::{Refusal, RefusalReason, WireReply};

use crate::body::ReplyBody;
use crate::exchange::Exchange;

/// What redacted text is replaced with.
pub(crate) const REDACTED: &str = "[redacted]";

/// Header that names the exchange, on every reply to an identified client.
pub(crate) const INTERACTION_HEADER: &str = "x-quell-interaction";

/// Headers of one hop, never passed on.
const HOP_HEADERS: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A refusal before there is an exchange.
pub(crate) fn refuse(endpoint: Endpoint, refusal: &Refusal) -> Response<ReplyBody> {
    build(quell_wire::refuse(endpoint, refusal), None)
}

/// The answer when an exchange ended in a way nobody foresaw.
pub(crate) fn internal_error() -> Response<ReplyBody> {
    let message = "the gateway failed on this request; it has been noted";
    refuse(Endpoint::ChatCompletions, &Refusal::new(RefusalReason::Internal, message))
}

/// A wire reply of an exchange.
pub(crate) fn wire(reply: WireReply, exchange: &Exchange) -> Response<ReplyBody> {
    build(reply, Some(exchange))
}

/// An upstream's whole reply, passed on.
pub(crate) fn whole(
    status: u16,
    headers: &HeaderMap,
    body: Bytes,
    exchange: &Exchange,
) -> Response<ReplyBody> {
    passed_on(status, headers, ReplyBody::Whole(body), exchange)
}

/// An upstream's reply with another body.
pub(crate) fn passed_on(
    status: u16,
    headers: &HeaderMap,
    body: ReplyBody,
    exchange: &Exchange,
) -> Response<ReplyBody> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    for (name, value) in headers {
        if passes(name) && *name != CONTENT_LENGTH {
            response.headers_mut().append(name, value.clone());
        }
    }
    stamp(&mut response, exchange);
    response
}

/// Whether a header may pass a hop.
pub(crate) fn passes(name: &HeaderName) -> bool {
    let name = name.as_str();
    !HOP_HEADERS.contains(&name) && !name.starts_with("x-quell-")
}

/// Groups ranges by field, in order of position.
pub(crate) fn by_field(
    redactions: Vec<Redaction>,
) -> std::collections::BTreeMap<String, Vec<Range<usize>>> {
    let mut fields = std::collections::BTreeMap::<String, Vec<Range<usize>>>::new();
    for Redaction { field, range } in redactions {
        fields.entry(field).or_default().push(range);
    }
    for ranges in fields.values_mut() {
        ranges.sort_by_key(|range| (range.start, range.end));
    }
    fields
}

fn build(reply: WireReply, exchange: Option<&Exchange>) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::Whole(reply.body));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::BAD_GATEWAY);
    for (name, value) in reply.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    let headers = response.headers_mut();
    headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
    if let Some(exchange) = exchange {
        stamp(&mut response, exchange);
    }
    response
}

fn stamp(response: &mut Response<ReplyBody>, exchange: &Exchange) {
    if let Ok(value) = HeaderValue::from_str(&exchange.record.id.to_string()) {
        response.headers_mut().insert(INTERACTION_HEADER, value);
    }
}
