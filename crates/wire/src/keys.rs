//! What a key means, wherever it stands. The one list of strings that are not inspected is here.

use quell_domain::interaction::Role;

use crate::request::ProviderStateKind;

/// Keys whose value is an enum or an id of the protocol. Such a value is not inspected while it is
/// shaped like one (printable ASCII without spaces, at most [`MAX_IDENTIFIER`] bytes); anything
/// else under these keys is text like any other.
pub(crate) const NON_TEXT_KEYS: &[&str] = &[
    "anthropic_beta",
    "approval_request_id",
    "call_id",
    "caller",
    "detail",
    "effort",
    "encoding_format",
    "environment_id",
    "finish_reason",
    "format",
    "function_call",
    "id",
    "include",
    "item_id",
    "media_type",
    "mime_type",
    "modalities",
    "mode",
    "model",
    "object",
    "parent_id",
    "phase",
    "prompt_cache_key",
    "prompt_cache_retention",
    "reasoning_effort",
    "request_id",
    "role",
    "safety_identifier",
    "search_context_size",
    "service_tier",
    "size",
    "speed",
    "status",
    "stop_reason",
    "summary_type",
    "tool_call_id",
    "tool_choice",
    "tool_use_id",
    "truncation",
    "ttl",
    "type",
    "user",
    "verbosity",
    "voice",
];

/// Words of schemas and tool definitions, by far the most frequent strings there.
const SCHEMA_WORDS: &[&str] = &[
    "array",
    "boolean",
    "custom",
    "date",
    "date-time",
    "email",
    "function",
    "integer",
    "null",
    "number",
    "object",
    "string",
    "uri",
    "uuid",
];

/// Who can speak. Another role is text: some upstreams show it to the model.
const ROLES: &[&str] = &["assistant", "developer", "function", "system", "tool", "user"];

/// Keywords of schemas, tool definitions, metadata and errors; every other key there is its author's.
const KEYWORDS: &[&str] = &[
    "$defs",
    "$id",
    "$ref",
    "$schema",
    "additionalProperties",
    "allOf",
    "anyOf",
    "cache_control",
    "code",
    "const",
    "default",
    "definitions",
    "description",
    "enum",
    "examples",
    "format",
    "function",
    "input_schema",
    "items",
    "json_schema",
    "maxItems",
    "maxLength",
    "maximum",
    "message",
    "minItems",
    "minLength",
    "minimum",
    "name",
    "not",
    "nullable",
    "oneOf",
    "param",
    "parameters",
    "pattern",
    "properties",
    "quell_documents",
    "required",
    "schema",
    "session_id",
    "strict",
    "title",
    "type",
    "user_id",
];

/// Longest value that still counts as an enum or id.
pub(crate) const MAX_IDENTIFIER: usize = 128;

/// Whether `text` could be an enum or id of the protocol.
pub(crate) fn is_identifier(text: &str) -> bool {
    text.len() <= MAX_IDENTIFIER && is_opaque(text)
}

