//! Errors in the shape of the API that was called.

use serde_json::{Value, json};

/// Which API's shapes apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    OpenAi,
    Anthropic,
}

/// An error body.
pub(crate) fn body(
    dialect: Dialect,
    status: u16,
    message: &str,
    param: Option<&str>,
    id: &str,
) -> Value {
    match dialect {
        Dialect::OpenAi => {
            let (kind, code) = openai(status);
            json!({"error": {"message": message, "type": kind, "param": param, "code": code}})
        }
        Dialect::Anthropic => json!({
            "type": "error",
            "error": {"type": anthropic(status), "message": message},
            "request_id": format!("req_{id}"),
        }),
    }
}

fn openai(status: u16) -> (&'static str, Option<&'static str>) {
    match status {
        401 => ("invalid_request_error", Some("invalid_api_key")),
        404 => ("invalid_request_error", Some("not_found")),
        429 => ("requests", Some("rate_limit_exceeded")),
        500.. => ("server_error", None),
        _ => ("invalid_request_error", None),
    }
}

fn anthropic(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        529 => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    }
}
