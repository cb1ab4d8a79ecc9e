//! The folded view of a text: lower case, invisible characters dropped, look-alike letters,
//! full-width forms and Unicode spaces mapped to ASCII, hidden tag characters made visible. Every
//! folded byte maps back to the original text. Character by character, so it is the same however
//! a stream is split.

/// What one character becomes.
enum Folded {
    Dropped,
    Char(char),
}

/// Folds a whole string. Used on keywords and patterns, so that they meet the text they look for.
pub(crate) fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if let Folded::Char(c) = fold_char(c) {
            out.push(c);
        }
    }
    out
}

/// Like [`fold`], but leaves ASCII as it is: for regex source, where case carries meaning.
pub(crate) fn fold_regex_source(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    for c in source.chars() {
        match fold_char(c) {
            _ if c.is_ascii() => out.push(c),
            Folded::Char(c) => out.push(c),
            Folded::Dropped => {}
        }
    }
    out
}

/// Whether the character is invisible in text and used to hide or split words.
pub(crate) const fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206f}'
        | '\u{feff}' | '\u{e0000}'..='\u{e001f}' | '\u{e007f}')
}

/// Whether the character belongs to the Unicode tag block, which mirrors ASCII invisibly.
pub(crate) const fn is_tag(c: char) -> bool {
    matches!(c, '\u{e0020}'..='\u{e007e}')
}

fn fold_char(c: char) -> Folded {
    if c.is_ascii() {
        return Folded::Char(c.to_ascii_lowercase());
    }
    if is_invisible(c) {
        return Folded::Dropped;
    }
    if is_tag(c) {
        let mirrored = char::from((c as u32 - 0xe0000) as u8);
        return Folded::Char(mirrored.to_ascii_lowercase());
    }
    let c = match c {
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => {
            ' '
        }
        '\u{ff01}'..='\u{ff5e}' => char::from((c as u32 - 0xff00 + 0x20) as u8),
        '\u{1d400}'..='\u{1d6a3}' => {
            let letter = (c as u32 - 0x1d400) % 52;
            char::from(b'a' + (letter % 26) as u8)
        }
        '\u{2018}' | '\u{2019}' | '\u{2b9}' | '\u{2bc}' => '\'',
        '\u{201c}' | '\u{201d}' => '"',
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        c => c,
    };
    let c = c.to_lowercase().next().unwrap_or(c);
    Folded::Char(look_alike(c))
}

/// Cyrillic, Greek and other letters that are drawn like Latin ones.
const fn look_alike(c: char) -> char {
    match c {
        'а' | 'α' | 'ɑ' => 'a',
        'в' => 'b',
        'с' | 'ϲ' => 'c',
        'ԁ' => 'd',
        'е' | 'ε' | 'ҽ' => 'e',
        'һ' => 'h',
        'і' | 'ι' | 'ı' => 'i',
        'ј' => 'j',
        'κ' | 'к' => 'k',
        'ӏ' => 'l',
        'м' => 'm',
        'о' | 'ο' | 'օ' => 'o',
        'р' | 'ρ' => 'p',
        'ԛ' => 'q',
        'ѕ' => 's',
        'т' | 'τ' => 't',
        'υ' | 'ս' => 'u',
        'ν' | 'ѵ' => 'v',
        'ԝ' | 'ω' => 'w',
        'х' | 'χ' => 'x',
        'у' | 'γ' => 'y',
        _ => c,
    }
}

/// One stretch of text as it is scanned: a sliding window of bytes with absolute positions, and
/// for the folded view the way back to the original.
#[derive(Debug, Clone, Default)]
pub(crate) struct Window {
    bytes: Vec<u8>,
    base: usize,
    /// `(position here, position in the original)` wherever the distance between them changes.
    shifts: Vec<(usize, usize)>,
}

/// Bytes kept behind the scanning position: more than any pattern may look back.
const KEEP: usize = 16 * 1024;

