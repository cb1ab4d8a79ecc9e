//! The regular end of a stream that was cut at a length limit: the client sees what it sees when a
//! provider's own limit is reached.

use bytes::Bytes;
use quell_domain::interaction::Endpoint;
use serde_json::{Value, json};

use super::StreamReader;

/// The frames that end the stream `reader` has read so far, as if its length limit had been
/// reached after `tokens` tokens.
pub fn length_end(reader: &StreamReader, tokens: u64) -> Bytes {
    let head = &reader.head;
    let id = head.response_id.as_deref().unwrap_or_default();
    let model = head.model.as_deref().unwrap_or_default();
    match reader.endpoint {
        Endpoint::Messages => messages(reader, tokens),
        Endpoint::Responses => {
            let event = json!({
                "type": "response.incomplete",
                "sequence_number": reader.sequence,
                "response": {
                    "id": id, "object": "response", "created_at": 0, "status": "incomplete",
                    "model": model, "output": [], "parallel_tool_calls": true,
                    "tool_choice": "auto", "tools": [], "error": null,
                    "incomplete_details": {"reason": "max_output_tokens"},
                },
            });
            named("response.incomplete", &event).into()
        }
        endpoint => {
            let mut frames = String::new();
            for index in open_choices(reader) {
                let (object, mut choice) = match endpoint {
                    Endpoint::Completions => ("text_completion", json!({"text": ""})),
                    _ => ("chat.completion.chunk", json!({"delta": {}})),
                };
                choice["index"] = index.into();
                choice["finish_reason"] = "length".into();
                let chunk = json!({
                    "id": id, "object": object, "created": 0, "model": model, "choices": [choice],
                });
                frames.push_str("data: ");
                frames.push_str(&chunk.to_string());
                frames.push_str("\n\n");
            }
            frames.push_str("data: [DONE]\n\n");
            frames.into()
        }
    }
}

/// Choices that have begun and not ended; the first where nothing has begun.
fn open_choices(reader: &StreamReader) -> Vec<u64> {
    let index = |field: &str| field.strip_prefix("/choices/")?.split('/').next()?.parse().ok();
    let mut begun: Vec<u64> =
        reader.channels.iter().filter_map(|channel| index(&channel.field)).collect();
    begun.sort_unstable();
    begun.dedup();
    if begun.is_empty() {
        begun.push(0);
    }
    begun.retain(|index| !reader.finish.contains_key(index));
    begun
}

fn messages(reader: &StreamReader, tokens: u64) -> Bytes {
    let mut frames = String::new();
    if let Some(index) = reader.open_block {
        let stop = json!({"type": "content_block_stop", "index": index});
        frames.push_str(&named("content_block_stop", &stop));
    }
    let delta = json!({
        "type": "message_delta",
        "delta": {"stop_reason": "max_tokens", "stop_sequence": null},
        "usage": {"output_tokens": tokens},
    });
    frames.push_str(&named("message_delta", &delta));
    frames.push_str(&named("message_stop", &json!({"type": "message_stop"})));
    frames.into()
}

fn named(event: &str, data: &Value) -> String {
    format!("event: {event}\ndata: {data}\n\n")
}
