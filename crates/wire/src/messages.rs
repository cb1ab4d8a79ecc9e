//! Anthropic messages, the request.

use quell_domain::interaction::Role;
use serde_json::Value;

use crate::chat;
use crate::error::WireError;
use crate::request::{ProviderStateKind, Reader};
use crate::walk::Voice;

/// Reads one member of the body.
pub(crate) fn read(reader: &mut Reader, key: &str, value: &Value) -> Result<(), WireError> {
    match key {
        "messages" => chat::turns(&mut reader.walk, value),
        "system" => {
            if !matches!(value, Value::String(_) | Value::Array(_) | Value::Null) {
                return Err(WireError::wrong("/system", "a string or an array of text blocks"));
            }
            reader.walk.value(value, Voice::new(Role::System, "system"));
            Ok(())
        }
        "output_config" | "output_format" => {
            reader.walk.free(value, Voice::new(Role::System, "response_format"));
            Ok(())
        }
        "container" => {
            reader.walk.keep(ProviderStateKind::Container, value);
            Ok(())
        }
        "mcp_servers" => reader.definitions(value),
        _ => reader.shared(key, value),
    }
}
