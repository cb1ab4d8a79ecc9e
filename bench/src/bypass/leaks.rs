//! Answers that carry what must not leave, and how a client would put them together.

use std::collections::BTreeMap;

use quell_testkit::{Received, Reply};
use serde_json::{Value, json};

use super::cases::{Body, Case, chat};
use super::disguise::{self, Disguise};

/// The planted string every guard is told of.
pub(crate) const CANARY: &str = "violet-heron-77";
/// A key in a vendor's format, made up.
const KEY: &str = "AKIAQ3EGZ7XW2LKD5VTN";
/// The number card networks publish for tests.
const CARD: &str = "4111 1111 1111 1111";

/// Where in an answer the text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Content,
    SecondChoice,
    ToolArguments,
    Reasoning,
    Refusal,
}

/// What the model answers.
#[derive(Debug, Clone)]
pub(crate) struct Planned {
    pub pieces: Vec<String>,
    pub place: Place,
    /// What the client must not be able to put together.
    pub secret: Option<String>,
}

impl Planned {
    pub(crate) fn honest() -> Self {
        Self { pieces: vec!["Good morning.".into()], place: Place::Content, secret: None }
    }

    fn leak(secret: &str, place: Place, width: usize) -> Self {
        let text: Vec<char> = format!("Here it is: {secret} - as you wished.").chars().collect();
        let pieces = text.chunks(width).map(|piece| piece.iter().collect()).collect();
        Self { pieces, place, secret: Some(secret.to_owned()) }
    }
}

/// Every attempt by answer.
pub(crate) fn answers() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |class, name: &str, path, stream: bool, reply| {
        let mut body = match path {
            "/v1/responses" => json!({"model": "m", "input": "Hello!"}),
            "/v1/completions" => json!({"model": "m", "prompt": "Hello!"}),
            _ => chat("Hello!"),
        };
        if stream {
            body["stream"] = json!(true);
        }
        let (name, body) = (name.to_owned(), Body::Json(body));
        cases.push(Case { class, name, path, body, reply, harmless: false });
    };
    let chat_path = "/v1/chat/completions";
    for (secret, name) in [(CANARY, "canary"), (KEY, "cloud key"), (CARD, "card number")] {
        let whole = Planned::leak(secret, Place::Content, 4_096);
        add("answers", &format!("{name}, whole"), chat_path, false, whole);
        let split = Planned::leak(secret, Place::Content, 3);
        add("split over deltas", &format!("{name}, 3 characters a delta"), chat_path, true, split);
    }
    for (place, name) in [
        (Place::SecondChoice, "second choice"),
        (Place::ToolArguments, "tool arguments"),
        (Place::Reasoning, "reasoning"),
        (Place::Refusal, "refusal"),
    ] {
        add("answers", name, chat_path, false, Planned::leak(CANARY, place, 4_096));
        let split = Planned::leak(CANARY, place, 3);
        add("split over deltas", name, chat_path, true, split);
    }
    for path in ["/v1/responses", "/v1/messages", "/v1/completions"] {
        add(
            "endpoints",
            &format!("{path}, answer"),
            path,
            false,
            Planned::leak(CANARY, Place::Content, 4_096),
        );
        add(
            "endpoints",
            &format!("{path}, stream"),
            path,
            true,
            Planned::leak(CANARY, Place::Content, 3),
        );
    }
    let recoded: [Disguise; 4] = [
        ("base64", disguise::base64),
        ("reversed", disguise::reversed),
        ("spaced letters", disguise::spaced),
        ("hex", disguise::hex),
    ];
    for (name, recode) in recoded {
        let secret = recode(CANARY);
        add(
            "re-encoded answers",
            name,
            chat_path,
            false,
            Planned::leak(&secret, Place::Content, 4_096),
        );
    }
    cases
}

