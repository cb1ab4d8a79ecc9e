//! Whether text is key material.

const PLACEHOLDERS: &[&[u8]] = &[
    b"example",
    b"xxxx",
    b"your",
    b"placeholder",
    b"redacted",
    b"****",
    b"0000000000",
    b"....",
    b"sample",
];

/// Whether the text looks random: at least 3 bits of entropy a character, no placeholder in it.
pub(super) fn is_random(text: &[u8]) -> bool {
    let lower = text.to_ascii_lowercase();
    if PLACEHOLDERS.iter().any(|word| lower.windows(word.len()).any(|window| window == *word)) {
        return false;
    }
    let mut counts = [0_u32; 256];
    for byte in text {
        counts[usize::from(*byte)] += 1;
    }
    let total = text.len() as f64;
    let entropy: f64 = counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| f64::from(*count) / total)
        .map(|share| -share * share.log2())
        .sum();
    entropy >= 3.0
}
