//! One request/response pair, as it is recorded.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::InteractionId;
use crate::principal::Principal;
use crate::rule::Direction;
use crate::signal::Signal;

/// Version of the recorded shape. Readers accept this and every earlier one.
pub const INTERACTION_SCHEMA: u16 = 1;

/// The wire surface a request came in on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// OpenAI `POST /v1/chat/completions`.
    ChatCompletions,
    /// OpenAI `POST /v1/completions`.
    Completions,
    /// OpenAI `POST /v1/responses`.
    Responses,
    /// OpenAI `POST /v1/embeddings`.
    Embeddings,
    /// OpenAI `GET /v1/models`.
    Models,
    /// Anthropic `POST /v1/messages`.
    Messages,
    /// A path the application forwards without inspection.
    Forwarded,
}

impl Endpoint {
    /// Every surface.
    pub const ALL: [Self; 7] = [
        Self::ChatCompletions,
        Self::Completions,
        Self::Responses,
        Self::Embeddings,
        Self::Models,
        Self::Messages,
        Self::Forwarded,
    ];

    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ChatCompletions => "chat_completions",
            Self::Completions => "completions",
            Self::Responses => "responses",
            Self::Embeddings => "embeddings",
            Self::Models => "models",
            Self::Messages => "messages",
            Self::Forwarded => "forwarded",
        }
    }
}
crate::incident::text_enum!(Endpoint);

/// What became of an exchange. Ordered by precedence: the greatest cause wins.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Passed unchanged.
    #[default]
    Allowed,
    /// A rule in shadow mode would have acted.
    WouldBlock,
    /// Passed with fewer capabilities.
    Degraded,
    /// Passed with spans replaced.
    Redacted,
    /// Refused or cut.
    Blocked,
    /// Answered by the deterministic fallback.
    Fallback,
    /// The application is offline.
    ShutDown,
}

impl Outcome {
    /// Weakest first.
    pub const ALL: [Self; 7] = [
        Self::Allowed,
        Self::WouldBlock,
        Self::Degraded,
        Self::Redacted,
        Self::Blocked,
        Self::Fallback,
        Self::ShutDown,
    ];

    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::WouldBlock => "would_block",
            Self::Degraded => "degraded",
            Self::Redacted => "redacted",
            Self::Blocked => "blocked",
            Self::Fallback => "fallback",
            Self::ShutDown => "shut_down",
        }
    }
}
crate::incident::text_enum!(Outcome);

/// One reason for an outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Cause {
    /// What this cause alone leads to.
    pub outcome: Outcome,
    /// `rule:<id>`, `measure:<id>`, `limit:<name>` or `fail_closed:<reason>`.
    pub by: String,
}

/// Something that was not judged, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NotEvaluated {
    /// `unsupported_surface`, `budget`, `image`, `audio`, `file`, `provider_state`, `oversize`,
    /// `unparseable`, `embedding_output`, …
    pub reason: String,
    /// The field concerned, as a JSON pointer; empty for the whole exchange.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub field: String,
}

/// Who speaks in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The operator's instructions (`system`, `developer`, `instructions`).
    System,
    /// The user.
    User,
    /// The model.
    Assistant,
    /// A tool's result.
    Tool,
    /// A tool's definition.
    ToolDefinition,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] =
        [Self::System, Self::User, Self::Assistant, Self::Tool, Self::ToolDefinition];

    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
            Self::ToolDefinition => "tool_definition",
        }
    }
}
crate::incident::text_enum!(Role);

/// One text-bearing field of a request or response, in wire order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TextField {
    /// JSON pointer of the field, e.g. `/messages/0/content`, `/choices/1/message/content`.
    pub field: String,
    /// Who speaks.
    pub role: Role,
    /// What sort of text: `content`, `reasoning`, `refusal`, `tool_arguments`, `tool_result`,
    /// `tool_definition`, `system`, `embedding_input`.
    pub part: String,
    /// The text. Empty when the application records metadata only.
    pub text: String,
}

