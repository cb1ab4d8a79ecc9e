//! OpenAI responses, the request.

use quell_domain::interaction::Role;
use serde_json::Value;

use crate::chat;
use crate::error::WireError;
use crate::request::{ProviderStateKind, Reader};
use crate::walk::{Voice, Walk};

/// Reads one member of the body.
pub(crate) fn read(reader: &mut Reader, key: &str, value: &Value) -> Result<(), WireError> {
    let walk = &mut reader.walk;
    match key {
        "input" => return input(walk, value),
        "instructions" => walk.value(value, Voice::new(Role::System, "system")),
        "text" => walk.free(value, Voice::new(Role::System, "response_format")),
        "previous_response_id" => walk.keep(ProviderStateKind::PreviousResponse, value),
        "conversation" => {
            walk.keep(ProviderStateKind::Conversation, value);
            let id = value.get("id").unwrap_or(value).as_str();
            reader.session = reader.session.take().or(id.map(ToOwned::to_owned));
        }
        "prompt" => template(walk, value),
        _ => return reader.shared(key, value),
    }
    Ok(())
}

fn template(walk: &mut Walk, value: &Value) {
    let Some(members) = value.as_object() else {
        return walk.keep(ProviderStateKind::PromptTemplate, value);
    };
    for (key, member) in members {
        walk.member(key, |walk| match key.as_str() {
            "id" => walk.keep(ProviderStateKind::PromptTemplate, member),
            "variables" => variables(walk, member),
            _ => walk.unknown(key, member, Role::User),
        });
    }
}

fn variables(walk: &mut Walk, value: &Value) {
    let Some(members) = value.as_object() else { return walk.unknown("", value, Role::User) };
    for (key, member) in members {
        walk.member(key, |walk| walk.value(member, Voice::new(Role::User, "content")));
    }
}

fn input(walk: &mut Walk, value: &Value) -> Result<(), WireError> {
    match value {
        Value::Null => {}
        Value::String(text) => walk.text(text, Voice::new(Role::User, "content")),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                walk.element(index, |walk| self::item(walk, item))?;
            }
        }
        _ => return Err(WireError::wrong(walk.path(), "a string or an array of items")),
    }
    Ok(())
}

fn item(walk: &mut Walk, item: &Value) -> Result<(), WireError> {
    let members = match item {
        Value::Object(members) => members,
        Value::String(text) => {
            walk.text(text, Voice::new(Role::User, "content"));
            return Ok(());
        }
        _ => return Err(WireError::wrong(walk.path(), "an object")),
    };
    let kind = members.get("type").and_then(Value::as_str);
    if members.contains_key("role") && kind.is_none_or(|kind| kind == "message") {
        return chat::message(walk, members);
    }
    walk.value(item, Voice::new(Role::User, "content"));
    Ok(())
}