/// Whether `text` could be base64, a signature or another machine string: printable ASCII without
/// spaces.
pub(crate) fn is_opaque(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether the value of `key` is an enum or id of the protocol.
pub(crate) fn is_protocol(key: &str, text: &str) -> bool {
    match key {
        "role" => ROLES.contains(&text),
        _ => NON_TEXT_KEYS.binary_search(&key).is_ok() && is_identifier(text),
    }
}

/// Whether the value of `key` is a word of the schema language.
pub(crate) fn is_schema_word(key: &str, text: &str) -> bool {
    matches!(key, "type" | "format") && SCHEMA_WORDS.contains(&text)
}

/// Whether `text` can be the value of a setting, such as `low`, `auto`, `ephemeral`.
pub(crate) fn is_setting(text: &str) -> bool {
    text.len() <= 64 && is_opaque(text)
}

/// Whether `key` of a definition was chosen by its author.
pub(crate) fn is_authored(key: &str) -> bool {
    KEYWORDS.binary_search(&key).is_err()
}

/// Credentials a client hands to a provider for a tool server. They never become text.
pub(crate) fn is_credential(key: &str) -> bool {
    matches!(key, "authorization" | "authorization_token" | "headers")
}

/// What a key of a known container holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holds {
    /// More of what the container holds.
    Same,
    /// Text of this part.
    Part(&'static str),
    /// Text of this part, by this speaker.
    Spoken(Role, &'static str),
    /// Tool definitions.
    Definition,
    /// A JSON value or JSON text a model wrote or a tool returned.
    Json(&'static str),
    /// A link or inline bytes.
    Link,
    /// Inline bytes.
    Bytes,
    /// Bytes only the provider can read.
    Sealed,
    /// Something kept at the provider.
    Kept(ProviderStateKind),
    /// Token by token repetition of text that stands elsewhere.
    Echo,
    /// Not known: inspected anyway.
    Unknown,
}

/// What `key` holds, in any typed container of any endpoint.
pub(crate) fn holds(key: &str) -> Holds {
    use ProviderStateKind as Kept;
    match key {
        "text" | "content" | "parts" | "message" | "messages" | "function" | "custom" => {
            Holds::Same
        }
        "file" | "image" | "input_audio" | "audio" | "image_url" | "source" | "url"
        | "file_url" | "uri" => Holds::Link,
        "refusal" => Holds::Part("refusal"),
        "thinking" | "reasoning" | "reasoning_content" | "reasoning_details" | "summary" => {
            Holds::Part("reasoning")
        }
        "transcript" => Holds::Part("transcript"),
        "name" | "title" | "filename" | "file_name" | "server_label" | "server_name"
        | "tool_name" | "namespace" => Holds::Part("name"),
        "tool_calls" => Holds::Spoken(Role::Assistant, "tool_arguments"),
        "arguments" | "input" | "action" | "code" | "queries" | "query" | "operation" => {
            Holds::Json("tool_arguments")
        }
        "output" | "outputs" | "results" | "result" | "stdout" | "stderr" | "logs" | "error" => {
            Holds::Spoken(Role::Tool, "tool_result")
        }
        "tools" => Holds::Definition,
        "annotations" | "citations" | "citation" | "cited_text" | "context" => {
            Holds::Part("document")
        }
        "data" | "file_data" | "b64_json" | "partial_image_b64" => Holds::Bytes,
        "encrypted_content" | "encrypted_index" | "signature" | "obfuscation" => Holds::Sealed,
        "file_id" | "file_ids" => Holds::Kept(Kept::File),
        "vector_store_ids" => Holds::Kept(Kept::VectorStore),
        "container_id" | "container" => Holds::Kept(Kept::Container),
        "logprobs" | "top_logprobs" => Holds::Echo,
        _ => Holds::Unknown,
    }
}

/// How the `type` of a typed object changes who speaks: role, part, and what its bytes are.
pub(crate) struct Typed {
    pub(crate) role: Option<Role>,
    pub(crate) part: Option<&'static str>,
    pub(crate) bytes: Option<&'static str>,
}

/// What the `type` of an object says.
pub(crate) fn typed(kind: &str) -> Typed {
    let (role, part, bytes) = match kind {
        "reasoning" | "thinking" | "redacted_thinking" | "reasoning_text" | "summary_text" => {
            (Some(Role::Assistant), Some("reasoning"), None)
        }
        "refusal" => (None, Some("refusal"), None),
        "tool_use" | "server_tool_use" | "mcp_tool_use" => {
            (Some(Role::Assistant), Some("tool_arguments"), None)
        }
        "document" | "search_result" | "web_search_result" => {
            (None, Some("document"), Some("file"))
        }
        "image" | "image_url" | "input_image" | "computer_screenshot" | "image_generation_call" => {
            (None, None, Some("image"))
        }
        "input_audio" | "audio" => (None, None, Some("audio")),
        "file" | "input_file" | "container_upload" => (None, None, Some("file")),
        _ if kind.ends_with("_call_output") || kind.ends_with("tool_result") => {
            (Some(Role::Tool), Some("tool_result"), None)
        }
        _ if kind == "function_call" || kind.ends_with("_call") => {
            (Some(Role::Assistant), Some("tool_arguments"), None)
        }
        _ => (None, None, None),
    };
    Typed { role, part, bytes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted_for_the_search() {
        assert!(NON_TEXT_KEYS.is_sorted());
        assert!(KEYWORDS.is_sorted());
    }
}
