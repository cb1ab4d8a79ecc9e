//! Characters written as numbers: decimal, hexadecimal and binary codes with something between
//! them, and Morse.

use std::ops::Range;

use super::Found;
use super::fluency::{FLUENT, is_codes, of_text};
use super::runs::{plausible, undo};

/// Fewest codes in a row.
const MIN_CODES: usize = 5;

/// A way to write a character as a number.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Base {
    Binary,
    Hex,
    Decimal,
}

impl Base {
    const ALL: [Self; 3] = [Self::Binary, Self::Hex, Self::Decimal];

    fn read(self, token: &str) -> Option<u8> {
        let digits = token.as_bytes().iter().all(u8::is_ascii_alphanumeric);
        match self {
            Self::Binary if token.len() == 8 => u8::from_str_radix(token, 2).ok(),
            Self::Hex if digits => {
                let token = token.strip_prefix("0x").unwrap_or(token);
                (token.len() == 2).then(|| u8::from_str_radix(token, 16).ok())?
            }
            Self::Decimal if digits && (2..=3).contains(&token.len()) => token.parse().ok(),
            _ => None,
        }
        .filter(|code| *code >= 32 || code.is_ascii_whitespace())
    }

    const fn scheme(self) -> &'static str {
        match self {
            Self::Binary => "encoded.binary",
            Self::Hex => "encoded.hex",
            Self::Decimal => "encoded.decimal",
        }
    }
}

/// Finds rows of codes.
pub(super) fn codes(text: &str, range: Range<usize>, out: &mut Vec<Found>) {
    let tokens = tokens(text, range);
    let mut found = Vec::new();
    for base in Base::ALL {
        let mut row: Vec<u8> = Vec::new();
        let mut first = 0;
        for (index, span) in tokens.iter().enumerate() {
            let gap = index.checked_sub(1).map_or(0, |last| span.start - tokens[last].end);
            let code = base.read(&text[span.clone()]);
            if code.is_none() || gap > 3 {
                row_done(text, &tokens[first..index], &mut row, base, &mut found);
            }
            if let Some(code) = code {
                if row.is_empty() {
                    first = index;
                }
                row.push(code);
            }
        }
        row_done(text, &tokens[first.min(tokens.len())..], &mut row, base, &mut found);
    } // A stretch of a longer row that also reads in another base is no row of its own.
    let within = |one: &Found, other: &Found| {
        one.span.len() < other.span.len()
            && other.span.start <= one.span.start
            && one.span.end <= other.span.end
    };
    let spans: Vec<bool> =
        found.iter().map(|one| found.iter().any(|other| within(one, other))).collect();
    out.extend(found.into_iter().zip(spans).filter(|(_, inner)| !inner).map(|(one, _)| one));
}

fn row_done(
    text: &str,
    tokens: &[Range<usize>],
    row: &mut Vec<u8>,
    base: Base,
    out: &mut Vec<Found>,
) {
    let row = std::mem::take(row);
    let (Some(first), Some(last)) = (tokens.first(), tokens.get(row.len().wrapping_sub(1))) else {
        return;
    };
    // Lists of numbers are common, so what they spell must read like words.
    if row.len() >= MIN_CODES
        && let Some(decoded) = plausible(row)
        && (of_text(&decoded).average() >= FLUENT || spells_codes(&decoded))
        && decoded != text[first.start..last.end]
    {
        let span = first.start..last.end;
        out.push(Found { text: decoded, scheme: base.scheme(), span });
    }
}

/// Whether what numbers spell are codes in their turn.
fn spells_codes(decoded: &str) -> bool {
    let run = || decoded.split_whitespace().collect::<String>();
    decoded.len() >= 32 && (is_codes(decoded) || undo(&run()).is_some())
}

fn tokens(text: &str, range: Range<usize>) -> Vec<Range<usize>> {
    let mut tokens = Vec::new();
    let mut start = None;
    let (offset, end) = (range.start, range.end);
    for (at, byte) in text.as_bytes()[range].iter().enumerate() {
        match (byte.is_ascii_alphanumeric(), start) {
            (true, None) => start = Some(offset + at),
            (false, Some(from)) => {
                tokens.push(from..offset + at);
                start = None;
            }
            _ => {}
        }
    }
    tokens.extend(start.map(|from| from..end));
    tokens
}

const MORSE: [(&str, char); 39] = [
    (".-", 'a'),
    ("-...", 'b'),
    ("-.-.", 'c'),
    ("-..", 'd'),
    (".", 'e'),
    ("..-.", 'f'),
    ("--.", 'g'),
    ("....", 'h'),
    ("..", 'i'),
    (".---", 'j'),
    ("-.-", 'k'),
    (".-..", 'l'),
    ("--", 'm'),
    ("-.", 'n'),
    ("---", 'o'),
    (".--.", 'p'),
    ("--.-", 'q'),
    (".-.", 'r'),
    ("...", 's'),
    ("-", 't'),
    ("..-", 'u'),
    ("...-", 'v'),
    (".--", 'w'),
    ("-..-", 'x'),
    ("-.--", 'y'),
    ("--..", 'z'),
    ("-----", '0'),
    (".----", '1'),
    ("..---", '2'),
    ("...--", '3'),
    ("....-", '4'),
    (".....", '5'),
    ("-....", '6'),
    ("--...", '7'),
    ("---..", '8'),
    ("----.", '9'),
    (".-.-.-", '.'),
    ("--..--", ','),
    ("..--..", '?'),
];

/// Finds Morse: letters of dots and dashes; words apart by a slash, a bar or more space.
pub(super) fn morse(text: &str, range: Range<usize>, out: &mut Vec<Found>) {
    let (mut decoded, mut signs, mut span) = (String::new(), 0, range.start..range.start);
    let mut at = range.start;
    for token in text[range].split_inclusive([' ', '\n', '/', '|']) {
        let sign = token.trim_end_matches([' ', '\n', '/', '|']);
        let letter = MORSE.iter().find(|(code, _)| *code == sign).map(|(_, letter)| *letter);
        match letter {
            Some(letter) => {
                if signs == 0 {
                    span = at..at;
                }
                decoded.push(letter);
                signs += 1;
                span.end = at + sign.len();
            }
            None if sign.is_empty() && signs > 0 => {}
            None => {
                morse_done(&mut decoded, &mut signs, &span, out);
            }
        }
        let apart = token.ends_with(['/', '|', '\n']) || (sign.is_empty() && signs > 0);
        if apart && !decoded.is_empty() && !decoded.ends_with(' ') {
            decoded.push(' ');
        }
        at += token.len();
    }
    morse_done(&mut decoded, &mut signs, &span, out);
}

fn morse_done(decoded: &mut String, signs: &mut usize, span: &Range<usize>, out: &mut Vec<Found>) {
    let text = std::mem::take(decoded);
    if std::mem::take(signs) >= MIN_CODES && of_text(&text).average() >= FLUENT {
        let text = text.trim().to_owned();
        out.push(Found { text, scheme: "encoded.morse", span: span.clone() });
    }
}
