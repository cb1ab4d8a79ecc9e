//! Events of Anthropic messages.

use quell_domain::interaction::Role;
use serde_json::{Map, Value};

use super::{Mode, Pieces, number, text};
use crate::error::WireError;
use crate::response;
use crate::walk::Voice;

const MODEL: Voice = Voice::new(Role::Assistant, "content");

/// Reads one event.
pub(super) fn read(pieces: &mut Pieces<'_>, event: &Map<String, Value>) -> Result<(), WireError> {
    if text(event, "type") == "message_stop" {
        pieces.reader.done = true;
    }
    pieces.reader.heading(event);
    let index = number(event, "index");
    match text(event, "type") {
        "content_block_start" => pieces.reader.open_block = Some(index),
        "content_block_stop" => {
            pieces.reader.open_block = None;
            pieces.reader.ended = true;
        }
        _ => {}
    }
    for (key, value) in event {
        match (key.as_str(), value) {
            ("message", Value::Object(message)) => self::message(pieces, message)?,
            ("content_block", Value::Object(_)) => block(pieces, index, value)?,
            ("delta", Value::Object(delta)) => self::delta(pieces, event, index, delta)?,
            ("error", error) => pieces.error(error)?,
            ("usage", _) => {}
            _ => pieces.unknown(key, value)?,
        }
    }
    Ok(())
}

/// The message as it begins: everything but its content is a heading.
fn message(pieces: &mut Pieces<'_>, message: &Map<String, Value>) -> Result<(), WireError> {
    pieces.reader.heading(message);
    for (key, value) in message {
        match key.as_str() {
            "id" | "model" | "usage" => {}
            "content" => pieces.walk("/content", "/message/content", Mode::Whole, |walk| {
                walk.value(value, MODEL);
            })?,
            _ => pieces.walk("", "/message", Mode::Whole, |walk| {
                walk.member(key, |walk| walk.unknown(key, value, Role::Assistant));
            })?,
        }
    }
    Ok(())
}

/// A content block as it begins; its text usually follows in pieces.
fn block(pieces: &mut Pieces<'_>, index: u64, block: &Value) -> Result<(), WireError> {
    let channel = format!("/content/{index}");
    if let Some(call) = response::item_call(block) {
        pieces.reader.add_call((0, index), call, format!("{channel}/input"));
    }
    pieces.walk(&channel, "/content_block", Mode::Whole, |walk| {
        walk.value(block, MODEL);
        // An empty object here only says that the input follows.
        walk.fields.retain(|field| !(field.field == "/input" && field.text == "{}"));
    })
}

fn delta(
    pieces: &mut Pieces<'_>,
    event: &Map<String, Value>,
    index: u64,
    delta: &Map<String, Value>,
) -> Result<(), WireError> {
    let of_message = text(event, "type") == "message_delta";
    let channel = if of_message { String::new() } else { format!("/content/{index}") };
    for (key, value) in delta {
        let piece = match (key.as_str(), value) {
            ("text", Value::String(text)) => Some(("text", "content", text)),
            ("thinking", Value::String(text)) => Some(("thinking", "reasoning", text)),
            ("partial_json", Value::String(text)) => Some(("input", "tool_arguments", text)),
            _ => None,
        };
        match (key.as_str(), value) {
            (_, Value::String(_)) if piece.is_some() && !of_message => {
                if let Some((member, part, text)) = piece {
                    let voice = Voice::new(Role::Assistant, part);
                    let field = format!("{channel}/{member}");
                    pieces.piece(field, voice, format!("/delta/{key}"), text, Mode::Append)?;
                }
            }
            ("stop_reason", Value::String(reason)) => {
                pieces.reader.finish.insert(0, reason.clone());
            }
            ("citation", citation) => {
                let count = pieces.reader.citations.entry(index).or_default();
                let field = format!("{channel}/citations/{count}");
                *count += 1;
                let voice = Voice::new(Role::Assistant, "document");
                pieces.walk(&field, "/delta/citation", Mode::Whole, |walk| {
                    walk.value(citation, voice);
                })?;
            }
            _ => pieces.walk(&channel, "/delta", Mode::Append, |walk| {
                walk.member(key, |walk| walk.typed(key, value, text(delta, "type"), MODEL));
            })?,
        }
    }
    Ok(())
}
