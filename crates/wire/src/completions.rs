//! OpenAI completions, the request.

use quell_domain::interaction::Role;
use serde_json::Value;

use crate::error::WireError;
use crate::request::Reader;
use crate::walk::{Voice, Walk};

/// Reads one member of the body.
pub(crate) fn read(reader: &mut Reader, key: &str, value: &Value) -> Result<(), WireError> {
    match key {
        "prompt" => texts_or_tokens(&mut reader.walk, value, "content"),
        "suffix" => {
            reader.walk.free(value, Voice::new(Role::User, "suffix"));
            Ok(())
        }
        _ => reader.shared(key, value),
    }
}

/// A string, strings, or token ids. Token ids cannot be judged.
pub(crate) fn texts_or_tokens(
    walk: &mut Walk,
    value: &Value,
    part: &'static str,
) -> Result<(), WireError> {
    let expected = "a string, an array of strings or an array of token ids";
    match value {
        Value::Null => {}
        Value::String(text) => walk.text(text, Voice::new(Role::User, part)),
        Value::Array(items) if items.iter().any(Value::is_number) => {
            walk.skip("token_ids");
            walk.free(value, Voice::new(Role::User, part));
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                walk.element(index, |walk| match item {
                    Value::Object(_) => {
                        walk.value(item, Voice::new(Role::User, part));
                        Ok(())
                    }
                    _ => texts_or_tokens(walk, item, part),
                })?;
            }
        }
        _ => return Err(WireError::wrong(walk.path(), expected)),
    }
    Ok(())
}
