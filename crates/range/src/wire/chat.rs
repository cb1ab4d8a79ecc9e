//! `POST /v1/chat/completions`.

use serde_json::{Value, json};

use super::{Answer, CREATED, Frame, argument_pieces, interleaved};
use crate::model::{Finish, Reply};

/// The answer in one piece.
pub(crate) fn whole(answer: &Answer<'_>) -> Value {
    let choices: Vec<_> = answer
        .replies
        .iter()
        .enumerate()
        .map(|(index, reply)| {
            json!({"index": index, "message": message(answer, index, reply), "logprobs": null,
                   "finish_reason": finish(reply)})
        })
        .collect();
    json!({
        "id": format!("chatcmpl-{}", answer.id), "object": "chat.completion", "created": CREATED,
        "model": answer.ask.model, "choices": choices, "usage": answer.openai_usage(),
        "service_tier": "default", "system_fingerprint": "fp_range",
    })
}

/// The answer as events.
pub(crate) fn events(answer: &Answer<'_>) -> Vec<Frame> {
    let mut frames = Vec::new();
    for index in 0..answer.replies.len() {
        let delta = json!({"role": "assistant", "content": "", "refusal": null});
        frames.push(chunk(answer, index, &delta, None, false));
    }
    for (index, token) in interleaved(&answer.replies) {
        frames.push(chunk(answer, index, &json!({"content": token}), None, true));
    }
    for (index, reply) in answer.replies.iter().enumerate() {
        if let Some(call) = &reply.call {
            let opening = json!({"tool_calls": [{
                "index": 0, "id": answer.call_id("call_", index), "type": "function",
                "function": {"name": call.name, "arguments": ""},
            }]});
            frames.push(chunk(answer, index, &opening, None, true));
            for piece in argument_pieces(call) {
                let delta = json!({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]});
                frames.push(chunk(answer, index, &delta, None, true));
            }
        }
        frames.push(chunk(answer, index, &json!({}), Some(finish(reply)), false));
    }
    if answer.ask.include_usage {
        let mut last = envelope(answer);
        last["choices"] = json!([]);
        last["usage"] = answer.openai_usage();
        frames.push(Frame::data(&last, false));
    }
    frames.push(Frame::done());
    frames
}

fn chunk(
    answer: &Answer<'_>,
    index: usize,
    delta: &Value,
    finish: Option<&str>,
    paced: bool,
) -> Frame {
    let mut chunk = envelope(answer);
    chunk["choices"] =
        json!([{"index": index, "delta": delta, "logprobs": null, "finish_reason": finish}]);
    if answer.ask.include_usage {
        chunk["usage"] = Value::Null;
    }
    Frame::data(&chunk, paced)
}

fn envelope(answer: &Answer<'_>) -> Value {
    json!({
        "id": format!("chatcmpl-{}", answer.id), "object": "chat.completion.chunk",
        "created": CREATED, "model": answer.ask.model, "service_tier": "default",
        "system_fingerprint": "fp_range",
    })
}

fn message(answer: &Answer<'_>, index: usize, reply: &Reply) -> Value {
    match &reply.call {
        None => json!({"role": "assistant", "content": reply.text(), "refusal": null,
                       "annotations": []}),
        Some(call) => json!({"role": "assistant", "content": null, "refusal": null,
        "annotations": [], "tool_calls": [{
            "id": answer.call_id("call_", index), "type": "function",
            "function": {"name": call.name, "arguments": call.arguments.to_string()},
        }]}),
    }
}

/// OpenAI's word for why it ended.
pub(super) fn finish(reply: &Reply) -> &'static str {
    match reply.finish {
        Finish::Stop => "stop",
        Finish::Length => "length",
        Finish::ToolCall => "tool_calls",
    }
}
