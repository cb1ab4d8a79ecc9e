//! The folded view of a text: lower case, compatibility forms (NFKC) and look-alike letters as the
//! plain ones, accents and invisible characters dropped, hidden tag characters made visible. Every
//! folded byte maps back to the original text. Character by character, so it is the same however
//! a stream is split.
//!
//! Look-alikes: Unicode's confusables (UTS #39) in the scripts that can pass for Latin, with own
//! entries where its skeleton is not the letter a reader sees.

use unicode_normalization::char::decompose_compatible;

/// Folds a whole string. Used on keywords and patterns, so that they meet the text they look for.
pub(crate) fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        fold_char(c, &mut |folded| out.push(folded));
    }
    out
}

/// Like [`fold`], but leaves ASCII as it is: for regex source, where case carries meaning.
pub(crate) fn fold_regex_source(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    for c in source.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            fold_char(c, &mut |folded| out.push(folded));
        }
    }
    out
}

/// Whether the character is invisible in text and used to hide or split words.
pub(crate) const fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e001f}'
        | '\u{e007f}'..='\u{e0fff}')
}

/// Whether the character belongs to the Unicode tag block, which mirrors ASCII invisibly.
pub(crate) const fn is_tag(c: char) -> bool {
    matches!(c, '\u{e0020}'..='\u{e007e}')
}

/// The ASCII character that a tag character mirrors.
pub(crate) fn tag_as_ascii(c: char) -> char {
    char::from((c as u32 & 0x7f) as u8)
}

/// Marks that stand over or under a letter and change nothing about which letter it is.
pub(crate) const fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{1ab0}'..='\u{1aff}'
        | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

/// Scripts whose characters stand for themselves: nothing to fold, and many of them.
const fn stands_alone(c: char) -> bool {
    matches!(c, '\u{590}'..='\u{10ff}' | '\u{1200}'..='\u{139f}' | '\u{1780}'..='\u{1cff}'
        | '\u{3041}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}')
}

fn fold_char(c: char, out: &mut impl FnMut(char)) {
    if c.is_ascii() {
        out(c.to_ascii_lowercase());
    } else if is_tag(c) {
        out(tag_as_ascii(c).to_ascii_lowercase());
    } else if !is_invisible(c) && !is_accent(c) {
        plain(c, out);
    }
}

/// What a character outside ASCII is read as, in lower case.
pub(crate) fn plain(c: char, out: &mut impl FnMut(char)) {
    if stands_alone(c) {
        return out(c);
    }
    // Cherokee and Lisu letters look like capitals, whose small forms look like nothing.
    let capital = matches!(c, '\u{13a0}'..='\u{13ff}' | '\u{a4d0}'..='\u{a4ff}');
    let letter = look_alike(c).or_else(|| enclosed(c));
    if let Some(letter) = letter.or_else(|| capital.then(|| confusable(c)).flatten()) {
        return out(letter);
    }
    decompose_compatible(c, |part| {
        if part.is_ascii() {
            out(part.to_ascii_lowercase());
        } else if !is_accent(part) && !is_invisible(part) {
            if let Some(letter) = look_alike(part) {
                return out(letter);
            }
            let lower = part.to_lowercase().next().unwrap_or(part);
            out(look_alike(lower).or_else(|| confusable(lower)).unwrap_or(lower));
        }
    });
}

/// Letters in circles and squares that have no compatibility form, and flag letters.
fn enclosed(c: char) -> Option<char> {
    let offset = match c {
        '\u{1f150}'..='\u{1f169}' => c as u32 - 0x1f150,
        '\u{1f170}'..='\u{1f189}' => c as u32 - 0x1f170,
        '\u{1f1e6}'..='\u{1f1ff}' => c as u32 - 0x1f1e6,
        _ => return None,
    };
    Some(char::from(b'a' + offset as u8))
}

