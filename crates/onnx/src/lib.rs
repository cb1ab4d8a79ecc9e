//! A second opinion by a classifier in ONNX that the operator chose.
//!
//! A sequence classifier as they are published for injection and jailbreaks: inputs `input_ids`,
//! `attention_mask` and, if it has them, `token_type_ids`, each `[1, tokens]` of `i64`; output one
//! row of logits, one a label. It comes with its `tokenizer.json`. The gateway asks it only where
//! its own classifier is unsure ([`quell_detection::SecondOpinion`]).
//!
//! Inference is [`tract`](https://github.com/sonos/tract) in this process, on one core, without a
//! native library. Cost: the model's own, about one pass over 64 tokens for a short text and over
//! `tokens` for others, at most twice; at most `parallel` at once, and whoever comes then is told
//! so at once instead of waiting.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use quell_detection::SecondOpinion;
use quell_domain::canonical::sha256_hex;
use tokenizers::{Tokenizer, TruncationDirection, TruncationParams};
use tract_onnx::prelude::*;

/// Tokens of the plan for short texts.
const SHORT: usize = 64;
/// Bytes of text handed to the tokenizer for each token that is read.
const BYTES_PER_TOKEN: usize = 16;
/// Largest model file, bytes.
const MAX_MODEL: u64 = 2 << 30;
/// Largest tokenizer file, bytes.
const MAX_TOKENIZER: u64 = 64 << 20;

/// Which model, and how its output is read.
#[derive(Debug, Clone, PartialEq)]
pub struct OnnxOptions {
    /// The model file.
    pub model: PathBuf,
    /// The tokenizer file (`tokenizer.json`).
    pub tokenizer: PathBuf,
    /// The label that means an attack, counted from 0. With a single output it is that one.
    pub label: usize,
    /// Probability from which the model calls a text an attack.
    pub threshold: f32,
    /// Tokens read at once; of a longer text the beginning and the end.
    pub tokens: usize,
    /// Texts judged at once.
    pub parallel: usize,
}

/// Why a model cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    /// A file is missing, unreadable or too large.
    #[error("{path}: {message}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        message: String,
    },
    /// A setting makes no sense.
    #[error("{0}")]
    Setting(&'static str),
    /// The model does not have the shape of a sequence classifier.
    #[error("{path}: {message}")]
    Shape {
        /// The model file.
        path: PathBuf,
        /// What is wrong and what to do.
        message: String,
    },
}

type Plan = Arc<TypedRunnableModel>;

/// A loaded model with its tokenizer.
#[derive(Debug)]
pub struct OnnxClassifier {
    /// By tokens, shortest first.
    plans: Vec<(usize, Plan)>,
    inputs: Vec<Input>,
    /// Cuts what is too long at its end.
    head: Tokenizer,
    /// Cuts what is too long at its beginning.
    tail: Tokenizer,
    label: usize,
    threshold: f32,
    tokens: usize,
    pad: i64,
    free: AtomicUsize,
    sha256: String,
}

/// What an input of the model wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Input {
    Ids,
    Mask,
    Types,
}

