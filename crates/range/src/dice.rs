//! Chance, derived from a seed and a question: the same throw every time.

use sha2::{Digest, Sha256};

/// A SplitMix64 sequence that starts from a hash.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Dice for `seed` and whatever tells this throw apart from others.
    pub fn new(seed: u64, parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        hash.update(seed.to_le_bytes());
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        let digest = hash.finalize();
        let state = digest.iter().take(8).fold(0, |state, byte| (state << 8) | u64::from(*byte));
        Self(state)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in `0..limit`; 0 when `limit` is 0.
    pub fn below(&mut self, limit: usize) -> usize {
        if limit == 0 { 0 } else { (self.bits() % limit as u64) as usize }
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f64) -> bool {
        ((self.bits() >> 11) as f64) < p * (1_u64 << 53) as f64
    }

    /// One of `choices`; the empty string of none.
    pub fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices.get(self.below(choices.len())).copied().unwrap_or_default()
    }

    /// `count` characters of `alphabet`.
    pub fn text(&mut self, alphabet: &str, count: usize) -> String {
        let letters: Vec<char> = alphabet.chars().collect();
        (0..count).filter_map(|_| letters.get(self.below(letters.len()))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_parts_throw_the_same_and_others_do_not() {
        let throw = |seed, parts: &[&str]| Dice::new(seed, parts).bits();
        assert_eq!(throw(1, &["a", "b"]), throw(1, &["a", "b"]));
        assert_ne!(throw(1, &["a", "b"]), throw(1, &["ab"]));
        assert_ne!(throw(1, &["a"]), throw(2, &["a"]));
    }

    #[test]
    fn chance_follows_its_probability() {
        let mut dice = Dice::new(3, &[]);
        let hits = (0..10_000).filter(|_| dice.chance(0.3)).count();
        assert!((2_800..3_200).contains(&hits), "{hits}");
        assert!(!dice.chance(0.0));
        assert!(dice.chance(1.0));
    }
}