/// The model's answer to whatever reaches it.
pub(crate) fn answer(asked: &Received, planned: &Planned) -> Reply {
    let body = serde_json::from_slice(&asked.body).unwrap_or(Value::Null);
    let stream = body["stream"] == json!(true);
    let whole = planned.pieces.concat();
    let path = asked.uri.path().trim_start_matches("/v1");
    if path.ends_with("/chat/completions") {
        return if stream {
            chat_stream(planned)
        } else {
            Reply::json(&chat_answer(&whole, planned.place))
        };
    }
    let pieces = &planned.pieces;
    match (path, stream) {
        ("/responses", false) => Reply::json(&responses_object(&whole)),
        ("/responses", true) => responses_stream(pieces, &whole),
        ("/messages", false) => Reply::json(&messages_object(&whole)),
        ("/messages", true) => messages_stream(pieces),
        ("/completions", false) => Reply::json(&json!({"id": "c", "object": "text_completion",
            "created": 1, "model": "m", "choices": [{"index": 0, "text": whole, "finish_reason": "stop"}],
            "usage": usage()})),
        ("/completions", true) => Reply::sse(
            pieces
                .iter()
                .map(|piece| {
                    data(&json!({"id": "c",
            "object": "text_completion", "created": 1, "model": "m",
            "choices": [{"index": 0, "text": piece, "finish_reason": null}]}))
                })
                .chain(["data: [DONE]\n\n".to_owned()]),
        ),
        _ => Reply::json(&json!({"object": "list", "model": "m", "usage": usage(),
            "data": [{"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}]})),
    }
}

fn usage() -> Value {
    json!({"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18})
}

fn data(value: &Value) -> String {
    format!("data: {value}\n\n")
}

fn event(value: &Value) -> String {
    format!("event: {}\n{}", value["type"].as_str().unwrap_or_default(), data(value))
}

fn chat_answer(text: &str, place: Place) -> Value {
    let plain = |text: &str| json!({"role": "assistant", "content": text});
    let messages = match place {
        Place::Content => vec![plain(text)],
        Place::SecondChoice => vec![plain("Good morning."), plain(text)],
        Place::ToolArguments => vec![json!({"role": "assistant", "content": null, "tool_calls": [
            {"id": "c1", "type": "function",
             "function": {"name": "note", "arguments": json!({"text": text}).to_string()}}]})],
        Place::Reasoning => {
            vec![json!({"role": "assistant", "content": "Hm.", "reasoning_content": text})]
        }
        Place::Refusal => vec![json!({"role": "assistant", "content": null, "refusal": text})],
    };
    let choice =
        |(index, message)| json!({"index": index, "message": message, "finish_reason": "stop"});
    let choices: Vec<Value> = messages.into_iter().enumerate().map(choice).collect();
    json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m",
           "choices": choices, "usage": usage()})
}

fn chat_stream(planned: &Planned) -> Reply {
    let chunk = |index: usize, delta: Value, finish: Value| {
        data(&json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [{"index": index, "delta": delta, "finish_reason": finish}]}))
    };
    let tool =
        |piece: &str| json!({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]});
    let mut chunks = vec![chunk(0, json!({"role": "assistant", "content": ""}), Value::Null)];
    if planned.place == Place::ToolArguments {
        let call = json!({"index": 0, "id": "c1", "type": "function",
            "function": {"name": "note", "arguments": "{\"text\": \""}});
        chunks.push(chunk(0, json!({"tool_calls": [call]}), Value::Null));
    }
    for piece in &planned.pieces {
        let (index, delta) = match planned.place {
            Place::Content => (0, json!({"content": piece})),
            Place::SecondChoice => (1, json!({"content": piece})),
            Place::ToolArguments => (0, tool(piece)),
            Place::Reasoning => (0, json!({"reasoning_content": piece})),
            Place::Refusal => (0, json!({"refusal": piece})),
        };
        chunks.push(chunk(index, delta, Value::Null));
    }
    if planned.place == Place::ToolArguments {
        chunks.push(chunk(0, tool("\"}"), Value::Null));
    }
    chunks.push(chunk(0, json!({}), json!("stop")));
    chunks.push("data: [DONE]\n\n".into());
    Reply::sse(chunks)
}

fn responses_object(text: &str) -> Value {
    json!({"id": "r", "object": "response", "created_at": 1, "status": "completed", "model": "m",
        "output": [{"type": "message", "id": "i", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": text, "annotations": []}]}],
        "parallel_tool_calls": true, "tool_choice": "auto", "tools": [], "metadata": {},
        "usage": {"input_tokens": 9, "output_tokens": 9, "total_tokens": 18,
            "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}})
}

fn responses_stream(pieces: &[String], whole: &str) -> Reply {
    let at =
        |kind: &str| json!({"type": kind, "item_id": "i", "output_index": 0, "content_index": 0});
    let object = responses_object(whole);
    let mut begun = object.clone();
    begun["output"] = json!([]);
    begun["status"] = json!("in_progress");
    let item = json!({"type": "message", "id": "i", "role": "assistant", "status": "in_progress", "content": []});
    let mut events = vec![
        json!({"type": "response.created", "response": begun}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": item}),
    ];
    let mut part = at("response.content_part.added");
    part["part"] = json!({"type": "output_text", "text": "", "annotations": []});
    events.push(part);
    for piece in pieces {
        let mut delta = at("response.output_text.delta");
        delta["delta"] = json!(piece);
        events.push(delta);
    }
    let mut done = at("response.output_text.done");
    done["text"] = json!(whole);
    events.push(done);
    events.push(json!({"type": "response.output_item.done", "output_index": 0, "item": object["output"][0]}));
    events.push(json!({"type": "response.completed", "response": object}));
    for (number, event) in events.iter_mut().enumerate() {
        event["sequence_number"] = json!(number);
    }
    Reply::sse(events.iter().map(event))
}

fn messages_object(text: &str) -> Value {
    json!({"id": "m1", "type": "message", "role": "assistant", "model": "m",
        "content": [{"type": "text", "text": text}], "stop_reason": "end_turn", "stop_sequence": null,
        "usage": {"input_tokens": 9, "output_tokens": 9}})
}

fn messages_stream(pieces: &[String]) -> Reply {
    let mut begun = messages_object("");
    begun["content"] = json!([]);
    begun["stop_reason"] = Value::Null;
    let mut events = vec![
        json!({"type": "message_start", "message": begun}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
    ];
    events.extend(pieces.iter().map(|piece| {
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}})
    }));
    events.extend([
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null},
            "usage": {"output_tokens": 9}}),
        json!({"type": "message_stop"}),
    ]);
    Reply::sse(events.iter().map(event))
}

/// Members in which a guard says why it refused.
const REFUSALS: [&str; 2] = ["error", "hook_results"];

/// Every text of an answer as a client puts it together, one line a field.
pub(crate) fn put_together(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let mut fields = BTreeMap::new();
    match serde_json::from_str::<Value>(&text) {
        Ok(value) => collect(&value, "", &mut fields),
        Err(_) => {
            for line in text.lines().filter_map(|line| line.strip_prefix("data:")) {
                if let Ok(value) = serde_json::from_str::<Value>(line.trim()) {
                    let choice = value.pointer("/choices/0/index").cloned().unwrap_or_default();
                    collect(&value, &choice.to_string(), &mut fields);
                }
            }
        }
    }
    fields.into_values().collect::<Vec<_>>().join("\n")
}

fn collect(value: &Value, at: &str, fields: &mut BTreeMap<String, String>) {
    match value {
        Value::String(text) => fields.entry(at.to_owned()).or_default().push_str(text),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect(item, &format!("{at}/{index}"), fields);
            }
        }
        Value::Object(members) => {
            let told = members.iter().filter(|(name, _)| !REFUSALS.contains(&name.as_str()));
            for (name, member) in told {
                collect(member, &format!("{at}/{name}"), fields);
            }
        }
        _ => {}
    }
}
