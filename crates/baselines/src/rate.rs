//! Bernoulli CUSUM, for rates.
//!
//! `S = max(0, S + k ln(p1/p0) + (n-k) ln((1-p1)/(1-p0)))` with `p1 = min(2 p0, 0.9)`; alarm above
//! 10, capped at 14, both scaled by the scope's sensitivity. `p0 = (K+1)/(N+2)` over counts with a
//! half-life of three days that lag one hour and stand still while it alarms; nothing is judged
//! before `N = 500`. Where the parent scope knows its rate `q`, `p0 = (K + 200 q)/(N + 200)`.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::metric::Change;
use crate::seasonal::Verdict;

/// Sum that alarms.
pub(crate) const ALARM: f64 = 10.0;
/// Largest sum.
const CAP: f64 = 14.0;
/// Exchanges wanted before the first verdict.
const LEAST: f64 = 500.0;
/// What the parent's rate counts for, exchanges.
const PRIOR: f64 = 200.0;
/// Seconds until a count weighs half.
const HALF_LIFE: f64 = 3.0 * 86_400.0;
/// Seconds a count waits before it is learned.
const LAG: i64 = 3_600;

/// The usual rate of one metric of one scope, and how far it is off.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// Decayed hits and exchanges.
    hits: f64,
    count: f64,
    /// Cells that wait to be learned, oldest first.
    waiting: VecDeque<(f64, f64)>,
    sum: f64,
}

impl Rate {
    /// Judges `hits` of `count` in a cell of `seconds`, and learns from it. `prior` is the parent's
    /// usual rate; no sensitivity: learn only.
    pub fn step(
        &mut self,
        hits: f64,
        count: f64,
        seconds: i64,
        prior: Option<f64>,
        sensitivity: Option<f64>,
    ) -> Verdict {
        let expected = self.usual(prior);
        let strength = self.count + prior.map_or(0.0, |_| PRIOR);
        let mut flagged = None;
        if let (true, Some(factor)) = (strength >= LEAST, sensitivity) {
            self.sum = next_sum(self.sum, hits, count, expected, factor);
            flagged = (self.sum > ALARM * factor).then_some(Change::Up);
        }
        let decay = 0.5f64.powf(seconds as f64 / HALF_LIFE);
        self.hits *= decay;
        self.count *= decay;
        if flagged.is_some() {
            // What led here is not normal either.
            self.waiting.clear();
        } else {
            self.waiting.push_back((hits, count));
            let lag = usize::try_from(LAG / seconds.max(1)).unwrap_or(1);
            while self.waiting.len() > lag {
                if let Some((hits, count)) = self.waiting.pop_front() {
                    self.hits += hits;
                    self.count += count;
                }
            }
        }
        Verdict { expected, z: self.sum, flagged }
    }

    /// The usual rate `p0`.
    pub fn usual(&self, prior: Option<f64>) -> f64 {
        match prior {
            Some(rate) => (self.hits + PRIOR * rate) / (self.count + PRIOR),
            None => (self.hits + 1.0) / (self.count + 2.0),
        }
    }

    /// Whether enough was seen for the rate to be somebody's prior.
    pub(crate) fn is_known(&self) -> bool {
        self.count >= LEAST
    }

    /// Takes `hits` of `count` for normal from now on.
    pub(crate) fn accept(&mut self, hits: f64, count: f64) {
        *self = Self { hits, count, ..Self::default() };
    }
}

/// The sum after one more cell.
pub(crate) fn next_sum(sum: f64, hits: f64, count: f64, p0: f64, factor: f64) -> f64 {
    let p0 = p0.clamp(1e-6, 0.85);
    let p1 = (2.0 * p0).min(0.9);
    let rises = hits * (p1 / p0).ln() + (count - hits).max(0.0) * ((1.0 - p1) / (1.0 - p0)).ln();
    (sum + rises).clamp(0.0, CAP * factor)
}
