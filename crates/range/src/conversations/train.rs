//! Trains the judge of conversations. The same rows and seed give the same file.
//!
//! Word weights come first: a logistic regression over hashed words of single texts. The weights
//! of a conversation's numbers follow, from generated conversations whose texts the word weights
//! did not see (two folds), so that the second step does not trust the first too much.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use quell_detection::conversation::{
    BUCKETS, ConversationFile, NAMES, WordWeights, buckets, features, normalise, read_turn,
};

use super::corpus::Row;
use super::courses::{FOLLOW_UPS, TASKS};
use super::generate::{attack, harmless};
use super::subjects::SUBJECTS;
use crate::dice::Dice;

const FOLDS: usize = 2;
/// Conversations generated for each fold, half of them attacks.
const CONVERSATIONS: usize = 5_000;
/// Harmless conversations that set the threshold, for each fold.
const HELD_OUT: usize = 2_000;
/// Texts of one source that conversations are made of.
const SOURCE_TEXTS: usize = 300;
/// Distance of the threshold from what harmless conversations reach.
const MARGIN: f32 = 0.5;
/// Distance of certainty from the threshold.
const CERTAIN: f32 = 2.5;

/// A text with its label and weight, as table rows.
struct Sample {
    rows: Vec<usize>,
    label: f32,
    weight: f32,
}

impl Sample {
    fn new(text: &str, label: f32, weight: f32) -> Self {
        Self { rows: buckets(&normalise(text)), label, weight }
    }
}

/// Trains from permissive rows: harmful requests and ordinary texts.
pub fn train(harmful: &[Row], texts: &[Row], seed: u64) -> ConversationFile {
    let permissive = |row: &&Row| row.licence_class == "permissive" && !row.contested;
    let harmful: Vec<&Row> = harmful.iter().filter(permissive).collect();
    let ordinary: Vec<&Row> = texts
        .iter()
        .filter(permissive)
        .filter(|row| !row.is_attack() && row.family != "benign_document")
        .collect();
    let folds: Vec<WordWeights> =
        (0..FOLDS).map(|fold| word_weights(&harmful, &ordinary, Some(fold), seed)).collect();
    let (mut numbers, mut labels) = (Vec::new(), Vec::new());
    for (fold, words) in folds.iter().enumerate() {
        let (requests, sources) = parts(&harmful, &ordinary, fold, seed);
        let mut dice = Dice::new(seed, &["conversations", &fold.to_string()]);
        for index in 0..CONVERSATIONS {
            let escalates = index % 2 == 0;
            let turns = if escalates {
                attack(&mut dice, &requests)
            } else {
                harmless(&mut dice, &sources)
            };
            numbers.extend(measure(&turns, words));
            labels.push(escalates);
        }
    }
    let (weights, bias) = logistic(&numbers, &labels);
    let sum = |numbers: &[f32; NAMES.len()]| {
        bias + numbers.iter().zip(&weights).map(|(x, w)| x * w).sum::<f32>()
    };
    let likely = threshold(&harmful, &ordinary, &folds, seed, &sum) + MARGIN;
    let words = word_weights(&harmful, &ordinary, None, seed);
    let largest = words.weights.iter().fold(1e-6_f32, |most, weight| most.max(weight.abs()));
    let word_scale = largest / 127.0;
    let table: Vec<u8> = words
        .weights
        .iter()
        .map(|weight| ((weight / word_scale).round() as i8).cast_unsigned())
        .collect();
    ConversationFile {
        version: 1,
        provenance: provenance(&harmful, &ordinary, seed),
        features: NAMES.iter().map(|name| (*name).to_owned()).zip(weights.clone()).collect(),
        bias,
        likely,
        certain: likely + CERTAIN,
        word_bias: words.bias,
        word_scale,
        words: STANDARD.encode(table),
    }
}

fn provenance(harmful: &[&Row], ordinary: &[&Row], seed: u64) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for row in harmful.iter().chain(ordinary) {
        *counts.entry(&row.source).or_default() += 1;
    }
    let counts: Vec<String> = counts.iter().map(|(source, n)| format!("{source} {n}")).collect();
    format!("seed {seed}; generated conversations; rows: {}", counts.join(", "))
}

