//! A text as a point: hashed words, word pairs and 4-character pieces, logarithmic counts, unit
//! length. No model, the same everywhere.

use crate::hash;
use crate::words::words;

/// Numbers of one point.
pub const DIMENSIONS: usize = 256;
/// Characters of a text that are looked at.
const MAX_CHARS: usize = 4_000;

/// The point of `text`: 256 numbers of length 1; all 0 for a text without letters or digits.
/// Work: about three passes over the first 4,000 characters.
pub fn embed(text: &str) -> Vec<f32> {
    let text: String = text.chars().take(MAX_CHARS).collect();
    let words = words(&text);
    let mut point = vec![0.0_f32; DIMENSIONS];
    let mut add = |hash: u64, weight: f32| {
        let sign = if hash >> 63 == 0 { 1.0 } else { -1.0 };
        if let Some(number) = point.get_mut(hash as usize % DIMENSIONS) {
            *number += sign * weight;
        }
    };
    for word in &words {
        add(hash::of(word), 1.0);
    }
    for pair in words.windows(2) {
        add(hash::mix(hash::of(&pair.join(" "))), 0.5);
    }
    let joined: Vec<char> = words.join(" ").chars().collect();
    let mut piece = String::new();
    for four in joined.windows(4) {
        piece.clear();
        piece.extend(four);
        add(hash::mix(hash::of(&piece) ^ 0x4), 0.3);
    }
    for number in &mut point {
        *number = number.signum() * number.abs().ln_1p();
    }
    let length = point.iter().map(|number| number * number).sum::<f32>().sqrt();
    if length > 0.0 {
        for number in &mut point {
            *number /= length;
        }
    }
    point
}

/// The Euclidean distance of two points.
pub fn distance(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_texts_are_near_and_points_have_length_one() {
        let a = embed("What is the capital of France?");
        let b = embed("What is the capital of Spain?");
        let c = embed("Write a poem about the autumn wind over an empty harbour.");
        let length = a.iter().map(|n| n * n).sum::<f32>();
        assert!((length - 1.0).abs() < 1e-5);
        assert!(distance(&a, &b) < distance(&a, &c));
        assert!(embed("...").iter().all(|n| *n == 0.0));
    }
}