/// The Latin letter Unicode's confusables name for a letter of a script that can pass for Latin.
fn confusable(c: char) -> Option<char> {
    if !matches!(c, '\u{a1}'..='\u{58f}' | '\u{13a0}'..='\u{167f}' | '\u{1c80}'..='\u{1c8f}'
        | '\u{1d00}'..='\u{1dbf}' | '\u{1e00}'..='\u{24ff}' | '\u{2c60}'..='\u{2d2f}'
        | '\u{a4d0}'..='\u{a69f}' | '\u{a720}'..='\u{a7ff}' | '\u{ab30}'..='\u{abbf}'
        | '\u{10280}'..='\u{1031f}' | '\u{10400}'..='\u{104ff}' | '\u{118a0}'..='\u{118ff}')
    {
        return None;
    }
    let mut buffer = [0; 4];
    let text: &str = c.encode_utf8(&mut buffer);
    let mut skeleton = unicode_security::skeleton(text).filter(|part| !is_accent(*part));
    let letter = skeleton.next().filter(char::is_ascii_alphanumeric)?;
    skeleton.next().is_none().then(|| letter.to_ascii_lowercase())
}

/// Letters that are drawn like Latin ones, and punctuation with a plain form. Capitals and small
/// letters of Cyrillic go the same way, so that folding does not break words of that script.
const fn look_alike(c: char) -> Option<char> {
    Some(match c {
        '\u{2018}' | '\u{2019}' | '\u{201b}' | '\u{2b9}' | '\u{2bc}' | '\u{2032}' => '\'',
        '\u{201c}'..='\u{201f}' | '\u{2033}' => '"',
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{2028}' | '\u{2029}' | '\u{2800}' => ' ',
        'а' | 'А' | 'α' | 'Α' | 'ɑ' => 'a',
        'в' | 'В' | 'Β' => 'b',
        'с' | 'С' | 'ϲ' | 'Ϲ' => 'c',
        'ԁ' | 'Ԁ' => 'd',
        'е' | 'Е' | 'ё' | 'Ё' | 'ε' | 'Ε' | 'ҽ' => 'e',
        'н' | 'Н' | 'һ' | 'Һ' | 'Η' => 'h',
        'і' | 'І' | 'ї' | 'Ї' | 'ι' | 'Ι' | 'ı' | 'ꓲ' => 'i',
        'ј' | 'Ј' => 'j',
        'κ' | 'Κ' | 'к' | 'К' => 'k',
        'ӏ' | 'Ӏ' => 'l',
        'м' | 'М' | 'Μ' => 'm',
        'Ν' | 'ո' => 'n',
        'о' | 'О' | 'ο' | 'Ο' | 'օ' | 'Օ' | 'σ' => 'o',
        'р' | 'Р' | 'ρ' | 'Ρ' => 'p',
        'ԛ' | 'Ԛ' => 'q',
        'ѕ' | 'Ѕ' => 's',
        'т' | 'Т' | 'τ' | 'Τ' => 't',
        'υ' | 'ս' => 'u',
        'ν' | 'ѵ' => 'v',
        'ԝ' | 'Ԝ' | 'ω' => 'w',
        'х' | 'Х' | 'χ' | 'Χ' => 'x',
        'у' | 'У' | 'γ' | 'Υ' => 'y',
        'Ζ' => 'z',
        _ => return None,
    })
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
            let at = original + offset;
            if c.is_ascii() {
                self.note_shift(self.end(), at);
                self.bytes.push(c.to_ascii_lowercase() as u8);
                continue;
            }
            // Each byte of what a character becomes points at the character's first byte.
            fold_char(c, &mut |folded| {
                self.note_shift(self.end(), at);
                self.bytes.extend_from_slice(folded.encode_utf8(&mut [0; 4]).as_bytes());
            });
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
            ("größe ＦＯＯ ﬁn Ⅷ ①②", "große foo fin viii 12"),
            ("ǐg̷n̴ò̈rè", "ignore"),
            ("Не was сhatGРТ", "he was chatgpt"),
            ("🅘🅖🅝 🅰", "ign a"),
            ("ᎥᏀ ꓲꓖ", "ig ig"),
            ("が日本語 한글 مرحبا हिन्दी", "が日本語 한글 مرحبا हिन्दी"),
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
        assert_eq!(seen, "abc d e x");
        for (position, c) in seen.char_indices() {
            let start = folded.original_start(position);
            let end = char_end(&raw, folded.original_start(position + c.len_utf8() - 1) + 1);
            assert!(fold(&text[start..end]).contains(c));
        }
    }
}