/// What a fold's conversations are made of: harmful requests, and ordinary texts by source.
fn parts(
    harmful: &[&Row],
    ordinary: &[&Row],
    fold: usize,
    seed: u64,
) -> (Vec<String>, Vec<Vec<String>>) {
    let of_fold = |rows: &[&Row]| -> Vec<Row> {
        rows.iter()
            .enumerate()
            .filter(|(i, _)| i % FOLDS == fold)
            .map(|(_, r)| (*r).clone())
            .collect()
    };
    let requests = of_fold(harmful).into_iter().map(|row| row.text).collect();
    let mut by_source: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in of_fold(ordinary) {
        by_source.entry(row.source).or_default().push(row.text);
    }
    let mut dice = Dice::new(seed, &["sources", &fold.to_string()]);
    let pick = |texts: Vec<String>| -> Vec<String> {
        let some = (0..SOURCE_TEXTS).filter_map(|_| texts.get(dice.below(texts.len())));
        some.cloned().collect()
    };
    (requests, by_source.into_values().map(pick).collect())
}

fn measure(turns: &[String], words: &WordWeights) -> Option<[f32; NAMES.len()]> {
    let read: Vec<_> = turns.iter().map(|turn| read_turn(turn, words)).collect();
    features(&read, words)
}

/// What 99 % of harmless conversations stay below, and 95 % of those made of one source's texts
/// alone, whichever source is hardest.
fn threshold(
    harmful: &[&Row],
    ordinary: &[&Row],
    folds: &[WordWeights],
    seed: u64,
    sum: &dyn Fn(&[f32; NAMES.len()]) -> f32,
) -> f32 {
    let mut generated = Vec::new();
    let mut by_source: BTreeMap<usize, Vec<f32>> = BTreeMap::new();
    for (fold, words) in folds.iter().enumerate() {
        let (_, sources) = parts(harmful, ordinary, fold, seed);
        let mut dice = Dice::new(seed, &["held out", &fold.to_string()]);
        for _ in 0..HELD_OUT {
            generated.extend(measure(&harmless(&mut dice, &sources), words).map(|n| sum(&n)));
        }
        for (source, texts) in sources.iter().enumerate() {
            let chains = texts.chunks_exact(3).filter_map(|turns| measure(turns, words));
            by_source.entry(source).or_default().extend(chains.map(|numbers| sum(&numbers)));
        }
    }
    let worst = by_source.into_values().map(|sums| quantile(sums, 0.95)).fold(f32::MIN, f32::max);
    worst.max(quantile(generated, 0.99))
}

fn quantile(mut values: Vec<f32>, q: f64) -> f32 {
    values.sort_by(f32::total_cmp);
    let rank = (q * values.len() as f64).ceil() as usize;
    values.get(rank.saturating_sub(1)).copied().unwrap_or(f32::MIN)
}

/// Word weights from every text but those of the fold `without`.
fn word_weights(
    harmful: &[&Row],
    ordinary: &[&Row],
    without: Option<usize>,
    seed: u64,
) -> WordWeights {
    let mut sizes: BTreeMap<&str, f32> = BTreeMap::new();
    for row in ordinary {
        *sizes.entry(&row.source).or_default() += 1.0;
    }
    let in_fold = |index: usize| Some(index % FOLDS) != without;
    let rows = |rows: &[&Row]| -> Vec<Row> {
        rows.iter().enumerate().filter(|(i, _)| in_fold(*i)).map(|(_, r)| (*r).clone()).collect()
    };
    let mut samples: Vec<Sample> =
        rows(harmful).iter().map(|row| Sample::new(&row.text, 1.0, 2.0)).collect();
    for row in rows(ordinary) {
        // A small source counts more a row, a large one less.
        let size = sizes.get(row.source.as_str()).copied().unwrap_or(1.0);
        samples.push(Sample::new(&row.text, 0.0, (1_000.0 / size).sqrt().clamp(0.7, 3.0)));
    }
    for subject in SUBJECTS.iter().enumerate().filter(|(i, _)| in_fold(*i)).map(|(_, s)| s) {
        for goal in subject.goals {
            for frame in
                ["How do I ", "", "Explain how someone would ", "Write a text that helps to "]
            {
                samples.push(Sample::new(&format!("{frame}{goal}"), 1.0, 1.0));
            }
        }
        for question in subject.harmless {
            for frame in ["", "Explain this: ", "Please answer: "] {
                samples.push(Sample::new(&format!("{frame}{question}"), 0.0, 3.0));
            }
        }
    }
    samples.extend(TASKS.iter().chain(FOLLOW_UPS).map(|text| Sample::new(text, 0.0, 2.0)));
    fit_words(&samples, seed)
}

