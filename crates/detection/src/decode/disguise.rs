//! Characters that are not what they seem: invisible ones, Unicode tags, bytes in variation
//! selectors, and letters of other scripts or styles that pass for Latin.

use std::ops::Range;

use super::Found;
use super::fluency::is_plausible;
use crate::fold::{is_accent, is_invisible, is_tag, plain, tag_as_ascii};

/// Tag characters in a row that no flag needs.
const MIN_TAGS: usize = 8;
/// Invisible characters inside words before it is no accident.
const MIN_INVISIBLE: usize = 3;
/// Characters in disguise before it is no accident.
const MIN_DISGUISED: usize = 2;

pub(super) fn find(text: &str, out: &mut Vec<Found>) {
    hidden_rows(text, out);
    let (plain, seen) = undisguise(text);
    let mut view = |scheme, span: &Range<usize>| {
        out.push(Found { text: plain.clone(), scheme, span: span.clone() });
    };
    if seen.invisible >= MIN_INVISIBLE {
        view("encoded.zero_width", &seen.invisible_span);
    }
    if seen.disguised >= MIN_DISGUISED {
        view("encoded.homoglyph", &seen.disguised_span);
    }
}

/// Rows of tag characters and of variation selectors, each as the text it spells.
fn hidden_rows(text: &str, out: &mut Vec<Found>) {
    let mut row = Row::default();
    for (at, c) in text.char_indices() {
        let end = at + c.len_utf8();
        if is_tag(c) {
            row.tag(at..end, tag_as_ascii(c));
        } else if let Some(byte) = selector(c) {
            row.byte(at..end, byte);
        } else if row.tags > 0 && (c == '\n' || c == '\t') {
            // What writes tags leaves line ends as they are.
            row.pending.push(c);
        } else {
            row.done(out);
        }
    }
    row.done(out);
}

/// The byte a variation selector stands for when bytes are smuggled in them.
const fn selector(c: char) -> Option<u8> {
    match c {
        '\u{fe00}'..='\u{fe0f}' => Some((c as u32 - 0xfe00) as u8),
        '\u{e0100}'..='\u{e01ef}' => Some((c as u32 - 0xe0100 + 16) as u8),
        _ => None,
    }
}

#[derive(Default)]
struct Row {
    span: Range<usize>,
    tagged: String,
    pending: String,
    tags: usize,
    bytes: Vec<u8>,
}

impl Row {
    fn begin(&mut self, span: Range<usize>) {
        if self.tags == 0 && self.bytes.is_empty() {
            self.span = span;
        } else {
            self.span.end = span.end;
        }
    }

    fn tag(&mut self, span: Range<usize>, c: char) {
        self.begin(span);
        self.tagged.push_str(&self.pending);
        self.pending.clear();
        self.tagged.push(c);
        self.tags += 1;
    }

    fn byte(&mut self, span: Range<usize>, byte: u8) {
        self.begin(span);
        self.bytes.push(byte);
    }

    fn done(&mut self, out: &mut Vec<Found>) {
        let row = std::mem::take(self);
        if row.tags >= MIN_TAGS {
            let scheme = "encoded.unicode_tags";
            out.push(Found { text: row.tagged, scheme, span: row.span });
        } else if row.bytes.len() >= 4
            && let Ok(text) = String::from_utf8(row.bytes)
            && is_plausible(&text)
        {
            out.push(Found { text, scheme: "encoded.variation_selectors", span: row.span });
        }
    }
}

/// What was undone.
#[derive(Default)]
struct Seen {
    invisible: usize,
    invisible_span: Range<usize>,
    disguised: usize,
    disguised_span: Range<usize>,
    tags: usize,
}

fn note(count: &mut usize, span: &mut Range<usize>, at: usize, end: usize) {
    if *count == 0 {
        span.start = at;
    }
    *count += 1;
    span.end = end;
}

fn undisguise(text: &str) -> (String, Seen) {
    let (mut out, mut seen) = (String::with_capacity(text.len()), Seen::default());
    let mut at = 0;
    for word in text.split_inclusive(char::is_whitespace) {
        if word.is_ascii() {
            out.push_str(word);
        } else {
            undisguise_word(word, at, &mut out, &mut seen);
        }
        at += word.len();
    }
    (out, seen)
}

fn undisguise_word(word: &str, at: usize, out: &mut String, seen: &mut Seen) {
    // A word of look-alikes only may be a word of their own script, unless this text has been
    // seen to mix scripts inside words.
    let latin = seen.disguised > 0 || word.bytes().any(|byte| byte.is_ascii_alphabetic());
    let mut foreign = false;
    let mut letters = |c: char| foreign |= !c.is_ascii();
    for c in word.chars().filter(|c| !is_invisible(*c) && !is_accent(*c) && !is_tag(*c)) {
        plain(c, &mut letters);
    }
    let passes = latin && !foreign;
    let mut marks = 0;
    for (offset, c) in word.char_indices() {
        let (start, end) = (at + offset, at + offset + c.len_utf8());
        marks = if is_accent(c) { marks + 1 } else { 0 };
        if c.is_ascii() {
            out.push(c);
        } else if is_tag(c) {
            seen.tags += 1;
        } else if is_invisible(c) {
            // Joiners between other scripts' letters and selectors after signs have their uses.
            if out.ends_with(|last: char| last.is_ascii_alphanumeric() || last == ' ') {
                note(&mut seen.invisible, &mut seen.invisible_span, start, end);
            }
        } else if marks > 1 {
            note(&mut seen.disguised, &mut seen.disguised_span, start, end);
        } else if is_styled(c) || (passes && is_foreign_letter(c)) {
            note(&mut seen.disguised, &mut seen.disguised_span, start, end);
            let upper = c.is_uppercase();
            plain(c, &mut |letter| {
                out.push(if upper { letter.to_ascii_uppercase() } else { letter });
            });
        } else {
            out.push(c);
        }
    }
}

/// Letters and digits in a style of their own: full width, mathematical, in circles, super- and
/// subscript.
const fn is_styled(c: char) -> bool {
    matches!(c, '\u{2460}'..='\u{24ff}' | '\u{ff10}'..='\u{ff19}' | '\u{ff21}'..='\u{ff3a}'
        | '\u{ff41}'..='\u{ff5a}' | '\u{1d400}'..='\u{1d7ff}'
        | '\u{1f110}'..='\u{1f189}' | '\u{1d00}'..='\u{1d2b}' | '\u{2070}'..='\u{209c}')
}

/// A letter outside ASCII that is not a Latin letter with an accent.
const fn is_foreign_letter(c: char) -> bool {
    matches!(c, '\u{250}'..='\u{2af}' | '\u{370}'..='\u{58f}' | '\u{13a0}'..='\u{13ff}'
        | '\u{2100}'..='\u{218f}' | '\u{2c80}'..='\u{2cff}' | '\u{a4d0}'..='\u{a4ff}'
        | '\u{a640}'..='\u{a69f}' | '\u{ab30}'..='\u{abbf}' | '\u{10400}'..='\u{1044f}')
}