/// A tool call the model made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ToolCall {
    /// Which choice it belongs to.
    pub choice: u32,
    /// The provider's call id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The tool.
    pub name: String,
    /// Arguments as the model wrote them. Empty when only metadata is recorded.
    pub arguments: String,
}

/// Token counts as the provider states them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Usage {
    /// Prompt tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u64>,
    /// Completion tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u64>,
}

/// Durations since the request's first byte, microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Timing {
    /// Until the first byte of the response left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_byte_us: Option<u64>,
    /// Until the last byte was ready to leave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_byte_us: Option<u64>,
}

/// SHA-256 digests that make an exchange reproducible and alterations provable.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Digests {
    /// All system text, in order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_prompt: Option<String>,
    /// The rule set that judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<String>,
    /// The classifier that judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The snapshot that was in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<String>,
    /// The request body as received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_received: Option<String>,
    /// The request body as forwarded, if Quell altered it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_forwarded: Option<String>,
    /// The response body as received, if Quell altered it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_received: Option<String>,
    /// The response body as delivered, if Quell altered it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_delivered: Option<String>,
}

/// A retrieved document the client says it used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DocumentRef {
    /// The client's id of the document.
    pub id: String,
    /// Its SHA-256, if stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// How a stream was stopped before its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Cut {
    /// `rule:<id>`, `measure:<id>`, `limit:<name>`, `upstream`.
    pub by: String,
    /// Characters of the response already delivered when it was cut.
    pub delivered_chars: u64,
    /// Of those, characters that belong to the match which caused the cut.
    pub leaked_chars: u64,
}

/// One exchange as recorded in the interaction log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Interaction {
    /// Shape version: [`INTERACTION_SCHEMA`].
    pub schema: u16,
    /// Identity of this exchange; given to the client as `x-quell-interaction`.
    pub id: InteractionId,
    /// The gateway that served it.
    pub gateway: String,
    /// The application's name.
    pub application: String,
    /// The surface.
    pub endpoint: Endpoint,
    /// The request path as received, without query.
    pub path: String,
    /// Whether the client asked for a stream.
    pub stream: bool,
    /// When the request's first byte was read.
    pub started_at: Timestamp,
    /// Durations.
    pub timing: Timing,
    /// Who.
    pub principal: Principal,
    /// The model the client asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_asked: Option<String>,
    /// The model the provider says it served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_served: Option<String>,
    /// The upstream used; absent when none was reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
    /// HTTP status sent to the client; 0 when the client left before a status.
    pub status: u16,
    /// What became of it.
    pub outcome: Outcome,
    /// Every reason, strongest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<Cause>,
    /// What was not judged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_evaluated: Vec<NotEvaluated>,
    /// Findings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signals: Vec<Signal>,
    /// The stream's end, if it was cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<Cut>,
    /// Request text, in wire order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub request: Vec<TextField>,
    /// Response text, in wire order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub response: Vec<TextField>,
    /// Characters of request text, also when the text itself is not kept.
    pub request_chars: u64,
    /// Characters of response text, also when the text itself is not kept.
    pub response_chars: u64,
    /// Names of the tools offered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools_offered: Vec<String>,
    /// Tool calls the model made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// One per choice, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub finish_reasons: Vec<String>,
    /// Token counts.
    pub usage: Usage,
    /// Sampling parameters as the client set them (`temperature`, `seed`, `max_tokens`, …).
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub parameters: serde_json::Map<String, serde_json::Value>,
    /// Log-probabilities as given, cut at 64 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<serde_json::Value>,
    /// The provider's request id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_request_id: Option<String>,
    /// The provider's system fingerprint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_fingerprint: Option<String>,
    /// The provider's id of the response object; resolves `previous_response_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_id: Option<String>,
    /// Documents the client says it retrieved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub documents: Vec<DocumentRef>,
    /// W3C `traceparent`, as received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// Enforcement table epoch in force when it was admitted.
    pub epoch: u64,
    /// Digests.
    pub digests: Digests,
}

impl Interaction {
    /// The text fields of one direction.
    pub fn texts(&self, direction: Direction) -> &[TextField] {
        match direction {
            Direction::Input => &self.request,
            Direction::Output => &self.response,
        }
    }
}
