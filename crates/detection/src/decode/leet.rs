//! Letters written as digits and marks that look like them.

use std::ops::Range;

use super::Found;
use super::fluency::{FLUENT, of_text};

/// Words that mix letters and digits before a stretch is taken for leet.
const MIN_WORDS: usize = 2;

/// Finds the stretch from the first to the last word of leet.
pub(super) fn find(text: &str, range: Range<usize>, out: &mut Vec<Found>) {
    let (mut decoded, mut leet, mut at) = (String::new(), 0, range.start);
    let mut span: Option<Range<usize>> = None;
    let mut kept = 0;
    for part in text[range].split_inclusive(|c: char| c.is_ascii_whitespace()) {
        let word = part.trim_ascii_end();
        if let Some(plain) = undo(word) {
            leet += usize::from(is_mixed(word));
            if span.is_none() {
                decoded.clear();
            }
            let start = span.as_ref().map_or(at, |span| span.start);
            decoded.push_str(&plain);
            kept = decoded.len();
            span = Some(start..at + word.len());
        } else {
            decoded.push_str(word);
        }
        decoded.push_str(&part[word.len()..]);
        at += part.len();
    }
    decoded.truncate(kept);
    if let Some(span) = span.filter(|_| leet >= MIN_WORDS) {
        out.push(Found { text: decoded, scheme: "encoded.leet", span });
    }
}

/// Letters and digits (or `@`, `$`) in one word, and nothing else inside.
fn is_mixed(word: &str) -> bool {
    let core = core(word);
    core.bytes().any(|byte| byte.is_ascii_alphabetic())
        && core.bytes().any(|byte| candidates(byte).is_some())
}

fn core(word: &str) -> &str {
    word.trim_matches(|c: char| c.is_ascii_punctuation() && c != '@' && c != '$')
}

const fn candidates(byte: u8) -> Option<[u8; 2]> {
    Some(match byte {
        b'0' => *b"oo",
        b'1' => *b"il",
        b'3' => *b"ee",
        b'4' | b'@' => *b"aa",
        b'5' | b'$' => *b"ss",
        b'7' | b'+' => *b"tt",
        b'8' => *b"bb",
        b'9' => *b"gg",
        b'!' | b'|' => *b"ii",
        _ => return None,
    })
}

/// The word in letters, if that reads like one. Short numbers are words only in company.
fn undo(word: &str) -> Option<String> {
    let core = core(word);
    if core.is_empty() || !core.is_ascii() || core.len() > 40 {
        return None;
    }
    let digits = core.bytes().all(|byte| byte.is_ascii_digit());
    if digits && core.len() > 4 {
        return None;
    }
    let written = |choice: usize| -> String {
        core.bytes()
            .map(|byte| char::from(candidates(byte).map_or(byte, |letters| letters[choice])))
            .collect()
    };
    let (first, second) = (written(0), written(1));
    let plain = if of_text(&second).sum > of_text(&first).sum { second } else { first };
    if plain == core {
        return None;
    }
    let letters = plain.bytes().filter(u8::is_ascii_alphabetic).count();
    let reads = of_text(&plain).average() >= if letters <= 3 { 0 } else { FLUENT };
    (reads && letters * 2 > plain.len()).then(|| word.replacen(core, &plain, 1))
}
