//! Letters written as digits and marks that look like them.

use std::ops::Range;

use super::Found;
use super::fluency::{FLUENT, of_text};

/// Words that mix letters and digits before a stretch is taken for leet.
const MIN_WORDS: usize = 2;

/// Finds the stretch from the first to the last word of leet.
pub(super) fn find(text: &str, range: Range<usize>, out: &mut Vec<Found>) {
    let stretch = &text[range.clone()];
    let leet = stretch
        .split_ascii_whitespace()
        .filter(|word| is_mixed(word) && undo(word, FLUENT).is_some())
        .take(MIN_WORDS)
        .count();
    if leet < MIN_WORDS {
        return;
    }
    let (mut decoded, mut kept, mut at) = (String::new(), 0, range.start);
    let mut span: Option<Range<usize>> = None;
    for part in stretch.split_inclusive(|c: char| c.is_ascii_whitespace()) {
        let word = part.trim_ascii_end();
        // In company, a word that mixes letters and digits needs to look less like a word.
        if let Some(plain) = undo(word, if is_mixed(word) { -20 } else { 0 }) {
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
    if let Some(span) = span {
        out.push(Found { text: decoded, scheme: "encoded.leet", span });
    }
}

/// Letters and digits (or `@`, `$`) in one word, and nothing else inside.
fn is_mixed(word: &str) -> bool {
    let core = core(word);
    core.len() >= 3
        && core.bytes().any(|byte| byte.is_ascii_alphabetic())
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
        b'7' => *b"tt",
        b'8' => *b"bb",
        b'9' => *b"gg",
        b'!' | b'|' => *b"ii",
        _ => return None,
    })
}

/// The word in letters, if that reads at least as well as `least`. Numbers of one or two digits
/// may be words, longer ones are numbers.
fn undo(word: &str, least: i32) -> Option<String> {
    let core = core(word);
    if core.is_empty() || !core.is_ascii() || core.len() > 40 || core.contains('+') {
        return None;
    }
    let letters = core.bytes().any(|byte| byte.is_ascii_alphabetic());
    let address = core.contains('@') && core.contains('.');
    if address || (!letters && core.len() > 2) {
        return None;
    }
    // Each of the first few ambiguous signs is tried as either letter.
    let ambiguous = core.bytes().filter(|byte| *byte == b'1').count().min(4);
    let plain = (0..1_usize << ambiguous)
        .map(|choices| written(core, choices))
        .rev()
        // In doubt the sign is an i: as an l it would read much better.
        .max_by_key(|plain| of_text(plain).sum + 24 * plain.matches('i').count() as i32)?;
    if plain == core {
        return None;
    }
    let (read, letters) = (of_text(&plain), plain.bytes().filter(u8::is_ascii_alphabetic).count());
    let single = letters == 1 && plain.len() == 1 && matches!(core, "1" | "4");
    let reads = single || (letters > 1 && read.average() >= least);
    let plain = if core == "1" { "I" } else { plain.as_str() };
    (reads && letters * 2 > plain.len()).then(|| word.replacen(core, plain, 1))
}

fn written(core: &str, choices: usize) -> String {
    let mut nth = 0;
    core.bytes()
        .map(|byte| {
            let choice = if byte == b'1' {
                nth += 1;
                choices >> (nth - 1) & 1
            } else {
                0
            };
            char::from(candidates(byte).map_or(byte, |letters| letters[choice]))
        })
        .collect()
}
