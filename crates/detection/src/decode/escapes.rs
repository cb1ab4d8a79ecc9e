//! Escapes inside text: URL percent signs, HTML entities, `\x`, `\u` and octal escapes, `U+` names.

use std::ops::Range;

use super::Found;

/// Bytes between two escapes of one stretch.
const GAP: usize = 64;
/// Escapes of one text.
const MAX_ESCAPES: usize = 64 * 1024;

/// Names that stand for what splits or joins words, and for markup.
const NAMES: [(&str, char); 12] = [
    ("amp;", '&'),
    ("lt;", '<'),
    ("gt;", '>'),
    ("quot;", '"'),
    ("apos;", '\''),
    ("nbsp;", ' '),
    ("Tab;", '\t'),
    ("NewLine;", '\n'),
    ("shy;", '\u{ad}'),
    ("zwnj;", '\u{200c}'),
    ("zwj;", '\u{200d}'),
    ("ensp;", ' '),
];

/// One escape.
struct Escape {
    span: Range<usize>,
    value: Value,
    scheme: &'static str,
}

#[derive(Clone, Copy)]
enum Value {
    /// Part of a character in UTF-8.
    Byte(u8),
    Char(char),
}

pub(super) fn find(text: &str, out: &mut Vec<Found>) {
    let escapes = escapes(text.as_bytes());
    let mut from = 0;
    while from < escapes.len() {
        let same = escapes[from..]
            .windows(2)
            .position(|two| two[1].span.start > two[0].span.end + GAP)
            .map_or(escapes.len(), |last| from + last + 1);
        if same - from >= 2 {
            out.extend(stretch(text, &escapes[from..same]));
        }
        from = same;
    }
}

/// Decodes what lies between the first and the last escape, with the words they stand in.
fn stretch(text: &str, escapes: &[Escape]) -> Option<Found> {
    let (first, last) = (escapes.first()?, escapes.last()?);
    let written: usize = escapes.iter().map(|escape| escape.span.len()).sum();
    let mut span = first.span.start..last.span.end;
    if written * 5 < span.len() * 4 || escapes.len() < 8 {
        span.start = text.floor_char_boundary(span.start.saturating_sub(GAP));
        span.end = text.ceil_char_boundary((span.end + GAP).min(text.len()));
    }
    let mut bytes = Vec::with_capacity(span.len());
    let mut at = span.start;
    for escape in escapes {
        bytes.extend_from_slice(text.as_bytes().get(at..escape.span.start)?);
        match escape.value {
            Value::Byte(byte) => bytes.push(byte),
            Value::Char(c) => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
        at = escape.span.end;
    }
    bytes.extend_from_slice(text.as_bytes().get(at..span.end)?);
    let text = String::from_utf8_lossy(&bytes);
    let control = text.chars().filter(|c| c.is_control() && !c.is_ascii_whitespace()).count();
    (control * 8 < text.len()).then(|| Found {
        text: text.into_owned(),
        scheme: first.scheme,
        span,
    })
}

fn escapes(bytes: &[u8]) -> Vec<Escape> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(offset) = next_lead(&bytes[at..])
        && found.len() < MAX_ESCAPES
    {
        let start = at + offset;
        match escape(&bytes[start..]) {
            Some((length, value, scheme)) => {
                found.push(Escape { span: start..start + length, value, scheme });
                at = start + length;
            }
            None => at = start + 1,
        }
    }
    found
}

fn next_lead(bytes: &[u8]) -> Option<usize> {
    let lead = memchr::memchr3(b'%', b'&', b'\\', bytes);
    let named = memchr::memmem::find(&bytes[..lead.unwrap_or(bytes.len())], b"U+");
    named.or(lead)
}

fn escape(bytes: &[u8]) -> Option<(usize, Value, &'static str)> {
    let number = |from: usize, digits: usize, radix: u32| {
        let digits = bytes.get(from..from + digits)?;
        let digits = std::str::from_utf8(digits).ok()?;
        digits.bytes().all(|b| b.is_ascii_alphanumeric()).then_some(())?;
        u32::from_str_radix(digits, radix).ok()
    };
    match bytes.first()? {
        b'%' if matches!(bytes.get(1), Some(b'u')) => {
            Some((6, Value::Char(char::from_u32(number(2, 4, 16)?)?), "encoded.url"))
        }
        b'%' => Some((3, Value::Byte(number(1, 2, 16)? as u8), "encoded.url")),
        b'&' => entity(bytes).map(|(length, c)| (length, Value::Char(c), "encoded.html")),
        b'U' => {
            let digits = bytes[2..].iter().take(6).take_while(|b| b.is_ascii_hexdigit()).count();
            let value = char::from_u32(number(2, digits.max(4), 16)?)?;
            // The names of several characters are written with spaces between them.
            let more = bytes.get(2 + digits) == Some(&b' ') && bytes.get(3 + digits) == Some(&b'U');
            Some((2 + digits + usize::from(more), Value::Char(value), "encoded.unicode_escape"))
        }
        _ => backslash(bytes, number)
            .map(|(length, value)| (length, value, "encoded.unicode_escape")),
    }
}

fn backslash(
    bytes: &[u8],
    number: impl Fn(usize, usize, u32) -> Option<u32>,
) -> Option<(usize, Value)> {
    match bytes.get(1)? {
        b'x' => Some((4, Value::Byte(number(2, 2, 16)? as u8))),
        b'u' if bytes.get(2) == Some(&b'{') => {
            let digits = bytes[3..].iter().take(7).position(|byte| *byte == b'}')?;
            Some((4 + digits, Value::Char(char::from_u32(number(3, digits, 16)?)?)))
        }
        b'u' => {
            let high = number(2, 4, 16)?;
            if (0xd800..0xdc00).contains(&high) && bytes.get(6..8) == Some(b"\\u") {
                let low = number(8, 4, 16)?.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
                let value = 0x10000 + ((high - 0xd800) << 10) + low;
                return Some((12, Value::Char(char::from_u32(value)?)));
            }
            Some((6, Value::Char(char::from_u32(high)?)))
        }
        b'U' => Some((10, Value::Char(char::from_u32(number(2, 8, 16)?)?))),
        b'0'..=b'3' => Some((4, Value::Byte(number(1, 3, 8)? as u8))),
        _ => None,
    }
}

/// An HTML entity: numeric with or without its semicolon, or one of the names that matter here.
fn entity(bytes: &[u8]) -> Option<(usize, char)> {
    if bytes.get(1) == Some(&b'#') {
        let (radix, from) = match bytes.get(2)? {
            b'x' | b'X' => (16, 3),
            _ => (10, 2),
        };
        let is_digit = |byte: &&u8| char::from(**byte).is_digit(radix);
        let digits = bytes[from..].iter().take(10).take_while(is_digit).count();
        let value = std::str::from_utf8(&bytes[from..from + digits]).ok()?;
        let value = char::from_u32(u32::from_str_radix(value, radix).ok()?)?;
        let end = from + digits;
        return Some((end + usize::from(bytes.get(end) == Some(&b';')), value));
    }
    let name = NAMES.iter().find(|(name, _)| bytes[1..].starts_with(name.as_bytes()))?;
    Some((1 + name.0.len(), name.1))
}
