//! What came back, in the domain's shapes.

use quell_domain::interaction::{Endpoint, NotEvaluated, Role, TextField, ToolCall, Usage};
use serde_json::{Map, Value};

use crate::error::WireError;
use crate::json;
use crate::walk::{Voice, Walk};

/// Log-probabilities are kept up to this many bytes of JSON.
pub const MAX_LOGPROBS: usize = 64 * 1024;

/// One response, whole or assembled from a stream.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ParsedResponse {
    /// Every text of every choice, with its JSON pointer.
    pub fields: Vec<TextField>,
    /// Tool calls the model made.
    pub tool_calls: Vec<ToolCall>,
    /// One per choice.
    pub finish_reasons: Vec<String>,
    /// Token counts.
    pub usage: Usage,
    /// The model served.
    pub model: Option<String>,
    /// The provider's system fingerprint.
    pub fingerprint: Option<String>,
    /// The provider's id of the response.
    pub response_id: Option<String>,
    /// Log-probabilities as given; past [`MAX_LOGPROBS`] the last entry is
    /// `{"cut":true,"bytes":n}`.
    pub logprobs: Option<Value>,
    /// What is in the response but cannot be judged.
    pub not_evaluated: Vec<NotEvaluated>,
}

/// Reads a response body, also an error's. `Models` and `Forwarded` give no text.
pub fn parse_response(
    endpoint: Endpoint,
    body: &[u8],
) -> Result<(Value, ParsedResponse), WireError> {
    let value = json::parse(body)?;
    let parsed = interpret(endpoint, &value)?;
    Ok((value, parsed))
}

/// Everything [`parse_response`] finds, for a body that is already parsed.
pub fn interpret(endpoint: Endpoint, body: &Value) -> Result<ParsedResponse, WireError> {
    let members = body.as_object().ok_or_else(|| WireError::wrong("", "a JSON object"))?;
    let mut parsed = heading(members);
    if endpoint == Endpoint::Models {
        return Ok(parsed);
    }
    let mut walk = Walk::response("");
    if endpoint == Endpoint::Forwarded {
        walk.skip("unsupported_surface");
    }
    for (key, value) in members {
        walk.member(key, |walk| body_member(walk, &mut parsed, endpoint, key, value))?;
    }
    walk.check()?;
    parsed.fields = walk.fields;
    parsed.not_evaluated.extend(walk.not_evaluated);
    Ok(parsed)
}

/// What a response says about itself.
fn heading(members: &Map<String, Value>) -> ParsedResponse {
    let text = |key: &str| members.get(key).and_then(Value::as_str).map(ToOwned::to_owned);
    ParsedResponse {
        model: text("model"),
        fingerprint: text("system_fingerprint"),
        response_id: text("id"),
        usage: members.get("usage").map(usage).unwrap_or_default(),
        ..ParsedResponse::default()
    }
}

/// Members of a Responses object that repeat the request.
const ECHO: &[&str] = &[
    "conversation",
    "instructions",
    "metadata",
    "previous_response_id",
    "prompt",
    "reasoning",
    "safety_identifier",
    "text",
    "tool_choice",
    "tools",
    "user",
];

