//! Level 3: a deterministic answer in the shape the client asked for.

use std::fmt::Write as _;

use quell_domain::interaction::Endpoint;
use serde_json::{Value, json};

use crate::refusal::{Refusal, RefusalReason, WireReply, refuse};

/// What an answer says about itself.
struct Answer<'a> {
    text: &'a str,
    model: &'a str,
    id: &'a str,
    created: i64,
}

/// `text` as if the model had answered it, whole or as a stream. Token counts are zero: no model
/// ran. Surfaces without a conversation are refused with 503.
pub fn fallback_reply(
    endpoint: Endpoint,
    stream: bool,
    text: &str,
    model: &str,
    id: &str,
    created_unix: i64,
    include_usage: bool,
) -> WireReply {
    let answer = Answer { text, model, id, created: created_unix };
    let body = match (endpoint, stream) {
        (Endpoint::ChatCompletions, false) => answer.chat().to_string(),
        (Endpoint::ChatCompletions, true) => answer.chat_stream(include_usage),
        (Endpoint::Completions, false) => answer.completion(true).to_string(),
        (Endpoint::Completions, true) => answer.completion_stream(include_usage),
        (Endpoint::Messages, false) => answer.message(true).to_string(),
        (Endpoint::Messages, true) => answer.message_stream(),
        (Endpoint::Responses, false) => answer.response("completed").to_string(),
        (Endpoint::Responses, true) => answer.response_stream(),
        (Endpoint::Embeddings | Endpoint::Models | Endpoint::Forwarded, _) => {
            let message = "This application runs in fallback, which answers conversations only. \
                           Try again later.";
            return refuse(endpoint, &Refusal::new(RefusalReason::Unavailable, message));
        }
    };
    let content_type = if stream { "text/event-stream; charset=utf-8" } else { "application/json" };
    let mut headers = vec![("content-type", content_type.to_owned())];
    if stream {
        headers.push(("cache-control", "no-cache".to_owned()));
    }
    WireReply { status: 200, headers, body: body.into() }
}

