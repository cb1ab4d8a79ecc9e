//! `POST /v1/responses`.

use serde_json::{Value, json};

use super::{Answer, CREATED, Frame, argument_pieces};
use crate::model::{Call, Finish, Reply};

/// The answer in one piece.
pub(crate) fn whole(answer: &Answer<'_>) -> Value {
    response(answer, end_state(answer), &[item(answer, true)])
}

/// The answer as events.
pub(crate) fn events(answer: &Answer<'_>) -> Vec<Frame> {
    let mut out = Events::default();
    let begun = response(answer, "in_progress", &[]);
    out.push("response.created", json!({"response": begun}), false);
    out.push("response.in_progress", json!({"response": begun}), false);
    let opening = item(answer, false);
    out.push("response.output_item.added", json!({"output_index": 0, "item": opening}), false);
    match answer.replies.first() {
        Some(Reply { call: Some(call), .. }) => call_events(&mut out, answer, call),
        Some(reply) => text_events(&mut out, answer, reply),
        None => {}
    }
    let item = item(answer, true);
    out.push("response.output_item.done", json!({"output_index": 0, "item": item}), false);
    let state = end_state(answer);
    let end = response(answer, state, &[item]);
    out.push(&format!("response.{state}"), json!({"response": end}), false);
    out.frames
}

/// Events, numbered as they come.
#[derive(Default)]
struct Events {
    frames: Vec<Frame>,
}

impl Events {
    fn push(&mut self, name: &str, fields: Value, paced: bool) {
        let mut event = json!({"type": name, "sequence_number": self.frames.len()});
        if let (Some(event), Value::Object(fields)) = (event.as_object_mut(), fields) {
            event.extend(fields);
        }
        self.frames.push(Frame::event(name, &event, paced));
    }
}

fn text_events(out: &mut Events, answer: &Answer<'_>, reply: &Reply) {
    let id = message_id(answer);
    let place = |mut fields: Value| {
        fields["item_id"] = json!(id);
        fields["output_index"] = json!(0);
        fields["content_index"] = json!(0);
        fields
    };
    out.push("response.content_part.added", place(json!({"part": part("")})), false);
    for token in &reply.tokens {
        let fields = place(json!({"delta": token, "logprobs": []}));
        out.push("response.output_text.delta", fields, true);
    }
    let text = reply.text();
    let done = place(json!({"text": text, "logprobs": []}));
    out.push("response.output_text.done", done, false);
    out.push("response.content_part.done", place(json!({"part": part(&text)})), false);
}

fn call_events(out: &mut Events, answer: &Answer<'_>, call: &Call) {
    let id = format!("fc_{}", answer.id);
    for piece in argument_pieces(call) {
        let fields = json!({"item_id": id, "output_index": 0, "delta": piece});
        out.push("response.function_call_arguments.delta", fields, true);
    }
    let fields = json!({"item_id": id, "output_index": 0, "name": call.name,
                        "arguments": call.arguments.to_string()});
    out.push("response.function_call_arguments.done", fields, false);
}

/// The output item, finished or as it is announced.
fn item(answer: &Answer<'_>, finished: bool) -> Value {
    let reply = answer.replies.first();
    let status = match (finished, reply.map(|reply| reply.finish)) {
        (false, _) => "in_progress",
        (true, Some(Finish::Length)) => "incomplete",
        (true, _) => "completed",
    };
    if let Some(call) = reply.and_then(|reply| reply.call.as_ref()) {
        return json!({
            "id": format!("fc_{}", answer.id), "type": "function_call", "status": status,
            "arguments": if finished { call.arguments.to_string() } else { String::new() },
            "call_id": answer.call_id("call_", 0), "name": call.name,
        });
    }
    let text = reply.map(Reply::text).unwrap_or_default();
    let content = if finished { vec![part(&text)] } else { Vec::new() };
    json!({"id": message_id(answer), "type": "message", "status": status, "role": "assistant",
           "content": content})
}

fn part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}

fn message_id(answer: &Answer<'_>) -> String {
    format!("msg_{}", answer.id)
}

fn end_state(answer: &Answer<'_>) -> &'static str {
    match answer.replies.first().map(|reply| reply.finish) {
        Some(Finish::Length) => "incomplete",
        _ => "completed",
    }
}

fn response(answer: &Answer<'_>, status: &str, output: &[Value]) -> Value {
    let ended = status != "in_progress";
    let (input, produced) = (answer.prompt_tokens(), answer.completion_tokens());
    let usage = ended.then(|| {
        json!({
            "input_tokens": input, "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": produced, "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": input + produced,
        })
    });
    let incomplete = (status == "incomplete").then(|| json!({"reason": "max_output_tokens"}));
    let instructions = (!answer.ask.system.is_empty()).then_some(&answer.ask.system);
    json!({
        "id": format!("resp_{}", answer.id), "object": "response", "created_at": CREATED,
        "status": status, "background": false, "error": null, "incomplete_details": incomplete,
        "instructions": instructions, "max_output_tokens": answer.ask.max_tokens,
        "model": answer.ask.model, "output": output, "parallel_tool_calls": true,
        "previous_response_id": null, "reasoning": {"effort": null, "summary": null},
        "service_tier": "default", "store": false, "temperature": 1.0,
        "text": {"format": {"type": "text"}}, "tool_choice": "auto", "tools": [], "top_p": 1.0,
        "truncation": "disabled", "usage": usage, "user": null, "metadata": {},
    })
}
