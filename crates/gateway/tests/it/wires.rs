//! Streams of every surface as a provider sends them.

use serde_json::{Value, json};

use crate::support::chat_stream;

/// The path, and a stream of these pieces of text with its end, on every surface that streams.
pub(crate) fn text_stream(path: &str, pieces: &[&str]) -> Vec<String> {
    match path {
        "/v1/chat/completions" => chat_stream(pieces),
        "/v1/completions" => completions_stream(pieces),
        "/v1/messages" => {
            let deltas = pieces.iter().map(|text| json!({"type": "text_delta", "text": text}));
            messages_stream(&json!({"type": "text", "text": ""}), deltas)
        }
        "/v1/responses" => responses_stream(pieces),
        other => panic!("{other} does not stream"),
    }
}

fn completions_stream(pieces: &[&str]) -> Vec<String> {
    let chunk = |text: &str, finish: Value| {
        let data = json!({
            "id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m",
            "choices": [{"index": 0, "text": text, "logprobs": null, "finish_reason": finish}],
        });
        format!("data: {data}\n\n")
    };
    let texts = pieces.iter().map(|text| chunk(text, Value::Null));
    texts.chain([chunk("", json!("stop")), "data: [DONE]\n\n".to_owned()]).collect()
}

/// A Messages stream of one content block.
pub(crate) fn messages_stream(
    block: &Value,
    deltas: impl IntoIterator<Item = Value>,
) -> Vec<String> {
    let message = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [],
        "stop_reason": null, "stop_sequence": null,
        "usage": {"input_tokens": 5, "output_tokens": 1},
    });
    let mut events = vec![
        json!({"type": "message_start", "message": message}),
        json!({"type": "content_block_start", "index": 0, "content_block": block}),
    ];
    events.extend(
        deltas
            .into_iter()
            .map(|delta| json!({"type": "content_block_delta", "index": 0, "delta": delta})),
    );
    events.extend([
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null},
               "usage": {"output_tokens": 7}}),
        json!({"type": "message_stop"}),
    ]);
    events.iter().map(named_event).collect()
}

fn responses_stream(pieces: &[&str]) -> Vec<String> {
    let whole: String = pieces.concat();
    let part = |text: &str| json!({"type": "output_text", "text": text, "annotations": []});
    let item = |status: &str, content: Value| {
        json!({"type": "message", "id": "msg_1", "role": "assistant", "status": status,
               "content": content})
    };
    let at = json!({"item_id": "msg_1", "output_index": 0, "content_index": 0});
    let mut events = vec![
        json!({"type": "response.output_item.added", "output_index": 0,
               "item": item("in_progress", json!([]))}),
        merged(&json!({"type": "response.content_part.added", "part": part("")}), &at),
    ];
    events.extend(pieces.iter().map(|text| {
        merged(&json!({"type": "response.output_text.delta", "delta": text, "logprobs": []}), &at)
    }));
    let done = json!({"type": "response.output_text.done", "text": whole, "logprobs": []});
    events.extend([
        merged(&done, &at),
        merged(&json!({"type": "response.content_part.done", "part": part(&whole)}), &at),
        json!({"type": "response.output_item.done", "output_index": 0,
               "item": item("completed", json!([part(&whole)]))}),
    ]);
    responses_events(&events, &json!([item("completed", json!([part(&whole)]))]))
}

/// A Responses stream of these events and the final output, numbered, with its beginning and end.
pub(crate) fn responses_events(events: &[Value], output: &Value) -> Vec<String> {
    let begun =
        json!({"type": "response.created", "response": response("in_progress", &json!([]))});
    let ended = json!({"type": "response.completed", "response": response("completed", output)});
    let numbered = [&begun].into_iter().chain(events).chain([&ended]).enumerate();
    numbered.map(|(n, event)| named_event(&merged(event, &json!({"sequence_number": n})))).collect()
}

/// A Responses object.
pub(crate) fn response(status: &str, output: &Value) -> Value {
    json!({
        "id": "resp_1", "object": "response", "created_at": 1, "status": status, "model": "m",
        "output": output, "parallel_tool_calls": true, "tool_choice": "auto", "tools": [],
        "error": null, "incomplete_details": null, "instructions": null, "metadata": {},
        "temperature": 1.0, "top_p": 1.0,
    })
}

fn named_event(event: &Value) -> String {
    format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap())
}

fn merged(one: &Value, other: &Value) -> Value {
    let mut merged = one.clone();
    merged.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
    merged
}
