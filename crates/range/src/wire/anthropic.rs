//! `POST /v1/messages`.

use serde_json::{Value, json};

use super::{Answer, Frame, argument_pieces};
use crate::model::{Finish, Reply};

/// The answer in one piece.
pub(crate) fn whole(answer: &Answer<'_>) -> Value {
    let reply = answer.replies.first();
    let content = match reply {
        None => json!([]),
        Some(Reply { call: Some(call), .. }) => json!([{
            "type": "tool_use", "id": answer.call_id("toolu_", 0), "name": call.name,
            "input": call.arguments,
        }]),
        Some(reply) => json!([{"type": "text", "text": reply.text()}]),
    };
    message(answer, &content, reply.map(stop_reason), answer.completion_tokens())
}

/// The answer as events.
pub(crate) fn events(answer: &Answer<'_>) -> Vec<Frame> {
    let start = message(answer, &json!([]), None, 1);
    let mut frames = vec![Frame::event(
        "message_start",
        &json!({"type": "message_start", "message": start}),
        false,
    )];
    let Some(reply) = answer.replies.first() else {
        return frames;
    };
    let block = match &reply.call {
        None => json!({"type": "text", "text": ""}),
        Some(call) => json!({"type": "tool_use", "id": answer.call_id("toolu_", 0),
                             "name": call.name, "input": {}}),
    };
    let mut push = |name: &str, mut value: Value, paced: bool| {
        value["type"] = json!(name);
        frames.push(Frame::event(name, &value, paced));
    };
    push("content_block_start", json!({"type": "", "index": 0, "content_block": block}), false);
    push("ping", json!({"type": ""}), false);
    let deltas: Vec<Value> = match &reply.call {
        None => {
            reply.tokens.iter().map(|token| json!({"type": "text_delta", "text": token})).collect()
        }
        Some(call) => argument_pieces(call)
            .into_iter()
            .map(|piece| json!({"type": "input_json_delta", "partial_json": piece}))
            .collect(),
    };
    for delta in deltas {
        push("content_block_delta", json!({"type": "", "index": 0, "delta": delta}), true);
    }
    push("content_block_stop", json!({"type": "", "index": 0}), false);
    let end = json!({
        "type": "",
        "delta": {"stop_reason": stop_reason(reply), "stop_sequence": null},
        "usage": {"output_tokens": answer.completion_tokens()},
    });
    push("message_delta", end, false);
    push("message_stop", json!({"type": ""}), false);
    frames
}

fn message(
    answer: &Answer<'_>,
    content: &Value,
    stop_reason: Option<&str>,
    output_tokens: usize,
) -> Value {
    json!({
        "id": format!("msg_{}", answer.id), "type": "message", "role": "assistant",
        "model": answer.ask.model, "content": content, "stop_reason": stop_reason,
        "stop_sequence": null,
        "usage": {
            "input_tokens": answer.prompt_tokens(), "output_tokens": output_tokens,
            "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
            "service_tier": "standard",
        },
    })
}

fn stop_reason(reply: &Reply) -> &'static str {
    match reply.finish {
        Finish::Stop => "end_turn",
        Finish::Length => "max_tokens",
        Finish::ToolCall => "tool_use",
    }
}
