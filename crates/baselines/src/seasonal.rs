//! S2: seasonal level and CUSUM, for positive metrics and counts.
//!
//! With `l = ln x`, seasonal value `s_t`, level `L` and `e = l - s_t - L`:
//! `z = e / s`, `s = max(1.4826 MAD of the training e, 1/sqrt(expected count))`. A cell is flagged
//! when `|z| > 6`, or `|z| > 4` twice running the same way, or a CUSUM of `clip(z, ±6) - 1` exceeds
//! 12. Then `L += a clip(e, ±2s)`, `a = 1 - exp(-1/36)` per five minutes, a tenth of that while
//! flagged. All four thresholds are scaled by the scope's sensitivity.
//!
//! Departures, all bounds: a CUSUM is capped at twice its threshold, so that a long outage is not
//! remembered for days; `s` is at least 0.02, so that a constant metric has a scale.

use serde::{Deserialize, Serialize};

use crate::metric::Change;

/// |z| that is enough alone.
const ONCE: f64 = 6.0;
/// |z| that is enough twice running.
const TWICE: f64 = 4.0;
/// Sum that is enough.
const SUM: f64 = 12.0;
/// What every cell takes off a sum.
const ALLOWANCE: f64 = 1.0;
/// Least scale.
const SCALE_MIN: f64 = 0.02;
/// Share of the level's usual pace while flagged.
const PACE_FLAGGED: f64 = 0.1;
/// Cells between two estimates of the scale.
const SCALE_EVERY: usize = 12;

/// What a metric of one scope looks like, and how far it is off.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Level {
    /// Level `L`, above the season; none before the first value.
    base: Option<f64>,
    up: f64,
    down: f64,
    last_z: f64,
    /// 1.4826 MAD of the training residuals; none before the first estimate.
    scale: Option<f64>,
    since_scale: usize,
    /// Cells judged so far.
    seen: usize,
}

/// What one cell amounts to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// What was expected: `exp(s_t + L)`.
    pub expected: f64,
    /// How far off, in scales; 0 while learning.
    pub z: f64,
    /// Whether it is flagged, and which way.
    pub flagged: Option<Change>,
}

/// How one cell is judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Terms {
    /// Five-minute cells one cell stands for.
    pub width: f64,
    /// Cells wanted before anything is flagged.
    pub training: usize,
    /// Scales every threshold; none: learn only.
    pub sensitivity: Option<f64>,
}

impl Level {
    /// Judges a cell whose value has the logarithm `l` and the season `season`, and moves the
    /// level. `count` is how many exchanges are expected; none where the value is that count.
    pub fn step(&mut self, l: f64, season: f64, count: Option<f64>, terms: &Terms) -> Verdict {
        let level = *self.base.get_or_insert(l - season);
        let e = l - season - level;
        let scale = self.spread(count.unwrap_or_else(|| (season + level).exp()));
        let trained = self.seen >= terms.training && self.scale.is_some();
        let z = if trained { e / scale } else { 0.0 };
        let flagged = terms.sensitivity.and_then(|factor| self.judge(z, factor));
        let pace = 1.0 - (-terms.width / 36.0).exp();
        let pace = if flagged.is_some() { pace * PACE_FLAGGED } else { pace };
        let known = self.scale.is_some();
        let pull = if known { e.clamp(-2.0 * scale, 2.0 * scale) } else { e };
        self.base = Some(level + pace * pull);
        self.seen += 1;
        self.since_scale += 1;
        Verdict { expected: (season + level).exp(), z, flagged }
    }

    /// The scale of residuals where about `count` exchanges are expected.
    pub fn spread(&self, count: f64) -> f64 {
        let sampling = if count > 0.0 { 1.0 / count.sqrt() } else { 1.0 };
        self.scale.unwrap_or(1.0).max(sampling).max(SCALE_MIN)
    }

    /// Moves the level so that a change of the season's source from `old` to `new` is no change.
    pub(crate) fn rebase(&mut self, old: f64, new: f64) {
        if let Some(level) = &mut self.base {
            *level += old - new;
        }
    }

    /// Takes what is seen now for normal: the level moves by the middle of the last residuals.
    pub(crate) fn accept(&mut self, mut last: Vec<f32>) {
        if let (Some(level), Some(middle)) = (&mut self.base, median(&mut last)) {
            *level += f64::from(middle);
        }
        (self.up, self.down, self.last_z) = (0.0, 0.0, 0.0);
    }

    /// Whether it is time to estimate the scale again.
    pub(crate) fn wants_scale(&self) -> bool {
        self.since_scale >= SCALE_EVERY || (self.scale.is_none() && self.seen > 0)
    }

    /// Estimates the scale from the training residuals.
    pub(crate) fn rescale(&mut self, residuals: Vec<f32>) {
        self.since_scale = 0;
        self.scale = Some(deviation(residuals));
    }

    fn judge(&mut self, z: f64, factor: f64) -> Option<Change> {
        let found = decide(&mut self.up, &mut self.down, self.last_z, z, factor);
        self.last_z = z;
        found
    }
}

/// One step of the decision. Shared with the simulation that sets the sensitivity.
pub(crate) fn decide(
    up: &mut f64,
    down: &mut f64,
    last: f64,
    z: f64,
    factor: f64,
) -> Option<Change> {
    let clipped = z.clamp(-ONCE, ONCE);
    let cap = 2.0 * SUM * factor;
    *up = (*up + clipped - ALLOWANCE).clamp(0.0, cap);
    *down = (*down - clipped - ALLOWANCE).clamp(0.0, cap);
    let twice = z.abs() > TWICE * factor && last.abs() > TWICE * factor && z * last > 0.0;
    if z.abs() > ONCE * factor || twice {
        return Some(if z > 0.0 { Change::Up } else { Change::Down });
    }
    if *up > SUM * factor {
        return Some(Change::Up);
    }
    (*down > SUM * factor).then_some(Change::Down)
}

/// 1.4826 times the median distance from the median.
fn deviation(mut values: Vec<f32>) -> f64 {
    let Some(middle) = median(&mut values) else { return 0.0 };
    for value in &mut values {
        *value = (*value - middle).abs();
    }
    1.4826 * f64::from(median(&mut values).unwrap_or(0.0))
}

/// The median; of an even number the mean of the middle two. None of nothing.
pub(crate) fn median(values: &mut [f32]) -> Option<f32> {
    let middle = values.len() / 2;
    if values.is_empty() {
        return None;
    }
    let even = values.len().is_multiple_of(2);
    let (below, at, _) = values.select_nth_unstable_by(middle, f32::total_cmp);
    let at = *at;
    if !even {
        return Some(at);
    }
    let below = below.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    Some(f32::midpoint(below, at))
}
