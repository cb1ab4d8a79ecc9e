//! The first stage: logistic regressions over hashed features, one a head, on windows of texts.
//!
//! Adagrad (Duchi, Hazan, Singer 2011) with an L2 penalty on the weights that a window touches;
//! deterministic for a seed.

use quell_detection::classifier::pool::{BLOCK, HEADS, NARROW, ROW, Table, WIDE, bucket, norm};
use quell_detection::classifier::text::{Sink, walk};

use crate::random::Random;
use crate::sample::{Kind, Sample};

/// How the first stage is trained.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Buckets of the table, as a power of two.
    pub buckets: u32,
    /// Passes over the windows.
    pub epochs: u32,
    /// Step size of Adagrad.
    pub rate: f32,
    /// L2 penalty.
    pub decay: f32,
    /// Where Adagrad's sum of squares begins: the larger, the less a rare feature learns.
    pub start: f32,
    /// Share of a window's features left out at random in each pass.
    pub dropout: f32,
    /// Texts that must share a feature.
    pub texts: usize,
    /// Windows of one width taken from one text at most.
    pub windows: usize,
    /// Fits of different chance whose weights are averaged: with much left out at random, one fit
    /// is not like another.
    pub averaged: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            buckets: 17,
            epochs: 5,
            rate: 0.12,
            decay: 1e-4,
            start: 1.0,
            dropout: 0.6,
            texts: 3,
            windows: 10,
            averaged: 3,
        }
    }
}

/// What a head should say of a window: 1, 0, or nothing.
type Targets = [i8; HEADS];

const SAYS_NOTHING: i8 = -1;
/// The number of a feature without a weight.
const UNKNOWN: u32 = u32::MAX;

/// The heads: any attack, jailbreak, extraction, command, request, harm, mention.
fn targets(kind: Kind, part: Part) -> Targets {
    let n = SAYS_NOTHING;
    match (kind, part) {
        (Kind::Request, _) => [0, 0, 0, n, 1, 0, 0],
        (Kind::Document, _) | (Kind::Indirect, Part::Around) => [0, 0, 0, 0, 0, 0, 0],
        (Kind::Mention, _) => [0, 0, 0, 0, n, 0, 1],
        (Kind::Override, _) => [1, n, n, n, 1, n, 0],
        (Kind::Jailbreak, _) => [1, 1, 0, n, 1, n, 0],
        (Kind::Extraction, _) => [1, 0, 1, n, 1, 0, 0],
        (Kind::Indirect, Part::Injected) => [n, n, n, 1, n, n, 0],
        (Kind::Indirect, Part::Whole) => [n, 0, n, 1, n, n, 0],
        (Kind::Harmful, _) => [n, n, 0, n, 1, 1, 0],
    }
}

#[derive(Clone, Copy)]
enum Part {
    Whole,
    Injected,
    Around,
}

struct Window {
    features: Vec<u32>,
    targets: Targets,
    weight: f32,
}

/// Trains on `samples`, `weights` being how much each counts.
pub fn train(samples: &[(&Sample, f32)], settings: &Settings, seed: u64) -> Table {
    let mut random = Random::new(seed);
    let known = known(samples, settings);
    let mut windows = Vec::new();
    for (sample, weight) in samples {
        cut(sample, *weight, &known, settings.windows, &mut random, &mut windows);
    }
    balance(&mut windows);
    let (weights, bias) = averaged(&mut windows, known.len(), settings, &mut random);
    placed(&known, &weights, bias, settings.buckets)
}

