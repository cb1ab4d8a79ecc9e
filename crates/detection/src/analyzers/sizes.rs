//! Sizes as bucket facts, so that rules can name them.
//!
//! Sees: bytes of text (4 count as a token), requested answers and output tokens.
//! Cannot see: real token counts; the provider states those after the exchange.
//! Known false positives: long documents are ordinary in retrieval applications; buckets are facts,
//! not judgements.

use serde_json::{Map, Value};

const BYTES_PER_TOKEN: usize = 4;
const INPUT: [(usize, &str); 3] = [
    (8_000, "tokens.input.gt_8k"),
    (32_000, "tokens.input.gt_32k"),
    (128_000, "tokens.input.gt_128k"),
];
const OUTPUT: [(usize, &str); 2] =
    [(8_000, "tokens.output.gt_8k"), (32_000, "tokens.output.gt_32k")];

fn above(buckets: &[(usize, &'static str)], bytes: usize) -> Vec<&'static str> {
    let tokens = bytes / BYTES_PER_TOKEN;
    buckets.iter().filter(|(limit, _)| tokens > *limit).map(|(_, fact)| *fact).collect()
}

/// Facts about a request as a whole.
pub(crate) fn of_request(
    bytes: usize,
    tools: usize,
    parameters: &Map<String, Value>,
) -> Vec<&'static str> {
    let mut facts = above(&INPUT, bytes);
    let number = |names: &[&str]| {
        names.iter().filter_map(|name| parameters.get(*name)).find_map(Value::as_u64).unwrap_or(0)
    };
    if number(&["n"]) > 8 {
        facts.push("parameters.choices.gt_8");
    }
    if number(&["max_tokens", "max_completion_tokens", "max_output_tokens"]) > 16_000 {
        facts.push("parameters.max_tokens.gt_16k");
    }
    if tools > 64 {
        facts.push("tools.offered.gt_64");
    }
    facts
}

/// Facts about the bytes of output so far.
pub(crate) fn of_output(bytes: usize) -> Vec<&'static str> {
    above(&OUTPUT, bytes)
}

/// The output sizes at which a new fact is stated.
pub(crate) fn output_steps() -> impl Iterator<Item = (usize, &'static str)> {
    OUTPUT.iter().map(|(tokens, fact)| ((tokens + 1) * BYTES_PER_TOKEN, *fact))
}
