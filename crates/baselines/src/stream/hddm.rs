//! HDDM: two means that a concentration bound holds apart (Frías-Blanco et al. 2015).

/// Confidence of a drift.
const DRIFT: f64 = 0.001;
/// Weight of the newest value in [`HddmW`].
const LAMBDA: f64 = 0.05;

/// HDDM with moving averages, one-sided, Hoeffding's bound.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HddmA {
    all: Mean,
    lowest: Mean,
    changed: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Mean {
    n: f64,
    mean: f64,
}

impl HddmA {
    /// Takes one outcome. True when the rate rose; then it begins anew.
    pub fn update(&mut self, hit: bool) -> bool {
        if self.changed {
            *self = Self::default();
        }
        self.all.n += 1.0;
        self.all.mean += (f64::from(u8::from(hit)) - self.all.mean) / self.all.n;
        let bound = |n: f64| (1.0 / (2.0 * n) * (1.0 / DRIFT).ln()).sqrt();
        if self.lowest.n == 0.0
            || self.lowest.mean + bound(self.lowest.n) >= self.all.mean + bound(self.all.n)
        {
            self.lowest = self.all;
        }
        let m = (self.all.n - self.lowest.n) / self.lowest.n / self.all.n;
        let apart = self.all.mean - self.lowest.mean;
        self.changed = m > 0.0 && apart >= (m / 2.0 * (2.0 / DRIFT).ln()).sqrt();
        self.changed
    }
}

/// HDDM with exponentially weighted averages, one-sided, McDiarmid's bound.
#[derive(Debug, Clone, PartialEq)]
pub struct HddmW {
    all: Weighted,
    before: Weighted,
    after: Weighted,
    cut: f64,
    changed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Weighted {
    mean: Option<f64>,
    bound: f64,
}

impl Weighted {
    const NEW: Self = Self { mean: None, bound: 1.0 };

    fn update(&mut self, value: f64) {
        self.mean = Some(match self.mean {
            None => value,
            Some(mean) => LAMBDA * value + (1.0 - LAMBDA) * mean,
        });
        self.bound = LAMBDA * LAMBDA + (1.0 - LAMBDA).powi(2) * self.bound;
    }
}

impl Default for HddmW {
    fn default() -> Self {
        let new = Weighted::NEW;
        Self { all: new, before: new, after: new, cut: f64::INFINITY, changed: false }
    }
}

impl HddmW {
    /// Takes one outcome. True when the rate rose; then it begins anew.
    pub fn update(&mut self, hit: bool) -> bool {
        if self.changed {
            *self = Self::default();
        }
        let value = f64::from(u8::from(hit));
        let bound = |bound: f64| (bound * (1.0 / DRIFT).ln() / 2.0).sqrt();
        self.all.update(value);
        let high = self.all.mean.unwrap_or(value) + bound(self.all.bound);
        if high < self.cut {
            self.cut = high;
            self.before = self.all;
            self.after = Weighted::NEW;
        } else {
            self.after.update(value);
        }
        self.changed = match (self.before.mean, self.after.mean) {
            (Some(before), Some(after)) => {
                after - before > bound(self.before.bound + self.after.bound)
            }
            _ => false,
        };
        self.changed
    }
}