impl OnnxClassifier {
    /// Loads a model and judges a text with it once, so that what cannot run is refused here.
    ///
    /// # Errors
    /// The file and what is wrong with it.
    pub fn load(options: &OnnxOptions) -> Result<Self, OnnxError> {
        if !(0.0..1.0).contains(&options.threshold) || options.threshold == 0.0 {
            return Err(OnnxError::Setting("threshold lies between 0 and 1"));
        }
        if !(8..=4_096).contains(&options.tokens) || options.parallel == 0 {
            return Err(OnnxError::Setting("tokens is 8 to 4096, and parallel at least 1"));
        }
        let bytes = read(&options.model, MAX_MODEL)?;
        let vocabulary = read(&options.tokenizer, MAX_TOKENIZER)?;
        let head = tokenizer(&vocabulary, options, TruncationDirection::Right)?;
        let tail = tokenizer(&vocabulary, options, TruncationDirection::Left)?;
        let shape = |message: String| OnnxError::Shape { path: options.model.clone(), message };
        let refused =
            |error: TractError| shape(format!("{error:#}; export it with opset 11 to 17"));
        let model = onnx().model_for_read(&mut bytes.as_slice()).map_err(refused)?;
        let inputs = inputs(&model).map_err(shape)?;
        let mut plans = Vec::new();
        for tokens in [SHORT.min(options.tokens), options.tokens] {
            if plans.last().is_none_or(|(last, _)| *last != tokens) {
                plans.push((tokens, plan(&model, tokens).map_err(refused)?));
            }
        }
        let pad = head.get_padding().map_or(0, |padding| i64::from(padding.pad_id));
        let loaded = Self {
            plans,
            inputs,
            head,
            tail,
            label: options.label,
            threshold: options.threshold,
            tokens: options.tokens,
            pad,
            free: AtomicUsize::new(options.parallel),
            sha256: sha256_hex(&[bytes, vocabulary].concat()),
        };
        loaded.probability("a text").map_err(shape)?;
        Ok(loaded)
    }

    /// How likely the text is an attack; the higher of its beginning and its end.
    fn probability(&self, text: &str) -> Result<f32, String> {
        let span = self.tokens * BYTES_PER_TOKEN;
        let head = &text[..text.floor_char_boundary(span)];
        let mut highest = self.window(&self.head, head)?;
        if head.len() < text.len() {
            let from = text.ceil_char_boundary(text.len() - span.min(text.len()));
            highest = highest.max(self.window(&self.tail, &text[from..])?);
        }
        Ok(highest)
    }

    fn window(&self, tokenizer: &Tokenizer, text: &str) -> Result<f32, String> {
        let encoded = tokenizer.encode(text, true).map_err(|error| error.to_string())?;
        let ids = encoded.get_ids();
        let (length, plan) = self
            .plans
            .iter()
            .find(|(length, _)| ids.len() <= *length)
            .or(self.plans.last())
            .ok_or("no plan")?;
        let padded = |values: &mut dyn Iterator<Item = i64>, fill: i64| -> TValue {
            let mut row: Vec<i64> = values.take(*length).collect();
            row.resize(*length, fill);
            let row = Tensor::from_shape(&[1, *length], &row);
            row.unwrap_or_default().into_tvalue()
        };
        let feed = self.inputs.iter().map(|input| match input {
            Input::Ids => padded(&mut ids.iter().map(|id| i64::from(*id)), self.pad),
            Input::Mask => padded(&mut ids.iter().map(|_| 1), 0),
            Input::Types => padded(&mut std::iter::empty(), 0),
        });
        let outputs = plan.run(feed.collect()).map_err(|error| format!("{error:#}"))?;
        let logits = outputs.first().ok_or("the model has no output")?;
        let logits = logits.cast_to::<f32>().map_err(|error| format!("{error:#}"))?;
        let view = logits.to_plain_array_view::<f32>().map_err(|error| format!("{error:#}"))?;
        let row: Vec<f32> = view.iter().copied().collect();
        probability(&row, self.label)
    }
}

impl SecondOpinion for OnnxClassifier {
    fn sha256(&self) -> &str {
        &self.sha256
    }

    fn attack(&self, text: &str) -> Option<f32> {
        let take = |free: usize| free.checked_sub(1);
        self.free.fetch_update(Ordering::AcqRel, Ordering::Acquire, take).ok()?;
        let probability = self.probability(text);
        self.free.fetch_add(1, Ordering::AcqRel);
        Some(score(probability.ok()?, self.threshold))
    }
}

/// The model's threshold becomes 0.5, what is between moves in proportion.
fn score(probability: f32, threshold: f32) -> f32 {
    if probability < threshold {
        return 0.5 * probability / threshold;
    }
    0.5 + 0.5 * (probability - threshold) / (1.0 - threshold)
}

