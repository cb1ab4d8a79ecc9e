//! The second stage: a small network over a text's figures, plus a weight for each fact.
//!
//! Adam (Kingma, Ba 2015) on the logistic loss; facts are dropped for half of the texts, because
//! patterns know the texts they were written on better than those to come.

use quell_detection::classifier::Combiner;
use quell_detection::classifier::pool::FIGURES;

use crate::random::Random;

/// What the second stage learns from: one text.
#[derive(Debug, Clone)]
pub struct Point {
    /// Its figures, from a first stage that has not seen the text.
    pub figures: [f32; FIGURES],
    /// Its facts, by number.
    pub facts: Vec<usize>,
    /// What it is.
    pub positive: bool,
    /// How much it counts.
    pub weight: f32,
}

/// How the second stage is trained.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Hidden units.
    pub hidden: usize,
    /// Passes over the points.
    pub epochs: u32,
    /// Step size of Adam.
    pub rate: f32,
    /// Decay of weights, apart from the gradient.
    pub decay: f32,
    /// How often a text's facts are left out.
    pub dropout: f32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { hidden: 12, epochs: 12, rate: 2e-3, decay: 2e-3, dropout: 0.5 }
    }
}

const BATCH: usize = 64;

struct Adam {
    weights: Vec<f32>,
    gradient: Vec<f32>,
    first: Vec<f32>,
    second: Vec<f32>,
    steps: i32,
}

impl Adam {
    fn new(weights: Vec<f32>) -> Self {
        let n = weights.len();
        Self {
            weights,
            gradient: vec![0.0; n],
            first: vec![0.0; n],
            second: vec![0.0; n],
            steps: 0,
        }
    }

    fn step(&mut self, rate: f32, decay: f32) {
        self.steps += 1;
        let (a, b) = (1.0 - 0.9_f32.powi(self.steps), 1.0 - 0.999_f32.powi(self.steps));
        for at in 0..self.weights.len() {
            let g = self.gradient[at];
            self.first[at] = 0.9 * self.first[at] + 0.1 * g;
            self.second[at] = 0.999 * self.second[at] + 0.001 * g * g;
            let step = self.first[at] / a / ((self.second[at] / b).sqrt() + 1e-8);
            self.weights[at] -= rate * (step + decay * self.weights[at]);
            self.gradient[at] = 0.0;
        }
    }
}

/// Trains a judge without calibration; `names` are the facts that points number.
pub fn train(points: &[Point], names: &[String], settings: &Settings, seed: u64) -> Combiner {
    let (n, hidden) = (FIGURES, settings.hidden);
    let mut random = Random::new(seed);
    let (means, spreads) = spread(points);
    // Layout: direct, hidden rows with bias, output, facts, bias.
    let hidden_at = n;
    let output_at = hidden_at + hidden * (n + 1);
    let facts_at = output_at + hidden;
    let bias_at = facts_at + names.len();
    let mut start = vec![0.0_f32; bias_at + 1];
    for weight in &mut start[hidden_at..facts_at] {
        *weight = (random.unit() - 0.5) * 0.4;
    }
    let mut adam = Adam::new(start);
    let mut order: Vec<usize> = (0..points.len()).collect();
    let scaled: Vec<[f32; FIGURES]> = points
        .iter()
        .map(|point| std::array::from_fn(|i| (point.figures[i] - means[i]) / spreads[i]))
        .collect();
    for epoch in 0..settings.epochs {
        random.shuffle(&mut order);
        let rate = settings.rate * (1.0 - 0.9 * epoch as f32 / settings.epochs as f32);
        for batch in order.chunks(BATCH) {
            for &index in batch {
                let (point, x) = (&points[index], &scaled[index]);
                let facts: &[usize] =
                    if random.chance(settings.dropout) { &[] } else { &point.facts };
                let w = &adam.weights;
                let mut logit = w[bias_at];
                for (weight, value) in w.iter().zip(x) {
                    logit += weight * value;
                }
                let mut units = vec![0.0_f32; hidden];
                for (j, unit) in units.iter_mut().enumerate() {
                    let row = &w[hidden_at + j * (n + 1)..hidden_at + (j + 1) * (n + 1)];
                    let sum: f32 = row[..n].iter().zip(x).map(|(w, x)| w * x).sum();
                    *unit = (sum + row[n]).max(0.0);
                    logit += w[output_at + j] * *unit;
                }
                for fact in facts {
                    logit += w[facts_at + fact];
                }
                let target = f32::from(u8::from(point.positive));
                let error = 1.0 / (1.0 + (-logit).exp()) - target;
                let g = error * point.weight / batch.len() as f32;
                adam.gradient[bias_at] += g;
                for (slope, value) in adam.gradient.iter_mut().zip(x) {
                    *slope += g * value;
                }
                for fact in facts {
                    adam.gradient[facts_at + fact] += g;
                }
                for (j, unit) in units.iter().enumerate() {
                    adam.gradient[output_at + j] += g * unit;
                    if *unit > 0.0 {
                        let back = g * adam.weights[output_at + j];
                        let row = hidden_at + j * (n + 1);
                        for (slope, value) in adam.gradient[row..].iter_mut().zip(x) {
                            *slope += back * value;
                        }
                        adam.gradient[row + n] += back;
                    }
                }
            }
            adam.step(rate, settings.decay);
        }
    }
    unscaled(&adam.weights, &means, &spreads, names, hidden)
}

fn spread(points: &[Point]) -> ([f32; FIGURES], [f32; FIGURES]) {
    let count = points.len().max(1) as f64;
    let mut means = [0.0_f32; FIGURES];
    let mut spreads = [1.0_f32; FIGURES];
    for i in 0..FIGURES {
        let sum: f64 = points.iter().map(|point| f64::from(point.figures[i])).sum();
        let mean = sum / count;
        let square: f64 =
            points.iter().map(|point| (f64::from(point.figures[i]) - mean).powi(2)).sum();
        means[i] = mean as f32;
        spreads[i] = ((square / count).sqrt() as f32).max(0.05);
    }
    (means, spreads)
}

/// The judge for figures as they come.
fn unscaled(
    w: &[f32],
    means: &[f32; FIGURES],
    spreads: &[f32; FIGURES],
    names: &[String],
    k: usize,
) -> Combiner {
    let n = FIGURES;
    let (hidden_at, output_at) = (n, n + k * (n + 1));
    let facts_at = output_at + k;
    let plain = |row: &[f32]| -> (Vec<f32>, f32) {
        let weights: Vec<f32> = (0..n).map(|i| row[i] / spreads[i]).collect();
        let moved = weights.iter().zip(means).map(|(weight, mean)| weight * mean).sum::<f32>();
        (weights, moved)
    };
    let (direct, moved) = plain(&w[..n]);
    let hidden = (0..k)
        .map(|j| {
            let row = &w[hidden_at + j * (n + 1)..hidden_at + (j + 1) * (n + 1)];
            let (mut weights, moved) = plain(row);
            weights.push(row[n] - moved);
            weights
        })
        .collect();
    let facts = names.iter().cloned().zip(w[facts_at..].iter().copied()).collect();
    Combiner {
        direct,
        hidden,
        output: w[output_at..facts_at].to_vec(),
        bias: w[facts_at + names.len()] - moved,
        facts,
        calibration: vec![(-10.0, 0.0), (10.0, 1.0)],
        certain: 0.9,
    }
}
