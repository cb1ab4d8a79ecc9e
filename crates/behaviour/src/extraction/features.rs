//! Random Fourier features: the mean over a window stands for its distribution, and the inner
//! product of two feature vectors approximates the mean of four RBF kernels.
//!
//! Source: Rahimi and Recht, "Random Features for Large-Scale Kernel Machines" (2007).

use std::sync::LazyLock;

use super::embed::{DIMENSIONS, embed};
use crate::hash::Sequence;

/// Numbers of a feature vector: 512 frequencies, a cosine and a sine each.
pub const FEATURES: usize = 1024;
const FREQUENCIES: usize = FEATURES / 2;
/// Bandwidths of the four kernels, in medians.
const BANDWIDTHS: [f64; 4] = [0.5, 1.0, 2.0, 4.0];
/// The median distance of two points of ordinary questions. Fixed, so that features of today can
/// be compared with those of last month.
pub const MEDIAN_DISTANCE: f64 = 1.29;
/// The frequencies follow from this.
const SEED: u64 = 0x9e_ed0f_5eed;

/// By dimension, then by frequency.
static WEIGHTS: LazyLock<Vec<f32>> = LazyLock::new(|| {
    let mut sequence = Sequence::new(SEED);
    let mut weights = Vec::with_capacity(DIMENSIONS * FREQUENCIES);
    for _ in 0..DIMENSIONS {
        for frequency in 0..FREQUENCIES {
            let bandwidth = BANDWIDTHS[frequency % BANDWIDTHS.len()] * MEDIAN_DISTANCE;
            weights.push((normal(&mut sequence) / bandwidth) as f32);
        }
    }
    weights
});

/// A standard normal number (Box-Muller).
fn normal(sequence: &mut Sequence) -> f64 {
    let (u, v) = (sequence.unit(), sequence.unit());
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

/// The features of a text: 1,024 numbers whose squares add up to 1.
pub fn features(text: &str) -> Vec<f32> {
    of_point(&embed(text))
}

/// The features of a point of [`embed`].
pub fn of_point(point: &[f32]) -> Vec<f32> {
    let mut angles = vec![0.0_f32; FREQUENCIES];
    for (number, weights) in point.iter().zip(WEIGHTS.chunks_exact(FREQUENCIES)) {
        if *number != 0.0 {
            angles.iter_mut().zip(weights).for_each(|(angle, weight)| *angle += number * weight);
        }
    }
    let scale = (1.0 / FREQUENCIES as f32).sqrt();
    let mut features = Vec::with_capacity(FEATURES);
    features.extend(angles.iter().map(|angle| scale * angle.cos()));
    features.extend(angles.iter().map(|angle| scale * angle.sin()));
    features
}

#[cfg(test)]
mod tests {
    use super::super::embed::distance;
    use super::*;

    #[test]
    fn the_inner_product_approximates_the_kernel() {
        let texts =
            ["What is the capital of France?", "What is the capital of Spain?", "Sort a list."];
        for a in texts {
            for b in texts {
                let d = f64::from(distance(&embed(a), &embed(b)));
                let kernel = BANDWIDTHS.iter().map(|width| {
                    let sigma = width * MEDIAN_DISTANCE;
                    (-d * d / (2.0 * sigma * sigma)).exp()
                });
                let exact = kernel.sum::<f64>() / 4.0;
                let product: f32 = features(a).iter().zip(&features(b)).map(|(a, b)| a * b).sum();
                assert!((exact - f64::from(product)).abs() < 0.08, "{a} {b} {exact} {product}");
            }
        }
    }
}
