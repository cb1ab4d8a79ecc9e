//! Refusals in the wire format's own error shape.
//!
//! The status decides which exception the official SDKs raise. `x-should-retry: false` keeps them
//! from trying a refused request again.

use bytes::Bytes;
use quell_domain::interaction::Endpoint;
use serde_json::{Value, json};

/// Why Quell refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefusalReason {
    /// 400: the body cannot be read.
    InvalidRequest,
    /// 401: no key, or one that is unknown or expired.
    Unauthorized,
    /// 403: a rule or measure forbids it.
    Blocked,
    /// 404: no such path, application or model.
    NotFound,
    /// 405: the path has other methods.
    MethodNotAllowed,
    /// 408: the request did not arrive in time.
    RequestTimeout,
    /// 413: the body is larger than allowed.
    TooLarge,
    /// 415: the body is not JSON by its own statement.
    UnsupportedMedia,
    /// 422: readable, but cannot be served as it is.
    Unprocessable,
    /// 429: too many requests at once or over time.
    RateLimited,
    /// 429: a budget is spent.
    BudgetSpent,
    /// 431: the request's headers are larger than allowed.
    HeadersTooLarge,
    /// 500: Quell failed.
    Internal,
    /// 502: the upstream answered what cannot be passed on, or not at all.
    Upstream,
    /// 503: the application is offline.
    ShutDown,
    /// 503: no snapshot, no upstream, or the exchange cannot be recorded.
    Unavailable,
    /// 503, Anthropic 529: more than can be served now.
    Overloaded,
    /// 504: the upstream did not answer in time.
    UpstreamTimeout,
}

impl RefusalReason {
    /// Every reason.
    pub const ALL: [Self; 18] = [
        Self::InvalidRequest,
        Self::Unauthorized,
        Self::Blocked,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::RequestTimeout,
        Self::TooLarge,
        Self::UnsupportedMedia,
        Self::Unprocessable,
        Self::RateLimited,
        Self::BudgetSpent,
        Self::HeadersTooLarge,
        Self::Internal,
        Self::Upstream,
        Self::ShutDown,
        Self::Unavailable,
        Self::Overloaded,
        Self::UpstreamTimeout,
    ];

    /// Status, OpenAI `type`, OpenAI `code`, Anthropic `type`.
    const fn shape(self) -> (u16, &'static str, &'static str, &'static str) {
        match self {
            Self::InvalidRequest => {
                (400, "invalid_request_error", "invalid_request", "invalid_request_error")
            }
            Self::Unauthorized => {
                (401, "invalid_request_error", "invalid_api_key", "authentication_error")
            }
            Self::Blocked => (403, "permission_error", "blocked", "permission_error"),
            Self::NotFound => (404, "invalid_request_error", "not_found", "not_found_error"),
            Self::MethodNotAllowed => {
                (405, "invalid_request_error", "method_not_allowed", "invalid_request_error")
            }
            Self::RequestTimeout => {
                (408, "invalid_request_error", "request_timeout", "timeout_error")
            }
            Self::TooLarge => {
                (413, "invalid_request_error", "request_too_large", "request_too_large")
            }
            Self::UnsupportedMedia => {
                (415, "invalid_request_error", "unsupported_media_type", "invalid_request_error")
            }
            Self::Unprocessable => {
                (422, "invalid_request_error", "unprocessable", "invalid_request_error")
            }
            Self::RateLimited => {
                (429, "rate_limit_error", "rate_limit_exceeded", "rate_limit_error")
            }
            Self::BudgetSpent => {
                (429, "insufficient_quota", "insufficient_quota", "rate_limit_error")
            }
            Self::HeadersTooLarge => {
                (431, "invalid_request_error", "headers_too_large", "invalid_request_error")
            }
            Self::Internal => (500, "server_error", "internal_error", "api_error"),
            Self::Upstream => (502, "server_error", "upstream_error", "api_error"),
            Self::ShutDown => (503, "server_error", "application_offline", "api_error"),
            Self::Unavailable => (503, "server_error", "service_unavailable", "api_error"),
            Self::Overloaded => (503, "server_error", "overloaded", "overloaded_error"),
            Self::UpstreamTimeout => (504, "server_error", "upstream_timeout", "timeout_error"),
        }
    }

    /// The HTTP status on `endpoint`.
    pub const fn status(self, endpoint: Endpoint) -> u16 {
        match (self, endpoint) {
            (Self::Overloaded, Endpoint::Messages) => 529,
            _ => self.shape().0,
        }
    }

    /// The stable code, e.g. `blocked`, `rate_limit_exceeded`.
    pub const fn code(self) -> &'static str {
        self.shape().2
    }
}

/// A refusal: why, and what to tell the client. The message carries a reference and whom to contact,
/// never which rule matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reason: RefusalReason,
    /// For people.
    pub message: String,
}

impl Refusal {
    /// A refusal with this message.
    pub fn new(reason: RefusalReason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}

/// A complete answer by Quell itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireReply {
    /// HTTP status.
    pub status: u16,
    /// Headers, lower case.
    pub headers: Vec<(&'static str, String)>,
    /// Body.
    pub body: Bytes,
}

/// The refusal as the whole answer.
pub fn refuse(endpoint: Endpoint, refusal: &Refusal) -> WireReply {
    WireReply {
        status: refusal.reason.status(endpoint),
        headers: vec![
            ("content-type", "application/json".into()),
            ("x-should-retry", "false".into()),
        ],
        body: error_body(endpoint, refusal).to_string().into(),
    }
}

/// The refusal as the last event of a stream that has begun. Nothing may follow it. For Responses
/// use [`error_frame_at`], which keeps the sequence numbers rising.
pub fn error_frame(endpoint: Endpoint, refusal: &Refusal) -> Bytes {
    error_frame_at(endpoint, refusal, 0)
}

/// [`error_frame`] with the sequence number a Responses stream has reached.
pub fn error_frame_at(endpoint: Endpoint, refusal: &Refusal, sequence_number: u64) -> Bytes {
    let frame = match endpoint {
        Endpoint::Messages => {
            format!("event: error\ndata: {}\n\n", error_body(endpoint, refusal))
        }
        Endpoint::Responses => {
            let data = json!({
                "type": "error",
                "code": refusal.reason.code(),
                "message": refusal.message,
                "param": null,
                "sequence_number": sequence_number,
            });
            format!("event: error\ndata: {data}\n\n")
        }
        _ => format!("data: {}\n\n", error_body(endpoint, refusal)),
    };
    frame.into()
}

fn error_body(endpoint: Endpoint, refusal: &Refusal) -> Value {
    let (_, openai_type, code, anthropic_type) = refusal.reason.shape();
    match endpoint {
        Endpoint::Messages => json!({
            "type": "error",
            "error": {"type": anthropic_type, "message": refusal.message},
            "request_id": null,
        }),
        _ => json!({"error": {
            "message": refusal.message,
            "type": openai_type,
            "param": null,
            "code": code,
        }}),
    }
}
