//! OpenAI embeddings, the request.

use serde_json::Value;

use crate::completions::texts_or_tokens;
use crate::error::WireError;
use crate::request::Reader;

/// Reads one member of the body.
pub(crate) fn read(reader: &mut Reader, key: &str, value: &Value) -> Result<(), WireError> {
    match key {
        "input" => texts_or_tokens(&mut reader.walk, value, "embedding_input"),
        _ => reader.shared(key, value),
    }
}
