//! A step as an HTTP request.

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request};
use quell_outbound::{RequestBody, full_body};
use serde_json::{Value, json};

use super::{CampaignTarget, Message, Step, Surface};
use crate::tools;

/// The model every step asks for.
const MODEL: &str = "range-1";
/// The id of the one tool call a conversation may hold.
const CALL_ID: &str = "call_campaign_1";

/// The request, or why it cannot be built: the target's address, prefix or a key is not valid.
pub(super) fn build(
    step: &Step,
    target: &CampaignTarget,
) -> Result<Request<RequestBody>, http::Error> {
    let uri = format!("{}{}{}", target.base_url, target.prefix, path(step.surface));
    let mut request = Request::post(uri)
        .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .header("x-quell-session", &step.actor.session);
    if !step.actor.is_authenticated() {
        request = request.header("x-quell-user", &step.actor.user);
    }
    if step.surface == Surface::Messages {
        request = request.header("anthropic-version", "2023-06-01");
    }
    if let Some(key) = target.keys.get(&step.actor.key) {
        request = match step.surface {
            Surface::Messages => request.header("x-api-key", key),
            _ => request.header("authorization", format!("Bearer {key}")),
        };
    }
    request.body(full_body(body(step).to_string()))
}

fn path(surface: Surface) -> &'static str {
    match surface {
        Surface::Chat => "/v1/chat/completions",
        Surface::Completions => "/v1/completions",
        Surface::Responses => "/v1/responses",
        Surface::Messages => "/v1/messages",
    }
}

fn body(step: &Step) -> Value {
    let mut body = match step.surface {
        Surface::Chat => json!({
            "messages": chat_messages(step), "max_completion_tokens": step.max_tokens,
        }),
        Surface::Messages => json!({
            "system": step.system, "messages": anthropic_messages(step),
            "max_tokens": step.max_tokens,
        }),
        Surface::Responses => json!({
            "instructions": step.system, "input": response_items(step), "store": false,
            "max_output_tokens": step.max_tokens,
        }),
        Surface::Completions => json!({"prompt": prompt(step), "max_tokens": step.max_tokens}),
    };
    body["model"] = json!(MODEL);
    body["stream"] = json!(step.stream);
    if step.tools {
        match step.surface {
            Surface::Chat => body["tools"] = tools::openai_chat(),
            Surface::Messages => body["tools"] = tools::anthropic(),
            Surface::Responses => body["tools"] = tools::openai_responses(),
            Surface::Completions => {}
        }
    }
    body
}

fn chat_messages(step: &Step) -> Vec<Value> {
    let mut messages = vec![json!({"role": "system", "content": step.system})];
    messages.extend(step.messages.iter().map(|message| match message {
        Message::User { text } => json!({"role": "user", "content": text}),
        Message::Assistant { text } => json!({"role": "assistant", "content": text}),
        Message::ToolCall { name, arguments } => json!({
            "role": "assistant", "content": null, "tool_calls": [{
                "id": CALL_ID, "type": "function",
                "function": {"name": name, "arguments": arguments.to_string()},
            }],
        }),
        Message::ToolResult { text } => {
            json!({"role": "tool", "tool_call_id": CALL_ID, "content": text})
        }
    }));
    messages
}

fn anthropic_messages(step: &Step) -> Vec<Value> {
    let messages = step.messages.iter().map(|message| match message {
        Message::User { text } => json!({"role": "user", "content": text}),
        Message::Assistant { text } => json!({"role": "assistant", "content": text}),
        Message::ToolCall { name, arguments } => json!({"role": "assistant", "content": [{
            "type": "tool_use", "id": CALL_ID, "name": name, "input": arguments,
        }]}),
        Message::ToolResult { text } => json!({"role": "user", "content": [{
            "type": "tool_result", "tool_use_id": CALL_ID, "content": text,
        }]}),
    });
    messages.collect()
}

fn response_items(step: &Step) -> Vec<Value> {
    let items = step.messages.iter().map(|message| match message {
        Message::User { text } => json!({"role": "user", "content": text}),
        Message::Assistant { text } => json!({"role": "assistant", "content": text}),
        Message::ToolCall { name, arguments } => json!({
            "type": "function_call", "call_id": CALL_ID, "name": name,
            "arguments": arguments.to_string(),
        }),
        Message::ToolResult { text } => {
            json!({"type": "function_call_output", "call_id": CALL_ID, "output": text})
        }
    });
    items.collect()
}

/// Completions have one text: what was said last.
fn prompt(step: &Step) -> &str {
    step.messages
        .iter()
        .rev()
        .find_map(|message| match message {
            Message::User { text } => Some(text.as_str()),
            _ => None,
        })
        .unwrap_or_default()
}
