//! How sensitive a scope may be: the factor on every threshold of each metric, such that the
//! simulated false alarms of a week stay within the operator's budget.
//!
//! Method: block bootstrap. Blocks of two hours are drawn from the last fourteen days, the same
//! blocks for all metrics, until half a year is simulated; alarms of several metrics within two
//! hours count once, as people see them. Factors begin at the published thresholds (below them
//! where the budget is above one) and the noisiest metric's rises until the budget is met. A factor
//! never exceeds [`FACTOR_MAX`]: however noisy the past, a scope is not silenced.
//!
//! The last fourteen days hold what really happened too, and must not dull a scope: cells of an
//! alarm that lasted half an hour or more are left out. Shorter alarms are noise and stay in.

use crate::cell::denominator;
use crate::metric::{METRICS, Metric};
use crate::observe::mix;
use crate::rate::{ALARM, next_sum};
use crate::scope::Scope;
use crate::seasonal::decide;
use crate::series::{DAYS_TRAINING, logarithm};

/// Factors tried.
const FACTORS: [f64; 10] = [0.75, 0.85, 1.0, 1.15, 1.35, 1.6, 1.9, 2.2, 2.6, FACTOR_MAX];
/// Largest factor.
pub(crate) const FACTOR_MAX: f64 = 3.0;
/// Index of the published thresholds.
const PUBLISHED: usize = 2;
/// Weeks simulated.
const WEEKS: usize = 26;
/// Seconds of a block, and within which alarms count once.
const BLOCK: i64 = 7_200;
/// Seconds without a flag that end an alarm.
const QUIET: i64 = 3_600;
/// Seconds of an alarm from which on it counts as something that happened, not as noise.
const HAPPENED: i64 = 1_800;

/// How many false alarms a week are bearable, per scope.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Budget(f64);

impl Default for Budget {
    fn default() -> Self {
        Self(1.0)
    }
}

impl Budget {
    /// Least and most false alarms a week.
    pub const RANGE: (f64, f64) = (0.1, 50.0);

    /// A budget within [`Self::RANGE`]; none outside.
    pub fn new(per_week: f64) -> Option<Self> {
        (Self::RANGE.0..=Self::RANGE.1).contains(&per_week).then_some(Self(per_week))
    }

    /// False alarms a week.
    pub const fn per_week(self) -> f64 {
        self.0
    }
}

/// The past of one metric, cell by cell.
enum Past {
    Level(Vec<f64>),
    /// Hits, exchanges, usual rate.
    Rate(Vec<(f64, f64, f64)>),
}

/// The factors for `scope`; none before fourteen days are known.
pub(crate) fn factors(scope: &Scope, budget: Budget, seed: u64) -> Option<Vec<f64>> {
    let cells = scope.series.judged().count();
    if cells < DAYS_TRAINING * scope.series.day() {
        return None;
    }
    let block = usize::try_from(BLOCK / scope.series.seconds()).unwrap_or(1).max(1);
    let week = 7 * scope.series.day();
    let picks = picks(cells, block, WEEKS * week, seed);
    let past: Vec<Option<Past>> =
        Metric::ALL.into_iter().map(|metric| past(scope, metric)).collect();
    let quiet = usize::try_from(QUIET / scope.series.seconds()).unwrap_or(1).max(1);
    let start = if budget.0 > 1.0 { 0 } else { PUBLISHED };
    let run = |metric: usize, factor: usize| match &past[metric] {
        Some(past) => simulate(past, &picks, block, quiet, FACTORS[factor]),
        None => Vec::new(),
    };
    let mut chosen = [start; METRICS];
    let mut alarms: Vec<Vec<usize>> = (0..METRICS).map(|metric| run(metric, start)).collect();
    let bearable = budget.0 * WEEKS as f64;
    while seen_by_people(&alarms, block) as f64 > bearable {
        let noisiest = (0..METRICS)
            .filter(|metric| chosen[*metric] + 1 < FACTORS.len())
            .max_by_key(|metric| (alarms[*metric].len(), METRICS - metric));
        let Some(metric) = noisiest.filter(|metric| !alarms[*metric].is_empty()) else { break };
        chosen[metric] += 1;
        alarms[metric] = run(metric, chosen[metric]);
    }
    Some(chosen.map(|at| FACTORS[at]).to_vec())
}

/// First cells of the blocks drawn.
fn picks(cells: usize, block: usize, wanted: usize, seed: u64) -> Vec<usize> {
    let places = (cells - block.min(cells) + 1) as u64;
    let mut state = seed;
    let draw = |_| {
        state = mix(state);
        usize::try_from(state % places).unwrap_or(0)
    };
    (0..wanted.div_ceil(block)).map(draw).collect()
}

