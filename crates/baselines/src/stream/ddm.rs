//! DDM: an error rate that leaves its lowest value by three standard deviations.

/// The drift detection method (Gama 2004) with river's parameters: warm-up 30, drift at 3 sd.
#[derive(Debug, Clone, PartialEq)]
pub struct Ddm {
    n: f64,
    rate: f64,
    lowest_rate: f64,
    lowest_sd: f64,
    changed: bool,
}

/// Values before the first verdict.
const WARM_UP: f64 = 30.0;
/// Standard deviations that make a drift.
const DRIFT: f64 = 3.0;

impl Default for Ddm {
    fn default() -> Self {
        let lowest = f64::INFINITY;
        Self { n: 0.0, rate: 0.0, lowest_rate: lowest, lowest_sd: 0.0, changed: false }
    }
}

impl Ddm {
    /// Takes one outcome. True when the rate rose; then it begins anew.
    pub fn update(&mut self, hit: bool) -> bool {
        if self.changed {
            *self = Self::default();
        }
        self.n += 1.0;
        self.rate += (f64::from(u8::from(hit)) - self.rate) / self.n;
        let sd = (self.rate * (1.0 - self.rate) / self.n).max(0.0).sqrt();
        if self.n > WARM_UP {
            if self.rate + sd <= self.lowest_rate + self.lowest_sd {
                (self.lowest_rate, self.lowest_sd) = (self.rate, sd);
            }
            self.changed = self.rate + sd > self.lowest_rate + DRIFT * self.lowest_sd;
        }
        self.changed
    }
}
