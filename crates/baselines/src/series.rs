//! The closed cells of one scope, and what season they show.

use std::collections::VecDeque;

use crate::cell::{COLUMNS, Row, SILENCE};
use crate::metric::{METRICS, Metric};
use crate::seasonal::median;

/// Days of cells kept.
pub const DAYS_KEPT: usize = 35;
/// Days of expected values kept, which are also the days that train.
pub const DAYS_TRAINING: usize = 14;

/// What was expected of one cell, by metric.
pub(crate) type Expected = [f32; METRICS];

/// Closed cells without a gap, oldest first.
#[derive(Debug, Clone)]
pub struct Series {
    seconds: i64,
    /// Number of the first cell: its start divided by the cell's length.
    first: i64,
    rows: VecDeque<Row>,
    /// Of the newest cells only.
    expected: VecDeque<Expected>,
}

/// Where the seasonal value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Basis {
    /// Less than a day is known: no season.
    Nothing,
    /// Less than two weeks: the same hour of the days before.
    Day,
    /// The same hour of the same day of up to three weeks before.
    Week,
}

impl Series {
    /// No cells yet; the next is number `first`.
    pub(crate) fn new(seconds: i64, first: i64) -> Self {
        Self { seconds, first, rows: VecDeque::new(), expected: VecDeque::new() }
    }

    /// Seconds of a cell.
    pub fn seconds(&self) -> i64 {
        self.seconds
    }

    /// Cells held.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether no cell was closed yet.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Number of the cell that is closed next.
    pub(crate) fn next(&self) -> i64 {
        self.first + self.rows.len() as i64
    }

    /// Cells of a day.
    pub(crate) fn day(&self) -> usize {
        usize::try_from(86_400 / self.seconds).unwrap_or(1)
    }

    pub(crate) fn push(&mut self, row: Row, expected: Expected) {
        self.rows.push_back(row);
        self.expected.push_back(expected);
        if self.rows.len() > DAYS_KEPT * self.day() {
            self.rows.pop_front();
            self.first += 1;
        }
        while self.expected.len() > (DAYS_TRAINING * self.day()).min(self.rows.len()) {
            self.expected.pop_front();
        }
    }

    /// The newest cells with what was expected of them: start in seconds, values, expectations.
    pub(crate) fn judged(&self) -> impl DoubleEndedIterator<Item = (i64, &Row, &Expected)> {
        let skipped = self.rows.len() - self.expected.len();
        let newest = self.rows.iter().skip(skipped).zip(&self.expected);
        newest.enumerate().map(move |(at, (row, expected))| {
            ((self.first + (skipped + at) as i64) * self.seconds, row, expected)
        })
    }

    /// How much is known, as a basis for the season of the next cell.
    pub(crate) fn basis(&self) -> Basis {
        match self.rows.len() / self.day() {
            0 => Basis::Nothing,
            1..14 => Basis::Day,
            _ => Basis::Week,
        }
    }

    /// Seasonal value of the next cell: the median over days or weeks before of the median of the
    /// half hour around. None where nothing is known of that time.
    pub(crate) fn season(&self, metric: Metric, basis: Basis) -> Option<f64> {
        let (period, periods) = match basis {
            Basis::Nothing => return Some(0.0),
            Basis::Day => (self.day(), 13),
            Basis::Week => (7 * self.day(), 3),
        };
        let radius = usize::try_from(1_800 / self.seconds).unwrap_or(0);
        let mut middles = Vec::with_capacity(periods);
        let mut around = Vec::with_capacity(2 * radius + 1);
        for back in 1..=periods {
            let Some(at) = self.rows.len().checked_sub(back * period) else { break };
            around.clear();
            for cell in at.saturating_sub(radius)..=(at + radius).min(self.rows.len() - 1) {
                let value = logarithm(metric, &self.rows[cell]);
                around.extend(value.map(|value| value as f32));
            }
            middles.extend(median(&mut around));
        }
        median(&mut middles).map(f64::from)
    }

    /// Residuals of one metric in the newest cells, oldest first: what trains its scale.
    pub(crate) fn residuals(&self, metric: Metric) -> impl DoubleEndedIterator<Item = f32> {
        self.judged().filter_map(move |(_, row, expected)| {
            let expected = f64::from(expected[metric.index()]);
            let l = logarithm(metric, row)?;
            (expected > 0.0).then(|| (l - expected.ln()) as f32)
        })
    }

    /// What a day of cells is saved as: bytes of each cell that is still held.
    pub(crate) fn day_bytes(&self, day: i64) -> Vec<u8> {
        let per_day = self.day() as i64;
        let from = (day * per_day - self.first).clamp(0, self.rows.len() as i64);
        let to = ((day + 1) * per_day - self.first).clamp(0, self.rows.len() as i64);
        let skipped = self.rows.len() - self.expected.len();
        let mut bytes = vec![FORMAT];
        bytes.extend((self.first + from).to_le_bytes());
        for at in from..to {
            let at = usize::try_from(at).unwrap_or(0);
            let unknown = [f32::NAN; METRICS];
            let expected = at.checked_sub(skipped).map_or(&unknown, |at| &self.expected[at]);
            for value in self.rows[at].iter().chain(expected) {
                bytes.extend(value.to_le_bytes());
            }
        }
        bytes
    }

    /// Takes a saved day; days must come oldest first. What does not join on is dropped.
    pub(crate) fn take_day(&mut self, bytes: &[u8]) {
        let Some((&FORMAT, rest)) = bytes.split_first() else { return };
        let Some((first, cells)) = rest.split_first_chunk::<8>() else { return };
        let first = i64::from_le_bytes(*first);
        if self.rows.is_empty() {
            self.first = first;
        }
        for (at, cell) in cells.chunks_exact((COLUMNS + METRICS) * 4).enumerate() {
            if first + at as i64 != self.next() {
                continue;
            }
            let mut row = [f32::NAN; COLUMNS];
            let mut expected = [f32::NAN; METRICS];
            let into = row.iter_mut().chain(&mut expected);
            for (value, bytes) in into.zip(cell.as_chunks::<4>().0) {
                *value = f32::from_le_bytes(*bytes);
            }
            self.push(row, expected);
        }
    }
}

/// First byte of a saved day.
const FORMAT: u8 = 1;

/// `ln x` of a positive metric; none where it has no value.
pub(crate) fn logarithm(metric: Metric, row: &Row) -> Option<f64> {
    let value = row[metric.index()];
    let value = if metric.counts_silence() && value < SILENCE { SILENCE } else { value };
    (value.is_finite() && value > 0.0).then(|| f64::from(value).ln())
}

impl Series {
    /// Lets the season's source speak once more for the level: `(old, new)` seasonal values of the
    /// next cell when the basis has just changed.
    pub(crate) fn basis_change(&self, metric: Metric) -> Option<(f64, f64)> {
        let day = self.day();
        let (old, new) = if self.rows.len() == day {
            (Basis::Nothing, Basis::Day)
        } else if self.rows.len() == 14 * day {
            (Basis::Day, Basis::Week)
        } else {
            return None;
        };
        Some((self.season(metric, old)?, self.season(metric, new)?))
    }
}
