//! How much a request lets the model write, and setting a limit to it.

use quell_domain::interaction::Endpoint;
use serde_json::Value;

use crate::degrade::{RESPONSES_MIN_TOKENS, clamp_tokens};
use crate::request::ParsedRequest;

/// What a request says about the length of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputAsked {
    /// Answers asked for: `n` or `best_of`, times the prompts.
    pub choices: u64,
    /// Most tokens of each, if the request states it.
    pub each: Option<u64>,
    /// The smallest limit a provider takes.
    pub least: u64,
}

/// What `request` asks for; none where the model writes nothing.
pub fn output_asked(request: &ParsedRequest) -> Option<OutputAsked> {
    let keys: &[&str] = match request.endpoint {
        Endpoint::ChatCompletions => &["max_completion_tokens", "max_tokens"],
        Endpoint::Completions | Endpoint::Messages => &["max_tokens"],
        Endpoint::Responses => &["max_output_tokens"],
        Endpoint::Embeddings | Endpoint::Models | Endpoint::Forwarded => return None,
    };
    let number = |key: &str| request.body.get(key).and_then(Value::as_u64);
    let choices = match request.endpoint {
        Endpoint::ChatCompletions => number("n").unwrap_or(1).max(1),
        Endpoint::Completions => {
            let prompts = request.body.get("prompt").and_then(Value::as_array);
            let texts = prompts.map_or(1, |all| all.iter().filter(|p| !p.is_number()).count());
            let answers = number("n").max(number("best_of")).unwrap_or(1).max(1);
            answers.saturating_mul(texts.max(1) as u64)
        }
        _ => 1,
    };
    let least = if request.endpoint == Endpoint::Responses { RESPONSES_MIN_TOKENS } else { 1 };
    Some(OutputAsked { choices, each: keys.iter().filter_map(|key| number(key)).max(), least })
}

/// Lets each answer have at most `each` tokens. True: the body was changed.
pub fn limit_output(request: &mut ParsedRequest, each: u64) -> bool {
    let mut changes = Vec::new();
    if let Some(body) = request.body.as_object_mut() {
        clamp_tokens(request.endpoint, body, each, &mut changes);
    }
    !changes.is_empty()
}