/// Whether a string in `value` is more than a name or id.
fn has_text(value: &Value) -> bool {
    match value {
        Value::String(text) => !crate::keys::is_identifier(text),
        Value::Array(items) => items.iter().any(has_text),
        Value::Object(members) => members.values().any(has_text),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn body_member(
    walk: &mut Walk,
    parsed: &mut ParsedResponse,
    endpoint: Endpoint,
    key: &str,
    value: &Value,
) -> Result<(), WireError> {
    let model = Voice::new(Role::Assistant, "content");
    match (endpoint, key) {
        (_, "id" | "model" | "object" | "system_fingerprint" | "usage") => {}
        (Endpoint::Responses, key) if ECHO.binary_search(&key).is_ok() => {
            // Judged in the request; that it is the same here is the provider's word.
            if has_text(value) {
                walk.skip("echo");
            }
        }
        (_, "error") => walk.free(value, ERROR),
        (Endpoint::ChatCompletions | Endpoint::Completions, "choices") => {
            return choices(walk, parsed, value);
        }
        (Endpoint::Messages, "stop_reason") => {
            parsed.finish_reasons.extend(value.as_str().map(ToOwned::to_owned));
        }
        (Endpoint::Messages, "content") | (Endpoint::Responses, "output") => {
            items(walk, parsed, value)?;
            walk.value(value, model);
        }
        (Endpoint::Responses, "status") => {
            if parsed.finish_reasons.is_empty() {
                parsed.finish_reasons.extend(value.as_str().map(ToOwned::to_owned));
            }
        }
        (Endpoint::Responses, "incomplete_details") => {
            match value.get("reason").and_then(Value::as_str) {
                Some(reason) if crate::keys::is_identifier(reason) => {
                    parsed.finish_reasons = vec![reason.to_owned()];
                }
                _ => walk.unknown(key, value, Role::Assistant),
            }
        }
        (Endpoint::Embeddings, "data") => walk.skip("embedding_output"),
        _ => walk.unknown(key, value, Role::Assistant),
    }
    Ok(())
}

/// How the text of an error is recorded.
pub(crate) const ERROR: Voice = Voice::new(Role::Assistant, "error");

fn choices(walk: &mut Walk, parsed: &mut ParsedResponse, value: &Value) -> Result<(), WireError> {
    let mut logprobs = Logprobs::default();
    let choices = value.as_array().ok_or_else(|| WireError::wrong(walk.path(), "an array"))?;
    for (index, choice) in choices.iter().enumerate() {
        walk.element(index, |walk| {
            let members =
                choice.as_object().ok_or_else(|| WireError::wrong(walk.path(), "an object"))?;
            let reason = members.get("finish_reason").and_then(Value::as_str);
            parsed.finish_reasons.extend(reason.map(ToOwned::to_owned));
            logprobs.add(members.get("logprobs"));
            if let Some(message) = members.get("message") {
                message_calls(&mut parsed.tool_calls, index as u32, message);
            }
            for (key, value) in members {
                walk.member(key, |walk| {
                    walk.typed(key, value, "choice", Voice::new(Role::Assistant, "content"));
                });
            }
            Ok(())
        })?;
    }
    parsed.logprobs = logprobs.value();
    parsed.not_evaluated.extend(logprobs.unjudged());
    Ok(())
}

/// Log-probabilities as they are found, choice by choice or frame by frame.
#[derive(Debug, Default)]
pub(crate) struct Logprobs {
    kept: Vec<Value>,
    bytes: usize,
}

impl Logprobs {
    pub(crate) fn add(&mut self, more: Option<&Value>) {
        let Some(more) = more.filter(|value| !is_blank(value)) else { return };
        self.bytes += more.to_string().len();
        if self.bytes <= MAX_LOGPROBS {
            self.kept.push(more.clone());
        }
    }

    /// Log-probabilities spell the answer once more, and what it might have been instead, token
    /// by token. That text is not judged; where the answer is redacted they are left out.
    pub(crate) fn unjudged(&self) -> Option<NotEvaluated> {
        let missing = || NotEvaluated { reason: "logprobs".into(), field: String::new() };
        (self.bytes > 0).then(missing)
    }

    /// What was kept; where that is not all, the last entry says so.
    pub(crate) fn value(&self) -> Option<Value> {
        let mut kept = self.kept.clone();
        if self.bytes > MAX_LOGPROBS {
            kept.push(serde_json::json!({"cut": true, "bytes": self.bytes}));
        }
        (!kept.is_empty()).then_some(Value::Array(kept))
    }
}

fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

fn message_calls(calls: &mut Vec<ToolCall>, choice: u32, message: &Value) {
    let listed = message.get("tool_calls").and_then(Value::as_array).into_iter().flatten();
    for call in listed {
        let inner = call.get("function").or(call.get("custom")).unwrap_or(call);
        calls.push(tool_call(choice, call.get("id"), inner, &["arguments", "input"]));
    }
    if let Some(call) = message.get("function_call").filter(|call| call.is_object()) {
        calls.push(tool_call(choice, None, call, &["arguments"]));
    }
}

fn tool_call(choice: u32, id: Option<&Value>, call: &Value, arguments: &[&str]) -> ToolCall {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let name = call.get("name").or(call.get("type"));
    ToolCall {
        choice,
        id: id.and_then(Value::as_str).map(ToOwned::to_owned),
        name: name.and_then(Value::as_str).unwrap_or_default().to_owned(),
        arguments: arguments.iter().find_map(|key| call.get(*key)).map(text).unwrap_or_default(),
    }
}

/// Tool calls and log-probabilities among the items of a Messages or Responses answer.
fn items(walk: &Walk, parsed: &mut ParsedResponse, value: &Value) -> Result<(), WireError> {
    let items = value.as_array().ok_or_else(|| WireError::wrong(walk.path(), "an array"))?;
    let mut logprobs = Logprobs::default();
    for item in items {
        parsed.tool_calls.extend(item_call(item));
        let parts = item.get("content").and_then(Value::as_array).into_iter().flatten();
        for part in parts {
            logprobs.add(part.get("logprobs"));
        }
    }
    parsed.logprobs = logprobs.value();
    parsed.not_evaluated.extend(logprobs.unjudged());
    Ok(())
}

/// The tool call an item is, if it is one.
pub(crate) fn item_call(item: &Value) -> Option<ToolCall> {
    let kind = item.get("type")?.as_str()?;
    let is_call = kind.ends_with("tool_use") || kind.ends_with("_call");
    let id = item.get("call_id").or(item.get("id"));
    let arguments = ["arguments", "input", "action", "code", "queries", "operation"];
    is_call.then(|| tool_call(0, id, item, &arguments))
}

/// Token counts as stated; cached prompt tokens that Anthropic counts apart are added.
pub(crate) fn usage(usage: &Value) -> Usage {
    let count = |key: &str| usage.get(key).and_then(Value::as_u64);
    let cached = ["cache_creation_input_tokens", "cache_read_input_tokens"];
    let cached = cached.iter().filter_map(|key| count(key)).fold(0, u64::saturating_add);
    Usage {
        input_tokens: count("prompt_tokens")
            .or_else(|| count("input_tokens").map(|tokens| tokens.saturating_add(cached))),
        output_tokens: count("completion_tokens").or_else(|| count("output_tokens")),
    }
}
