//! How sure the model was of what it said, where the provider gives log-probabilities.
//!
//! Sees: the mean log-probability of the tokens said, in the shapes of chat completions,
//! completions and responses. Below −1.0 (perplexity above 2.7) the answer counts as uncertain; a
//! rule combines that with words of certainty.
//! Cannot see: answers given for sure and wrong. Sampling at a high temperature makes every answer
//! uncertain by this measure.
//! Known false positives: verse, names and other texts with many ways on.
//! Source: Guerreiro et al. 2023, "Looking for a Needle in a Haystack", sequence log-probability.

use serde_json::Value;

/// Fewer tokens say nothing.
const MIN_TOKENS: usize = 20;
/// Tokens read.
const MAX_TOKENS: usize = 16_384;
/// Mean log-probability below which an answer counts as uncertain.
const UNCERTAIN: f64 = -1.0;

/// The fact, if any.
pub(crate) fn read(logprobs: &Value) -> Option<&'static str> {
    let (mut sum, mut tokens) = (0.0, 0);
    add(logprobs, &mut sum, &mut tokens);
    (tokens >= MIN_TOKENS && sum / tokens as f64 <= UNCERTAIN).then_some("output.uncertain")
}

/// Adds up what was said, not what might have been.
fn add(value: &Value, sum: &mut f64, tokens: &mut usize) {
    let mut one = |value: &Value| {
        if let Some(logprob) = value.as_f64().filter(|n| n.is_finite() && *tokens < MAX_TOKENS) {
            // Providers write −9999 for a token that was not among the ones they rank.
            *sum += logprob.clamp(-20.0, 0.0);
            *tokens += 1;
        }
    };
    match value {
        Value::Array(items) => items.iter().for_each(|item| add(item, sum, tokens)),
        Value::Object(members) => {
            if let Some(logprob) = members.get("logprob") {
                one(logprob);
            } else if let Some(Value::Array(list)) = members.get("token_logprobs") {
                list.iter().for_each(one);
            } else if let Some(content) = members.get("content") {
                add(content, sum, tokens);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_surface_is_read_and_alternatives_are_not() {
        let token = |logprob: f64| json!({"token": "x", "logprob": logprob, "top_logprobs": [{"token": "y", "logprob": -9.0}]});
        let chat = |logprob| json!([{"content": vec![token(logprob); 30]}]);
        let responses = |logprob| json!([vec![token(logprob); 30]]);
        let completions =
            |logprob: f64| json!([{"tokens": ["x"], "token_logprobs": vec![logprob; 30]}]);
        for (sure, unsure) in [
            (chat(-0.1), chat(-1.5)),
            (responses(-0.1), responses(-1.5)),
            (completions(-0.1), completions(-1.5)),
        ] {
            assert_eq!(read(&sure), None);
            assert_eq!(read(&unsure), Some("output.uncertain"));
        }
        assert_eq!(read(&json!([{"content": vec![token(-5.0); 5]}])), None, "too few");
        assert_eq!(read(&json!("x")), None);
    }
}