/// The features that are worth a weight, sorted: those that several texts share, and more than one
/// source unless the source was written here.
fn known(samples: &[(&Sample, f32)], settings: &Settings) -> Vec<u32> {
    let mut sources: Vec<&str> = samples.iter().map(|(sample, _)| sample.source.as_str()).collect();
    sources.sort_unstable();
    sources.dedup();
    let mut seen: Vec<(u32, u16)> = Vec::new();
    for (sample, _) in samples {
        let source = sources.binary_search(&sample.source.as_str()).unwrap_or(0) as u16;
        let mut features: Vec<u32> = tokens(&sample.text).into_iter().flatten().collect();
        features.sort_unstable();
        features.dedup();
        seen.extend(features.into_iter().map(|feature| (feature, source)));
    }
    seen.sort_unstable();
    seen.chunk_by(|a, b| a.0 == b.0)
        .filter(|group| {
            let several = group.first().map(|pair| pair.1) != group.last().map(|pair| pair.1);
            group.len() >= if several { settings.texts } else { 4 * settings.texts }
        })
        .filter_map(|group| group.first().map(|pair| pair.0))
        .collect()
}

/// The features of each token of a text.
fn tokens(text: &str) -> Vec<Vec<u32>> {
    struct Tokens(Vec<Vec<u32>>);
    impl Sink for Tokens {
        fn token(&mut self, features: &[u32]) {
            self.0.push(features.to_vec());
        }
    }
    let mut tokens = Tokens(Vec::new());
    walk(text, &mut tokens);
    tokens.0
}

fn cut(
    sample: &Sample,
    weight: f32,
    known: &[u32],
    most: usize,
    random: &mut Random,
    windows: &mut Vec<Window>,
) {
    let all = tokens(&sample.text);
    let injected = sample.injected.clone().and_then(|range| {
        let before = tokens(sample.text.get(..range.start)?).len();
        let inside = tokens(sample.text.get(range)?).len();
        Some(before..(before + inside).min(all.len()))
    });
    for (width, share) in [(WIDE * BLOCK as usize, 0.6), (NARROW * BLOCK as usize, 0.4)] {
        let step = width / 2;
        let mut starts: Vec<usize> = (0..all.len().max(1))
            .step_by(step)
            .filter(|at| *at == 0 || at + step < all.len())
            .collect();
        random.shuffle(&mut starts);
        if let Some(range) = &injected {
            // The windows that hold the injection come first.
            starts.sort_by_key(|at| !(at + width > range.start && *at < range.end));
        }
        starts.truncate(most);
        let each = weight * share / (starts.len() as f32).sqrt();
        for start in starts {
            let end = (start + width).min(all.len());
            let part = match &injected {
                None => Part::Whole,
                Some(range) => {
                    let common = end.min(range.end).saturating_sub(start.max(range.start));
                    if common == 0 {
                        Part::Around
                    } else if 2 * common >= (end - start).min(range.len()) {
                        Part::Injected
                    } else {
                        continue;
                    }
                }
            };
            let number =
                |feature: &u32| known.binary_search(feature).map_or(UNKNOWN, |at| at as u32);
            let features = all[start..end].iter().flatten().map(number).collect();
            let targets = targets(sample.kind, part);
            // A sentence out of a long attack is often harmless by itself.
            let long = all.len() > 4 * width && sample.kind.attack() == Some(true);
            let each = if long && injected.is_none() { each * 0.5 } else { each };
            windows.push(Window { features, targets, weight: each });
        }
    }
}

/// Gives every window a weight such that the mean is 1.
fn balance(windows: &mut [Window]) {
    let total: f32 = windows.iter().map(|window| window.weight).sum();
    let mean = total / windows.len().max(1) as f32;
    for window in windows {
        window.weight /= mean.max(1e-9);
    }
}

/// The mean of several fits.
fn averaged(
    windows: &mut [Window],
    size: usize,
    settings: &Settings,
    random: &mut Random,
) -> (Vec<[f32; HEADS]>, [f32; HEADS]) {
    let (mut weights, mut bias) = (vec![[0.0_f32; HEADS]; size], [0.0_f32; HEADS]);
    let share = 1.0 / settings.averaged.max(1) as f32;
    let add = |sum: &mut [f32; HEADS], more: [f32; HEADS]| {
        for (sum, more) in sum.iter_mut().zip(more) {
            *sum += share * more;
        }
    };
    for _ in 0..settings.averaged.max(1) {
        let (fitted, level) = fit(windows, size, settings, random);
        weights.iter_mut().zip(fitted).for_each(|(sum, more)| add(sum, more));
        add(&mut bias, level);
    }
    (weights, bias)
}