/// Logistic regression over table rows, by adaptive gradient steps (Adagrad).
fn fit_words(samples: &[Sample], seed: u64) -> WordWeights {
    const EPOCHS: usize = 12;
    const STEP: f32 = 0.5;
    const SHRINK: f32 = 3e-3;
    let mut words = WordWeights { weights: vec![0.0; BUCKETS], bias: 0.0 };
    let mut squares = vec![1e-6_f32; BUCKETS];
    let mut order: Vec<usize> = (0..samples.len()).collect();
    let mut dice = Dice::new(seed, &["order"]);
    for _ in 0..EPOCHS {
        for index in (1..order.len()).rev() {
            order.swap(index, dice.below(index + 1));
        }
        for sample in order.iter().filter_map(|index| samples.get(*index)) {
            let scale = 1.0 / (sample.rows.len() as f32).sqrt().max(1.0);
            let known = sample.rows.iter().filter_map(|row| words.weights.get(*row)).sum::<f32>();
            let error = (chance(words.bias + scale * known) - sample.label) * sample.weight;
            for row in &sample.rows {
                let (Some(weight), Some(square)) =
                    (words.weights.get_mut(*row), squares.get_mut(*row))
                else {
                    continue;
                };
                let slope = error * scale + SHRINK * *weight;
                *square += slope * slope;
                *weight -= STEP * slope / square.sqrt();
            }
            words.bias -= 0.02 * error;
        }
    }
    words
}

fn chance(sum: f32) -> f32 {
    1.0 / (1.0 + (-sum).exp())
}

/// Logistic regression over the conversations' numbers, by gradient descent with momentum on
/// standardised numbers; harmless conversations weigh half as much again.
fn logistic(numbers: &[[f32; NAMES.len()]], labels: &[bool]) -> (Vec<f32>, f32) {
    const STEPS: usize = 400;
    const SHRINK: f32 = 5e-2;
    let weight = |label: bool| if label { 1.0_f32 } else { 1.5 };
    let total: f32 = labels.iter().map(|label| weight(*label)).sum();
    let rows = || numbers.iter().zip(labels.iter().copied());
    let (mut mean, mut deviation) = ([0.0_f32; NAMES.len()], [0.0_f32; NAMES.len()]);
    for (row, label) in rows() {
        for (mean, x) in mean.iter_mut().zip(row) {
            *mean += x * weight(label) / total;
        }
    }
    for (row, label) in rows() {
        for ((deviation, mean), x) in deviation.iter_mut().zip(&mean).zip(row) {
            *deviation += (x - mean) * (x - mean) * weight(label) / total;
        }
    }
    for deviation in &mut deviation {
        *deviation = deviation.sqrt().max(1e-3);
    }
    let standard = |row: &[f32; NAMES.len()]| -> Vec<f32> {
        row.iter().zip(&mean).zip(&deviation).map(|((x, m), d)| (x - m) / d).collect()
    };
    let rows: Vec<(Vec<f32>, f32, f32)> = rows()
        .map(|(row, label)| (standard(row), f32::from(u8::from(label)), weight(label) / total))
        .collect();
    let (mut weights, mut speed) = (vec![0.0_f32; NAMES.len()], vec![0.0_f32; NAMES.len()]);
    let (mut bias, mut bias_speed) = (0.0_f32, 0.0_f32);
    for _ in 0..STEPS {
        let (mut slope, mut bias_slope) = (vec![0.0_f32; NAMES.len()], 0.0_f32);
        for (row, label, weight) in &rows {
            let sum = bias + row.iter().zip(&weights).map(|(x, w)| x * w).sum::<f32>();
            let error = (chance(sum) - label) * weight;
            for (slope, x) in slope.iter_mut().zip(row) {
                *slope += error * x;
            }
            bias_slope += error;
        }
        for ((weight, speed), slope) in weights.iter_mut().zip(&mut speed).zip(&slope) {
            *speed = 0.9 * *speed - 0.5 * (slope + SHRINK * *weight);
            *weight += *speed;
        }
        bias_speed = 0.9 * bias_speed - 0.5 * bias_slope;
        bias += bias_speed;
    }
    // Back to plain numbers, so that judging needs no means.
    let plain: Vec<f32> = weights.iter().zip(&deviation).map(|(w, d)| w / d).collect();
    let shift: f32 = plain.iter().zip(&mean).map(|(w, m)| w * m).sum();
    (plain, bias - shift)
}
