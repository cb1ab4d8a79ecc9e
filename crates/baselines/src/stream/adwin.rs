//! ADWIN: a window that grows while its mean holds and drops its oldest part when it does not.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// Parameters of [`Adwin`]; the defaults are river's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AdwinOptions {
    /// Confidence: smaller means fewer false alarms.
    pub delta: f64,
    /// Values between two checks.
    pub clock: u64,
    /// Buckets kept of each size.
    pub max_buckets: usize,
    /// Least values on either side of a cut.
    pub min_window: f64,
    /// Values before the first check.
    pub grace: f64,
}

impl Default for AdwinOptions {
    fn default() -> Self {
        Self { delta: 0.002, clock: 32, max_buckets: 5, min_window: 5.0, grace: 10.0 }
    }
}

/// Sum and squared deviation of `2^row` values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Bucket {
    total: f64,
    variance: f64,
}

/// Adaptive windowing (Bifet and Gavaldà 2007) with the exact cut:
/// `ε = sqrt(2 m v d) + 2/3 d m`, `d = ln(2 ln W / δ)`, `m = 1/(n0-w+1) + 1/(n1-w+1)`.
///
/// Memory is logarithmic in the window's length: at most `max_buckets + 1` buckets of each size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Adwin {
    options: AdwinOptions,
    /// Row `i` holds buckets of `2^i` values, oldest first; the newest values are in row 0.
    rows: Vec<VecDeque<Bucket>>,
    width: f64,
    total: f64,
    variance: f64,
    tick: u64,
    changed: bool,
}

impl Default for Adwin {
    fn default() -> Self {
        Self::new(AdwinOptions::default())
    }
}

impl Adwin {
    /// A detector that has seen nothing.
    pub fn new(options: AdwinOptions) -> Self {
        let rows = vec![VecDeque::new()];
        Self { options, rows, width: 0.0, total: 0.0, variance: 0.0, tick: 0, changed: false }
    }

    /// Mean of the window; 0 before the first value.
    pub fn mean(&self) -> f64 {
        if self.width > 0.0 { self.total / self.width } else { 0.0 }
    }

    /// Values in the window.
    pub fn width(&self) -> f64 {
        self.width
    }

    /// Takes one value. True when the window's mean changed and its oldest part was dropped; the
    /// window shows the new mean until the next value, which begins anew, as in river. What is
    /// not a number is passed over.
    pub fn update(&mut self, value: f64) -> bool {
        if !value.is_finite() {
            return false;
        }
        if self.changed {
            *self = Self::new(self.options);
        }
        self.insert(value);
        self.compress();
        self.tick += 1;
        let due = self.tick.is_multiple_of(self.options.clock.max(1));
        if due && self.width > self.options.grace {
            while self.has_cut() {
                self.changed = true;
                self.drop_oldest();
            }
        }
        self.changed
    }

    fn insert(&mut self, value: f64) {
        if let Some(row) = self.rows.first_mut() {
            row.push_back(Bucket { total: value, variance: 0.0 });
        }
        if self.width > 0.0 {
            let off = value - self.total / self.width;
            self.variance += self.width * off * off / (self.width + 1.0);
        }
        self.width += 1.0;
        self.total += value;
    }

    /// Two buckets of a full row become one of the next.
    fn compress(&mut self) {
        let mut at = 0;
        while at < self.rows.len() && self.rows[at].len() > self.options.max_buckets {
            let (Some(first), Some(second)) =
                (self.rows[at].pop_front(), self.rows[at].pop_front())
            else {
                return;
            };
            if at + 1 == self.rows.len() {
                self.rows.push(VecDeque::new());
            }
            let size = size(at);
            let apart = first.total / size - second.total / size;
            let variance = first.variance + second.variance + size * apart * apart / 2.0;
            self.rows[at + 1].push_back(Bucket { total: first.total + second.total, variance });
            at += 1;
        }
    }

    /// Whether some cut of the window has means too far apart.
    fn has_cut(&self) -> bool {
        let (mut n0, mut n1) = (0.0, self.width);
        let (mut u0, mut u1) = (0.0, self.total);
        for (index, row) in self.rows.iter().enumerate().rev() {
            let size = size(index);
            for bucket in row {
                n0 += size;
                n1 -= size;
                u0 += bucket.total;
                u1 -= bucket.total;
                let enough = n0 >= self.options.min_window && n1 >= self.options.min_window;
                if enough && self.is_cut(n0, n1, u0 / n0 - u1 / n1) {
                    return true;
                }
            }
        }
        false
    }

    fn is_cut(&self, n0: f64, n1: f64, apart: f64) -> bool {
        let least = self.options.min_window;
        let d = (2.0 * self.width.ln() / self.options.delta).ln();
        let m = 1.0 / (n0 - least + 1.0) + 1.0 / (n1 - least + 1.0);
        let variance = self.variance / self.width;
        apart.abs() > (2.0 * m * variance * d).sqrt() + 2.0 / 3.0 * d * m
    }

    fn drop_oldest(&mut self) {
        let Some(last) = self.rows.len().checked_sub(1) else { return };
        let Some(bucket) = self.rows[last].pop_front() else { return };
        let size = size(last);
        self.width -= size;
        self.total -= bucket.total;
        let apart = bucket.total / size - self.total / self.width;
        self.variance -= bucket.variance + size * self.width * apart * apart / (size + self.width);
        if self.rows[last].is_empty() && last > 0 {
            self.rows.pop();
        }
    }
}

/// Values in a bucket of row `index`.
fn size(index: usize) -> f64 {
    2f64.powi(i32::try_from(index).unwrap_or(i32::MAX))
}
