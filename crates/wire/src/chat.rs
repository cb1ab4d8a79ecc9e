//! OpenAI chat completions, the request.

use quell_domain::interaction::Role;
use serde_json::{Map, Value};

use crate::error::WireError;
use crate::request::Reader;
use crate::walk::{Voice, Walk};

/// Reads one member of the body.
pub(crate) fn read(reader: &mut Reader, key: &str, value: &Value) -> Result<(), WireError> {
    match key {
        "messages" => turns(&mut reader.walk, value),
        "response_format" => {
            reader.walk.free(value, Voice::new(Role::System, "response_format"));
            Ok(())
        }
        "prediction" => {
            reader.walk.value(value, Voice::new(Role::Assistant, "prediction"));
            Ok(())
        }
        _ => reader.shared(key, value),
    }
}

/// An array of messages, each by somebody.
pub(crate) fn turns(walk: &mut Walk, value: &Value) -> Result<(), WireError> {
    let turns = value.as_array().ok_or_else(|| WireError::wrong(walk.path(), "an array"))?;
    for (index, turn) in turns.iter().enumerate() {
        walk.element(index, |walk| {
            let members =
                turn.as_object().ok_or_else(|| WireError::wrong(walk.path(), "an object"))?;
            message(walk, members)
        })?;
    }
    Ok(())
}

/// One message.
pub(crate) fn message(walk: &mut Walk, members: &Map<String, Value>) -> Result<(), WireError> {
    let role = match members.get("role") {
        Some(Value::String(role)) => role.as_str(),
        Some(_) => return Err(WireError::wrong(format!("{}/role", walk.path()), "a string")),
        None => return Err(WireError::Missing { pointer: format!("{}/role", walk.path()) }),
    };
    let voice = voice_of(role);
    for (key, value) in members {
        if key == "content" && !matches!(value, Value::String(_) | Value::Array(_) | Value::Null) {
            let pointer = format!("{}/content", walk.path());
            return Err(WireError::wrong(pointer, "a string, an array of parts or null"));
        }
        walk.member(key, |walk| match (key.as_str(), value) {
            ("function_call", Value::Object(_)) => {
                walk.value(value, Voice::new(Role::Assistant, "tool_arguments"));
            }
            _ => walk.typed(key, value, "message", voice),
        });
    }
    Ok(())
}

/// Who a message's `role` means.
pub(crate) fn voice_of(role: &str) -> Voice {
    match role {
        "system" | "developer" => Voice::new(Role::System, "system"),
        "assistant" => Voice::new(Role::Assistant, "content"),
        "tool" | "function" => Voice::new(Role::Tool, "tool_result"),
        _ => Voice::new(Role::User, "content"),
    }
}
