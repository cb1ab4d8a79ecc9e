//! What came in and what goes out: OpenAI and Anthropic wire formats to the domain's shapes and
//! back. Pure: no IO, no clock.
//!
//! Invariant (complete mediation): every string in a request that could reach a model, and every
//! string in a response that reaches the client, is a text field, or is named in `not_evaluated`,
//! or is an enum or id of the protocol. A string in a place nobody has heard of is a text field.

mod chat;
mod completions;
mod embeddings;
mod free;
mod keys;
mod messages;
mod responses;
mod walk;

pub mod degrade;
pub mod error;
pub mod json;
pub mod output;
pub mod redact;
pub mod refusal;
pub mod reply;
pub mod request;
pub mod response;
pub mod sse;
pub mod stream;
pub mod surface;
pub mod tools;

pub use degrade::degrade;
pub use error::WireError;
pub use output::{OutputAsked, limit_output, output_asked};
pub use redact::redact_field;
pub use refusal::{Refusal, RefusalReason, WireReply, error_frame, error_frame_at, refuse};
pub use reply::fallback_reply;
pub use request::{
    ParsedRequest, ProviderStateKind, ProviderStateUse, last_user_text, parse_request, system_text,
};
pub use response::{ParsedResponse, parse_response};
pub use sse::{Frame, SseParser};
pub use stream::{Delta, StreamReader, length_end, rewrite};
pub use surface::endpoint_for;
pub use tools::{remove_tools, tool_schemas};
pub use walk::{DECODED, KEYS, MAX_FIELDS, is_derived};