fn fit(
    windows: &mut [Window],
    size: usize,
    settings: &Settings,
    random: &mut Random,
) -> (Vec<[f32; HEADS]>, [f32; HEADS]) {
    let mut weights = vec![[0.0_f32; HEADS]; size];
    let mut squares = vec![[settings.start; HEADS]; size];
    let mut bias = [0.0_f32; HEADS];
    // Attacks and harmless texts weigh the same in each head.
    let mut mass = [[0.0_f64; 2]; HEADS];
    for window in windows.iter() {
        for (head, target) in window.targets.iter().enumerate() {
            if *target >= 0 {
                mass[head][*target as usize] += f64::from(window.weight);
            }
        }
    }
    let mut kept: Vec<u32> = Vec::new();
    for epoch in 0..settings.epochs {
        random.shuffle(windows);
        let rate = settings.rate * (1.0 - 0.8 * epoch as f32 / settings.epochs as f32);
        for window in windows.iter() {
            kept.clear();
            kept.extend(window.features.iter().filter(|_| !random.chance(settings.dropout)));
            let norm = norm(kept.len() as f32);
            kept.retain(|feature| *feature != UNKNOWN);
            let mut logits = [0.0_f32; HEADS];
            for at in &kept {
                let row = &weights[*at as usize];
                for head in 0..HEADS {
                    logits[head] += row[head];
                }
            }
            let mut gradient = [0.0_f32; HEADS];
            for head in 0..HEADS {
                let target = window.targets[head];
                if target >= 0 {
                    let logit = bias[head] + logits[head] * norm;
                    let [none, some] = mass[head];
                    let share = if target == 1 { some } else { none };
                    let even = ((none + some) / (2.0 * share.max(1e-9))).clamp(0.2, 5.0) as f32;
                    let error = 1.0 / (1.0 + (-logit).exp()) - f32::from(target);
                    gradient[head] = error * window.weight.min(4.0) * even;
                    bias[head] -= 0.02 * rate * gradient[head];
                }
            }
            for at in &kept {
                let at = *at as usize;
                for head in 0..HEADS {
                    let g = gradient[head] * norm + settings.decay * weights[at][head];
                    squares[at][head] += g * g;
                    weights[at][head] -= rate * g / squares[at][head].sqrt();
                }
            }
        }
    }
    (weights, bias)
}

/// A table of signed bytes. Where features meet in a bucket, the weightiest gets it; a few extreme
/// weights are cut so that the rest keeps its resolution.
fn placed(known: &[u32], weights: &[[f32; HEADS]], bias: [f32; HEADS], buckets: u32) -> Table {
    let mut scale = [0.0_f32; HEADS];
    for (head, scale) in scale.iter_mut().enumerate() {
        let mut sizes: Vec<f32> = weights.iter().map(|row| row[head].abs()).collect();
        sizes.sort_by(f32::total_cmp);
        let top = sizes.get(sizes.len() * 998 / 1000).copied().unwrap_or(1.0);
        *scale = top.max(1e-6) / 127.0;
    }
    let mut rows = vec![[0_i8; ROW]; 1 << buckets];
    let mut held = vec![0.0_f32; 1 << buckets];
    for (feature, row) in known.iter().zip(weights) {
        let (at, fingerprint) = bucket(*feature, 32 - buckets);
        let mass: f32 = (0..HEADS).map(|head| (row[head] / scale[head]).abs()).sum();
        if mass <= held[at] {
            continue;
        }
        held[at] = mass;
        for head in 0..HEADS {
            rows[at][head] = (row[head] / scale[head]).round().clamp(-127.0, 127.0) as i8;
        }
        rows[at][HEADS] = fingerprint;
    }
    Table { rows, scale, bias }
}