/// The share of a label among logits; of a single logit its logistic.
fn probability(logits: &[f32], label: usize) -> Result<f32, String> {
    if let [only] = logits {
        return Ok(1.0 / (1.0 + (-only).exp()));
    }
    if logits.len() > 64 {
        return Err(format!(
            "the first output has {} values; a classifier has one row of a few labels",
            logits.len()
        ));
    }
    let Some(wanted) = logits.get(label) else {
        return Err(format!("there is no label {label}, only 0 to {}", logits.len().max(1) - 1));
    };
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = logits.iter().map(|logit| (logit - highest).exp()).sum();
    Ok((wanted - highest).exp() / sum)
}

fn read(path: &Path, limit: u64) -> Result<Vec<u8>, OnnxError> {
    let file = |message: String| OnnxError::File { path: path.to_owned(), message };
    let size = std::fs::metadata(path).map_err(|error| file(error.to_string()))?.len();
    if size > limit {
        return Err(file(format!("{size} bytes; at most {limit} are read")));
    }
    std::fs::read(path).map_err(|error| file(error.to_string()))
}

fn tokenizer(
    bytes: &[u8],
    options: &OnnxOptions,
    direction: TruncationDirection,
) -> Result<Tokenizer, OnnxError> {
    let file = |message: String| OnnxError::File { path: options.tokenizer.clone(), message };
    let mut tokenizer = Tokenizer::from_bytes(bytes)
        .map_err(|error| file(format!("{error}; give the model's tokenizer.json")))?;
    let cut =
        TruncationParams { max_length: options.tokens, direction, ..TruncationParams::default() };
    tokenizer.with_truncation(Some(cut)).map_err(|error| file(error.to_string()))?;
    Ok(tokenizer)
}

/// What the model wants, in its order.
fn inputs(model: &InferenceModel) -> Result<Vec<Input>, String> {
    let outlets = model.input_outlets().map_err(|error| format!("{error:#}"))?;
    let wanted = outlets.iter().map(|outlet| {
        let name = &model.node(outlet.node).name;
        match name.as_str() {
            "input_ids" => Ok(Input::Ids),
            "attention_mask" => Ok(Input::Mask),
            "token_type_ids" => Ok(Input::Types),
            _ => Err(format!(
                "unknown input `{name}`; wanted are input_ids, attention_mask, token_type_ids"
            )),
        }
    });
    let inputs: Vec<Input> = wanted.collect::<Result<_, _>>()?;
    if !inputs.contains(&Input::Ids) {
        return Err("the model has no input `input_ids`".into());
    }
    Ok(inputs)
}

fn plan(model: &InferenceModel, tokens: usize) -> TractResult<Plan> {
    let mut model = model.clone();
    for index in 0..model.input_outlets()?.len() {
        let fact = InferenceFact::dt_shape(i64::datum_type(), [1, tokens]);
        model.set_input_fact(index, fact)?;
    }
    model.into_optimized()?.into_runnable()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logits_become_the_probability_of_a_label() {
        assert!((probability(&[0.0], 0).unwrap() - 0.5).abs() < 1e-6);
        assert!((probability(&[1.0, 1.0], 1).unwrap() - 0.5).abs() < 1e-6);
        assert!(probability(&[-1e30, 1e30], 1).unwrap() > 0.999);
        assert!(probability(&[0.0, 0.0], 2).unwrap_err().contains("only 0 to 1"));
        assert!(probability(&[0.0; 384], 0).unwrap_err().contains("384 values"));
    }

    #[test]
    fn the_models_threshold_becomes_one_half() {
        for (probability, expected) in [(0.0, 0.0), (0.45, 0.25), (0.9, 0.5), (1.0, 1.0)] {
            assert!((score(probability, 0.9) - expected).abs() < 1e-6, "{probability}");
        }
    }
}
