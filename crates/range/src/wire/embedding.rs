//! `POST /v1/embeddings`.

use base64::Engine as _;
use serde_json::{Map, Value, json};

use crate::ask::BadRequest;
use crate::dice::Dice;

const DEFAULT_DIMENSIONS: usize = 256;
const MAX_DIMENSIONS: u64 = 3_072;
const MAX_INPUTS: usize = 2_048;

/// Unit vectors, one for each input, the same for the same text.
pub(crate) fn whole(seed: u64, body: &Map<String, Value>) -> Result<Value, BadRequest> {
    let model = body
        .get("model")
        .and_then(Value::as_str)
        .ok_or_else(|| BadRequest::new("you must provide a model parameter", Some("model")))?;
    let inputs = inputs(body.get("input"))?;
    let dimensions = match body.get("dimensions") {
        None | Some(Value::Null) => DEFAULT_DIMENSIONS,
        Some(wanted) => wanted
            .as_u64()
            .filter(|wanted| (1..=MAX_DIMENSIONS).contains(wanted))
            .ok_or_else(|| {
                let message = format!("Invalid 'dimensions': a number from 1 to {MAX_DIMENSIONS}.");
                BadRequest::new(message, Some("dimensions"))
            })? as usize,
    };
    let packed = body.get("encoding_format").and_then(Value::as_str) == Some("base64");
    let tokens: usize = inputs.iter().map(|input| input.len() / 4 + 1).sum();
    let data: Vec<_> = inputs
        .iter()
        .enumerate()
        .map(|(index, input)| {
            let vector = vector(seed, input, dimensions);
            let embedding = if packed { json!(pack(&vector)) } else { json!(vector) };
            json!({"object": "embedding", "index": index, "embedding": embedding})
        })
        .collect();
    Ok(json!({"object": "list", "data": data, "model": model,
              "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}))
}

fn inputs(value: Option<&Value>) -> Result<Vec<String>, BadRequest> {
    let as_text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        tokens => tokens.to_string(),
    };
    match value {
        Some(Value::String(text)) => Ok(vec![text.clone()]),
        // An array of numbers is one input, given as token numbers.
        Some(Value::Array(items)) if items.first().is_some_and(Value::is_number) => {
            Ok(vec![Value::Array(items.clone()).to_string()])
        }
        Some(Value::Array(items)) if (1..=MAX_INPUTS).contains(&items.len()) => {
            Ok(items.iter().map(as_text).collect())
        }
        _ => Err(BadRequest::new(
            format!("'input' must be a string or an array of 1 to {MAX_INPUTS} strings."),
            Some("input"),
        )),
    }
}

fn vector(seed: u64, text: &str, dimensions: usize) -> Vec<f32> {
    let mut dice = Dice::new(seed, &["embedding", text]);
    let raw: Vec<f64> =
        (0..dimensions).map(|_| dice.below(2_000_001) as f64 / 1_000_000.0 - 1.0).collect();
    let length = raw.iter().map(|x| x * x).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
    raw.into_iter().map(|x| (x / length) as f32).collect()
}

fn pack(vector: &[f32]) -> String {
    let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