impl Answer<'_> {
    fn chat(&self) -> Value {
        json!({
            "id": format!("chatcmpl-{}", self.id),
            "object": "chat.completion",
            "created": self.created,
            "model": self.model,
            "choices": [{
                "index": 0,
                "message": {"role": "assistant", "content": self.text, "refusal": null},
                "logprobs": null,
                "finish_reason": "stop",
            }],
            "usage": openai_usage(),
        })
    }

    fn chat_stream(&self, include_usage: bool) -> String {
        let chunk = |choices: Value, usage: Option<Value>| {
            let mut chunk = json!({
                "id": format!("chatcmpl-{}", self.id),
                "object": "chat.completion.chunk",
                "created": self.created,
                "model": self.model,
                "choices": choices,
            });
            if let Some(usage) = usage {
                chunk["usage"] = usage;
            }
            chunk
        };
        let choice = |delta: Value, reason: Value| json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": reason}]);
        let blank = include_usage.then_some(Value::Null);
        let mut chunks = vec![
            chunk(choice(json!({"role": "assistant", "content": ""}), Value::Null), blank.clone()),
            chunk(choice(json!({"content": self.text}), Value::Null), blank.clone()),
            chunk(choice(json!({}), json!("stop")), blank),
        ];
        if include_usage {
            chunks.push(chunk(json!([]), Some(openai_usage())));
        }
        data_frames(&chunks)
    }

    fn completion(&self, with_usage: bool) -> Value {
        let mut completion = json!({
            "id": format!("cmpl-{}", self.id),
            "object": "text_completion",
            "created": self.created,
            "model": self.model,
            "choices": [{
                "index": 0,
                "text": self.text,
                "logprobs": null,
                "finish_reason": "stop",
            }],
        });
        if with_usage {
            completion["usage"] = openai_usage();
        }
        completion
    }

    fn completion_stream(&self, include_usage: bool) -> String {
        let mut chunks = vec![self.completion(false)];
        if include_usage {
            let mut last = self.completion(true);
            last["choices"] = json!([]);
            chunks.push(last);
        }
        data_frames(&chunks)
    }

    fn message(&self, whole: bool) -> Value {
        let content = if whole { json!([{"type": "text", "text": self.text}]) } else { json!([]) };
        json!({
            "id": format!("msg_{}", self.id),
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": content,
            "stop_reason": if whole { json!("end_turn") } else { Value::Null },
            "stop_sequence": null,
            "usage": {"input_tokens": 0, "output_tokens": 0},
        })
    }

    fn message_stream(&self) -> String {
        event_frames(&[
            json!({"type": "message_start", "message": self.message(false)}),
            json!({
                "type": "content_block_start",
                "index": 0,
                "content_block": {"type": "text", "text": ""},
            }),
            json!({
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "text_delta", "text": self.text},
            }),
            json!({"type": "content_block_stop", "index": 0}),
            json!({
                "type": "message_delta",
                "delta": {"stop_reason": "end_turn", "stop_sequence": null},
                "usage": {"input_tokens": 0, "output_tokens": 0},
            }),
            json!({"type": "message_stop"}),
        ])
    }

    fn response(&self, status: &str) -> Value {
        let completed = status == "completed";
        let output = if completed { json!([self.item("completed")]) } else { json!([]) };
        let usage = completed.then(|| {
            json!({
                "input_tokens": 0,
                "input_tokens_details": {"cached_tokens": 0},
                "output_tokens": 0,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": 0,
            })
        });
        json!({
            "id": format!("resp_{}", self.id),
            "object": "response",
            "created_at": self.created,
            "status": status,
            "error": null,
            "incomplete_details": null,
            "instructions": null,
            "metadata": {},
            "model": self.model,
            "output": output,
            "parallel_tool_calls": true,
            "temperature": null,
            "tool_choice": "auto",
            "tools": [],
            "top_p": null,
            "usage": usage,
        })
    }

    fn item(&self, status: &str) -> Value {
        let content =
            if status == "completed" { json!([output_text(self.text)]) } else { json!([]) };
        json!({
            "id": format!("msg_{}", self.id),
            "type": "message",
            "role": "assistant",
            "status": status,
            "content": content,
        })
    }

    fn response_stream(&self) -> String {
        let item = format!("msg_{}", self.id);
        let at = |kind: &str, more: Value| {
            let mut event = json!({
                "type": kind,
                "item_id": item,
                "output_index": 0,
                "content_index": 0,
            });
            merge(&mut event, more);
            event
        };
        let mut events = [
            json!({"type": "response.created", "response": self.response("in_progress")}),
            json!({"type": "response.in_progress", "response": self.response("in_progress")}),
            json!({
                "type": "response.output_item.added",
                "output_index": 0,
                "item": self.item("in_progress"),
            }),
            at("response.content_part.added", json!({"part": output_text("")})),
            at("response.output_text.delta", json!({"delta": self.text, "logprobs": []})),
            at("response.output_text.done", json!({"text": self.text, "logprobs": []})),
            at("response.content_part.done", json!({"part": output_text(self.text)})),
            json!({
                "type": "response.output_item.done",
                "output_index": 0,
                "item": self.item("completed"),
            }),
            json!({"type": "response.completed", "response": self.response("completed")}),
        ];
        for (number, event) in events.iter_mut().enumerate() {
            event["sequence_number"] = json!(number);
        }
        event_frames(&events)
    }
}

fn output_text(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}

fn merge(event: &mut Value, more: Value) {
    if let (Value::Object(event), Value::Object(more)) = (event, more) {
        event.extend(more);
    }
}

fn openai_usage() -> Value {
    json!({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0})
}

/// OpenAI chunks: data lines, then the end mark.
fn data_frames(chunks: &[Value]) -> String {
    let mut out = String::new();
    for chunk in chunks {
        // Writing to a string cannot fail.
        let _ = write!(out, "data: {chunk}\n\n");
    }
    out.push_str("data: [DONE]\n\n");
    out
}

/// Named events: each says its type twice.
fn event_frames(events: &[Value]) -> String {
    let mut out = String::new();
    for event in events {
        let kind = event.get("type").and_then(Value::as_str).unwrap_or_default();
        // Writing to a string cannot fail.
        let _ = write!(out, "event: {kind}\ndata: {event}\n\n");
    }
    out
}
