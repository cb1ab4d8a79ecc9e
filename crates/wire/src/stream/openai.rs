//! Chunks of chat completions and completions.

use quell_domain::interaction::{Role, ToolCall};
use serde_json::{Map, Value};

use super::{Mode, Pieces, number, text};
use crate::error::WireError;
use crate::keys::is_opaque;
use crate::walk::Voice;

const MODEL: Voice = Voice::new(Role::Assistant, "content");

/// Reads one chunk.
pub(super) fn read(pieces: &mut Pieces<'_>, chunk: &Map<String, Value>) -> Result<(), WireError> {
    pieces.reader.heading(chunk);
    for (key, value) in chunk {
        match (key.as_str(), value) {
            ("choices", Value::Array(choices)) => {
                for (position, choice) in choices.iter().enumerate() {
                    let pointer = format!("/choices/{position}");
                    let members = choice
                        .as_object()
                        .ok_or_else(|| WireError::wrong(&pointer, "an object"))?;
                    self::choice(pieces, &pointer, members)?;
                }
            }
            ("error", Value::Null)
            | ("id" | "model" | "object" | "system_fingerprint" | "usage", _) => {}
            ("error", error) => pieces.error(error)?,
            ("obfuscation", Value::String(padding)) if is_opaque(padding) => {}
            _ => pieces.unknown(key, value)?,
        }
    }
    Ok(())
}

fn choice(
    pieces: &mut Pieces<'_>,
    pointer: &str,
    choice: &Map<String, Value>,
) -> Result<(), WireError> {
    let index = number(choice, "index");
    let channel = format!("/choices/{index}");
    for (key, value) in choice {
        match (key.as_str(), value) {
            ("delta", Value::Object(delta)) => self::delta(pieces, pointer, index, delta)?,
            ("finish_reason", Value::String(reason)) => {
                pieces.reader.ended = true;
                if pieces.reader.finish.len() < super::MAX_CHANNELS {
                    pieces.reader.finish.insert(index, reason.clone());
                }
            }
            ("logprobs", logprobs) => pieces.reader.logprobs.add(Some(logprobs)),
            _ => pieces.walk(&channel, pointer, Mode::Append, |walk| {
                walk.member(key, |walk| walk.typed(key, value, "choice", MODEL));
            })?,
        }
    }
    Ok(())
}

fn delta(
    pieces: &mut Pieces<'_>,
    pointer: &str,
    index: u64,
    delta: &Map<String, Value>,
) -> Result<(), WireError> {
    let channel = format!("/choices/{index}/message");
    let pointer = format!("{pointer}/delta");
    for (key, value) in delta {
        match (key.as_str(), value) {
            // The usual frame.
            ("content", Value::String(text)) => pieces.piece(
                format!("{channel}/content"),
                MODEL,
                format!("{pointer}/content"),
                text,
                Mode::Append,
            )?,
            ("tool_calls", Value::Array(calls)) => {
                for (position, call) in calls.iter().enumerate() {
                    let at = format!("{pointer}/tool_calls/{position}");
                    let members =
                        call.as_object().ok_or_else(|| WireError::wrong(&at, "an object"))?;
                    tool_call(pieces, &at, index, position as u64, members)?;
                }
            }
            ("function_call", Value::Object(call)) => {
                named(pieces, (index, u64::MAX), call, None, &format!("{channel}/function_call"));
                let voice = Voice::new(Role::Assistant, "tool_arguments");
                pieces.walk(&channel, &pointer, Mode::Append, |walk| {
                    walk.member(key, |walk| walk.value(value, voice));
                })?;
            }
            _ => pieces.walk(&channel, &pointer, Mode::Append, |walk| {
                walk.member(key, |walk| walk.typed(key, value, "message", MODEL));
            })?,
        }
    }
    Ok(())
}

fn tool_call(
    pieces: &mut Pieces<'_>,
    pointer: &str,
    choice: u64,
    position: u64,
    call: &Map<String, Value>,
) -> Result<(), WireError> {
    let index = call.get("index").and_then(Value::as_u64).unwrap_or(position);
    let channel = format!("/choices/{choice}/message/tool_calls/{index}");
    let kind = if call.contains_key("custom") { "custom" } else { "function" };
    if let Some(Value::Object(inner)) = call.get(kind) {
        named(pieces, (choice, index), inner, call.get("id"), &format!("{channel}/{kind}"));
    }
    let voice = Voice::new(Role::Assistant, "tool_arguments");
    pieces.walk(&channel, pointer, Mode::Append, |walk| {
        walk.value(&Value::Object(call.clone()), voice);
    })
}

/// Notes the id and the name of a call as they arrive.
fn named(
    pieces: &mut Pieces<'_>,
    key: (u64, u64),
    inner: &Map<String, Value>,
    id: Option<&Value>,
    channel: &str,
) {
    let member = if channel.ends_with("/custom") { "input" } else { "arguments" };
    if !pieces.reader.calls.contains_key(&key) {
        let choice = u32::try_from(key.0).unwrap_or(u32::MAX);
        let call = ToolCall { choice, id: None, name: String::new(), arguments: String::new() };
        pieces.reader.add_call(key, call, format!("{channel}/{member}"));
    }
    if let Some(held) = pieces.reader.calls.get_mut(&key) {
        held.call.name.push_str(text(inner, "name"));
        let stated = id.and_then(Value::as_str).filter(|id| !id.is_empty());
        held.call.id = held.call.id.take().or(stated.map(ToOwned::to_owned));
    }
}
