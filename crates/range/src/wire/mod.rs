//! Answers in the shapes of the OpenAI and Anthropic APIs, whole and as events.

pub(crate) mod anthropic;
pub(crate) mod chat;
pub(crate) mod completion;
pub(crate) mod embedding;
pub(crate) mod error;
pub(crate) mod responses;

use serde_json::{Value, json};

use crate::ask::Ask;
use crate::model::{Call, Reply};

/// The range has no clock, so that the same question gives the same bytes: everything was made
/// on 1 January 2026.
pub(crate) const CREATED: i64 = 1_767_225_600;

/// The models the range says it has.
pub(crate) const MODELS: [&str; 3] = ["range-1", "range-1-mini", "range-embedding-1"];

/// Everything an answer is written from.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    pub(crate) ask: &'a Ask,
    pub(crate) replies: Vec<Reply>,
    /// Hex that makes up the ids.
    pub(crate) id: String,
}

/// One server-sent event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) text: String,
    /// Whether it carries a token, so that the stream waits before it.
    pub(crate) paced: bool,
}

impl Frame {
    fn data(value: &Value, paced: bool) -> Self {
        Self { text: format!("data: {value}\n\n"), paced }
    }

    fn event(name: &str, value: &Value, paced: bool) -> Self {
        Self { text: format!("event: {name}\ndata: {value}\n\n"), paced }
    }

    fn done() -> Self {
        Self { text: "data: [DONE]\n\n".into(), paced: false }
    }
}

impl Answer<'_> {
    fn prompt_tokens(&self) -> usize {
        let said: usize = self.ask.turns.iter().map(|turn| turn.text.len()).sum();
        (self.ask.system.len() + said) / 4 + 3
    }

    fn completion_tokens(&self) -> usize {
        self.replies.iter().map(reply_tokens).sum()
    }

    fn openai_usage(&self) -> Value {
        let (prompt, completion) = (self.prompt_tokens(), self.completion_tokens());
        json!({
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 0, "audio_tokens": 0,
                "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0,
            },
        })
    }

    fn call_id(&self, prefix: &str, index: usize) -> String {
        format!("{prefix}{}{index}", self.id.get(..22).unwrap_or(&self.id))
    }
}

fn reply_tokens(reply: &Reply) -> usize {
    reply.tokens.len()
        + reply.call.as_ref().map_or(0, |call| call.arguments.to_string().len() / 4 + 5)
}

/// A call's arguments in the pieces a stream carries them in.
fn argument_pieces(call: &Call) -> Vec<String> {
    crate::model::tokens(&call.arguments.to_string())
}

/// The first, second, … token of every choice in turn, as (choice, token).
fn interleaved(replies: &[Reply]) -> impl Iterator<Item = (usize, &str)> {
    let longest = replies.iter().map(|reply| reply.tokens.len()).max().unwrap_or(0);
    (0..longest).flat_map(move |place| {
        replies.iter().enumerate().filter_map(move |(index, reply)| {
            reply.tokens.get(place).map(|token| (index, token.as_str()))
        })
    })
}

/// `GET /v1/models`.
pub(crate) fn models() -> Value {
    let data: Vec<_> = MODELS.iter().map(|id| model(id)).collect();
    json!({"object": "list", "data": data})
}

/// `GET /v1/models/{id}`.
pub(crate) fn model(id: &str) -> Value {
    json!({"id": id, "object": "model", "created": CREATED, "owned_by": "range"})
}
