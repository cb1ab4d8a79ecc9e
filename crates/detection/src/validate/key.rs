//! Whether text is key material and not a placeholder.

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::{alphabet, engine::DecodePaddingMode};

use super::{Accepted, MASKED};

/// Beginnings and parts of what stands for a key in documentation.
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
    b"changeme",
    b"dummy",
    b"not_a_real",
];
const URL_SAFE_LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);
/// One character so often in a row is no key.
const MAX_RUN: usize = 6;
/// One character so often in a row masks a key.
const MASKED_RUN: usize = 8;
/// Bits of entropy a character.
const MIN_ENTROPY: f64 = 3.0;
/// The same for short keys, in which few characters can differ.
const MIN_ENTROPY_SHORT: f64 = 2.5;
const SHORT: usize = 16;

/// The key itself: what stands after the name it is assigned to.
pub(super) fn body(text: &[u8]) -> &[u8] {
    let after = |byte: &u8| {
        byte.is_ascii_whitespace()
            || matches!(byte, b'"' | b'\'' | b'`' | b'=' | b'(' | b')' | b',' | b';' | b':' | b'.')
    };
    let end = text.iter().rposition(|byte| !after(byte));
    let text = &text[..end.map_or(0, |last| last + 1)];
    let split = |byte: &u8| {
        byte.is_ascii_whitespace()
            || matches!(byte, b'"' | b'\'' | b'`' | b'=' | b':' | b',' | b'(')
    };
    let start = text.iter().rposition(split).map_or(0, |last| last + 1);
    &text[start..]
}

/// What of a key's format counts: the key, if it `is_key`, or that it is masked.
pub(super) fn accept(text: &[u8], is_key: bool) -> Option<Accepted> {
    let fact = match is_key {
        true => None,
        false if is_masked(text) => Some(MASKED.0),
        false => return None,
    };
    Some(Accepted { length: length(text), fact })
}

/// Whether one character stands for all others, or the key says that it is an example.
fn is_masked(text: &[u8]) -> bool {
    let masks = |run: &[u8]| run.len() >= MASKED_RUN && run[0].is_ascii_alphanumeric();
    text.chunk_by(PartialEq::eq).any(masks) || text.to_ascii_uppercase().ends_with(b"EXAMPLE")
}

/// The part of a key that is secret: without the numbers of accounts before it.
pub(super) fn secret_part(text: &[u8]) -> &[u8] {
    let body = body(text);
    match body.iter().rposition(|byte| *byte == b'-') {
        Some(last) if body.len() - last > SHORT => &body[last + 1..],
        _ => body,
    }
}

/// Whether the text looks random and holds no placeholder.
pub(super) fn is_random(text: &[u8]) -> bool {
    let least = if text.len() < SHORT { MIN_ENTROPY_SHORT } else { MIN_ENTROPY };
    !is_placeholder(text) && entropy(text) >= least
}

/// Whether a key that no prefix announces looks random: letters and digits in it, too.
pub(super) fn is_mixed(text: &[u8]) -> bool {
    let digits = text.iter().filter(|byte| byte.is_ascii_digit()).count();
    let lower = text.iter().filter(|byte| byte.is_ascii_lowercase()).count();
    let upper = text.iter().filter(|byte| byte.is_ascii_uppercase()).count();
    digits >= 2
        && lower + upper >= 2
        && (digits >= 4 || (lower > 0 && upper > 0))
        && is_random(text)
}

/// Whether a placeholder stands in it, or one character in a row.
pub(super) fn is_placeholder(text: &[u8]) -> bool {
    let run = text.chunk_by(PartialEq::eq).map(<[u8]>::len).max().unwrap_or(0);
    run >= MAX_RUN || holds_placeholder(text)
}

fn holds_placeholder(text: &[u8]) -> bool {
    let lower = text.to_ascii_lowercase();
    PLACEHOLDERS.iter().any(|word| lower.windows(word.len()).any(|window| window == *word))
}

/// Shannon entropy, bits a byte.
pub(super) fn entropy(text: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in text {
        counts[usize::from(*byte)] += 1;
    }
    let total = text.len() as f64;
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| f64::from(*count) / total)
        .map(|share| -share * share.log2())
        .sum()
}

/// Whether a key whose prefix says what it is stands there, and not a placeholder: `x`, digits or
/// signs in a row, or words for one.
pub(super) fn is_prefixed(text: &[u8]) -> bool {
    let filled = |run: &[u8]| {
        run.len() >= MAX_RUN && !run[0].is_ascii_alphabetic()
            || matches!(run, [b'x' | b'X', _, _, _, ..])
    };
    !text.chunk_by(PartialEq::eq).any(filled) && !holds_placeholder(text)
}

/// Whether a word begins with the match: after no letter, or in camel case.
pub(super) fn begins_word(before: &[u8], text: &[u8]) -> bool {
    let camel = text.first().is_some_and(u8::is_ascii_uppercase);
    !before
        .last()
        .is_some_and(|last| last.is_ascii_alphabetic() && !(camel && last.is_ascii_lowercase()))
}

/// How much of `text` belongs to the key: a pattern may look one character past it.
pub(super) fn length(text: &[u8]) -> usize {
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-+/=~%$!@|:".contains(byte);
    text.iter().rposition(part).map_or(0, |last| last + 1)
}

/// Whether it is a JSON Web Token: header and claims are JSON objects; of an encrypted one, the
/// header.
pub(super) fn is_jwt(text: &[u8]) -> bool {
    let parts: Vec<&[u8]> = text.split(|byte| *byte == b'.').collect();
    let object = |part: &[u8]| {
        let end = part.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
        let standard: Vec<u8> = part[..end]
            .iter()
            .map(|byte| match byte {
                b'+' => b'-',
                b'/' => b'_',
                other => *other,
            })
            .collect();
        URL_SAFE_LENIENT
            .decode(standard)
            .is_ok_and(|json| serde_json::from_slice::<serde_json::Map<_, _>>(&json).is_ok())
    };
    match parts.as_slice() {
        [header, claims] | [header, claims, _] => object(header) && object(claims),
        [header, _, _, _, _] => object(header),
        _ => false,
    }
}

/// Whether the last six characters of a GitHub token are the CRC-32 of the rest, in base 62.
pub(super) fn is_github_checked(text: &[u8]) -> bool {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let Some(token) = text.get(4..).filter(|token| token.len() == 36) else {
        return false;
    };
    let (random, check) = token.split_at(30);
    let mut rest = crc32(random);
    let mut expected = [b'0'; 6];
    for place in expected.iter_mut().rev() {
        *place = DIGITS[(rest % 62) as usize];
        rest /= 62;
    }
    check == expected
}

/// CRC-32 as in ISO 3309.
fn crc32(text: &[u8]) -> u32 {
    !text.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_stands_after_its_name() {
        assert_eq!(body(b"API_KEY = \"abc123\""), b"abc123");
        assert_eq!(body(b"glc_abc=="), b"glc_abc");
        assert_eq!(body(b""), b"");
    }

    #[test]
    fn placeholders_are_no_keys() {
        assert!(is_random(b"aB3dE5fG7hI9jK1lM2nO4p"));
        assert!(!is_random(b"AKIAIOSFODNN7EXAMPLE"));
        assert!(!is_random(b"1111111111111111"));
        assert!(is_mixed(b"9f3c1be07a44d2"));
        assert!(!is_mixed(b"thisstringisalllowercase"));
    }

    #[test]
    fn check_values() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert!(!is_github_checked(b"ghp_aB3dE5fG7hI9jK1lM2nO4pQ6rS8tU0vW2xY4"));
    }
}