fn past(scope: &Scope, metric: Metric) -> Option<Past> {
    let at = metric.index();
    let cells = scope.series.judged();
    let mut past = if metric.is_rate() {
        let of = |(_, row, expected): (i64, &crate::cell::Row, &crate::series::Expected)| {
            let (hits, count) = (row[at], denominator(metric, row));
            let known = hits.is_finite() && count.is_finite() && expected[at].is_finite();
            let cell = (f64::from(hits), f64::from(count), f64::from(expected[at]));
            if known { cell } else { NO_RATE }
        };
        Past::Rate(cells.map(of).collect())
    } else {
        let of = |(_, row, expected): (i64, &crate::cell::Row, &crate::series::Expected)| {
            let count = f64::from(expected[Metric::Requests.index()]);
            let off = logarithm(metric, row).map(|l| l - f64::from(expected[at]).ln());
            let known = off.filter(|off| off.is_finite());
            known.map_or(0.0, |off| off / scope.spread(metric, count))
        };
        Past::Level(cells.map(of).collect())
    };
    let least = usize::try_from(HAPPENED / scope.series.seconds()).unwrap_or(1).max(1);
    past.leave_out_what_happened(least);
    past.says_something().then_some(past)
}

/// A cell without exchanges.
const NO_RATE: (f64, f64, f64) = (0.0, 0.0, 0.5);

impl Past {
    fn len(&self) -> usize {
        match self {
            Self::Level(z) => z.len(),
            Self::Rate(cells) => cells.len(),
        }
    }

    fn says_something(&self) -> bool {
        match self {
            Self::Level(z) => z.iter().any(|z| *z != 0.0),
            Self::Rate(cells) => cells.iter().any(|(hits, ..)| *hits > 0.0),
        }
    }

    /// Blanks alarms of at least `least` cells, and as many cells before each: what led to it.
    /// Judged by the published thresholds, so that a dull scope does not come to call everything
    /// noise.
    fn leave_out_what_happened(&mut self, least: usize) {
        let mut run = Run::default();
        let flags: Vec<bool> = (0..self.len()).map(|cell| run.step(self, cell, 1.0)).collect();
        let mut from = 0;
        while let Some(start) = flags[from..].iter().position(|flag| *flag) {
            let start = from + start;
            let long = flags[start..].iter().position(|flag| !*flag);
            let end = long.map_or(flags.len(), |long| start + long);
            if end - start >= least {
                self.blank(start.saturating_sub(least), end);
            }
            from = end;
        }
    }

    fn blank(&mut self, from: usize, to: usize) {
        match self {
            Self::Level(z) => z[from..to].fill(0.0),
            Self::Rate(cells) => cells[from..to].fill(NO_RATE),
        }
    }
}

/// The detector of one metric while it is simulated.
#[derive(Default)]
struct Run {
    up: f64,
    down: f64,
    last: f64,
    sum: f64,
}

impl Run {
    /// Whether a cell is flagged.
    fn step(&mut self, past: &Past, cell: usize, factor: f64) -> bool {
        match past {
            Past::Level(z) => {
                let z = z.get(cell).copied().unwrap_or(0.0);
                let found = decide(&mut self.up, &mut self.down, self.last, z, factor);
                self.last = z;
                found.is_some()
            }
            Past::Rate(cells) => {
                let (hits, count, usual) = cells.get(cell).copied().unwrap_or(NO_RATE);
                self.sum = next_sum(self.sum, hits, count, usual, factor);
                self.sum > ALARM * factor
            }
        }
    }
}

/// Where alarms begin in the simulated time.
fn simulate(past: &Past, picks: &[usize], block: usize, quiet: usize, factor: f64) -> Vec<usize> {
    let mut run = Run::default();
    let (mut begun, mut flagged_at) = (Vec::new(), None::<usize>);
    let drawn = picks.iter().flat_map(|first| *first..*first + block);
    for (now, cell) in drawn.enumerate() {
        if !run.step(past, cell, factor) {
            continue;
        }
        if flagged_at.is_none_or(|at| now - at > quiet) {
            begun.push(now);
        }
        flagged_at = Some(now);
    }
    begun
}

/// Alarms, those within one block of the one before counted once.
fn seen_by_people(alarms: &[Vec<usize>], block: usize) -> usize {
    let mut all: Vec<usize> = alarms.iter().flatten().copied().collect();
    all.sort_unstable();
    let (mut seen, mut last) = (0, None::<usize>);
    for at in all {
        if last.is_none_or(|last| at - last > block) {
            seen += 1;
            last = Some(at);
        }
    }
    seen
}