impl Window {
    /// One past the last byte.
    pub(crate) const fn end(&self) -> usize {
        self.base + self.bytes.len()
    }

    /// The bytes of `start..end`, as far as they are still held.
    pub(crate) fn slice(&self, start: usize, end: usize) -> &[u8] {
        let start = start.clamp(self.base, self.end());
        let end = end.clamp(start, self.end());
        &self.bytes[start - self.base..end - self.base]
    }

    /// The byte at `position`, if it is held.
    pub(crate) fn byte(&self, position: usize) -> Option<u8> {
        position.checked_sub(self.base).and_then(|index| self.bytes.get(index)).copied()
    }

    /// Appends original text.
    pub(crate) fn push_raw(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
    }

    /// Appends the folded form of text that stands at `original` in the original.
    pub(crate) fn push_folded(&mut self, text: &str, original: usize) {
        if text.is_ascii() {
            let from = self.bytes.len();
            self.bytes.extend_from_slice(text.as_bytes());
            self.bytes[from..].make_ascii_lowercase();
            self.note_shift(self.base + from, original);
            return;
        }
        for (offset, c) in text.char_indices() {
            if let Folded::Char(folded) = fold_char(c) {
                self.note_shift(self.end(), original + offset);
                self.bytes.extend_from_slice(folded.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
    }

    fn note_shift(&mut self, here: usize, original: usize) {
        let expected =
            self.shifts.last().map_or(here, |(from, to)| to.wrapping_add(here).wrapping_sub(*from));
        if expected != original {
            self.shifts.push((here, original));
        }
    }

    /// Where the byte at `position` stands in the original.
    pub(crate) fn original_start(&self, position: usize) -> usize {
        let after = self.shifts.partition_point(|(from, _)| *from <= position);
        match after.checked_sub(1).and_then(|index| self.shifts.get(index)) {
            Some((from, to)) => to + (position - from),
            None => position,
        }
    }

    /// Drops what is farther than [`KEEP`] behind the end.
    pub(crate) fn trim(&mut self) {
        if self.bytes.len() > 4 * KEEP {
            let drop = self.bytes.len() - KEEP;
            self.bytes.drain(..drop);
            self.base += drop;
            let base = self.base;
            let stale = self.shifts.partition_point(|(from, _)| *from <= base);
            if stale > 1 {
                self.shifts.drain(..stale - 1);
            }
        }
    }
}

/// One past the character that covers the original byte before `end`.
pub(crate) fn char_end(raw: &Window, end: usize) -> usize {
    let mut end = end;
    while raw.byte(end).is_some_and(|byte| byte & 0xc0 == 0x80) {
        end += 1;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disguises_fold_to_plain_words() {
        for (disguised, plain) in [
            ("IGNORE", "ignore"),
            ("ig\u{200b}no\u{ad}re", "ignore"),
            ("іgnоrе", "ignore"),
            ("ｉｇｎｏｒｅ", "ignore"),
            ("\u{e0069}\u{e0067}nore", "ignore"),
            ("𝐢𝐠𝐧𝐨𝐫𝐞", "ignore"),
            ("a\u{a0}b\u{3000}c", "a b c"),
            ("größe", "größe"),
        ] {
            assert_eq!(fold(disguised), plain, "{disguised:?}");
        }
    }

    #[test]
    fn positions_map_back_to_the_original() {
        let text = "ab\u{200b}c ｄ é x";
        let (mut raw, mut folded) = (Window::default(), Window::default());
        raw.push_raw(text);
        folded.push_folded(text, 0);
        let seen = String::from_utf8(folded.slice(0, folded.end()).to_vec()).unwrap_or_default();
        assert_eq!(seen, "abc d é x");
        for (position, c) in seen.char_indices() {
            let start = folded.original_start(position);
            let end = char_end(&raw, folded.original_start(position + c.len_utf8() - 1) + 1);
            assert_eq!(fold(&text[start..end]), c.to_string());
        }
    }
}
