//! Maximum mean discrepancy of two windows of queries, from sums of their features, and what it
//! is when nothing is wrong.
//!
//! The features' inner product is itself a kernel, so the statistic is an exact two-sample test
//! for that kernel; its null distribution is drawn with it. Source: Gretton et al., "A Kernel
//! Two-Sample Test" (2012); windows and levels after arXiv 2606.05725.

use super::features::FEATURES;
use crate::hash::Sequence;

/// Draws of a null distribution.
pub const DRAWS: usize = 1_000;

/// Queries added up: their number and the sum of their features.
#[derive(Debug, Clone, PartialEq)]
pub struct Sum {
    /// How many queries.
    pub count: u32,
    /// The sum of their features, 1,024 numbers.
    pub features: Vec<f32>,
}

impl Default for Sum {
    fn default() -> Self {
        Self { count: 0, features: vec![0.0; FEATURES] }
    }
}

impl Sum {
    /// Adds one query's features.
    pub fn add(&mut self, features: &[f32]) {
        self.count += 1;
        self.features.iter_mut().zip(features).for_each(|(sum, feature)| *sum += feature);
    }

    /// The queries of both.
    pub fn and(&self, other: &Self) -> Self {
        let features = self.features.iter().zip(&other.features).map(|(a, b)| a + b).collect();
        Self { count: self.count + other.count, features }
    }

    /// The mean similarity of two different queries of the window, about 0 to 1; 1 for fewer
    /// than two.
    pub fn self_similarity(&self) -> f64 {
        let n = f64::from(self.count);
        if self.count < 2 { 1.0 } else { (product(self, self) - n) / (n * (n - 1.0)) }
    }
}

fn product(a: &Sum, b: &Sum) -> f64 {
    a.features.iter().zip(&b.features).map(|(a, b)| f64::from(a * b)).sum()
}

/// The unbiased squared discrepancy of two windows; about 0 when both come from one distribution.
/// 0 when either has fewer than two queries.
pub fn mmd2(x: &Sum, y: &Sum) -> f64 {
    if x.count < 2 || y.count < 2 {
        return 0.0;
    }
    let between = product(x, y) / (f64::from(x.count) * f64::from(y.count));
    x.self_similarity() + y.self_similarity() - 2.0 * between
}

/// The discrepancy of a harmless window of a given size from the reference: 1,000 draws, sorted.
#[derive(Debug, Clone, PartialEq)]
pub struct Null(Vec<f64>);

impl Null {
    /// Draws windows of `size` queries from `pool` (feature vectors that are not part of
    /// `reference`). A query drawn twice is not compared with itself. Work: `draws` × `size` ×
    /// 1,024.
    pub fn draw(pool: &[Vec<f32>], reference: &Sum, size: usize, draws: usize, seed: u64) -> Self {
        let mut sequence = Sequence::new(seed);
        let mut values = Vec::with_capacity(draws);
        let mut times = vec![0_u32; pool.len()];
        for _ in 0..draws {
            times.fill(0);
            let mut sum = Sum::default();
            for _ in 0..size {
                let index = sequence.below(pool.len());
                if let (Some(features), Some(times)) = (pool.get(index), times.get_mut(index)) {
                    sum.add(features);
                    *times += 1;
                }
            }
            values.push(mmd2_of_draw(&sum, &times, reference));
        }
        values.sort_by(f64::total_cmp);
        Self(values)
    }

    /// The value that a share `q` of the harmless windows stays below; infinite without draws.
    pub fn quantile(&self, q: f64) -> f64 {
        let rank = (q * self.0.len() as f64).ceil() as usize;
        self.0.get(rank.saturating_sub(1)).copied().unwrap_or(f64::INFINITY)
    }
}

/// [`mmd2`] where pairs of one and the same drawn query are left out.
fn mmd2_of_draw(sum: &Sum, times: &[u32], reference: &Sum) -> f64 {
    let n = f64::from(sum.count);
    let same: f64 = times.iter().map(|t| f64::from(*t) * f64::from(*t)).sum();
    let pairs = n * n - same;
    if pairs <= 0.0 {
        return 0.0;
    }
    let within = (product(sum, sum) - same) / pairs;
    let between = product(sum, reference) / (n * f64::from(reference.count.max(1)));
    within + reference.self_similarity() - 2.0 * between
}

#[cfg(test)]
mod tests {
    use super::super::features::features;
    use super::*;

    fn questions(from: usize, stem: &str) -> Vec<Vec<f32>> {
        (from..from + 300)
            .map(|n| features(&format!("{stem} {} {}", n * 37 % 101, n % 7)))
            .collect()
    }

    fn sum(queries: &[Vec<f32>]) -> Sum {
        let mut sum = Sum::default();
        for query in queries {
            sum.add(query);
        }
        sum
    }

    #[test]
    fn sums_give_the_same_as_all_pairs() {
        let (x, y) = (&questions(0, "how far is")[..20], &questions(9, "paint me a")[..30]);
        let k = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
        let within = |v: &[Vec<f32>]| {
            let n = v.len() as f64;
            let all: f64 = v.iter().flat_map(|a| v.iter().map(|b| k(a, b))).sum();
            let own: f64 = v.iter().map(|a| k(a, a)).sum();
            (all - own) / (n * (n - 1.0))
        };
        let between: f64 = x.iter().flat_map(|a| y.iter().map(|b| k(a, b))).sum::<f64>() / 600.0;
        let exact = within(x) + within(y) - 2.0 * between;
        assert!((exact - mmd2(&sum(x), &sum(y))).abs() < 1e-4);
    }

    #[test]
    fn another_distribution_lies_beyond_the_null() {
        let benign = questions(0, "how far is");
        let reference = sum(&benign[..150]);
        let null = Null::draw(&benign[150..], &reference, 100, 200, 1);
        let other = sum(&questions(0, "translate the word")[..100]);
        assert!(mmd2(&other, &reference) > 2.0 * null.quantile(0.99));
        let same = sum(&questions(400, "how far is")[..100]);
        assert!(mmd2(&same, &reference) < null.quantile(0.99) * 2.0);
        assert_eq!(null, Null::draw(&benign[150..], &reference, 100, 200, 1));
        assert!(Null(Vec::new()).quantile(0.9).is_infinite());
    }
}
