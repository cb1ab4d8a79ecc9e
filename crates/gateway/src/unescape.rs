//! JSON text that comes in pieces, read as its strings read: tool arguments are judged as they are
//! written and as they will be understood.

/// Ends the name of the field under which unescaped text is judged. It is no pointer: such text
/// cannot be replaced, only stopped.
pub(crate) const UNESCAPED: &str = "~unescaped";

/// Resolves escapes piece by piece; the same text gives the same result however it is split.
#[derive(Debug, Default)]
pub(crate) struct Unescaper {
    /// An escape that has begun, at most a surrogate pair.
    pending: String,
}

enum Step {
    /// This character, after so many bytes.
    Char(char, usize),
    /// More is needed to tell.
    Incomplete,
}

impl Unescaper {
    /// The text of the next piece, as far as its escapes are complete.
    pub(crate) fn push(&mut self, piece: &str) -> String {
        let joined = std::mem::take(&mut self.pending) + piece;
        let mut out = String::with_capacity(joined.len());
        let mut rest = joined.as_str();
        while let Some(at) = rest.find('\\') {
            let (plain, escape) = rest.split_at(at);
            out.push_str(plain);
            match step(escape) {
                Step::Char(character, bytes) => {
                    out.push(character);
                    rest = escape.get(bytes..).unwrap_or_default();
                }
                Step::Incomplete => {
                    escape.clone_into(&mut self.pending);
                    return out;
                }
            }
        }
        out.push_str(rest);
        out
    }
}

/// What the escape at the start of `text` stands for; what is none stands for itself.
fn step(text: &str) -> Step {
    let itself = Step::Char('\\', 1);
    match text.as_bytes().get(1) {
        None => Step::Incomplete,
        Some(b'"') => Step::Char('"', 2),
        Some(b'\\') => Step::Char('\\', 2),
        Some(b'/') => Step::Char('/', 2),
        Some(b'b') => Step::Char('\u{8}', 2),
        Some(b'f') => Step::Char('\u{c}', 2),
        Some(b'n') => Step::Char('\n', 2),
        Some(b'r') => Step::Char('\r', 2),
        Some(b't') => Step::Char('\t', 2),
        Some(b'u') => match unit(text) {
            Unit::Incomplete => Step::Incomplete,
            Unit::Other => itself,
            Unit::Code(high @ 0xd800..=0xdbff) => pair(high, text.get(6..).unwrap_or_default()),
            Unit::Code(code) => Step::Char(decode(&[code]), 6),
        },
        Some(_) => itself,
    }
}

fn pair(high: u16, rest: &str) -> Step {
    if rest.is_empty() || rest == "\\" {
        return Step::Incomplete;
    }
    match unit(rest) {
        Unit::Incomplete => Step::Incomplete,
        Unit::Code(low @ 0xdc00..=0xdfff) => Step::Char(decode(&[high, low]), 12),
        Unit::Code(_) | Unit::Other => Step::Char(char::REPLACEMENT_CHARACTER, 6),
    }
}

enum Unit {
    Code(u16),
    Incomplete,
    Other,
}

/// The code unit of the `\uXXXX` at the start of `text`.
fn unit(text: &str) -> Unit {
    let Some(digits) = text.strip_prefix("\\u") else { return Unit::Other };
    let digits = digits.as_bytes();
    let digits = digits.get(..4).unwrap_or(digits);
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return Unit::Other;
    }
    if digits.len() < 4 {
        return Unit::Incomplete;
    }
    let code = std::str::from_utf8(digits).ok().and_then(|hex| u16::from_str_radix(hex, 16).ok());
    code.map_or(Unit::Other, Unit::Code)
}

fn decode(units: &[u16]) -> char {
    let mut decoded = char::decode_utf16(units.iter().copied());
    decoded.next().and_then(Result::ok).unwrap_or(char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str, size: usize) -> String {
        let mut unescaper = Unescaper::default();
        let chars: Vec<char> = text.chars().collect();
        chars.chunks(size).map(|piece| unescaper.push(&piece.iter().collect::<String>())).collect()
    }

    #[test]
    fn escapes_are_resolved_however_they_are_split() {
        for (text, expected) in [
            (r#"{"q": "a\u0020b\n\"c\""}"#, "{\"q\": \"a b\n\"c\"\"}"),
            (r"\\u0041 \u0041 \/", "\\u0041 A /"),
            (r"\ud83d\ude00!", "😀!"),
            (r"\ud83d!", "\u{fffd}!"),
            (r"\ud83d\u0041", "\u{fffd}A"),
            (r"\ude00 \x \u12g4 é", "\u{fffd} \\x \\u12g4 é"),
            (r"ends \u00", "ends "),
        ] {
            for size in 1..=text.len() {
                assert_eq!(split(text, size), expected, "{text} by {size}");
            }
        }
    }
}
