//! Events of OpenAI responses. Most text comes three times: in pieces, whole when it is done, and
//! once more with the item and the response that hold it.

use quell_domain::interaction::{Endpoint, Role};
use serde_json::{Map, Value};

use super::{Mode, Pieces, number, text};
use crate::error::WireError;
use crate::response;
use crate::walk::Voice;

const MODEL: Voice = Voice::new(Role::Assistant, "content");

/// Reads one event.
pub(super) fn read(pieces: &mut Pieces<'_>, event: &Map<String, Value>) -> Result<(), WireError> {
    let kind = text(event, "type");
    pieces.reader.done |=
        matches!(kind, "response.completed" | "response.failed" | "response.incomplete" | "error");
    if let Some(sequence) = event.get("sequence_number").and_then(Value::as_u64) {
        pieces.reader.sequence = sequence.saturating_add(1);
    }
    pieces.reader.ended = kind.ends_with("_call_arguments.done") || kind.ends_with("item.done");
    for (key, value) in event {
        let pointer = format!("/{key}");
        match (key.as_str(), value) {
            ("response", Value::Object(whole)) => self::whole(pieces, whole, value)?,
            ("item", Value::Object(_)) => item(pieces, event, value)?,
            ("part" | "annotation", _) => {
                let (channel, _) = place(kind, event);
                pieces.walk(&channel, &pointer, Mode::Whole, |walk| walk.value(value, MODEL))?;
            }
            ("delta", Value::String(text)) if !is_audio(kind) => {
                let (channel, part) = place(kind, event);
                let voice = Voice::new(Role::Assistant, part);
                pieces.piece(channel, voice, pointer, text, Mode::Append)?;
            }
            (
                "text" | "arguments" | "input" | "code" | "refusal" | "transcript" | "diff",
                Value::String(text),
            ) => {
                let (channel, part) = place(kind, event);
                let voice = Voice::new(Role::Assistant, part);
                pieces.piece(channel, voice, pointer, text, Mode::Whole)?;
            }
            ("name", Value::String(name)) => {
                let channel = format!("/output/{}/name", number(event, "output_index"));
                let voice = Voice::new(Role::Assistant, "name");
                pieces.piece(channel, voice, pointer, name, Mode::Whole)?;
            }
            ("delta" | "partial_image_b64", Value::String(_)) => {
                let reason = if is_audio(kind) { "audio" } else { "image" };
                let channel = format!("/output/{}", number(event, "output_index"));
                pieces.walk(&channel, "", Mode::Whole, |walk| walk.skip(reason))?;
            }
            ("message" | "code" | "param", _) if kind == "error" => {
                pieces.walk("/error", "", Mode::Whole, |walk| {
                    walk.member(key, |walk| walk.free(value, response::ERROR));
                })?;
            }
            ("logprobs", logprobs) => {
                if kind == "response.output_text.delta" {
                    pieces.reader.logprobs.add(Some(logprobs));
                }
            }
            ("obfuscation", Value::String(padding)) if crate::keys::is_opaque(padding) => {}
            _ => pieces.unknown(key, value)?,
        }
    }
    Ok(())
}

fn is_audio(kind: &str) -> bool {
    kind.ends_with("audio.delta")
}

/// The channel and the sort of text an event is about, by its type and indexes.
fn place(kind: &str, event: &Map<String, Value>) -> (String, &'static str) {
    let item = format!("/output/{}", number(event, "output_index"));
    let content = || format!("{item}/content/{}", number(event, "content_index"));
    let summary = || format!("{item}/summary/{}", number(event, "summary_index"));
    let name = kind.strip_prefix("response.").unwrap_or(kind);
    let name = name.rsplit_once('.').map_or(name, |(name, _)| name);
    match name {
        "output_text" => (format!("{}/text", content()), "content"),
        "refusal" => (format!("{}/refusal", content()), "refusal"),
        "reasoning_text" => (format!("{}/text", content()), "reasoning"),
        "reasoning_summary_text" => (format!("{}/text", summary()), "reasoning"),
        "function_call_arguments" | "mcp_call_arguments" | "mcp_call.arguments" => {
            (format!("{item}/arguments"), "tool_arguments")
        }
        "custom_tool_call_input" => (format!("{item}/input"), "tool_arguments"),
        "code_interpreter_call_code" | "code_interpreter_call.code" => {
            (format!("{item}/code"), "tool_arguments")
        }
        "audio.transcript" | "output_audio_transcript" => {
            (format!("{}/transcript", content()), "transcript")
        }
        "content_part" => (content(), "content"),
        "reasoning_summary_part" => (summary(), "reasoning"),
        "output_text.annotation" => {
            let annotation = number(event, "annotation_index");
            (format!("{}/annotations/{annotation}", content()), "document")
        }
        other => (format!("{item}/{}", other.replace('~', "~0").replace('/', "~1")), "other"),
    }
}

fn item(
    pieces: &mut Pieces<'_>,
    event: &Map<String, Value>,
    item: &Value,
) -> Result<(), WireError> {
    let index = number(event, "output_index");
    let channel = format!("/output/{index}");
    if let Some(call) = response::item_call(item) {
        let members = ["arguments", "input", "action", "code", "queries", "operation"];
        let member = members.iter().find(|key| item.get(**key).is_some());
        let arguments = format!("{channel}/{}", member.unwrap_or(&"arguments"));
        pieces.reader.add_call((0, index), call, arguments);
    }
    pieces.walk(&channel, "/item", Mode::Whole, |walk| walk.value(item, MODEL))
}

/// The response object, as it begins and as it ends.
fn whole(
    pieces: &mut Pieces<'_>,
    members: &Map<String, Value>,
    value: &Value,
) -> Result<(), WireError> {
    pieces.reader.heading(members);
    let parsed = response::interpret(Endpoint::Responses, value)?;
    if pieces.reader.done {
        pieces.reader.head.finish_reasons.clone_from(&parsed.finish_reasons);
    }
    if let Some(Value::Array(items)) = members.get("output") {
        for (index, item) in items.iter().enumerate() {
            if let Some(call) = response::item_call(item) {
                let key = (0, index as u64);
                if !pieces.reader.calls.contains_key(&key) {
                    pieces.reader.add_call(key, call, String::new());
                }
            }
        }
    }
    pieces.walk("", "/response", Mode::Whole, |walk| {
        walk.fields = parsed.fields;
        walk.not_evaluated = parsed.not_evaluated;
    })
}
